#!/usr/bin/env python3
"""Seeded synthetic flows of a monitored group of eMule hosts, as canonical CSV or Parquet.

The same arguments give the same flows. `topology.json` is written beside the output.
"""

import argparse
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

EPOCH_US = 1_200_000_000_000_000  # a multiple of 300 s
SECOND = 1_000_000
MOST_HOSTS = 3_500_000  # from 10.10.0.1 to below the provider's other hosts

CSV_OPTIONS = pyarrow.csv.WriteOptions(quoting_style="none", quoting_header="none")

TRANSPORTS = ["tcp", "udp"]
HANDSHAKES = ["complete", "failed", "unknown"]
APPS = ["emule", "kad", "kadu", "http", "dns"]
TCP, UDP = 0, 1
COMPLETE, FAILED, UNKNOWN = 0, 1, 2
EMULE, KAD, KADU, HTTP, DNS = range(5)


def main():
    args = arguments()
    table = flows(args.flows, args.hosts, args.hours, args.seed, args.shuffle)
    if args.hosts > 65_000:
        # Each row group would repeat the dictionary of all addresses.
        table = decoded(table)
    if args.out.suffix == ".csv":
        pyarrow.csv.write_csv(decoded(table), args.out, CSV_OPTIONS)
    else:
        pyarrow.parquet.write_table(
            table, args.out, compression="zstd", row_group_size=args.row_group, store_schema=False
        )
    beside = args.out.parent / "topology.json"
    monitored = [f"10.{10 + i}.0.0/16" for i in range(1 + args.hosts // 65_536)]
    beside.write_text(json.dumps({"monitored": monitored, "provider": ["10.0.0.0/8"]}) + "\n")
    print(f"{args.out}: {table.num_rows} flows")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, required=True)
    parser.add_argument("--hosts", type=int, default=614)
    parser.add_argument("--hours", type=float, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--row-group", type=int, default=1 << 18)
    parser.add_argument("--shuffle", action="store_true", help="rows in random order, not by start")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="*.parquet or *.csv")
    args = parser.parse_args()
    if not 1 <= args.hosts <= MOST_HOSTS:
        parser.error(f"--hosts must lie in 1..={MOST_HOSTS}")
    return args


def flows(n, hosts, hours, seed, shuffle):
    rng = np.random.default_rng(seed)
    span = int(hours * 3600 * SECOND)
    peers = max(16, min(300_000, n // 5 + 16))
    pool, peer_port = addresses(rng, hosts, peers)

    start = EPOCH_US + np.sort((rng.beta(1.1, 1.0, n) * span).astype(np.int64))
    # Hosts differ in activity, and each is online in one window of the trace.
    activity = rng.lognormal(0.0, 0.5, hosts)
    host = rng.choice(hosts, n, p=activity / activity.sum()).astype(np.int32)
    online = rng.uniform(0.7, 1.0, hosts)
    offset = rng.uniform(0.0, 1.0, hosts) * (1.0 - online)
    position = (start - EPOCH_US) / span
    away = (position < offset[host]) | (position > (offset + online)[host])
    # Flows of a host that is away go to hosts that are always there.
    always = np.flatnonzero(online >= np.quantile(online, 0.5)).astype(np.int32)
    host[away] = always[rng.integers(0, len(always), int(away.sum()))]

    peer = hosts + zipf(rng, peers, n)
    # Three of four hosts use KadU; hosts talk to one another within their network only.
    of_host = np.where(rng.random(hosts) < 0.78, KADU, KAD)
    other = rng.integers(0, hosts, n).astype(np.int32)
    inside = (rng.random(n) < 0.01) & (other != host) & (of_host[other] == of_host[host])
    peer[inside] = other[inside]
    outgoing = rng.random(n) < 0.55

    kind = rng.random(n)
    transport = np.where(kind < 0.035, TCP, UDP).astype(np.int8)
    tcp = transport == TCP
    # A few flows of a host belong to the other network.
    network = of_host[host]
    other_network = rng.random(n) < 2e-5
    network[other_network] = KAD + KADU - network[other_network]
    app = np.where(tcp, EMULE, network).astype(np.int8)
    app[kind < 0.015] = HTTP
    app[kind > 0.985] = DNS
    unlabelled = (kind > 0.97) & (kind <= 0.985)

    # The UDP share that gets no answer, and TCP attempts that fail, grow with the peer's rank.
    stale = rng.random(n) < np.where(outgoing, 0.25, 0.12) + 0.25 * (peer % 7 == 0)
    failed = tcp & stale
    handshake = np.where(failed, FAILED, COMPLETE).astype(np.int8)
    handshake[tcp & (rng.random(n) < 0.02)] = UNKNOWN
    unlabelled |= tcp & (handshake == FAILED)

    fwd_packets = 1 + rng.geometric(0.45, n).astype(np.int64) - (rng.random(n) < 0.5)
    rev_packets = np.where(stale, 0, rng.geometric(0.5, n)).astype(np.int64)
    bulk = tcp & ~failed & (rng.random(n) < 0.35)
    volume = np.minimum(rng.lognormal(7.0, 1.8, n), 1e6).astype(np.int64)
    fwd_packets[bulk] += volume[bulk]
    rev_packets[bulk] += volume[bulk] // 2
    fwd_bytes = fwd_packets * rng.integers(46, 120, n)
    rev_bytes = rev_packets * rng.integers(46, 400, n)
    fwd_bytes[bulk] *= 11
    silent = tcp & (rng.random(n) < 0.2)
    payload = np.where(silent, 0, np.maximum(rev_bytes - 40 * rev_packets, 0))
    payload_unknown = rng.random(n) < 0.01

    duration = np.minimum(rng.lognormal(14.0, 2.2, n), 3600e6).astype(np.int64)
    long_lived = rng.random(n) < 0.05
    duration[long_lived] = rng.uniform(60e6, 2400e6, int(long_lived.sum())).astype(np.int64)
    duration[(fwd_packets + rev_packets) == 1] = 0
    end = np.minimum(start + duration, EPOCH_US + span)

    initiator = np.where(outgoing, host, peer).astype(np.int32)
    responder = np.where(outgoing, peer, host).astype(np.int32)
    ephemeral = rng.integers(1025, 65536, n)
    src_port = np.where(tcp, ephemeral, peer_port[initiator]).astype(np.uint16)
    dst_port = np.where(tcp & (peer_port[responder] == 4672), 4662, peer_port[responder])
    reserved = rng.random(n) < 4e-4
    dst_port[reserved] = rng.choice([53, 80, 25, 123, 443, 1024, 0], int(reserved.sum()))
    dst_port[app == DNS] = 53
    dst_port[(app == HTTP) & ~unlabelled] = 80
    dst_port = dst_port.astype(np.uint16)

    order = rng.permutation(n) if shuffle else slice(None)
    columns = {
        "start_us": pa.array(start[order]),
        "end_us": pa.array(end[order]),
        "transport": named(transport[order], TRANSPORTS),
        "src_ip": named(initiator[order], pool),
        "src_port": pa.array(src_port[order]),
        "dst_ip": named(responder[order], pool),
        "dst_port": pa.array(dst_port[order]),
        "fwd_packets": pa.array(fwd_packets[order].astype(np.uint64)),
        "fwd_bytes": pa.array(fwd_bytes[order].astype(np.uint64)),
        "rev_packets": pa.array(rev_packets[order].astype(np.uint64)),
        "rev_bytes": pa.array(rev_bytes[order].astype(np.uint64)),
        "handshake": named(handshake[order], HANDSHAKES, ~tcp[order]),
        "rev_payload_bytes": pa.array(
            payload[order].astype(np.uint64), mask=payload_unknown[order]
        ),
        "app": named(app[order], APPS, unlabelled[order]),
    }
    return pa.table(columns)


def addresses(rng, hosts, peers):
    """Texts of all addresses, hosts first, and the port that each one listens on."""
    octets = np.concatenate(
        [
            (10 << 24) + (10 << 16) + 1 + np.arange(hosts),
            np.where(
                rng.random(peers) < 0.6,
                (10 << 24) + (rng.choice(11 << 20, peers, replace=False) + (64 << 16)),
                (80 << 24) + rng.choice(64 << 20, peers, replace=False),
            ),
        ]
    )
    texts = [f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}" for a in octets.tolist()]
    ports = rng.integers(1025, 65536, hosts + peers)
    ports[rng.random(hosts + peers) < 0.6] = 4672
    return texts, ports


def zipf(rng, count, n):
    """n ranks below `count` with probability about 1 / (rank + 20) ** 0.9."""
    weights = (np.arange(count) + 20.0) ** -0.9
    cumulative = np.cumsum(weights)
    draws = rng.random(n) * cumulative[-1]
    return np.minimum(np.searchsorted(cumulative, draws), count - 1).astype(np.int32)


def named(codes, names, missing=None):
    indices = pa.array(codes.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names))


def decoded(table):
    plain = [c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(plain, names=table.column_names)


if __name__ == "__main__":
    main()
