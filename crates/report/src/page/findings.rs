//! Every finding with its explanation, its figure, and the hosts and flows behind it.

use maud::{Markup, html};

use super::summary::SEVERITIES;
use super::table::{Cell, shown, table};
use super::{Page, SideFile, picture};
use crate::Report;
use crate::model::{Exhibit, Finding, Flow, Party};
use crate::text::{count, duration, moment, number};

/// Findings shown; the CSV has all.
const MOST: usize = 2000;
/// Bytes that the details of all findings may take; the page has to stay below 5 MB.
const BUDGET: usize = 2_800_000;

/// How much of a finding is shown.
#[derive(Clone, Copy)]
enum Detail {
    /// Every figure, and so many rows of each table.
    Full(usize),
    /// The first figure in a file beside the page, no tables.
    Brief,
}

pub(super) fn section(report: &Report, files: &mut Vec<SideFile>) -> Markup {
    let active = &report.document.findings.active;
    let shown_findings = &active[..active.len().min(MOST)];
    let mut left = BUDGET;
    let mut details = Vec::new();
    for (i, finding) in shown_findings.iter().enumerate() {
        let part = left / (shown_findings.len() - i);
        let detail = [
            Detail::Full(20),
            Detail::Full(5),
            Detail::Full(0),
            Detail::Brief,
        ]
        .into_iter()
        .map(|detail| (detail, entry(report, i, finding, detail)))
        .find(|(detail, text)| text.0.len() <= part || matches!(detail, Detail::Brief));
        let Some((detail, text)) = detail else {
            continue;
        };
        if matches!(detail, Detail::Brief) {
            let figure = report.evidence_figures(i).into_iter().next();
            files.extend(figure.map(|named| SideFile {
                name: format!("{}.svg", named.name),
                text: named.figure.svg().to_owned(),
            }));
        }
        left = left.saturating_sub(text.0.len());
        details.push(text);
    }
    html! {
        section #findings {
            h2 { "Findings" }
            @if active.is_empty() { p { "None." } } @else {
                (overview(shown_findings, active.len() as u64))
                @for text in &details { (text) }
            }
        }
    }
}

fn overview(findings: &[Finding], all: u64) -> Markup {
    let rows = findings.iter().zip(1..).map(|(finding, i)| {
        let severity = &finding.severity;
        let rank = SEVERITIES
            .iter()
            .position(|(name, _)| name == severity)
            .unwrap_or(SEVERITIES.len());
        let sign = SEVERITIES.get(rank).map_or("", |(_, sign)| sign);
        let hosts = match finding.hosts.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        vec![
            Cell::markup(html! { a href=(format!("#finding-{i}")) { "Finding " (i) } })
                .sorted_by(f64::from(i)),
            Cell::markup(
                html! { span class=(severity_class(severity)) { (sign) " " (shown(severity)) } },
            )
            .sorted_by(rank as f64),
            Cell::text(&finding.kind),
            Cell::text(&finding.system),
            Cell::text(&hosts),
            Cell::moment(finding.start_us),
            Cell::count(finding.flows),
            Cell::text(&finding.explanation),
        ]
    });
    let head = [
        "evidence",
        "severity",
        "kind",
        "system",
        "hosts",
        "from (UTC)",
        "flows",
        "what happened",
    ];
    table(
        "Findings, the most severe first",
        &head,
        rows.collect(),
        Some((all, "all are in findings.csv")),
    )
}

fn severity_class(severity: &str) -> &str {
    let known = SEVERITIES.iter().find(|(name, _)| *name == severity);
    known.map_or("info", |(name, _)| name)
}

fn entry(report: &Report, i: usize, finding: &Finding, detail: Detail) -> Markup {
    let exhibit = report.evidence.exhibits.get(i);
    let figures = report.evidence_figures(i);
    html! {
        article id=(format!("finding-{}", i + 1)) {
            h3 {
                "Finding " (i + 1) ": " (shown(&finding.kind)) " "
                span class=(severity_class(&finding.severity)) { (shown(&finding.severity)) }
            }
            p.explanation { (shown(&finding.explanation)) }
            p {
                (shown(&finding.system)) ", " (moment(finding.start_us)) " to " (moment(finding.end_us)) " UTC ("
                (duration(finding.end_us.saturating_sub(finding.start_us))) "), "
                (count(finding.flows)) " flows, " (count(finding.hosts.len() as u64)) (if finding.hosts.len() == 1 { " host" } else { " hosts" })
                @if !finding.ports.is_empty() { ", ports " (ports(&finding.ports)) }
                "."
            }
            (numbers(finding))
            @match detail {
                Detail::Full(rows) => {
                    @for named in figures.iter().take(if rows > 5 { 2 } else { 1 }) { (picture(&named.figure)) }
                    @if rows > 0 { @if let Some(exhibit) = exhibit { (tables(exhibit, finding, rows)) } }
                }
                Detail::Brief => {
                    @if let Some(named) = figures.first() {
                        p { a href=(format!("{}/{}.svg", Page::FOLDER, named.name)) { "Figure: " (shown(named.figure.title())) } }
                    }
                }
            }
            p { a href="#findings" { "All findings" } }
        }
    }
}

fn ports(ports: &[u16]) -> String {
    let mut text: Vec<String> = ports.iter().take(20).map(ToString::to_string).collect();
    if ports.len() > 20 {
        text.push(format!("and {} more", ports.len() - 20));
    }
    text.join(", ")
}

fn numbers(finding: &Finding) -> Markup {
    html! {
        dl {
            @for (name, value) in &finding.evidence {
                div { dt { (shown(name)) } dd { (value.map_or_else(|| "not known".to_owned(), number)) } }
            }
            @for (metric, samples) in &finding.samples {
                div { dt { "interesting samples of " (shown(metric)) } dd { (count(*samples)) } }
            }
        }
    }
}

fn tables(exhibit: &Exhibit, finding: &Finding, rows: usize) -> Markup {
    let party = |party: &Party| {
        vec![
            Cell::text(&party.ip),
            Cell::count(party.flows),
            Cell::count(party.in_vain),
            Cell::bytes(party.sent),
            Cell::bytes(party.received),
            Cell::moment(party.first_us),
            Cell::moment(party.last_us),
        ]
    };
    let parties = |all: &[Party]| all.iter().take(rows).map(party).collect::<Vec<_>>();
    let head = |who| {
        [
            who,
            "flows",
            "in vain",
            "sent",
            "received",
            "first (UTC)",
            "last (UTC)",
        ]
    };
    let flows = exhibit.flows.iter().take(rows).map(flow_row);
    let flow_head = [
        "start (UTC)",
        "length",
        "transport",
        "from",
        "to",
        "sent",
        "answered",
        "outcome",
    ];
    html! {
        @if !exhibit.hosts.is_empty() {
            (table("Hosts", &head("host"), parties(&exhibit.hosts),
                Some((exhibit.hosts.len() as u64, "all are in hosts.csv"))))
        }
        @if !exhibit.peers.is_empty() {
            (table("Peers", &head("peer"), parties(&exhibit.peers),
                Some((exhibit.all_peers, "the first 50 are in peers.csv"))))
        }
        @if !exhibit.flows.is_empty() {
            (table("Flows", &flow_head, flows.collect(), Some((finding.flows, "the first 50 are in flows.csv"))))
        }
    }
}

fn flow_row(flow: &Flow) -> Vec<Cell> {
    let length = flow.end_us.saturating_sub(flow.start_us);
    vec![
        Cell::moment(flow.start_us),
        Cell::number(length as f64, &duration(length)),
        Cell::text(&flow.transport),
        Cell::text(&endpoint(&flow.src.ip, flow.src.port)),
        Cell::text(&endpoint(&flow.dst.ip, flow.dst.port)),
        Cell::bytes(flow.fwd.bytes),
        Cell::bytes(flow.rev.bytes),
        Cell::text(outcome(flow)),
    ]
}

fn endpoint(ip: &str, port: u16) -> String {
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

/// What came of a flow.
pub(super) fn outcome(flow: &Flow) -> &str {
    match (&flow.handshake, flow.rev.packets) {
        (Some(handshake), _) => handshake,
        (None, 0) => "unanswered",
        (None, _) => "answered",
    }
}
