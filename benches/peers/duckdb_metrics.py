#!/usr/bin/env python3
"""The core job in DuckDB SQL: flows -> samples with 44 metrics (docs: README.md).

Variants timed: `file` (from the file, addresses as text), `strings` (from an in-memory table whose
addresses are strings) and `u32` (from an in-memory table whose addresses are u32, IPv4 only).
"""

import duckdb
import pyarrow as pa

import common

CSV_TYPES = {
    "start_us": "BIGINT",
    "end_us": "BIGINT",
    "transport": "VARCHAR",
    "src_ip": "VARCHAR",
    "dst_ip": "VARCHAR",
    "dst_port": "USMALLINT",
    "fwd_packets": "BIGINT",
    "fwd_bytes": "BIGINT",
    "rev_packets": "BIGINT",
    "rev_bytes": "BIGINT",
    "handshake": "VARCHAR",
    "rev_payload_bytes": "BIGINT",
    "app": "VARCHAR",
}
AS_U32 = (
    "("
    + " + ".join(f"(split_part({{0}}, '.', {i + 1})::UINTEGER << {24 - 8 * i})" for i in range(4))
    + ")::UINTEGER"
)


def main():
    args = common.arguments(__doc__)
    zones = common.Zones(args.topology)
    family = common.FAMILIES[args.family]
    con = duckdb.connect(config={"threads": args.threads} if args.threads else {})
    con.execute("SET preserve_insertion_order = false")
    source = source_sql(args.input)
    seconds, counts, input_rss = {}, {}, None

    def run(name, table, prepare):
        def job():
            ids = prepare()
            return samples(con, table, *ids, family, args.slot)

        counts[name], seconds[name] = common.timed(args.repeat, job)

    if args.only in (None, "file"):
        run("file", source, lambda: text_ids(con, source, zones))
    if args.only in (None, "strings"):
        con.execute(load_sql("flows", source, "strings"))
        input_rss = common.peak_rss_bytes()
        run("strings", "flows", lambda: text_ids(con, "flows", zones))
        con.execute("DROP TABLE flows")
    v6 = f"SELECT count(*) FROM {source} WHERE contains(src_ip, ':') OR contains(dst_ip, ':')"
    if args.only in (None, "u32") and con.execute(v6).fetchone() == (0,):
        con.execute(load_sql("flows", source, "u32"))
        input_rss = common.peak_rss_bytes()
        run("u32", "flows", lambda: u32_ids(zones))

    assert len(set(counts.values())) == 1, counts
    common.report(args, {"duckdb": duckdb.__version__}, seconds, input_rss, min(counts.values()))
    if args.out:
        write(con, args.out)


NAMES = {}  # how to write an address id of the last run


def source_sql(path):
    if path.endswith(".parquet"):
        return f"read_parquet('{path}')"
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in CSV_TYPES.items())
    return f"read_csv('{path}', header = true, types = {{{types}}})"


def load_sql(name, source, variant):
    columns = [
        f"{AS_U32.format(c)} AS {c}" if variant == "u32" and c in ("src_ip", "dst_ip") else c
        for c in common.NEEDED
    ]
    return f"CREATE TABLE {name} AS SELECT {', '.join(columns)} FROM {source}"


def write(con, path):
    """Writes the samples of the last run."""
    hosts = [host for (host,) in con.execute("SELECT DISTINCT host FROM samples").fetchall()]
    names = pa.array(list(map(NAMES["of"], hosts)), pa.string())
    con.register("host_names", pa.table({"host": pa.array(hosts, pa.int64()), "name": names}))
    metrics = ", ".join(f'"{name}"' for name in common.METRICS)
    con.execute(
        f"""COPY (SELECT name AS host, slot_start_us, system, {metrics}
        FROM samples JOIN host_names USING (host) ORDER BY samples.host, slot_start_us)
        TO '{path}' (FORMAT csv, HEADER)"""
    )


def text_ids(con, table, zones):
    """IPv4 texts become u32; where there is IPv6 too, texts become ids in numeric order, so that
    zones are ranges of either."""
    joins = "JOIN addresses s ON s.text = src_ip JOIN addresses d ON d.text = dst_ip"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE texts AS
        SELECT src_ip AS text FROM {table} UNION SELECT dst_ip FROM {table}"""
    )
    if con.execute("SELECT count(*) FROM texts WHERE contains(text, ':')").fetchone() == (0,):
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE addresses AS SELECT text, {AS_U32.format('text')} AS id FROM texts"
        )
        return ("s.id", "d.id", joins, u32_ids(zones)[-1])
    texts = con.execute("SELECT text FROM texts").fetchall()
    numbered = sorted((common.number(text), text) for (text,) in texts)
    numbers = sorted({number for number, _ in numbered})
    position = {number: i for i, number in enumerate(numbers)}
    addresses = pa.table(
        {
            "text": [text for _, text in numbered],
            "id": pa.array([position[number] for number, _ in numbered], pa.uint32()),
        }
    )
    con.register("address_list", addresses)
    con.execute("CREATE OR REPLACE TEMP TABLE addresses AS SELECT * FROM address_list")
    NAMES["of"] = lambda i: common.text(numbers[i])
    found = [common.id_ranges(f, numbers) for f in (zones.monitored, zones.isp, zones.group)]
    return ("s.id", "d.id", joins, found)


def u32_ids(zones):
    NAMES["of"] = lambda value: common.text((4, value))
    found = [common.v4_ranges(f) for f in (zones.monitored, zones.isp, zones.group)]
    return ("src_ip", "dst_ip", "", found)


def within(column, ranges):
    return "(" + (" OR ".join(f"{column} BETWEEN {a} AND {b}" for a, b in ranges) or "false") + ")"


def of_interest(family):
    if family.labels is None:
        return "true"
    labels = ", ".join(f"'{label}'" for label in family.labels)
    ports = " OR ".join(f"dst_port BETWEEN {a} AND {b}" for a, b in family.tcp_ports)
    attempt = f"app IS NULL AND transport = 'tcp' AND handshake = 'failed' AND ({ports})"
    return f"(app IN ({labels}) OR ({attempt}))"


def samples(con, table, src, dst, joins, found, family, slot_s):
    """Leaves the table `samples` and returns its number of rows."""
    monitored, isp, group = found
    slot_us = slot_s * common.MICROSECONDS
    first = (con.execute(f"SELECT min(start_us) FROM {table}").fetchone()[0] or 0) // slot_us
    zero = first * slot_us
    control = " | ".join(
        [
            f"CASE WHEN transport = 'udp' AND app = '{label}' THEN {1 << bit} ELSE 0 END"
            for bit, (label, _) in enumerate(family.control)
        ]
        or ["0"]
    )

    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE chosen AS
        SELECT {src} AS src, {dst} AS dst, start_us - {zero} AS begin_us, end_us - {zero} AS end_us,
            transport = 'tcp' AS tcp, dst_port AS port, handshake, rev_payload_bytes AS payload,
            fwd_bytes::BIGINT AS fwd_bytes, rev_bytes::BIGINT AS rev_bytes,
            (fwd_packets + rev_packets)::BIGINT AS packets, rev_packets = 0 AS unanswered,
            {control} AS control
        FROM {table} {joins}
        WHERE transport IN ('tcp', 'udp') AND {of_interest(family)}
            AND ({within(src, monitored)} OR {within(dst, monitored)})
            AND NOT {within(src, group)} AND NOT {within(dst, group)}"""
    )

    def view(host, peer, sent, rcvd, outgoing):
        # The host's number, its transport and direction in one integer.
        return f"""SELECT {host}::BIGINT * 4 + tcp::BIGINT * 2 + {outgoing} AS key,
            (begin_us // {slot_us})::INTEGER AS slot, (end_us // {slot_us})::INTEGER AS last,
            {peer} AS peer, {within(peer, isp)} AS isp, {sent} AS sent, {rcvd} AS rcvd,
            begin_us, end_us, port, handshake, payload, packets, unanswered, control
        FROM chosen WHERE {within(host, monitored)}"""

    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE events AS
        {view("src", "dst", "fwd_bytes", "rev_bytes", 1)}
        UNION ALL {view("dst", "src", "rev_bytes", "fwd_bytes", 0)}"""
    )

    con.execute(
        """CREATE OR REPLACE TEMP TABLE by_direction AS
        WITH sums AS (
            SELECT slot, key, count(*) AS flows, sum((end_us - begin_us)::DOUBLE) AS duration_us,
                sum(sent::DOUBLE) FILTER (slot = last) AS sent,
                sum(rcvd::DOUBLE) FILTER (slot = last) AS rcvd,
                sum(packets::DOUBLE) FILTER (slot = last) AS packets, bit_or(control) AS control,
                count(*) FILTER (unanswered) AS unanswered,
                count(*) FILTER (handshake = 'failed') AS failed,
                count(*) FILTER (handshake = 'complete') AS complete,
                count(*) FILTER (handshake = 'complete' AND payload IS NOT NULL) AS payload_known,
                count(*) FILTER (handshake = 'complete' AND payload = 0) AS silent
            FROM events GROUP BY slot, key),
        peers AS (
            SELECT slot, key, count(*) AS peers, count(*) FILTER (isp) AS isp_peers
            FROM (SELECT DISTINCT slot, key, peer, isp FROM events) GROUP BY slot, key),
        ports AS (
            SELECT slot, key, count(*) AS ports, count(*) FILTER (port <= 1024) AS reserved_ports
            FROM (SELECT DISTINCT slot, key, port FROM events) GROUP BY slot, key)
        SELECT * FROM sums JOIN peers USING (slot, key) JOIN ports USING (slot, key)"""
    )

    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE by_transport AS
        WITH pieces AS (
            SELECT unnest(range(slot, last + 1))::INTEGER AS piece, * FROM events WHERE slot < last),
        spanning AS (
            SELECT *, (least(end_us, (piece + 1) * {slot_us}::BIGINT)
                - greatest(begin_us, piece * {slot_us}::BIGINT)) / (end_us - begin_us) AS share
            FROM pieces)
        SELECT slot, key // 2 AS key, sum(flows) AS flows, sum(incoming) AS incoming,
            sum(live) AS live, sum(duration_us) AS duration_us, sum(sent) AS sent,
            sum(rcvd) AS rcvd, sum(packets) AS packets, bit_or(control) AS control
        FROM (
            SELECT slot, key, flows, CASE WHEN key % 2 = 0 THEN flows ELSE 0 END AS incoming,
                flows AS live, duration_us, coalesce(sent, 0)::DOUBLE AS sent,
                coalesce(rcvd, 0)::DOUBLE AS rcvd, coalesce(packets, 0)::DOUBLE AS packets, control
            FROM by_direction
            UNION ALL
            SELECT piece, key, 0, 0, count(*) FILTER (piece > slot), 0, sum(share * sent),
                sum(share * rcvd), sum(share * packets), bit_or(control)
            FROM spanning GROUP BY piece, key)
        GROUP BY slot, key // 2"""
    )

    con.execute(f"CREATE OR REPLACE TEMP TABLE samples AS {wide(family, slot_s, slot_us, zero)}")
    return con.execute("SELECT count(*) FROM samples").fetchone()[0]


OF_TRANSPORT = {
    "avg-duration": "{t}.duration_us / 1000000 / nullif({t}.flows, 0)",
    "live-conn": "{t}.live",
    "fract-incoming-conn": "{t}.incoming / nullif({t}.flows, 0)",
    "bps-rcvd": "{t}.rcvd * 8 / {slot}",
    "bps-sent": "{t}.sent * 8 / {slot}",
    "avg-pkt-size": "({t}.sent + {t}.rcvd) / nullif({t}.packets, 0)",
    "ratio-bytes-sent-to-rcvd": "({t}.sent - {t}.rcvd) / nullif({t}.sent + {t}.rcvd, 0)",
}
# Of counts, 0 where the transport is active without flows started in the direction.
OF_DIRECTION = {
    "total-conn-attempts": "CASE WHEN {t}.live IS NOT NULL THEN coalesce({d}.flows, 0) END",
    "avg-conn-per-IP": "{d}.flows / {d}.peers",
    "total-peers": "CASE WHEN {t}.live IS NOT NULL THEN coalesce({d}.peers, 0) END",
    "dest-ports": "CASE WHEN {t}.live IS NOT NULL THEN coalesce({d}.ports, 0) END",
    "1024-dest-ports": "CASE WHEN {t}.live IS NOT NULL THEN coalesce({d}.reserved_ports, 0) END",
    "failure-ratio": "{d}.failed / nullif({d}.failed + {d}.complete, 0)",
    "fract-unanswered-appl": "{d}.silent / nullif({d}.payload_known, 0)",
    "fract-unanswered": "{d}.unanswered / {d}.flows",
    "ISP-to-Internet-ratio": "{d}.isp_peers / {d}.peers",
}


def wide(family, slot_s, slot_us, zero):
    """One row a sample."""
    values = [
        f'({OF_TRANSPORT[name].format(t=t, slot=slot_s)})::DOUBLE AS "{name}-{t}"'
        for name in common.PER_TRANSPORT
        for t in common.TRANSPORTS
    ]
    for name, transports in common.PER_DIRECTION:
        for direction in common.DIRECTIONS:
            for t in transports:
                value = OF_DIRECTION[name].format(t=t, d=f"{direction}{t}")
                values.append(f'({value})::DOUBLE AS "{direction}-{name}-{t}"')
    joins = []
    for bit, t in ((1, "TCP"), (0, "UDP")):
        joins.append(
            f"LEFT JOIN by_transport {t} ON {t}.slot = k.slot AND {t}.key = k.host * 2 + {bit}"
        )
        for outgoing, direction in ((1, "inout"), (0, "outin")):
            d = f"{direction}{t}"
            key = f"k.host * 4 + {2 * bit + outgoing}"
            joins.append(f"LEFT JOIN by_direction {d} ON {d}.slot = k.slot AND {d}.key = {key}")
    named = "".join(
        f" WHEN {1 << bit} THEN '{name}'" for bit, (_, name) in enumerate(family.control)
    )
    return f"""
        WITH k AS (
            SELECT slot, key // 2 AS host, bit_or(control) AS control
            FROM by_transport GROUP BY slot, key // 2)
        SELECT k.host AS host, k.slot * {slot_us}::BIGINT + {zero} AS slot_start_us,
            CASE k.control WHEN 0 THEN '{family.system}'{named} ELSE 'mixed' END AS system,
            {", ".join(values)}
        FROM k {" ".join(joins)}"""


if __name__ == "__main__":
    main()
