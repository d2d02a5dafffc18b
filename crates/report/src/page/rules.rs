//! Communication rules and their clusters, and how strong behaviour has to be to be found.

use maud::{Markup, html};

use super::table::{Cell, cut_table};
use super::{SideFile, picture};
use crate::Report;
use crate::text::{count, number};

/// Rules shown; the CSV has all.
const MOST: usize = 100;

pub(super) fn section(report: &Report, files: &mut Vec<SideFile>) -> Markup {
    let figures = report.rule_figures();
    html! {
        @if !report.rules.rules.is_empty() {
            section #rules {
                h2 { "Communication rules" }
                (rules(report, files))
                @for named in figures.iter().filter(|named| named.name == "rule-graph") { (picture(&named.figure)) }
            }
        }
        @if !report.curves.is_empty() {
            section #detectability {
                h2 { "What would be found" }
                p { "Measured on simulated traces with planted behaviour, not on this traffic." }
                @for named in figures.iter().filter(|named| named.name == "detectability") { (picture(&named.figure)) }
            }
        }
    }
}

fn rules(report: &Report, files: &mut Vec<SideFile>) -> Markup {
    let document = &report.rules;
    let mut cluster_of = vec![None; document.rules.len()];
    for (cluster, numbers) in (1_u32..).zip(&document.clusters) {
        for &number in numbers {
            if let Some(known) = cluster_of.get_mut(number) {
                *known = Some(f64::from(cluster));
            }
        }
    }
    let mut rules: Vec<_> = document.rules.iter().zip(cluster_of).collect();
    rules.sort_by(|(a, _), (b, _)| b.score.total_cmp(&a.score));
    let rows: Vec<Vec<Cell>> = rules
        .into_iter()
        .map(|(rule, cluster)| {
            vec![
                Cell::text(&rule.left),
                Cell::text(if rule.both_ways {
                    "\u{21d4}"
                } else {
                    "\u{21d2}"
                }),
                Cell::text(&rule.right),
                Cell::text(&rule.template),
                Cell::count(rule.count_both),
                Cell::maybe(Some(rule.expected)),
                Cell::percent(rule.count_both as f64 / rule.count_left.max(1) as f64),
                Cell::maybe(Some(rule.score)),
                Cell::maybe(Some(rule.p_adjusted)),
                Cell::count(rule.instances.len() as u64),
                Cell::maybe(cluster),
            ]
        })
        .collect();
    let head = [
        "when this",
        "way",
        "then that",
        "template",
        "windows",
        "by chance",
        "how often",
        "score [nats]",
        "adjusted p",
        "instances",
        "cluster",
    ];
    html! {
        p {
            (count(document.rules.len() as u64)) " rules in " (count(document.clusters.len() as u64))
            " clusters, from " (count(document.windows)) " windows of " (number(document.parameters.window))
            " s; false discovery rate " (number(document.parameters.fdr)) "."
        }
        (cut_table(files, "rules.csv", "Rules, the highest score first", &head, &rows, MOST))
    }
}
