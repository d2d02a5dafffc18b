//! Every finding with its explanation, its figure, and the hosts and flows behind it.

use maud::{Markup, html};

use super::picture;
use super::summary::SEVERITIES;
use super::table::{Cell, shown, table};
use crate::model::{Exhibit, Finding, Flow, Party};
use crate::text::{count, duration, moment, number};
use crate::{NamedFigure, Report};

/// Findings shown; the CSV has all.
const MOST: usize = 1000;
/// Findings that have all their details before others have any.
const LEADING: usize = 20;
/// Bytes of the table of all findings; the page has to stay below 5 MB.
const TABLE: usize = 800_000;
/// Bytes of the explanations and numbers of all findings.
const NUMBERS: usize = 1_000_000;
/// Bytes of their figures and tables.
const DETAILS: usize = 1_500_000;

/// How much of a finding is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// Explanation and numbers.
    Numbers,
    /// The first figure too.
    Figure,
    /// Tables of so many rows too; of many rows the second figure as well.
    Tables(usize),
}

pub(super) fn section(report: &Report) -> Markup {
    let active = &report.document.findings.active;
    let (rows, entries) = listed(report);
    let without = (1..)
        .zip(&entries)
        .find(|(_, (detail, _))| *detail == Detail::Numbers);
    html! {
        section #findings {
            h2 { "Findings" }
            @if active.is_empty() { p { "None." } } @else {
                (overview(&rows, active.len() as u64))
                @if let Some((first, _)) = without {
                    p {
                        "To keep the page small some findings from number " (first)
                        " on have numbers only. Their figures are drawn by " code { "report DIRECTORY --out report.html --figures FOLDER" }
                        "; their hosts, peers and flows are in the CSV files."
                    }
                }
                @for (_, text) in &entries { (text) }
            }
        }
    }
}

/// The rows of the findings that are shown, and their details: numbers as far as there is room, then
/// all there is for the first few, then each detail for all before there is more for any.
fn listed(report: &Report) -> (Vec<Vec<Cell>>, Vec<(Detail, Markup)>) {
    let findings = &report.document.findings.active;
    let (mut rows, mut entries) = (Vec::new(), Vec::new());
    let (mut table, mut numbers) = (TABLE, NUMBERS);
    for (i, finding) in findings.iter().enumerate().take(MOST) {
        let row = overview_row(i + 1, finding);
        let text = entry(report, i, finding, Detail::Numbers, &[]);
        let size = row.iter().map(Cell::size).sum();
        let room = table
            .checked_sub(size)
            .zip(numbers.checked_sub(text.0.len()));
        let Some(room) = room else { break };
        (table, numbers) = room;
        rows.push(row);
        entries.push((Detail::Numbers, text));
    }
    let mut left = DETAILS;
    let mut figures: Vec<Vec<NamedFigure>> = Vec::new();
    let all = entries.len();
    'room: for (detail, most) in [
        (Detail::Tables(20), all.min(LEADING)),
        (Detail::Figure, all),
        (Detail::Tables(5), all),
        (Detail::Tables(20), all),
    ] {
        for i in 0..most {
            if figures.len() == i {
                figures.push(report.evidence_figures(i));
            }
            let (shown, before) = &entries[i];
            if *shown >= detail {
                continue;
            }
            let text = entry(report, i, &findings[i], detail, &figures[i]);
            let Some(rest) = (left + before.0.len()).checked_sub(text.0.len()) else {
                break 'room;
            };
            left = rest;
            entries[i] = (detail, text);
        }
    }
    (rows, entries)
}

fn overview_row(i: usize, finding: &Finding) -> Vec<Cell> {
    let severity = &finding.severity;
    let rank = SEVERITIES
        .iter()
        .position(|(name, _)| name == severity)
        .unwrap_or(SEVERITIES.len());
    let sign = SEVERITIES.get(rank).map_or("", |(_, sign)| sign);
    let hosts = match finding.hosts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{} and {} more", crate::text::cut(first, 60), rest.len()),
    };
    vec![
        Cell::markup(
            html! { a href=(format!("#finding-{i}")) { "Finding " (i) } },
            "",
        )
        .sorted_by(i as f64),
        Cell::markup(
            html! { span class=(severity_class(severity)) { (sign) " " (shown(severity)) } },
            severity,
        )
        .sorted_by(rank as f64),
        Cell::text(&finding.kind),
        Cell::text(&finding.system),
        Cell::text(&hosts),
        Cell::moment(finding.start_us),
        Cell::count(finding.flows),
        Cell::text(&finding.explanation),
    ]
}

fn overview(rows: &[Vec<Cell>], all: u64) -> Markup {
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
        rows,
        Some((all, "all are in findings.csv")),
    )
}

fn severity_class(severity: &str) -> &str {
    let known = SEVERITIES.iter().find(|(name, _)| *name == severity);
    known.map_or("info", |(name, _)| name)
}

fn entry(
    report: &Report,
    i: usize,
    finding: &Finding,
    detail: Detail,
    figures: &[NamedFigure],
) -> Markup {
    let (pictures, rows) = match detail {
        Detail::Numbers => (0, 0),
        Detail::Figure => (1, 0),
        Detail::Tables(rows) => (if rows > 5 { 2 } else { 1 }, rows),
    };
    let exhibit = report.evidence.exhibits.get(i).filter(|_| rows > 0);
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
            @for named in figures.iter().take(pictures) { (picture(&named.figure)) }
            @if let Some(exhibit) = exhibit { (tables(report, exhibit, finding, rows)) }
            p.up { a href="#findings" { "All findings" } }
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

fn tables(report: &Report, exhibit: &Exhibit, finding: &Finding, rows: usize) -> Markup {
    let peers = match report.peers {
        Some(_) => "all are in peers.csv",
        None => "the first 50 are in peers.csv",
    };
    let all_flows = match report.flows {
        Some(_) => "all are in flows.csv",
        None => "the first 50 are in flows.csv",
    };
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
    let flows: Vec<_> = exhibit.flows.iter().take(rows).map(flow_row).collect();
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
            (table("Hosts", &head("host"), &parties(&exhibit.hosts),
                Some((exhibit.hosts.len() as u64, "all are in hosts.csv"))))
        }
        @if !exhibit.peers.is_empty() {
            (table("Peers", &head("peer"), &parties(&exhibit.peers),
                Some((exhibit.all_peers, peers))))
        }
        @if !exhibit.flows.is_empty() {
            (table("Flows", &flow_head, &flows, Some((finding.flows, all_flows))))
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
