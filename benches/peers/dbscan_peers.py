#!/usr/bin/env python3
"""scikit-learn's DBSCAN on one-dimensional values: time, clusters, cores and noise.

By default the values are seeded and ascending, shaped like Figure 4 of the P2P paper; they are
written to OUT/values.csv, and the results to OUT/dbscan.json, where cores and noise are inclusive
ranges of positions in the ascending values.
"""

import argparse
import json
import pathlib
import time

import common
import numpy as np
import sklearn
from sklearn.cluster import DBSCAN

# Table 3 of the P2P paper.
EPS = [0.01, 0.05, 0.1, 0.2, 0.5]
PERCENT = [1, 5, 10, 20, 40, 60]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=13_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values", help="CSV with the column `value` instead of seeded values")
    parser.add_argument("--eps", type=float, default=0.1, help="of the single setting")
    parser.add_argument("--percent", type=int, default=20, help="of the single setting")
    parser.add_argument("--grid", action="store_true", help="all of Table 3 too")
    parser.add_argument("--repeat", type=int, default=3, help="of the single setting")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder")
    args = parser.parse_args()

    if args.values:
        values = np.sort(np.loadtxt(args.values, skiprows=1, ndmin=1))
    else:
        values = seeded(args.n, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    np.savetxt(args.out / "values.csv", values, fmt="%.17g", header="value", comments="")

    single = [fit(values, args.eps, args.percent) for _ in range(args.repeat)]
    result = min(single, key=lambda one: one["wall_s"])
    result["wall_s_all"] = [one["wall_s"] for one in single]
    facts = {
        "scikit-learn": sklearn.__version__,
        "n": len(values),
        "single": result,
        "peak_rss_single_bytes": common.peak_rss_bytes(),
    }
    if args.grid:
        facts["grid"] = [fit(values, eps, percent) for eps in EPS for percent in PERCENT]
        facts["grid_wall_s"] = sum(cell["wall_s"] for cell in facts["grid"])
        facts["peak_rss_grid_bytes"] = common.peak_rss_bytes()
    (args.out / "dbscan.json").write_text(json.dumps(facts) + "\n")
    for cell in [result, *facts.get("grid", [])]:
        print(
            "eps {eps} min_points {min_points} ({percent} %): {clusters} clusters, {noise_count} noise, "
            "{wall_s:.3f} s wall, {cpu_s:.3f} s CPU".format(**cell)
        )
    print(
        "grid: {:.2f} s".format(facts.get("grid_wall_s", 0)),
        "peak RSS",
        common.peak_rss_bytes() >> 20,
        "MiB",
    )


def seeded(n, seed):
    """36 % in [0, 0.08], 58 % in [0.98, 1], the rest between."""
    rng = np.random.default_rng(seed)
    low, high = round(0.36 * n), round(0.58 * n)
    parts = [
        rng.uniform(0, 0.08, low),
        rng.uniform(0.98, 1, high),
        rng.uniform(0, 1, n - low - high),
    ]
    return np.sort(np.concatenate(parts))


def fit(values, eps, percent):
    min_points = max(1, -(-percent * len(values) // 100))
    begin = time.perf_counter(), time.process_time()
    fitted = DBSCAN(eps=eps, min_samples=min_points).fit(values.reshape(-1, 1))
    wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    noise = np.flatnonzero(fitted.labels_ == -1)
    return {
        "eps": eps,
        "percent": percent,
        "min_points": min_points,
        "wall_s": wall,
        "cpu_s": cpu,
        "clusters": int(fitted.labels_.max(initial=-1)) + 1,
        "core_count": len(fitted.core_sample_indices_),
        "noise_count": len(noise),
        "cores": runs(fitted.core_sample_indices_),
        "noise": runs(noise),
    }


def runs(positions):
    """Ascending positions as inclusive ranges."""
    positions = np.asarray(positions)
    if not len(positions):
        return []
    cuts = np.flatnonzero(np.diff(positions) != 1)
    firsts = positions[np.r_[0, cuts + 1]]
    lasts = positions[np.r_[cuts, len(positions) - 1]]
    return np.stack([firsts, lasts], axis=1).tolist()


if __name__ == "__main__":
    main()
