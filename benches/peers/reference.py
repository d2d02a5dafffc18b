#!/usr/bin/env python3
"""The oracle: flows -> sample table, slow and exact, for small inputs.

Standard library only (Parquet input needs pyarrow). Every number is a `Fraction` until it is
written; distinct counts are sets; nothing is shared with the fast implementations beside it.
"""

import argparse
import csv
import ipaddress
import json
import sys
from collections import defaultdict
from fractions import Fraction

FAMILIES = {
    # name: (labels or None for every flow, control label -> system, default TCP ports, system)
    "emule": ({"emule", "kad", "kadu"}, {"kad": "kad", "kadu": "kadu"}, {4662}, None),
    "bittorrent": ({"bittorrent"}, {}, set(range(6881, 6890)), "bittorrent"),
    "dcpp": ({"dcpp"}, {}, {411, 412}, "dcpp"),
    "any": (None, {}, set(range(65536)), "all"),
}
TRANSPORTS = ["tcp", "udp"]
DIRECTIONS = ["inout", "outin"]
MICROSECONDS = 1_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input")
    parser.add_argument("--topology", required=True)
    parser.add_argument("--family", choices=FAMILIES, default="emule")
    parser.add_argument("--slot", type=int, default=300, help="seconds")
    parser.add_argument("--out", default="-")
    args = parser.parse_args()

    with open(args.topology) as file:
        zones = Zones(json.load(file))
    table = samples(read(args.input), zones, args.family, args.slot)
    write(table, args.out)


def samples(flows, zones, family, slot_seconds):
    """Rows of the sample table, in order: (host, slot start, system, {metric: Fraction or None})."""
    slot_us = slot_seconds * MICROSECONDS
    active = defaultdict(list)  # (host, slot) -> [(direction, flow)], flows of interest only
    for flow in flows:
        if flow["transport"] not in TRANSPORTS or not of_interest(flow, family):
            continue
        if is_group(flow["src"]) or is_group(flow["dst"]):
            continue
        for host, direction in [(flow["src"], "inout"), (flow["dst"], "outin")]:
            if zones.zone(host) == "monitored":
                for slot in range(flow["start"] // slot_us, flow["end"] // slot_us + 1):
                    active[host, slot].append((direction, flow))

    rows = []
    for host, slot in sorted(active, key=lambda key: (key[0].version, int(key[0]), key[1])):
        seen = active[host, slot]
        values = {}
        for transport in TRANSPORTS:
            these = [(d, f) for d, f in seen if f["transport"] == transport]
            measure(these, transport, slot, slot_us, zones, values)
        rows.append((str(host), slot * slot_us, system(seen, family), values))
    return rows


def of_interest(flow, family):
    labels, _, ports, _ = FAMILIES[family]
    if labels is None or flow["app"] in labels:
        return True
    failed_tcp = flow["transport"] == "tcp" and flow["handshake"] == "failed"
    return flow["app"] is None and failed_tcp and flow["dst_port"] in ports


def system(seen, family):
    _, control, _, only_system = FAMILIES[family]
    if not control:
        return only_system
    systems = {
        control[f["app"]] for _, f in seen if f["transport"] == "udp" and f["app"] in control
    }
    if len(systems) == 1:
        return systems.pop()
    return "mixed" if systems else f"{family}-only"


def measure(seen, transport, slot, slot_us, zones, values):
    """Adds the metrics of one transport to `values`; `seen` are its active flows with directions."""
    suffix = "-" + transport.upper()
    started = [(d, f) for d, f in seen if f["start"] // slot_us == slot]

    def put(name, value):
        # No active flow of the transport: nothing is defined, not even a count.
        values[name + suffix] = value if seen else None

    sent = rcvd = packets = Fraction(0)
    for direction, flow in seen:
        share = overlap(flow, slot, slot_us)
        outwards = direction == "inout"
        sent += share * flow["fwd_bytes" if outwards else "rev_bytes"]
        rcvd += share * flow["rev_bytes" if outwards else "fwd_bytes"]
        packets += share * (flow["fwd_packets"] + flow["rev_packets"])
    durations = sum(f["end"] - f["start"] for _, f in started)
    slot_seconds = Fraction(slot_us, MICROSECONDS)

    put("avg-duration", ratio(durations, MICROSECONDS * len(started)))
    put("live-conn", Fraction(len(seen)))
    put("fract-incoming-conn", ratio(sum(d == "outin" for d, _ in started), len(started)))
    put("bps-rcvd", 8 * rcvd / slot_seconds)
    put("bps-sent", 8 * sent / slot_seconds)
    put("avg-pkt-size", ratio(sent + rcvd, packets))
    put("ratio-bytes-sent-to-rcvd", ratio(sent - rcvd, sent + rcvd))

    for direction in DIRECTIONS:
        flows = [f for d, f in started if d == direction]
        peers = {f["dst" if direction == "inout" else "src"] for f in flows}
        ports = {f["dst_port"] for f in flows}
        near = {peer for peer in peers if zones.zone(peer) != "internet"}
        failed = sum(f["handshake"] == "failed" for f in flows)
        complete = sum(f["handshake"] == "complete" for f in flows)
        known = [
            f for f in flows if f["handshake"] == "complete" and f["rev_payload_bytes"] is not None
        ]
        silent = sum(f["rev_payload_bytes"] == 0 for f in known)

        put(f"{direction}-total-conn-attempts", Fraction(len(flows)))
        put(f"{direction}-avg-conn-per-IP", ratio(len(flows), len(peers)))
        put(f"{direction}-total-peers", Fraction(len(peers)))
        put(f"{direction}-dest-ports", Fraction(len(ports)))
        put(f"{direction}-1024-dest-ports", Fraction(sum(port <= 1024 for port in ports)))
        put(f"{direction}-ISP-to-Internet-ratio", ratio(len(near), len(peers)))
        if transport == "tcp":
            put(f"{direction}-failure-ratio", ratio(failed, failed + complete))
            put(f"{direction}-fract-unanswered-appl", ratio(silent, len(known)))
        else:
            unanswered = sum(f["rev_packets"] == 0 for f in flows)
            put(f"{direction}-fract-unanswered", ratio(unanswered, len(flows)))


def overlap(flow, slot, slot_us):
    """The share of the flow's bytes and packets that lies in a slot it is active in."""
    if flow["start"] == flow["end"]:
        return Fraction(1)
    low = max(flow["start"], slot * slot_us)
    high = min(flow["end"], (slot + 1) * slot_us)
    return Fraction(high - low, flow["end"] - flow["start"])


def ratio(numerator, denominator):
    return Fraction(numerator) / denominator if denominator else None


class Zones:
    """Longest-prefix match over the lists of a topology."""

    def __init__(self, topology):
        self.prefixes = [
            (ipaddress.ip_network(prefix, strict=False), zone)
            for zone in ("provider", "monitored")
            for prefix in topology.get(zone, [])
        ]
        self.known = {}

    def zone(self, address):
        if address not in self.known:
            matches = [
                (net.prefixlen, zone == "monitored", zone)
                for net, zone in self.prefixes
                if net.version == address.version and address in net
            ]
            self.known[address] = max(matches)[2] if matches else "internet"
        return self.known[address]


def is_group(address):
    return address.is_multicast or address == ipaddress.ip_address("255.255.255.255")


def address(text):
    ip = ipaddress.ip_address(text)
    return getattr(ip, "ipv4_mapped", None) or ip


def read(path):
    """Flows of a canonical file as dicts; empty cells are None."""
    for row in records(path):
        flow = {
            "start": int(row["start_us"]),
            "end": int(row["end_us"]),
            "transport": row["transport"].lower(),
            "src": address(row["src_ip"]),
            "dst": address(row["dst_ip"]),
            "dst_port": int(row["dst_port"] or 0),
            "handshake": row["handshake"] or None,
            "rev_payload_bytes": int(row["rev_payload_bytes"])
            if row["rev_payload_bytes"]
            else None,
            "app": row["app"].lower() if row["app"] else None,
        }
        for count in ("fwd_packets", "fwd_bytes", "rev_packets", "rev_bytes"):
            flow[count] = int(row[count])
        if flow["end"] < flow["start"]:
            raise ValueError(f"end before start: {row}")
        yield flow


def records(path):
    if path.endswith(".parquet"):
        import pyarrow.parquet

        for row in pyarrow.parquet.read_table(path).to_pylist():
            yield {name: "" if value is None else str(value) for name, value in row.items()}
    else:
        with open(path, newline="") as file:
            yield from csv.DictReader(file)


COLUMNS = [
    *[
        f"{name}-{transport}"
        for name in (
            "avg-duration",
            "live-conn",
            "fract-incoming-conn",
            "bps-rcvd",
            "bps-sent",
            "avg-pkt-size",
            "ratio-bytes-sent-to-rcvd",
        )
        for transport in ("TCP", "UDP")
    ],
    *[
        f"{direction}-{name}-{transport}"
        for name in (
            "total-conn-attempts",
            "avg-conn-per-IP",
            "total-peers",
            "dest-ports",
            "1024-dest-ports",
            "failure-ratio",
            "fract-unanswered-appl",
            "fract-unanswered",
            "ISP-to-Internet-ratio",
        )
        for direction in ("inout", "outin")
        for transport in ("TCP", "UDP")
        if (name, transport)
        not in {
            ("failure-ratio", "UDP"),
            ("fract-unanswered-appl", "UDP"),
            ("fract-unanswered", "TCP"),
        }
    ],
]
assert len(COLUMNS) == 44


def write(table, path):
    file = sys.stdout if path == "-" else open(path, "w", newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["host", "slot_start_us", "system", *COLUMNS])
    for host, start, system_name, values in table:
        assert set(values) == set(COLUMNS), set(values) ^ set(COLUMNS)
        writer.writerow([host, start, system_name, *[cell(values[name]) for name in COLUMNS]])
    file.flush()


def cell(value):
    if value is None:
        return ""
    return str(value.numerator) if value.denominator == 1 else repr(float(value))


if __name__ == "__main__":
    main()
