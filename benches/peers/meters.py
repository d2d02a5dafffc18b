"""Our meter beside nfpcapd, Argus and softflowd on the same captures, taking turns: CPU seconds.

Needs the Debian packages nfdump, argus-server and softflowd; those that are missing are left out.
"""

import argparse
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import time


def run(command):
    """CPU and wall seconds of a program that must succeed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return cpu, time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--ours", required=True, help="the built example peer_packets")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    for capture in arguments.captures:
        measure(capture, arguments.ours, arguments.repeat)


def measure(capture, ours, repeat):
    facts = subprocess.run(
        [ours, "meter", capture], check=True, capture_output=True, text=True
    ).stdout.strip()
    size = os.path.getsize(capture) / 2**20
    print(f"{pathlib.Path(capture).name}: {size:.0f} MiB, ours: {facts}")
    packets = int(facts.split('"packets":')[1].split("}")[0].split(",")[0])
    with tempfile.TemporaryDirectory() as work:
        commands = {
            "ours, flows as CSV": [ours, "meter", capture, "--out", f"{work}/flows.csv"],
            "ours, no classification": [ours, "meter", capture, "--plain", "--out", f"{work}/flows.csv"],
            "nfpcapd": ["nfpcapd", "-r", capture, "-w", work],
            "argus": ["argus", "-r", capture, "-w", f"{work}/argus"],
            "softflowd": [
                "softflowd", "-d", "-r", capture, "-n", "127.0.0.1:9", "-v", "9",
                "-p", f"{work}/pid", "-c", "none",
            ],
        }
        usable = {name: cmd for name, cmd in commands.items() if shutil.which(cmd[0])}
        best = {}
        for _ in range(repeat):
            for name, command in usable.items():
                cpu, wall = run(command)
                old = best.get(name, (float("inf"), float("inf")))
                best[name] = (min(old[0], cpu), min(old[1], wall))
    fastest = min(cpu for name, (cpu, _) in best.items() if not name.startswith("ours"))
    for name, (cpu, wall) in best.items():
        rate = packets / cpu / 1e6
        print(f"  {name:<24} {cpu:7.2f} s CPU {wall:7.2f} s wall {rate:6.2f} M packets/CPU s"
              f"  {fastest / cpu:5.2f} times the fastest peer")


if __name__ == "__main__":
    main()
