#!/usr/bin/env python3
"""The core job in Polars: flows -> samples with 44 metrics (docs: README.md).

Variants timed: `file` (from the file, addresses as text), `strings` (from a DataFrame whose
addresses are strings) and `u32` (from a DataFrame whose addresses are u32, IPv4 only). In both
frames transport, handshake and label are decoded to Enums.
"""

import os

import common

ARGS = common.arguments(__doc__) if __name__ == "__main__" else None
if ARGS and ARGS.threads:
    os.environ["POLARS_MAX_THREADS"] = str(ARGS.threads)

import polars as pl  # noqa: E402  (the number of threads is read at import)
import polars.testing  # noqa: E402

ENGINE = os.environ.get("PEER_POLARS_ENGINE", "streaming")
TRANSPORT = pl.Enum(["tcp", "udp"])
HANDSHAKE = pl.Enum(["complete", "failed", "unknown"])
APP = pl.Enum(["emule", "kad", "kadu", "bittorrent", "dcpp", "other"])
U64 = pl.UInt64
CSV_SCHEMA = {
    "start_us": pl.Int64,
    "end_us": pl.Int64,
    "transport": pl.String,
    "src_ip": pl.String,
    "dst_ip": pl.String,
    "dst_port": pl.UInt16,
    "fwd_packets": U64,
    "fwd_bytes": U64,
    "rev_packets": U64,
    "rev_bytes": U64,
    "handshake": pl.String,
    "rev_payload_bytes": U64,
    "app": pl.String,
}


def main(args):
    zones = common.Zones(args.topology)
    family = common.FAMILIES[args.family]
    results, seconds = {}, {}

    if args.only in (None, "file"):
        results["file"], seconds["file"] = common.timed(
            args.repeat, lambda: from_strings(load(args.input), zones, family, args.slot)
        )
    input_rss = None
    if args.only != "file":
        frame = load(args.input)
        if args.only in (None, "strings"):
            input_rss = common.peak_rss_bytes()
            results["strings"], seconds["strings"] = common.timed(
                args.repeat, lambda: from_strings(frame, zones, family, args.slot)
            )
        if args.only in (None, "u32") and (frame := with_u32(frame)) is not None:
            input_rss = common.peak_rss_bytes()
            results["u32"], seconds["u32"] = common.timed(
                args.repeat, lambda: from_u32(frame, zones, family, args.slot)
            )

    tables = list(results.values())
    for other in tables[1:]:
        pl.testing.assert_frame_equal(tables[0], other, rel_tol=1e-9, abs_tol=1e-9)
    common.report(args, {"polars": pl.__version__}, seconds, input_rss, tables[0].height)
    if args.out:
        tables[0].write_csv(args.out)


def load(path):
    """The needed columns of a canonical file, with Enums decoded."""
    if path.endswith(".parquet"):
        lazy = pl.scan_parquet(path)
    else:
        lazy = pl.scan_csv(path, schema_overrides=CSV_SCHEMA)
    known = pl.col("app").is_in(APP.categories.to_list())
    return (
        lazy.select(common.NEEDED)
        .filter(pl.col("transport").is_in(["tcp", "udp"]))
        .with_columns(
            pl.col("transport").cast(TRANSPORT),
            pl.col("handshake").cast(HANDSHAKE),
            pl.when(known | pl.col("app").is_null())
            .then("app")
            .otherwise(pl.lit("other"))
            .cast(APP),
            pl.col(
                "fwd_packets", "fwd_bytes", "rev_packets", "rev_bytes", "rev_payload_bytes"
            ).cast(U64),
            pl.col("dst_port").cast(pl.UInt16),
        )
        .collect(engine=ENGINE)
    )


def as_u32(column):
    """IPv4 texts as numbers; null for any other text."""
    octets = pl.col(column).str.splitn(".", 4).struct
    parts = (octets.field(f"field_{i}").cast(pl.UInt8, strict=False) for i in range(4))
    return sum(part.cast(pl.UInt32) * (1 << 24 - 8 * i) for i, part in enumerate(parts)).alias(
        column
    )


def with_u32(frame):
    """The frame with u32 addresses, or None if some are not IPv4."""
    frame = frame.lazy().with_columns(as_u32("src_ip"), as_u32("dst_ip")).collect(engine=ENGINE)
    return None if frame["src_ip"].null_count() + frame["dst_ip"].null_count() else frame


def from_u32(frame, zones, family, slot):
    return samples(
        frame.lazy(),
        *(common.v4_ranges(found) for found in (zones.monitored, zones.isp, zones.group)),
        lambda ids: (ids, [common.text((4, value)) for value in ids]),
        family,
        slot,
    )


def from_strings(frame, zones, family, slot):
    """IPv4 texts become u32; where there is IPv6 too, texts become ids in numeric order, so that
    zones are ranges of either."""
    if (numeric := with_u32(frame)) is not None:
        return from_u32(numeric, zones, family, slot)
    texts = (
        pl.concat([frame.lazy().select(ip="src_ip"), frame.lazy().select(ip="dst_ip")])
        .unique()
        .collect(engine=ENGINE)["ip"]
        .to_list()
    )
    numbered = sorted((common.number(text), text) for text in texts)
    numbers = sorted({number for number, _ in numbered})
    names = pl.Enum([text for _, text in numbered])
    columns = [pl.col(name).cast(names).to_physical() for name in ("src_ip", "dst_ip")]
    if len(numbers) != len(texts):  # one address in two spellings
        position = {number: i for i, number in enumerate(numbers)}
        ids = pl.Series([position[number] for number, _ in numbered], dtype=pl.UInt32)
        columns = [
            pl.lit(ids).gather(column).alias(name)
            for column, name in zip(columns, ("src_ip", "dst_ip"))
        ]
    return samples(
        frame.lazy().with_columns(columns),
        *(common.id_ranges(found, numbers) for found in (zones.monitored, zones.isp, zones.group)),
        lambda ids: (ids, [common.text(numbers[i]) for i in ids]),
        family,
        slot,
    )


def within(column, ranges):
    return pl.any_horizontal(
        pl.lit(False), *(pl.col(column).is_between(low, high) for low, high in ranges)
    )


def samples(flows, monitored, isp, group, names, family, slot_s):
    """The sample table of flows whose addresses are integers."""
    slot_us = slot_s * common.MICROSECONDS
    first = (flows.select(pl.col("start_us").min()).collect().item() or 0) // slot_us
    flows = flows.filter(of_interest(family), ~within("src_ip", group), ~within("dst_ip", group))
    # (host, peer, sent bytes, received bytes, initiated by the host)
    sides = [
        ("src_ip", "dst_ip", "fwd_bytes", "rev_bytes", 1),
        ("dst_ip", "src_ip", "rev_bytes", "fwd_bytes", 0),
    ]
    views = [
        view(flows.filter(within(side[0], monitored)), side, family, slot_us, first)
        for side in sides
    ]
    events = pl.concat(views).with_columns(isp=within("peer", isp)).collect(engine=ENGINE).lazy()
    # Filtering before a distinct count is twice as fast as `filter(..).n_unique()` in one group_by.
    started, isp_peers, reserved_ports, outcomes, spanning = pl.collect_all(
        [
            started_sums(events),
            events.filter("isp").group_by("key").agg(isp_peers=pl.col("peer").n_unique()),
            events.filter(pl.col("port") <= 1024)
            .group_by("key")
            .agg(reserved_ports=pl.col("port").n_unique()),
            tcp_outcomes(events),
            spanning_sums(events, slot_us, first),
        ],
        engine=ENGINE,
    )
    by_direction = (
        started.lazy()
        .join(isp_peers.lazy(), on="key", how="left")
        .join(reserved_ports.lazy(), on="key", how="left")
        .join(outcomes.lazy(), on="key", how="left")
    )
    return (
        assemble(by_direction, by_transport(started.lazy(), spanning.lazy()), family, slot_s)
        .collect(engine=ENGINE)
        .pipe(finish, names, slot_us, first)
    )


def of_interest(family):
    if family.labels is None:
        return pl.lit(True)
    on_default_port = pl.any_horizontal(
        pl.col("dst_port").is_between(low, high) for low, high in family.tcp_ports
    )
    attempt = (pl.col("transport") == "tcp") & (pl.col("handshake") == "failed") & on_default_port
    labelled = pl.col("app").is_in(list(family.labels))
    return pl.when(pl.col("app").is_null()).then(attempt.fill_null(False)).otherwise(labelled)


def view(flows, side, family, slot_us, first):
    """The flows as one of their ends sees them. `key` is slot, host, transport and direction."""
    host, peer, sent, rcvd, outgoing = side
    tcp = pl.col("transport") == "tcp"
    slot = pl.col("start_us") // slot_us - first
    last = pl.col("end_us") // slot_us - first
    control = pl.lit(0, pl.UInt8)
    for bit, (label, _) in enumerate(family.control):
        control = control | pl.when(~tcp & (pl.col("app") == label)).then(
            pl.lit(1 << bit, pl.UInt8)
        ).otherwise(pl.lit(0, pl.UInt8))
    return flows.select(
        "start_us",
        "end_us",
        "handshake",
        "rev_payload_bytes",
        key=slot * (1 << 34) + pl.col(host).cast(pl.Int64) * 4 + tcp.cast(pl.Int64) * 2 + outgoing,
        slots=(last - slot).cast(pl.Int32),
        peer=peer,
        port="dst_port",
        sent=sent,
        rcvd=rcvd,
        packets=pl.col("fwd_packets") + pl.col("rev_packets"),
        unanswered=pl.col("rev_packets") == 0,
        control=control,
    )


def started_sums(events):
    whole = pl.col("slots") == 0
    return events.group_by("key").agg(
        flows=pl.len(),
        duration_us=(pl.col("end_us") - pl.col("start_us")).sum(),
        unanswered=pl.col("unanswered").sum(),
        control=pl.col("control").bitwise_or(),
        peers=pl.col("peer").n_unique(),
        dest_ports=pl.col("port").n_unique(),
        **{
            name: pl.when(whole).then(pl.col(name)).otherwise(0).sum().cast(pl.Float64)
            for name in ("sent", "rcvd", "packets")
        },
    )


def tcp_outcomes(events):
    complete = pl.col("handshake") == "complete"
    return (
        events.filter(pl.col("key") // 2 % 2 == 1)
        .group_by("key")
        .agg(
            failed=(pl.col("handshake") == "failed").sum(),
            complete=complete.sum(),
            payload_known=(complete & pl.col("rev_payload_bytes").is_not_null()).sum(),
            silent=(complete & (pl.col("rev_payload_bytes") == 0)).sum(),
        )
    )


def spanning_sums(events, slot_us, first):
    """Shares of the flows that span slots, by slot, host and transport."""
    low = (pl.col("key") // (1 << 34) + first) * slot_us
    share = (pl.min_horizontal("end_us", low + slot_us) - pl.max_horizontal("start_us", low)) / (
        pl.col("end_us") - pl.col("start_us")
    )
    return (
        events.filter(pl.col("slots") > 0)
        .select(
            "start_us",
            "end_us",
            "sent",
            "rcvd",
            "packets",
            "control",
            "key",
            offset=pl.int_ranges(0, pl.col("slots") + 1),
        )
        .explode("offset")
        .with_columns(key=pl.col("key") + pl.col("offset") * (1 << 34))
        .with_columns(share=share)
        .group_by(key=pl.col("key") // 2)
        .agg(
            (pl.col("sent", "rcvd", "packets") * pl.col("share")).sum(),
            later=(pl.col("offset") > 0).sum(),
            control=pl.col("control").bitwise_or(),
        )
    )


def by_transport(started, spanning):
    """Sums over both directions, for every slot, host and transport with an active flow."""
    sums = pl.concat(
        [
            started.select(
                "sent",
                "rcvd",
                "packets",
                "control",
                "flows",
                "duration_us",
                incoming=pl.col("flows") * (1 - pl.col("key") % 2),
                later=pl.lit(0, pl.UInt32),
                key=pl.col("key") // 2,
            ),
            spanning,
        ],
        how="diagonal_relaxed",
    )
    return sums.group_by("key").agg(
        pl.all().exclude("control").sum(), pl.col("control").bitwise_or()
    )


def ratio(numerator, denominator):
    """Null where the denominator is 0."""
    return pl.when(denominator != 0).then(numerator / denominator)


def assemble(by_direction, by_transport, family, slot_s):
    """One row a sample, keyed by slot and host."""
    c = pl.col
    total = c("sent") + c("rcvd")
    of_transport = {
        "avg-duration": ratio(c("duration_us"), c("flows") * common.MICROSECONDS),
        "live-conn": c("flows") + c("later"),
        "fract-incoming-conn": ratio(c("incoming"), c("flows")),
        "bps-rcvd": c("rcvd") * 8 / slot_s,
        "bps-sent": c("sent") * 8 / slot_s,
        "avg-pkt-size": ratio(total, c("packets")),
        "ratio-bytes-sent-to-rcvd": ratio(c("sent") - c("rcvd"), total),
    }
    of_direction = {
        "total-conn-attempts": c("flows"),
        "avg-conn-per-IP": c("flows") / c("peers"),
        "total-peers": c("peers"),
        "dest-ports": c("dest_ports"),
        "1024-dest-ports": c("reserved_ports").fill_null(0),
        "failure-ratio": ratio(c("failed"), c("failed") + c("complete")),
        "fract-unanswered-appl": ratio(c("silent"), c("payload_known")),
        "fract-unanswered": c("unanswered") / c("flows"),
        "ISP-to-Internet-ratio": c("isp_peers").fill_null(0) / c("peers"),
    }
    applies = dict(common.PER_DIRECTION)
    counts = ["total-conn-attempts", "total-peers", "dest-ports", "1024-dest-ports"]

    rows = by_transport.group_by(key=c("key") // 2).agg(control=c("control").bitwise_or())
    for bit, transport in ((1, "TCP"), (0, "UDP")):
        rows = rows.join(
            by_transport.filter(c("key") % 2 == bit).select(
                (
                    value.cast(pl.Float64).alias(f"{name}-{transport}")
                    for name, value in of_transport.items()
                ),
                key=c("key") // 2,
            ),
            on="key",
            how="left",
        )
        for outgoing, direction in ((1, "inout"), (0, "outin")):
            rows = rows.join(
                by_direction.filter(c("key") % 4 == 2 * bit + outgoing).select(
                    (
                        value.cast(pl.Float64).alias(f"{direction}-{name}-{transport}")
                        for name, value in of_direction.items()
                        if transport in applies[name]
                    ),
                    key=c("key") // 4,
                ),
                on="key",
                how="left",
            )
        # An active transport without started flows in a direction counts 0.
        active = c(f"live-conn-{transport}").is_not_null()
        rows = rows.with_columns(
            pl.when(active).then(c(f"{direction}-{name}-{transport}").fill_null(0))
            for direction in common.DIRECTIONS
            for name in counts
        )
    systems = [name for _, name in family.control]
    one = {1 << bit: name for bit, name in enumerate(systems)}
    system = c("control").replace_strict(
        {0: family.system, **one}, default="mixed", return_dtype=pl.String
    )
    return rows.select(
        "key",
        system.alias("system"),
        *common.METRICS,
    )


def finish(rows, names, slot_us, first):
    """Host names for keys, and the rows in order."""
    rows = rows.with_columns(host=pl.col("key") % (1 << 32), slot=pl.col("key") // (1 << 32))
    hosts, host_names = names(rows["host"].unique().to_list())
    rows = rows.sort("host", "slot")
    return rows.select(
        pl.col("host").replace_strict(hosts, host_names, return_dtype=pl.String),
        ((pl.col("slot") + first) * slot_us).alias("slot_start_us"),
        "system",
        *common.METRICS,
    )


if __name__ == "__main__":
    main(ARGS)
