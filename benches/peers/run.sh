#!/usr/bin/env bash
# Flows in memory to the 44 metrics: ours beside Polars, on the same file, alternating, checked equal.
# Usage: benches/peers/run.sh [FLOWS] [REPEAT]; needs Python 3 and some 3 GiB of memory for 10M flows.
set -euo pipefail
cd "$(dirname "$0")"
flows=${1:-10000000} repeat=${2:-3}
work=../../target/peers
mkdir -p "$work"
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet -r requirements.txt
python="$work/venv/bin/python"
input="$work/flows-$flows.parquet"
[ -f "$input" ] || "$python" generate.py --flows "$flows" --out "$input"
cargo build --release --locked --quiet -p peerscope-benches --example peer_metrics
ours=$(cargo metadata --format-version 1 --no-deps | "$python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/examples/peer_metrics

for _ in 1 2; do
    "$ours" "$input" --topology "$work/topology.json" --only memory --repeat "$repeat" \
        --time-json "$work/ours.json" --out "$work/ours.csv"
    "$python" polars_metrics.py "$input" --topology "$work/topology.json" --only u32 --repeat "$repeat" \
        --time-json "$work/polars.json" --out "$work/polars.csv"
done
"$python" compare_samples.py "$work/ours.csv" "$work/polars.csv"
"$python" - "$work" <<'PYTHON'
import json, pathlib, sys

work = pathlib.Path(sys.argv[1])
ours = json.loads((work / "ours.json").read_text())
polars = json.loads((work / "polars.json").read_text())
wall, cpu = min(run[0] for run in ours["wall_and_cpu_s"]["memory"]), min(run[1] for run in ours["wall_and_cpu_s"]["memory"])
peer_wall, peer_cpu = min(polars["wall_s"]["u32"]), min(polars["cpu_s"]["u32"])
above = (ours["peak_rss_bytes"] - ours["rss_with_input_bytes"]) / 2**20
print(f"ours   {wall:7.3f} s wall {cpu:7.3f} s CPU, {above:.0f} MiB above the input")
print(f"Polars {peer_wall:7.3f} s wall {peer_cpu:7.3f} s CPU")
print(f"ratio  {peer_wall / wall:7.2f}        {peer_cpu / cpu:7.2f}")
PYTHON
