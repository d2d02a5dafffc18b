//! What changed in the course of the trace, and what may be worth a rule.

use maud::{Markup, html};

use super::SideFile;
use super::table::{Cell, cut_table};
use crate::Report;
use crate::model::Reason;
use crate::text::{moment, number, percent};

/// Rows of a table of changes; the CSV has all.
const MOST: usize = 20;

/// Metrics of a system that differ between the halves of the trace.
pub(super) fn halves(
    report: &Report,
    files: &mut Vec<SideFile>,
    place: usize,
    system: &str,
) -> Markup {
    let changes = &report.document.changes.halves;
    let mut changed: Vec<_> = changes
        .iter()
        .filter(|shift| shift.system == system && report.document.is_significant(shift.adjusted))
        .collect();
    changed.sort_by(|a, b| b.ks.total_cmp(&a.ks));
    let rows: Vec<Vec<Cell>> = changed
        .into_iter()
        .map(|shift| {
            vec![
                Cell::text(&shift.metric),
                Cell::maybe(Some(shift.mean[0])),
                Cell::maybe(Some(shift.mean[1])),
                Cell::maybe(Some(shift.ks)),
                Cell::maybe(Some(shift.adjusted)),
            ]
        })
        .collect();
    let head = [
        "metric",
        "mean of the first half",
        "mean of the second",
        "distance (KS)",
        "adjusted p",
    ];
    let name = format!("shifts-{}.csv", place + 1);
    let split = report.document.overview.stability.split_us;
    html! {
        @if !rows.is_empty() {
            @let when = split.map_or_else(String::new, |split| format!(", split at {} UTC", moment(split)));
            (cut_table(files, &name, &format!("Metrics that differ between the halves of the trace{when}"), &head, &rows, MOST))
        }
    }
}

/// Clusters of a system that may deserve a rule.
pub(super) fn proposals(
    report: &Report,
    files: &mut Vec<SideFile>,
    place: usize,
    system: &str,
) -> Markup {
    let proposals = report.document.experimental.proposals.iter();
    let rows: Vec<Vec<Cell>> = proposals
        .filter(|proposal| proposal.system == system)
        .flat_map(|proposal| {
            let proposed = proposal.clusters.iter().filter(|cluster| cluster.proposed);
            proposed.map(|cluster| {
                let reasons: Vec<String> = cluster.reasons.iter().map(reason).collect();
                vec![
                    Cell::text(&proposal.metric),
                    Cell::text(&format!(
                        "[{} {}]",
                        number(cluster.low),
                        number(cluster.high)
                    )),
                    Cell::percent(cluster.fraction),
                    Cell::text(&reasons.join("; ")),
                ]
            })
        })
        .collect();
    let head = ["metric", "values", "share", "what speaks for it"];
    html! {
        @if !rows.is_empty() {
            (cut_table(files, &format!("proposals-{}.csv", place + 1), "Experimental: clusters that no rule speaks of, and that may be interesting", &head, &rows, MOST))
        }
    }
}

fn reason(reason: &Reason) -> String {
    let share = reason.fraction.map_or_else(String::new, percent);
    match (reason.evidence.as_str(), &reason.with) {
        ("bad-end", _) => "at the bad end of the metric".to_owned(),
        ("few-hosts", _) => format!("made by few hosts ({share})"),
        ("nearly-all-hosts", _) => format!("nearly all hosts get there ({share})"),
        ("coincides", Some(with)) => format!("{share} coincide with {with}"),
        ("part-of-time", _) => format!("in {share} of the time only"),
        (other, _) => format!("{other} {share}"),
    }
}

/// Hosts that moved to another level.
pub(super) fn hosts(report: &Report, files: &mut Vec<SideFile>) -> Markup {
    let changes = report.document.changes.hosts.iter();
    let rows: Vec<Vec<Cell>> = changes
        .map(|change| {
            vec![
                Cell::text(&change.host),
                Cell::text(&change.metric),
                Cell::moment(change.at_us),
                Cell::maybe(Some(change.before)),
                Cell::maybe(Some(change.after)),
            ]
        })
        .collect();
    let head = [
        "host",
        "metric",
        "at (UTC)",
        "median before",
        "median after",
    ];
    html! {
        @if !rows.is_empty() {
            h3 { "Hosts that changed" }
            (cut_table(files, "host-changes.csv", "Jumps in the series of single hosts", &head, &rows, MOST))
        }
    }
}
