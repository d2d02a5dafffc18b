//! An analysis as tables for a terminal, in the shape of the paper's Tables 4 and 5.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use peerscope::cluster::Interval;
use peerscope::correlate::{MetricOutcome, SystemCorrelation};
use peerscope::{Analysis, SourceReport};
use peerscope_examples::short;

/// Everything a person wants to see first.
pub(crate) fn all(analysis: &Analysis) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail, here and below.
    let _ = findings(&mut text, analysis);
    let _ = input(&mut text, analysis);
    let _ = withheld(&mut text, analysis);
    for system in &analysis.correlation.systems {
        let _ = multiple_clusters(&mut text, system);
        let _ = points(&mut text, system);
        let _ = left_out(&mut text, system);
    }
    let _ = across(&mut text, analysis);
    text
}

/// What an operator can act on, before anything else.
fn findings(text: &mut String, analysis: &Analysis) -> std::fmt::Result {
    let findings = &analysis.findings;
    writeln!(text, "Findings")?;
    if findings.active.is_empty() {
        writeln!(text, "  none")?;
    }
    if let Some(kind) = findings.withheld.first() {
        let kinds = findings.withheld.len();
        let (metric, reason) = (&kind.metric, &kind.reason);
        writeln!(
            text,
            "  {kinds} kinds cannot be told, as {metric} is withheld: {reason}"
        )?;
    }
    for finding in &findings.active {
        let (kind, severity) = (&finding.kind, finding.severity);
        writeln!(text, "  {kind:<18} {severity:<6} {}", finding.explanation)?;
    }
    if !findings.muted.is_empty() {
        writeln!(
            text,
            "  {} more are known to be harmless",
            findings.muted.len()
        )?;
    }
    for shares in &findings.unanswered {
        for (transport, counts) in [("UDP unanswered", &shares.udp), ("TCP failed", &shares.tcp)] {
            if counts.in_vain() > 0 {
                writeln!(
                    text,
                    "  incoming {transport} of {}: {} of {}; {:.0} % the host had left, {:.0} % a NAT or \
                     away, {:.0} % undecided",
                    shares.system,
                    counts.in_vain(),
                    counts.incoming,
                    100.0 * counts.departed_share,
                    100.0 * counts.nat_share,
                    100.0 * counts.undecided_share,
                )?;
            }
        }
    }
    writeln!(text)
}

fn input(text: &mut String, analysis: &Analysis) -> std::fmt::Result {
    let input = &analysis.input;
    writeln!(text, "Read")?;
    for source in &input.report.sources {
        match source {
            SourceReport::Log(log) => {
                writeln!(text, "  {}: {} flows ({})", log.name, log.flows, log.format)?;
            }
            SourceReport::Capture(capture) => {
                writeln!(
                    text,
                    "  {}: {} packets",
                    capture.name, capture.offered.packets
                )?;
            }
            SourceReport::Repeat(repeat) => {
                writeln!(
                    text,
                    "  {}: the content of {}, not read again",
                    repeat.name, repeat.of
                )?;
            }
            _ => {}
        }
    }
    for (kind, count) in &input.records_skipped {
        writeln!(text, "  skipped {count} records: {kind}")?;
    }
    if let Some(meter) = &input.report.meter {
        for (reason, packets) in meter.skipped.iter() {
            writeln!(text, "  skipped {packets} packets: {reason}")?;
        }
    }
    writeln!(
        text,
        "  {} flows, {} of interest to {}",
        input.flows, input.of_interest, analysis.family
    )?;
    for (reason, count) in &input.skipped {
        writeln!(text, "  skipped {count} flows: {reason}")?;
    }
    let samples = &analysis.samples;
    writeln!(
        text,
        "  {} samples of {} hosts in slots of {} s",
        samples.total, samples.hosts, analysis.slot_seconds
    )?;
    for (system, count) in samples.by_system.iter().filter(|(_, count)| **count > 0) {
        writeln!(text, "    {count} {system}")?;
    }
    Ok(())
}

/// What the input cannot tell, by source and reason.
fn withheld(text: &mut String, analysis: &Analysis) -> std::fmt::Result {
    let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for metric in &analysis.withheld {
        let reason = (metric.source.as_str(), metric.reason.as_str());
        reasons.entry(reason).or_default().push(&metric.metric);
    }
    for ((source, reason), metrics) in reasons {
        let (number, all) = (metrics.len(), analysis.table.metrics().len());
        writeln!(
            text,
            "\nWithheld, {number} of {all} metrics: {source}: {reason}"
        )?;
        writeln!(text, "  {}", metrics.join(", "))?;
    }
    Ok(())
}

/// Tables 4 and 5: metrics with several clusters. `*` marks what is interesting.
fn multiple_clusters(text: &mut String, system: &SystemCorrelation) -> std::fmt::Result {
    let several = |outcome: &MetricOutcome| {
        outcome
            .found()
            .is_some_and(|found| found.clustering.clusters.len() > 1)
    };
    let mut metrics: Vec<_> = system
        .metrics
        .iter()
        .filter(|metric| several(&metric.outcome))
        .collect();
    // Those that a rule explains first.
    metrics.sort_by_key(|metric| metric.outcome.interesting().is_none());
    if metrics.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\nMetrics of {} with several clusters (* interesting)",
        system.system
    )?;
    for metric in metrics {
        let Some(found) = metric.outcome.found() else {
            continue;
        };
        let interesting = metric.outcome.interesting();
        let meaning = interesting.map_or("needs a rule", |found| found.explanation.as_str());
        let mut name = metric.metric.as_str();
        let mut meaning = Some(meaning);
        let clusters = found.clustering.clusters.iter().enumerate();
        let clusters = clusters.map(|(i, cluster)| (format!("C{}", i + 1), cluster));
        let noise = found
            .clustering
            .noise
            .regions
            .iter()
            .map(|region| ("N".to_owned(), region));
        for (label, part) in clusters.chain(noise) {
            let marked = interesting.is_some_and(|interesting| {
                interesting
                    .regions
                    .iter()
                    .any(|region| region.low <= part.low && part.high <= region.high)
            });
            let mark = if marked { '*' } else { ' ' };
            let share = percent(part.count, found.n);
            write!(
                text,
                "  {name:<36} {label:<3}{mark} {:>22} {share:>6} %",
                range(part)
            )?;
            match meaning.take_if(|_| marked || interesting.is_none()) {
                Some(meaning) => writeln!(text, "  {meaning}")?,
                None => writeln!(text)?,
            }
            name = "";
        }
    }
    Ok(())
}

/// Figures 6 and 7 as a table.
fn points(text: &mut String, system: &SystemCorrelation) -> std::fmt::Result {
    let mut points: Vec<_> = system.dominance_points().collect();
    points.sort_by(|a, b| b.sample_fraction.total_cmp(&a.sample_fraction));
    if points.is_empty() {
        return Ok(());
    }
    let heading = "samples that are interesting, hosts that make 90 % of them";
    writeln!(
        text,
        "\nInteresting samples of {}: {heading}",
        system.system
    )?;
    for point in points {
        let meaning = system
            .metric(&point.metric)
            .and_then(MetricOutcome::interesting);
        writeln!(
            text,
            "  {:<36} {:>6.2} % {:>6.1} %  {}",
            point.metric,
            100.0 * point.sample_fraction,
            100.0 * point.host_fraction,
            meaning.map_or("", |interesting| interesting.explanation.as_str()),
        )?;
    }
    Ok(())
}

fn left_out(text: &mut String, system: &SystemCorrelation) -> std::fmt::Result {
    let few: Vec<String> = system
        .metrics
        .iter()
        .filter_map(|metric| match metric.outcome {
            MetricOutcome::TooFewValues { n } => Some(format!("{} ({n})", metric.metric)),
            _ => None,
        })
        .collect();
    match few.len() {
        0 => Ok(()),
        all if all == system.metrics.len() => writeln!(
            text,
            "\nToo few samples of {} ({}) to cluster any metric",
            system.system, system.samples
        ),
        _ => writeln!(
            text,
            "\nToo few values of {} to cluster: {}",
            system.system,
            few.join(", ")
        ),
    }
}

fn across(text: &mut String, analysis: &Analysis) -> std::fmt::Result {
    let correlation = &analysis.correlation;
    writeln!(
        text,
        "\nHeavy hosts: more than 10 % of the interesting samples of several metrics"
    )?;
    if correlation.heavy_hosts.is_empty() {
        writeln!(text, "  none")?;
    }
    for heavy in &correlation.heavy_hosts {
        let metrics: Vec<String> = heavy
            .metrics
            .iter()
            .map(|standout| format!("{} ({:.0} %)", standout.metric, 100.0 * standout.fraction))
            .collect();
        writeln!(
            text,
            "  {} ({}): {}",
            heavy.host,
            heavy.system,
            metrics.join(", ")
        )?;
    }
    writeln!(text, "\nMetrics whose interesting samples coincide")?;
    if correlation.metric_groups.is_empty() {
        writeln!(text, "  none")?;
    }
    for group in &correlation.metric_groups {
        writeln!(text, "  {}: {}", group.system, group.metrics.join(", "))?;
    }
    Ok(())
}

fn range(part: &Interval) -> String {
    format!("[{} {}]", short(part.low), short(part.high))
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.2}", 100.0 * part as f64 / whole as f64)
}
