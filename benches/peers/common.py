"""What the Polars and DuckDB peers share: definitions as data, zones as ranges, timing, output."""

import argparse
import bisect
import dataclasses
import ipaddress
import json
import os
import pathlib
import resource
import statistics
import sys
import time

MICROSECONDS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Family:
    labels: tuple[str, ...] | None  # None: every flow is of interest
    control: tuple[tuple[str, str], ...]  # UDP label, system
    tcp_ports: tuple[tuple[int, int], ...]  # inclusive ranges
    system: str  # of a sample without control flows


FAMILIES = {
    "emule": Family(
        ("emule", "kad", "kadu"), (("kad", "kad"), ("kadu", "kadu")), ((4662, 4662),), "emule-only"
    ),
    "bittorrent": Family(("bittorrent",), (), ((6881, 6889),), "bittorrent"),
    "dcpp": Family(("dcpp",), (), ((411, 412),), "dcpp"),
    "any": Family(None, (), ((0, 65535),), "all"),
}

TRANSPORTS = ("TCP", "UDP")
DIRECTIONS = ("inout", "outin")
PER_TRANSPORT = (
    "avg-duration live-conn fract-incoming-conn bps-rcvd bps-sent avg-pkt-size"
    " ratio-bytes-sent-to-rcvd"
).split()
PER_DIRECTION = (
    ("total-conn-attempts", TRANSPORTS),
    ("avg-conn-per-IP", TRANSPORTS),
    ("total-peers", TRANSPORTS),
    ("dest-ports", TRANSPORTS),
    ("1024-dest-ports", TRANSPORTS),
    ("failure-ratio", ("TCP",)),
    ("fract-unanswered-appl", ("TCP",)),
    ("fract-unanswered", ("UDP",)),
    ("ISP-to-Internet-ratio", TRANSPORTS),
)
METRICS = tuple(f"{name}-{t}" for name in PER_TRANSPORT for t in TRANSPORTS) + tuple(
    f"{d}-{name}-{t}" for name, transports in PER_DIRECTION for d in DIRECTIONS for t in transports
)
NEEDED = (
    "start_us end_us transport src_ip dst_ip dst_port fwd_packets fwd_bytes rev_packets rev_bytes"
    " handshake rev_payload_bytes app"
).split()


class Zones:
    """Disjoint inclusive ranges of (IP version, number), by longest-prefix match."""

    def __init__(self, path):
        topology = json.loads(pathlib.Path(path).read_text())
        nets = [
            (ipaddress.ip_network(prefix, strict=False), zone)
            for zone in ("provider", "monitored")
            for prefix in topology.get(zone, [])
        ]
        # The longest prefix last: it overwrites what encloses it; of equal ones monitored wins.
        nets.sort(key=lambda item: (item[0].version, item[0].prefixlen))
        self.monitored = ranges(nets, {"monitored"})
        self.isp = ranges(nets, {"monitored", "provider"})
        self.group = [
            ((4, 0xE000_0000), (4, 0xEFFF_FFFF)),
            ((4, 0xFFFF_FFFF), (4, 0xFFFF_FFFF)),
            ((6, 0xFF << 120), (6, (1 << 128) - 1)),
        ]


def ranges(nets, zones):
    """Where the last net that covers an address is of one of the zones."""
    edges = sorted(
        {(net.version, int(net.network_address)) for net, _ in nets}
        | {(net.version, int(net.broadcast_address) + 1) for net, _ in nets}
    )
    found = []
    for low, high in zip(edges, edges[1:]):
        covering = [
            zone
            for net, zone in nets
            if net.version == low[0]
            and int(net.network_address) <= low[1] <= int(net.broadcast_address)
        ]
        if not covering or covering[-1] not in zones:
            continue
        last = (high[0], high[1] - 1)
        if found and (found[-1][1][0], found[-1][1][1] + 1) == low:
            found[-1] = (found[-1][0], last)
        else:
            found.append((low, last))
    return found


def number(text):
    """(version, number) of an address; IPv4-mapped addresses are IPv4."""
    ip = ipaddress.ip_address(text)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.version, int(ip)


def text(version_number):
    version, value = version_number
    return str(ipaddress.IPv4Address(value) if version == 4 else ipaddress.IPv6Address(value))


def id_ranges(found, numbers):
    """The ranges over positions in the sorted list `numbers`, empty ones left out."""
    pairs = [
        (bisect.bisect_left(numbers, a), bisect.bisect_right(numbers, b) - 1) for a, b in found
    ]
    return [(a, b) for a, b in pairs if a <= b]


def v4_ranges(found):
    """The IPv4 ranges as plain numbers."""
    return [(a[1], b[1]) for a, b in found if a[0] == 4]


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("input", help="canonical flows, .csv or .parquet")
    parser.add_argument("--topology", required=True)
    parser.add_argument("--family", choices=FAMILIES, default="emule")
    parser.add_argument("--slot", type=int, default=300, help="seconds")
    parser.add_argument("--out", help="samples CSV")
    parser.add_argument("--time-json", help="where timings go")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--threads", type=int, help="default: all")
    parser.add_argument(
        "--only", choices=["file", "strings", "u32"], help="one variant (for its peak memory)"
    )
    return parser.parse_args()


def timed(repeat, job):
    """Runs the job `repeat` times: (result, (wall, CPU) seconds of each)."""
    seconds, result = [], None
    for _ in range(repeat):
        result = None  # freed before the clock starts
        begin = time.perf_counter(), time.process_time()
        result = job()
        seconds.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    return result, seconds


def peak_rss_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(args, versions, seconds, input_rss, samples):
    """Prints the timings, and writes them where asked."""
    facts = {
        "input": pathlib.Path(args.input).name,
        "family": args.family,
        "slot_s": args.slot,
        "versions": versions | {"python": sys.version.split()[0]},
        "samples": samples,
        "threads": args.threads or os.cpu_count(),
        "wall_s": {name: [wall for wall, _ in runs] for name, runs in seconds.items()},
        "cpu_s": {name: [cpu for _, cpu in runs] for name, runs in seconds.items()},
        "rss_with_input_bytes": input_rss,
        "peak_rss_bytes": peak_rss_bytes(),
    }
    for name, runs in seconds.items():
        wall, cpu = min(runs)
        median = statistics.median(wall for wall, _ in runs)
        print(f"{name}: best {wall:.3f} s ({cpu:.3f} CPU s), median {median:.3f} s of {len(runs)}")
    print(f"{samples} samples, peak RSS {facts['peak_rss_bytes'] / 2**20:.0f} MiB")
    if args.time_json:
        pathlib.Path(args.time_json).write_text(json.dumps(facts, indent=1) + "\n")
