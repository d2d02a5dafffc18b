"""Our readers beside DuckDB's CSV reader on the same logs, taking turns, each on one thread.

DuckDB parses every column to its type and counts the values; we make flows. CPU seconds, ours with
the start of the program.
"""

import argparse
import resource
import subprocess
import time

import duckdb

CSV = {
    "start_us": "BIGINT", "end_us": "BIGINT", "transport": "VARCHAR", "src_ip": "VARCHAR",
    "src_port": "INTEGER", "dst_ip": "VARCHAR", "dst_port": "INTEGER", "fwd_packets": "BIGINT",
    "fwd_bytes": "BIGINT", "rev_packets": "BIGINT", "rev_bytes": "BIGINT", "handshake": "VARCHAR",
    "rev_payload_bytes": "BIGINT", "app": "VARCHAR",
}
ZEEK = {
    "ts": "DOUBLE", "uid": "VARCHAR", "orig_h": "VARCHAR", "orig_p": "INTEGER", "resp_h": "VARCHAR",
    "resp_p": "INTEGER", "proto": "VARCHAR", "service": "VARCHAR", "duration": "DOUBLE",
    "orig_bytes": "BIGINT", "resp_bytes": "BIGINT", "conn_state": "VARCHAR",
    "local_orig": "VARCHAR", "local_resp": "VARCHAR", "missed_bytes": "BIGINT",
    "history": "VARCHAR", "orig_pkts": "BIGINT", "orig_ip_bytes": "BIGINT", "resp_pkts": "BIGINT",
    "resp_ip_bytes": "BIGINT", "tunnel_parents": "VARCHAR",
}


def scan(path):
    zeek = path.endswith(".log")
    columns = ZEEK if zeek else CSV
    options = "delim='\t', header=false, skip=6, nullstr='-', quote=''" if zeek else "header=true"
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    counts = ", ".join(f"count({name})" for name in columns)
    return (
        f"SELECT count(*), {counts} FROM read_csv('{path}', auto_detect=false, {options}, "
        f"columns={{{types}}})"
    )


def ours(program, path):
    """Rows, and CPU seconds of the program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run([program, "read", path], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return int(found.stdout.split()[0]), cpu


def duckdbs(connection, path):
    began = time.process_time()
    rows = connection.execute(scan(path)).fetchone()[0]
    return rows, time.process_time() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--ours", required=True, help="the built example peer_text")
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    connection = duckdb.connect()
    connection.execute("SET threads=1")
    for path in arguments.inputs:
        best = [float("inf"), float("inf")]
        for _ in range(arguments.repeat):
            runs = ours(arguments.ours, path), duckdbs(connection, path)
            assert runs[0][0] == runs[1][0], runs
            best = [min(old, cpu) for old, (_, cpu) in zip(best, runs)]
        rows = runs[0][0]
        us, them = (rows / cpu / 1e6 for cpu in best)
        print(f"{path}: {rows} rows, ours {us:.2f} M rows/CPU s, DuckDB {them:.2f}: ratio {us / them:.2f}")


if __name__ == "__main__":
    main()
