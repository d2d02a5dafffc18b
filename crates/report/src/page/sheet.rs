//! The tables of the page in full, as CSV.

use std::path::PathBuf;

use super::findings::outcome;
use super::{Content, SideFile};
use crate::Report;
use crate::model::{Exhibit, Party};

/// The sheets that every report has. Without the files of all peers and flows those have the first
/// of each finding.
pub(super) fn sheets(report: &Report) -> Vec<SideFile> {
    let findings = &report.document.findings.active;
    let exhibits = || (1..).zip(&report.evidence.exhibits);
    let party_head = [
        "finding",
        "ip",
        "flows",
        "in_vain",
        "sent_bytes",
        "received_bytes",
        "first_us",
        "last_us",
    ];
    let parties = |of: fn(&Exhibit) -> &[Party]| {
        let rows = exhibits()
            .flat_map(move |(i, exhibit)| of(exhibit).iter().map(move |row| party(i, row)));
        sheet(&party_head, rows)
    };
    let found = (1..).zip(findings).map(|(i, finding): (u64, _)| {
        let evidence = finding.evidence.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => format!("{name}="),
        });
        vec![
            i.to_string(),
            finding.severity.clone(),
            finding.kind.clone(),
            finding.system.clone(),
            finding.hosts.join(" "),
            finding.peers.join(" "),
            finding
                .ports
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" "),
            finding.start_us.to_string(),
            finding.end_us.to_string(),
            finding.flows.to_string(),
            finding.explanation.clone(),
            evidence.collect::<Vec<_>>().join("; "),
        ]
    });
    let found_head = [
        "finding",
        "severity",
        "kind",
        "system",
        "hosts",
        "peers",
        "ports",
        "start_us",
        "end_us",
        "flows",
        "explanation",
        "evidence",
    ];
    let full = |name: &str, full: Option<&PathBuf>, first: &dyn Fn() -> String| match full {
        Some(path) => SideFile {
            name: name.to_owned(),
            content: Content::CopyOf(path.clone()),
        },
        None => SideFile::text(name, first()),
    };
    vec![
        SideFile::text("findings.csv", sheet(&found_head, found)),
        SideFile::text("hosts.csv", parties(|exhibit| &exhibit.hosts)),
        full("peers.csv", report.peers.as_ref(), &|| {
            parties(|exhibit| &exhibit.peers)
        }),
        full("flows.csv", report.flows.as_ref(), &|| flows(report)),
    ]
}

fn flows(report: &Report) -> String {
    let exhibits = (1..).zip(&report.evidence.exhibits);
    let rows = exhibits.flat_map(|(i, exhibit): (u64, _)| {
        exhibit.flows.iter().map(move |flow| {
            vec![
                i.to_string(),
                flow.start_us.to_string(),
                flow.end_us.to_string(),
                flow.transport.clone(),
                flow.src.ip.clone(),
                flow.src.port.to_string(),
                flow.dst.ip.clone(),
                flow.dst.port.to_string(),
                flow.fwd.packets.to_string(),
                flow.fwd.bytes.to_string(),
                flow.rev.packets.to_string(),
                flow.rev.bytes.to_string(),
                outcome(flow).to_owned(),
            ]
        })
    });
    let flow_head = [
        "finding",
        "start_us",
        "end_us",
        "transport",
        "src_ip",
        "src_port",
        "dst_ip",
        "dst_port",
        "fwd_packets",
        "fwd_bytes",
        "rev_packets",
        "rev_bytes",
        "outcome",
    ];
    sheet(&flow_head, rows)
}

fn party(finding: u64, party: &Party) -> Vec<String> {
    let numbers = [
        finding,
        party.flows,
        party.in_vain,
        party.sent,
        party.received,
    ]
    .map(|n| n.to_string());
    let [finding, flows, in_vain, sent, received] = numbers;
    let (first, last) = (party.first_us.to_string(), party.last_us.to_string());
    vec![
        finding,
        party.ip.clone(),
        flows,
        in_vain,
        sent,
        received,
        first,
        last,
    ]
}

/// A CSV of a head and rows.
pub(super) fn sheet(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    // Quoted, as spreadsheets of some countries end cells at semicolons.
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::NonNumeric)
        .from_writer(Vec::new());
    // Writing into memory cannot fail, and every row has the columns of the head.
    let _ = writer.write_record(head);
    for row in rows {
        let _ = writer.write_record(row.iter().map(|cell| harmless(cell)));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A cell that no spreadsheet takes for a formula. Negative numbers are none.
fn harmless(cell: &str) -> String {
    let formula =
        cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    if formula {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        for (cell, safe) in [
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("-5", "-5"),
            ("-cmd", "'-cmd"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(harmless(cell), safe);
        }
        let text = sheet(&["a"], [vec!["x,\"y\"\n".to_owned()]].into_iter());
        assert_eq!(text, "\"a\"\n\"x,\"\"y\"\"\n\"\n");
    }
}
