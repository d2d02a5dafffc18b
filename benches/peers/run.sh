#!/usr/bin/env bash
# Flows to the 44 metrics, from memory and from the Parquet file: ours beside Polars and DuckDB, on the
# same file, ours and Polars alternating, checked equal. Beside them ours with the digest of the file,
# and the file alone: all 14 columns through Arrow's reader, and into our flows.
# Usage: benches/peers/run.sh [FLOWS] [REPEAT] [HOSTS]; needs Python 3 and some 7 GiB of memory for 10M
# flows of 614 hosts, and far more where nearly every flow is a sample.
set -euo pipefail
cd "$(dirname "$0")"
flows=${1:-10000000} repeat=${2:-3} hosts=${3:-614}
work=../../target/peers
mkdir -p "$work"
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet -r requirements.txt
python=$(realpath -s "$work/venv/bin/python")
[ "$hosts" = 614 ] || work="$work/hosts-$hosts"
mkdir -p "$work"
input="$work/flows-$flows.parquet"
[ -f "$input" ] || "$python" generate.py --flows "$flows" --hosts "$hosts" --out "$input"
cargo build --release --locked --quiet -p peerscope-benches --example peer_metrics
ours=$(cargo metadata --format-version 1 --no-deps | "$python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/examples/peer_metrics

for turn in 1 2; do
    for variant in memory file source arrow flows; do
        "$ours" "$input" --topology "$work/topology.json" --only "$variant" --repeat "$repeat" \
            --time-json "$work/ours-$variant-$turn.json" --out "$work/ours-$variant.csv"
    done
    for variant in u32 file; do
        "$python" polars_metrics.py "$input" --topology "$work/topology.json" --only "$variant" --repeat "$repeat" \
            --time-json "$work/polars-$variant-$turn.json" --out "$work/polars-$variant.csv"
    done
done
for variant in u32 file; do
    "$python" duckdb_metrics.py "$input" --topology "$work/topology.json" --only "$variant" --repeat 1 \
        --time-json "$work/duckdb-$variant-1.json" --out "$work/duckdb-$variant.csv"
done
for other in ours-file ours-source polars-u32 polars-file duckdb-u32 duckdb-file; do
    "$python" compare_samples.py "$work/ours-memory.csv" "$work/$other.csv"
done
"$python" - "$work" <<'PYTHON'
import json, pathlib, sys

work = pathlib.Path(sys.argv[1])


def facts(name):
    return [json.loads(path.read_text()) for path in sorted(work.glob(f"{name}-[0-9].json"))]


def best(name, variant):
    runs = [run for each in facts(name) for run in each["wall_and_cpu_s"][variant]]
    return min(run[0] for run in runs), min(run[1] for run in runs)


print(f"{'from':8}{'who':8}{'wall s':>8}{'CPU s':>8}{'ratio':>7}{'CPU':>6}{'peak MiB':>10}   best of all repetitions")
for origin, peers in (("memory", ["polars-u32", "duckdb-u32"]), ("file", ["polars-file", "duckdb-file"])):
    ours = facts(f"ours-{origin}")
    wall, cpu = best(f"ours-{origin}", origin)
    peak = max(each["peak_rss_bytes"] for each in ours) / 2**20
    print(f"{origin:8}{'ours':8}{wall:8.3f}{cpu:8.3f}{'':13}{peak:10.0f}")
    if origin == "memory":
        above = max(each["peak_rss_bytes"] - each["rss_with_input_bytes"] for each in ours) / 2**20
        print(f"{'':8}ours above the input: {above:.0f} MiB")
    for peer in peers:
        name, variant = peer.split("-")
        theirs = facts(peer)
        their_wall = min(value for each in theirs for value in each["wall_s"][variant])
        their_cpu = min(value for each in theirs for value in each["cpu_s"][variant])
        peak = max(each["peak_rss_bytes"] for each in theirs) / 2**20
        ratios = f"{their_wall / wall:7.2f}{their_cpu / cpu:6.2f}"
        print(f"{origin:8}{name:8}{their_wall:8.3f}{their_cpu:8.3f}{ratios}{peak:10.0f}")

wall, cpu = best("ours-file", "file")
beside = [
    ("source", "ours", "to the table, with the digest of the file"),
    ("arrow", "alone", "all columns through Arrow's reader"),
    ("flows", "alone", "into our flows"),
]
for variant, who, what in beside:
    other = best(f"ours-{variant}", variant)
    print(f"{'file':8}{who:8}{other[0]:8.3f}{other[1]:8.3f}   {what}; to the table takes {wall / other[0]:.2f}, CPU {cpu / other[1]:.2f} of it")
PYTHON
