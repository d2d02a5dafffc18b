//! Each system: its metrics with clusters, their histograms, and how they hang together.

use maud::{Markup, html};

use super::table::{Cell, cut_table, shown, table};
use super::{SideFile, changes, picture};
use crate::Report;
use crate::model::{Interval, Metric, MetricPercentiles, MetricStability, System};
use crate::report::file_name;
use crate::text::{count, number, percent};

/// Bytes that histograms may take.
const BUDGET: usize = 1_200_000;

pub(super) fn section(report: &Report, files: &mut Vec<SideFile>) -> Markup {
    let mut left = BUDGET;
    html! {
        section #systems {
            h2 { "Systems" }
            @if report.document.systems.0.is_empty() { p { "No system has samples that are clustered." } }
            @for (number, (name, system)) in report.document.systems.iter().enumerate() {
                (of_system(report, files, number, name, system, &mut left))
            }
            (changes::hosts(report, files))
        }
    }
}

fn of_system(
    report: &Report,
    files: &mut Vec<SideFile>,
    number: usize,
    name: &str,
    system: &System,
    left: &mut usize,
) -> Markup {
    let anchor = |metric: &str| format!("metric-{number}-{}", file_name(metric));
    let mut histograms = Vec::new();
    let mut without = 0;
    for (metric, outcome) in system.metrics.iter() {
        if !outcome.is_clustered() {
            continue;
        }
        let Some(named) = report.metric_figure(name, metric) else {
            continue;
        };
        let text = histogram(metric, &anchor(metric), outcome, &named.figure);
        let Some(rest) = left.checked_sub(text.0.len()) else {
            without += 1;
            continue;
        };
        *left = rest;
        histograms.push((metric, text));
    }
    let pictured = |metric: &str| histograms.iter().any(|(name, _)| *name == metric);
    let overview = &report.document.overview;
    let stable = |metric: &str| {
        let mut halves = overview.stability.metrics.iter();
        halves.find(|halves| halves.system == name && halves.metric == metric)
    };
    let lie = |metric: &str| {
        let mut systems = overview.percentiles.iter();
        let of_system = systems.find(|percentiles| percentiles.system == name)?;
        let mut metrics = of_system.metrics.iter();
        metrics.find(|percentiles| percentiles.metric == metric)
    };
    let rows: Vec<_> = system
        .metrics
        .iter()
        .map(|(metric, outcome)| {
            let link = pictured(metric).then(|| anchor(metric));
            let name = match report.samples.unit(metric) {
                "" => metric.to_owned(),
                unit => format!("{metric} [{unit}]"),
            };
            metric_row(&name, outcome, lie(metric), stable(metric), link)
        })
        .collect();
    let head = [
        "metric",
        "values",
        "median",
        "90 % up to",
        "clusters",
        "in the halves",
        "noise",
        "interesting",
        "hosts that make 90 %",
        "reading",
    ];
    html! {
        h3 { (shown(name)) ": " (count(system.samples)) " samples of " (count(system.hosts)) " hosts" }
        (table("Metrics", &head, &rows, None))
        div.pictures { @for named in report.system_figures(name, system) { (picture(&named.figure)) } }
        (pairs(report, system, files, number))
        (changes::halves(report, files, number, name))
        (changes::proposals(report, files, number, name))
        @if without > 0 { p { (without) " histograms are left out to keep the page small; " code { "report DIRECTORY --out report.html --figures FOLDER" } " draws them." } }
        div.pictures { @for (_, text) in &histograms { (text) } }
    }
}

fn metric_row(
    name: &str,
    metric: &Metric,
    lie: Option<&MetricPercentiles>,
    stable: Option<&MetricStability>,
    link: Option<String>,
) -> Vec<Cell> {
    let share = |part: u64| part as f64 / metric.n.max(1) as f64;
    let interesting = metric.interesting.as_ref();
    let reading = match (metric.status.as_str(), interesting) {
        ("withheld", _) => "withheld: the input makes it wrong",
        ("too-few-values", _) => "too few values to cluster",
        ("needs-rule", _) => "needs a rule",
        (_, Some(found)) if found.count > 0 => &found.explanation,
        _ => "",
    };
    vec![
        match link {
            Some(anchor) => Cell::markup(
                html! { a href=(format!("#{anchor}")) { (shown(name)) } },
                name,
            ),
            None => Cell::text(name),
        },
        Cell::count(metric.n),
        Cell::maybe(lie.map(|percentiles| percentiles.p50)),
        Cell::maybe(lie.map(|percentiles| percentiles.p90)),
        Cell::count(metric.clusters.len() as u64),
        Cell::text(&stable.map_or_else(String::new, in_halves)),
        Cell::percent(share(metric.noise.count)),
        interesting.map_or_else(|| Cell::text(""), |found| Cell::percent(found.fraction)),
        metric.dominance.map_or_else(
            || Cell::text(""),
            |found| {
                let text = format!("{} ({})", found.hosts, percent(found.host_fraction));
                Cell::number(found.host_fraction, &text)
            },
        ),
        Cell::text(reading),
    ]
}

/// How many clusters the halves of the trace have.
fn in_halves(stable: &MetricStability) -> String {
    let [first, second, _] = stable.clusters;
    let text = |half: Option<u64>| half.map_or_else(|| "too few".to_owned(), |n| n.to_string());
    format!("{}, {}", text(first), text(second))
}

fn histogram(name: &str, anchor: &str, metric: &Metric, figure: &crate::Figure) -> Markup {
    let range =
        |interval: &Interval| format!("[{} {}]", number(interval.low), number(interval.high));
    let part = |interval: &Interval| percent(interval.count as f64 / metric.n.max(1) as f64);
    let clusters: Vec<String> = metric
        .clusters
        .iter()
        .zip(1..)
        .take(12)
        .map(|(cluster, i)| format!("C{i} {} {}", range(cluster), part(cluster)))
        .collect();
    html! {
        div.metric id=(anchor) {
            h4 { (shown(name)) }
            (picture(figure))
            p { (clusters.join("; ")) @if metric.clusters.len() > 12 { "; and " (metric.clusters.len() - 12) " more" } }
        }
    }
}

fn pairs(report: &Report, system: &System, files: &mut Vec<SideFile>, place: usize) -> Markup {
    let mut joined: Vec<_> = system
        .pairs
        .iter()
        .filter_map(|pair| Some((pair.shift?, pair)))
        .filter(|(test, pair)| {
            report.document.is_significant(test.adjusted)
                && pair.lift.is_some_and(|lift| lift > 1.0)
        })
        .collect();
    joined.sort_by(|(a, left), (b, right)| {
        let by_p = a.adjusted.total_cmp(&b.adjusted);
        by_p.then_with(|| (&left.left, &left.right).cmp(&(&right.left, &right.right)))
    });
    let rows: Vec<Vec<Cell>> = joined
        .into_iter()
        .map(|(test, pair)| {
            vec![
                Cell::text(&pair.left),
                Cell::text(&pair.right),
                Cell::count(pair.both),
                Cell::maybe(pair.overlap),
                Cell::maybe(pair.lift),
                Cell::maybe(Some(test.adjusted)),
            ]
        })
        .collect();
    let head = [
        "metric",
        "metric",
        "samples in both",
        "overlap",
        "lift",
        "adjusted p",
    ];
    html! {
        @if !rows.is_empty() {
            (cut_table(files, &format!("pairs-{}.csv", place + 1), "Metrics that are interesting in the same samples", &head, &rows, 50))
        }
    }
}
