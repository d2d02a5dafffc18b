#!/usr/bin/env python3
"""Compares two samples files cell by cell; exit code 1 if they differ.

Numbers are equal if they differ by at most 1e-9, or by at most 1e-9 of the larger one. An empty
cell equals only an empty cell.
"""

import argparse
import csv
import itertools
import math
import sys

KEYS = ["host", "slot_start_us", "system"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--tolerance", type=float, default=1e-9)
    parser.add_argument("--show", type=int, default=10, help="differences to print")
    args = parser.parse_args()

    cells = 0
    differences = []
    with open(args.a, newline="") as a, open(args.b, newline="") as b:
        for line, (x, y) in enumerate(itertools.zip_longest(csv.reader(a), csv.reader(b)), 1):
            if line == 1:
                header = x or []
            cells += len(x or ())
            differences += unequal(line, header, x, y, args)
            if len(differences) >= args.show:
                break
    for difference in differences[: args.show]:
        print(difference)
    if differences:
        sys.exit(f"{args.a} and {args.b} differ")
    print(f"equal: {line - 1} samples, {cells} cells")


def unequal(line, header, x, y, args):
    if x is None or y is None:
        return [f"line {line}: only in {args.a if y is None else args.b}: {x or y}"]
    if len(x) != len(y):
        return [f"line {line}: {len(x)} and {len(y)} cells"]
    if line == 1:
        names = itertools.zip_longest(x, y)
        return [
            f"header, column {i}: {p!r} and {q!r}" for i, (p, q) in enumerate(names, 1) if p != q
        ]
    if x[:2] != y[:2]:
        return [f"line {line}: host and slot {x[:2]} and {y[:2]}"]
    where = f"line {line} ({', '.join(x[:3])})"
    return [
        f"{where}: {name}: {p!r} and {q!r}"
        for name, p, q in zip(header, x, y)
        if p != q and not (name not in KEYS and close(p, q, args))
    ]


def close(p, q, args):
    if not p or not q:
        return False
    try:
        p, q = float(p), float(q)
    except ValueError:
        return False
    if not (math.isfinite(p) and math.isfinite(q)):
        return False
    return abs(p - q) <= args.tolerance * max(1.0, abs(p), abs(q))


if __name__ == "__main__":
    main()
