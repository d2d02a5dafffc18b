#!/usr/bin/env bash
# One-dimensional DBSCAN on the same values: ours beside scikit-learn and linfa, one setting and the 30 of
# Table 3, clusters and noise checked equal. linfa does the single setting, and all 30 if asked for.
# Usage: benches/peers/cluster.sh [VALUES] [grid-of-linfa]
set -euo pipefail
cd "$(dirname "$0")"
values=${1:-13000}
work=../../target/peers
mkdir -p "$work"
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet -r requirements.txt
"$work/venv/bin/python" dbscan_peers.py --n "$values" --grid --out "$work/dbscan-$values" > "$work/dbscan-$values.txt"
cargo run --release --quiet --manifest-path cluster/Cargo.toml --target-dir "$work/cluster" -- "$work/dbscan-$values" ${2:+"$2"}
