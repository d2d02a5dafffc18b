#!/usr/bin/env python3
"""Holds Polars and DuckDB against the reference on small random flows full of edge cases.

`--write-golden DIR` writes the committed golden files instead: inputs and the reference's samples.
"""

import argparse
import csv
import json
import pathlib
import random
import sys
import tempfile

import reference

HEADER = (
    "start_us end_us transport src_ip src_port dst_ip dst_port fwd_packets fwd_bytes rev_packets"
    " rev_bytes handshake rev_payload_bytes app"
).split()
SECOND = 1_000_000
EPOCH = 1_200_009_600 * SECOND  # midnight: a multiple of every slot length but 7 s

# 10.10.5.0/24 is a hole in the monitored prefix; fd00:10::/32 is listed twice and is monitored.
TOPOLOGY = {
    "monitored": ["10.10.0.0/16", "fd00:10::/32", "198.51.100.7/32"],
    "provider": ["10.0.0.0/8", "10.10.5.0/24", "fd00:10::/32", "fd00::/16"],
}
MONITORED = ["10.10.0.1", "10.10.255.255", "198.51.100.7", "fd00:10::1", "fd00:10::ffff"]
OTHERS = [
    "10.10.5.0",
    "10.10.5.255",
    "10.9.255.255",
    "10.11.0.0",
    "10.0.0.0",
    "11.0.0.0",
    "9.255.255.255",
    "198.51.100.6",
    "203.0.113.9",
    "fd00:11::1",
    "fd01::1",
    "2001:db8::9",
]
MAPPED = ["::ffff:10.10.0.1", "::ffff:203.0.113.9", "::ffff:a0a:500"]
GROUPS = ["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::fb"]
PORTS = [
    0,
    53,
    80,
    411,
    412,
    413,
    1023,
    1024,
    1025,
    4661,
    4662,
    4663,
    6880,
    6881,
    6889,
    6890,
    65535,
]
APPS = ["emule", "kad", "kadu", "bittorrent", "dcpp", "http", "gnutella", ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--write-golden", type=pathlib.Path)
    args = parser.parse_args()
    if args.write_golden:
        write_golden(args.write_golden)
        return
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.first, args.first + args.seeds):
            check(seed, pathlib.Path(folder))
    print(f"{args.seeds} seeds: Polars and DuckDB equal the reference")


def check(seed, folder):
    rng = random.Random(seed)
    slot = rng.choice([1, 7, 60, 300, 86_400])
    family = rng.choice(list(reference.FAMILIES))
    v4_only = rng.random() < 0.4
    path, topology = folder / "flows.csv", folder / "topology.json"
    topology.write_text(json.dumps(TOPOLOGY))
    save(path, random_flows(rng, rng.choice([1, 3, 10, 60]), slot, v4_only, itself=True))
    expected = folder / "expected.csv"
    run_reference(path, topology, family, slot, expected)
    for name, run in (("polars", run_polars), ("duckdb", run_duckdb)):
        for variant in ("strings", "u32") if v4_only else ("strings",):
            got = folder / f"{name}.csv"
            run(path, topology, family, slot, variant, got)
            differences = compare(expected, got)
            if differences:
                print(*differences[:5], sep="\n")
                kept = pathlib.Path(tempfile.mkdtemp())
                (kept / "flows.csv").write_text(path.read_text())
                sys.exit(
                    f"seed {seed}, {family}, slot {slot}: {name} {variant} differs, input in {kept}"
                )


def run_reference(path, topology, family, slot, out):
    zones = reference.Zones(json.loads(topology.read_text()))
    reference.write(reference.samples(reference.read(str(path)), zones, family, slot), str(out))


def run_polars(path, topology, family, slot, variant, out):
    import common
    import polars_metrics as peer

    frame = peer.load(str(path))
    job = peer.from_strings
    if variant == "u32":
        job = peer.from_u32
        frame = peer.with_u32(frame)
    job(frame, common.Zones(topology), common.FAMILIES[family], slot).write_csv(out)


def run_duckdb(path, topology, family, slot, variant, out):
    import duckdb

    import common
    import duckdb_metrics as peer

    zones = common.Zones(topology)
    con = duckdb.connect(config={"threads": 1})
    con.execute(peer.load_sql("flows", peer.source_sql(str(path)), variant))
    ids = peer.u32_ids(zones) if variant == "u32" else peer.text_ids(con, "flows", zones)
    peer.samples(con, "flows", *ids, common.FAMILIES[family], slot)
    peer.write(con, out)


def compare(a, b):
    import compare_samples

    options = argparse.Namespace(a=a, b=b, tolerance=1e-9)
    with open(a, newline="") as x, open(b, newline="") as y:
        x, y = list(csv.reader(x)), list(csv.reader(y))
    if len(x) != len(y):
        return [f"{len(x)} and {len(y)} rows"]
    rows = enumerate(zip(x, y), 1)
    return [d for line, (p, q) in rows for d in compare_samples.unequal(line, x[0], p, q, options)]


def save(path, flows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(flows)


def random_flows(rng, count, slot, v4_only=False, itself=False, mapped=True):
    """Few hosts, few peers, times on and beside boundaries, zeros everywhere."""
    hosts = [a for a in MONITORED if ":" not in a or not v4_only]
    peers = hosts + [a for a in OTHERS + GROUPS + MAPPED * mapped if ":" not in a or not v4_only]
    hosts, peers = rng.sample(hosts, rng.randint(1, 3)), rng.sample(peers, rng.randint(2, 6))
    apps = rng.sample(APPS, rng.randint(1, 5)) + [""]
    ports = rng.sample(PORTS, 5) + [4662]
    flows = []
    while len(flows) < count:
        ends = [rng.choice(hosts), rng.choice(peers)]
        rng.shuffle(ends)
        if ends[0] == ends[1] and not itself:
            continue
        if rng.random() < 0.03:
            ends = rng.choices(OTHERS[:3], k=2)  # not monitored at either end
        flows.append(random_flow(rng, slot * SECOND, ends, rng.choice(apps), ports))
    return flows


def random_flow(rng, slot_us, ends, app, ports):
    start = EPOCH // slot_us * slot_us + rng.randint(0, 4) * slot_us
    start += rng.choice([0, 0, 1, -1, slot_us // 2, rng.randrange(slot_us)])
    boundary = start // slot_us * slot_us + slot_us
    end = rng.choice(
        [
            start,
            start,
            start + 1,
            boundary - 1,
            boundary,
            boundary + 1,
            boundary + slot_us,
            start + slot_us,
            start + rng.randrange(4 * slot_us),
        ]
    )
    end = max(start, end)
    transport = rng.choice(
        ["tcp", "tcp", "udp", "udp", "udp", "icmp" if rng.random() < 0.2 else "udp"]
    )
    handshake = (
        rng.choice(["complete", "failed", "failed", "unknown"]) if transport == "tcp" else ""
    )
    counts = [rng.choice([0, 1, rng.randint(0, 10 ** rng.randint(1, 6))]) for _ in range(2)]
    sizes = [n * rng.randint(28, 1500) if rng.random() < 0.9 else 0 for n in counts]
    payload = rng.choice(["", 0, 0, rng.randint(1, 10_000)])
    return [
        start,
        end,
        transport,
        ends[0],
        rng.choice(ports),
        ends[1],
        rng.choice(ports),
        counts[0],
        sizes[0],
        counts[1],
        sizes[1],
        handshake,
        payload,
        app,
    ]


def flow(start, end, transport, src, dst, port, **other):
    """A flow by hand; times in seconds (or fractions) after EPOCH."""
    row = dict(
        zip(
            HEADER,
            [
                EPOCH + round(start * SECOND),
                EPOCH + round(end * SECOND),
                transport,
                src,
                40000,
                dst,
                port,
                2,
                200,
                1,
                90,
                "",
                "",
                "",
            ],
        )
    )
    row |= (
        {"handshake": "complete", "rev_payload_bytes": 10} if transport == "tcp" else {"app": "kad"}
    )
    return list((row | other).values())


def write_golden(folder):
    """Case, family, slot in seconds, flows. The family and slot stand in cases.csv."""
    h, h2, h6 = "10.10.0.1", "10.10.0.2", "fd00:10::1"
    p, q = "10.20.0.1", "203.0.113.9"
    none = {"rev_packets": 0, "rev_bytes": 0}
    failed = {"handshake": "failed", "rev_payload_bytes": "", **none}
    e = 1e-6
    cases = [
        ("boundaries", "emule", 300, [
            flow(0, 300, "udp", h, p, 4672), flow(300, 300, "udp", h, p, 4672),
            flow(299.999999, 300, "udp", q, h, 4672), flow(300 - e, 300 + e, "udp", h, q, 53),
            flow(600, 900 - e, "udp", h, p, 1024), flow(600, 900, "udp", p, h, 1025),
            flow(1500, 1500, "udp", h, p, 0)]),
        ("spanning", "emule", 300, [
            flow(10, 1600, "tcp", h, p, 4662, app="emule", fwd_bytes=10**12 + 7, fwd_packets=10**9 + 1),
            flow(123.456789, 2000.000001, "udp", q, h, 4672, rev_bytes=999_999_937, rev_packets=1_000_003),
            flow(0, 86_400, "udp", h, p, 53, **none), flow(700, 701, "udp", h, q, 4672)]),
        ("monitored_both", "emule", 300, [
            flow(0, 5, "udp", h, h2, 4672), flow(1, 400, "udp", h2, h, 4673, app="kadu"),
            flow(2, 3, "tcp", h, h2, 4662, app="emule"), flow(4, 4, "tcp", h2, h, 4662, **failed)]),
        ("ipv6", "emule", 300, [
            flow(0, 5, "udp", h6, "2001:db8::9", 4672), flow(1, 2, "udp", "fd00:11::1", h6, 4672),
            flow(2, 301, "tcp", h6, "fd00:10::2", 4662, app="emule"), flow(3, 4, "udp", h, p, 4672),
            flow(5, 6, "udp", "::ffff:10.10.0.1", "::ffff:10.20.0.1", 4672),
            flow(7, 8, "udp", h6, "ff02::fb", 5353)]),
        ("mixed_systems", "emule", 300, [
            flow(0, 1, "udp", h, p, 4672), flow(2, 310, "udp", h, q, 4672, app="kadu"),
            flow(320, 330, "tcp", h, p, 4662, app="emule"), flow(400, 400, "udp", h2, p, 4672),
            flow(401, 402, "tcp", h2, q, 4662, app="kadu"), flow(900, 910, "udp", h, p, 4665, app="emule")]),
        ("only_tcp", "emule", 300, [
            flow(0, 1, "tcp", h, p, 4662, app="emule"), flow(5, 6, "udp", h, p, 4672, app="emule"),
            flow(310, 320, "tcp", h, p, 80, app="kad"), flow(700, 705, "udp", h, p, 4672, app="dns"),
            flow(900, 901, "udp", h, p, 4672, app="")]),
        ("failed_attempts", "emule", 300, [
            flow(0, 3, "tcp", h, p, 4662, **failed), flow(1, 4, "tcp", h, p, 4661, **failed),
            flow(2, 5, "tcp", q, h, 4662, **failed), flow(3, 6, "tcp", h, p, 4662, **failed, app="http"),
            flow(4, 4, "tcp", h, q, 4662, app="emule"), flow(5, 9, "tcp", h, p, 4662),
            flow(6, 7, "tcp", q, h, 4662, app="emule", handshake="unknown", rev_payload_bytes=0),
            flow(310, 311, "tcp", h, p, 4662, app="emule", handshake="unknown")]),
        ("application_data", "emule", 300, [
            flow(0, 1, "tcp", h, p, 4662, app="emule", rev_payload_bytes=0),
            flow(1, 2, "tcp", h, p, 4662, app="emule", rev_payload_bytes=""),
            flow(2, 3, "tcp", h, q, 4662, app="emule", rev_payload_bytes=7),
            flow(3, 4, "tcp", q, h, 4662, app="emule", rev_payload_bytes=""),
            flow(4, 5, "tcp", h, q, 4662, app="emule", rev_payload_bytes=0, handshake="failed")]),
        ("groups_and_zones", "any", 300, [
            flow(0, 1, "udp", h, "239.1.2.3", 1900), flow(1, 2, "udp", h, "255.255.255.255", 67),
            flow(2, 3, "udp", h, "10.10.5.1", 137), flow(3, 4, "udp", "10.10.5.1", q, 53),
            flow(4, 5, "udp", h, h2, 1), flow(5, 6, "udp", h, q, 2), flow(6, 7, "icmp", h, q, 0),
            flow(400, 400, "udp", h2, "224.0.0.251", 5353)]),
        ("zero_denominators", "any", 300, [
            flow(0, 0, "udp", h, p, 1024, fwd_packets=0, fwd_bytes=0, **none),
            flow(1, 1, "tcp", h, p, 443, fwd_packets=1, fwd_bytes=0, **none, handshake="unknown"),
            flow(310, 900, "udp", q, h, 53, fwd_packets=1, fwd_bytes=60, **none)]),
        ("bittorrent_ports", "bittorrent", 60, [
            flow(0, 3, "tcp", h, p, 6881, **failed), flow(1, 4, "tcp", h, p, 6889, **failed),
            flow(2, 5, "tcp", h, p, 6890, **failed), flow(3, 300, "udp", h, q, 6881, app="bittorrent"),
            flow(4, 6, "tcp", q, h, 51413, app="bittorrent"), flow(70, 80, "udp", h, q, 6881)]),
        ("dcpp_ports", "dcpp", 300, [
            flow(0, 3, "tcp", h, p, 411, **failed), flow(1, 4, "tcp", h, p, 413, **failed),
            flow(2, 5, "tcp", h, q, 412, app="dcpp"), flow(3, 6, "udp", q, h, 412, app="dcpp", **none)]),
    ]  # fmt: skip
    for seed, family, slot in [
        (1, "emule", 300),
        (2, "any", 7),
        (3, "any", 86_400),
        (4, "emule", 1),
    ]:
        flows = random_flows(random.Random(seed), 30, slot, mapped=False)
        cases.append((f"random_{seed}", family, slot, flows))

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "cases.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "family", "slot_s"])
        writer.writerows((name, family, slot) for name, family, slot, _ in cases)
    for name, family, slot, flows in cases:
        topology = folder / f"{name}.topology.json"
        topology.write_text(json.dumps(TOPOLOGY) + "\n")
        save(folder / f"{name}.flows.csv", flows)
        run_reference(
            folder / f"{name}.flows.csv", topology, family, slot, folder / f"{name}.samples.csv"
        )


if __name__ == "__main__":
    main()
