#!/usr/bin/env bash
# Everything beside its peers, table after table: metrics, clustering, logs of text, packets (where nfpcapd, Argus and
# softflowd are installed). Some 15 minutes at 10M flows.
# Usage: benches/peers/all.sh [FLOWS]
set -euo pipefail
cd "$(dirname "$0")"
flows=${1:-10000000}
work=../../target/peers
./run.sh "$flows"
./cluster.sh
cargo build --release --locked --quiet -p peerscope-benches --example peer_text --example peer_packets
bin=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/examples
"$bin/peer_text" generate "$work" --flows 1000000
"$work/venv/bin/python" text.py --ours "$bin/peer_text" "$work/flows.csv" "$work/conn.log"
if command -v nfpcapd argus softflowd > /dev/null; then
    "$bin/peer_packets" generate "$work/generated.pcap" --packets 2000000
    python3 meters.py --ours "$bin/peer_packets" "$work/generated.pcap"
else
    echo "packets: skipped, nfpcapd, argus or softflowd is not installed"
fi
