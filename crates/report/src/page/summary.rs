//! What comes first: findings by severity, what was read, and what was withheld and why.

use maud::{Markup, html};

use super::SideFile;
use super::table::{Cell, cut_table, shown, table};
use crate::Report;
use crate::model::{Causes, FlowCounts, Source, ZonePair};
use crate::text::{bytes, count, percent};

/// Severities, the worst first, with a sign that needs no colour.
pub(super) const SEVERITIES: [(&str, &str); 4] = [
    ("high", "\u{25b2}"),
    ("medium", "\u{25c6}"),
    ("low", "\u{25cf}"),
    ("info", "\u{25cb}"),
];

pub(super) fn section(report: &Report, files: &mut Vec<SideFile>) -> Markup {
    let document = &report.document;
    let active = &document.findings.active;
    html! {
        section #summary {
            h2 { "Summary" }
            ul.tiles {
                @for (severity, sign) in SEVERITIES {
                    @let found = active.iter().filter(|finding| finding.severity == severity).count();
                    li class=(severity) {
                        b { (count(found as u64)) }
                        span { span aria-hidden="true" { (sign) } " " (severity) }
                    }
                }
            }
            p {
                @if active.is_empty() { "Nothing was found that needs attention. " }
                (count(document.input.flows)) " flows were read; "
                (count(document.input.of_interest)) " of them are of interest to "
                (shown(&document.family)) " and make " (count(document.samples.total))
                " samples of " (count(document.samples.hosts)) " hosts in slots of "
                (document.slot_seconds) " s."
            }
            (sources(&document.input.sources, files))
            (withheld(report, files))
            (traffic(report))
            (unanswered(report))
            (heavy(report, files))
        }
    }
}

fn sources(sources: &[Source], files: &mut Vec<SideFile>) -> Markup {
    let row = |source: &Source| {
        let held = match (source.offered, source.flows, &source.of) {
            (Some(offered), _, _) => {
                format!(
                    "{} packets, {}",
                    count(offered.packets),
                    bytes(offered.bytes)
                )
            }
            (_, _, Some(of)) => format!("the same as {of}: not read"),
            (_, Some(flows), _) => format!("{} flows", count(flows)),
            _ => "flow records".to_owned(),
        };
        let fault = source.ended_by.as_deref();
        vec![
            Cell::text(&source.name),
            Cell::text(&source.kind),
            Cell::text(&held),
            source
                .size
                .map_or_else(|| Cell::text("stream"), Cell::bytes),
            fault.map_or_else(
                || Cell::text("to its end"),
                |fault| {
                    let marked = html! { strong { "ended early: " } (shown(fault)) };
                    Cell::markup(marked, &format!("ended early: {fault}"))
                },
            ),
        ]
    };
    let rows: Vec<_> = sources.iter().map(row).collect();
    let head = ["source", "kind", "held", "size [bytes]", "read"];
    html! {
        @if !sources.is_empty() {
            h3 { "What was read" }
            (cut_table(files, "sources.csv", "Sources", &head, &rows, 100))
        }
    }
}

fn withheld(report: &Report, files: &mut Vec<SideFile>) -> Markup {
    let document = &report.document;
    let mut rows = Vec::new();
    let mut add = |what: &str, number: u64, why: &str| {
        rows.push(vec![Cell::text(what), Cell::count(number), Cell::text(why)]);
    };
    for (reason, number) in &document.input.skipped {
        add("flows", *number, reason);
    }
    for (reason, number) in &document.input.records_skipped {
        add("records that could not be read", *number, reason);
    }
    if let Some(meter) = &document.input.meter {
        for (reason, number) in &meter.skipped {
            let packets = number.as_u64().or_else(|| number.get("packets")?.as_u64());
            add("packets", packets.unwrap_or(0), reason);
        }
        if meter.evicted > 0 {
            add("flows", meter.evicted, "closed early for want of memory");
        }
    }
    for withheld in &document.withheld {
        let why = format!(
            "{}: {} ({})",
            withheld.metric, withheld.reason, withheld.source
        );
        add("metric", 1, &why);
    }
    let clustered = |name: &str| document.systems.get(name).is_some();
    for (system, number) in &document.samples.by_system {
        if *number > 0 && !clustered(system) {
            add("samples", *number, &format!("of {system}: not clustered"));
        }
    }
    for (name, system) in document.systems.iter() {
        for (status, why) in [
            ("too-few-values", "too few values to cluster"),
            (
                "needs-rule",
                "several clusters, and no rule says which is interesting",
            ),
        ] {
            let metrics = system
                .metrics
                .iter()
                .filter(|(_, metric)| metric.status == status);
            let number = metrics.count() as u64;
            if number > 0 {
                add("metrics", number, &format!("of {name}: {why}"));
            }
        }
    }
    for withheld in &document.findings.withheld {
        let why = format!(
            "{} were not looked for: they rest on {} ({})",
            withheld.kind, withheld.metric, withheld.reason
        );
        add("kind of finding", 1, &why);
    }
    for muted in &document.findings.muted {
        let finding = &muted.finding;
        let why = format!(
            "known to be harmless: {} ({})",
            muted.reason, finding.explanation
        );
        add(&format!("finding {}", finding.kind), 1, &why);
    }
    let nothing = rows.is_empty();
    html! {
        h3 { "What was withheld, and why" }
        @if nothing { p { "Nothing." } } @else {
            (cut_table(files, "withheld.csv", "Left out of the results", &["what", "number", "why"], &rows, 200))
        }
    }
}

fn traffic(report: &Report) -> Markup {
    let pairs = &report.document.overview.traffic.zone_pairs;
    let row = |pair: &ZonePair| {
        let bytes =
            |counts: &FlowCounts| Cell::bytes(counts.fwd.bytes.saturating_add(counts.rev.bytes));
        vec![
            Cell::text(&pair.from),
            Cell::text(&pair.to),
            Cell::count(pair.tcp.complete),
            Cell::count(pair.tcp.failed),
            bytes(&pair.tcp),
            Cell::count(pair.udp.flows),
            Cell::count(pair.udp.unanswered),
            bytes(&pair.udp),
        ]
    };
    let head = [
        "from",
        "to",
        "TCP set up",
        "TCP failed",
        "TCP bytes",
        "UDP flows",
        "UDP unanswered",
        "UDP bytes",
    ];
    let figures = report.traffic_figures();
    html! {
        @if !pairs.is_empty() {
            h3 { "Who exchanges how much with whom" }
            (table("Flows of interest by zones", &head, &pairs.iter().map(row).collect::<Vec<_>>(), None))
        }
        div.pictures { @for named in &figures { (super::picture(&named.figure)) } }
    }
}

fn unanswered(report: &Report) -> Markup {
    let mut rows = Vec::new();
    for shares in &report.document.findings.unanswered {
        for (what, causes) in [("UDP unanswered", &shares.udp), ("TCP failed", &shares.tcp)] {
            let Causes {
                incoming,
                departed,
                nat,
                away,
                undecided,
            } = *causes;
            let vain = departed + nat + away + undecided;
            if vain > 0 {
                let share = |part: u64| Cell::percent(part as f64 / vain as f64);
                rows.push(vec![
                    Cell::text(&shares.system),
                    Cell::text(what),
                    Cell::count(incoming),
                    Cell::count(vain),
                    share(departed),
                    share(nat + away),
                    share(undecided),
                ]);
            }
        }
    }
    html! {
        @if !rows.is_empty() {
            h3 { "Why incoming flows stay unanswered" }
            (table("Shares of the flows in vain",
                &["system", "flows", "incoming", "in vain", "host had left", "NAT or away", "undecided"], &rows, None))
        }
    }
}

fn heavy(report: &Report, files: &mut Vec<SideFile>) -> Markup {
    let rows: Vec<Vec<Cell>> = report
        .document
        .heavy_hosts
        .iter()
        .map(|host| {
            let named: Vec<String> = host
                .metrics
                .iter()
                .map(|metric| format!("{} ({})", metric.metric, percent(metric.fraction)))
                .collect();
            vec![
                Cell::text(&host.host),
                Cell::text(&host.system),
                Cell::count(host.metrics.len() as u64),
                Cell::text(&named.join(", ")),
            ]
        })
        .collect();
    let head = [
        "host",
        "system",
        "metrics",
        "share of each metric's interesting samples",
    ];
    html! {
        @if !rows.is_empty() {
            h3 { "Hosts that stand out in several metrics" }
            (cut_table(files, "heavy-hosts.csv", "Heavy hosts", &head, &rows, 100))
        }
    }
}
