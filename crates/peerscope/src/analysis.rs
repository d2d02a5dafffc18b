//! What an analysis found.

use std::collections::BTreeMap;

use peerscope_correlate::{
    Correlation, HostChange, MetricShift, Proposal, SplitHalf, SystemPercentiles,
};
use peerscope_findings::{Findings, Traffic};
use peerscope_flow::SystemId;
use peerscope_metric::SampleTable;
use peerscope_slot::{HostSlots, Precision};
use serde::Serialize;

use crate::{InputReport, SourceReport};

/// The result of a [`Session`](crate::Session). Serialises to JSON, the sample table left out:
/// that has a file format of its own ([`SampleTable::write_csv`]).
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Analysis {
    /// The family analysed.
    pub family: String,
    /// The length of a slot, seconds.
    pub slot_seconds: f64,
    /// What was read and what of it was of interest.
    pub input: InputSummary,
    /// Metrics that the input makes wrong; they have no values, and nothing rests on them.
    pub withheld: Vec<WithheldMetric>,
    /// How many samples there are.
    pub samples: SampleSummary,
    /// Who exchanges how much with whom, how the metrics lie, and how stable their clusters are.
    pub overview: Overview,
    /// What changed in the course of the trace.
    pub changes: Changes,
    /// Proposals for metrics that need a rule. Experimental.
    pub experimental: Experimental,
    /// Clusters, interesting samples and what correlates.
    #[serde(flatten)]
    pub correlation: Correlation,
    /// What an operator can act on, if it was asked for.
    pub findings: Findings,
    /// The samples themselves.
    #[serde(skip)]
    pub table: SampleTable,
}

/// What a trace looks like before anything in it is interesting.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// Flows and bytes by zones and application (Table 1), and over time (Figure 3).
    pub traffic: Traffic,
    /// Percentiles of every metric by system (7.1).
    pub percentiles: Vec<SystemPercentiles>,
    /// The clusters of both halves of the trace held against those of the whole (7.2).
    pub stability: SplitHalf,
}

/// What changed in the course of a trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Changes {
    /// Every metric in the first half of the trace against the second.
    pub halves: Vec<MetricShift>,
    /// Jumps in the series of single hosts (Figure 9).
    pub hosts: Vec<HostChange>,
}

/// Results of methods that are not proven.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Experimental {
    /// What clusters that no rule speaks of may mean, with reasons.
    pub proposals: Vec<Proposal>,
}

/// What was read and what of it was of interest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InputSummary {
    /// Flows read.
    pub flows: u64,
    /// Flows that entered samples.
    pub of_interest: u64,
    /// Flows that did not, by reason; reasons that did not occur are left out.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Records of logs that could not be read, by the kind of fault.
    pub records_skipped: BTreeMap<String, u64>,
    /// The account of every source.
    #[serde(flatten)]
    pub report: InputReport,
}

/// A metric that would be wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WithheldMetric {
    /// The metric.
    pub metric: String,
    /// The first source that makes it wrong; or how many do so together, and none alone.
    pub source: String,
    /// Why.
    pub reason: String,
}

/// Numbers of samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SampleSummary {
    /// All samples.
    pub total: usize,
    /// Samples in the first and last slot of the trace, which are partly covered.
    pub edge: usize,
    /// Monitored hosts with a sample.
    pub hosts: usize,
    /// Samples of each system.
    pub by_system: BTreeMap<String, usize>,
    /// The relative standard error of the numbers of peers of giant hosts, and of what rests on them;
    /// left out if they were counted exactly, as those of all other hosts are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers_standard_error: Option<f64>,
}

#[cfg(feature = "report")]
impl Analysis {
    /// The analysis as a report: figures and a page.
    ///
    /// ```
    /// # use peerscope::prelude::*;
    /// let pipeline = Pipeline::new(Family::emule(), Topology::everything_monitored());
    /// let analysis = pipeline.session().finish()?;
    /// let page = analysis.report()?.page();
    /// assert!(page.html.contains("Nothing was found"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a number of the analysis cannot be written as JSON.
    pub fn report(&self) -> Result<peerscope_report::Report, peerscope_report::ReportError> {
        // By way of its JSON, so that a report in memory and one from files cannot differ.
        let analysis = serde_json::to_vec(self)?;
        let evidence = serde_json::to_vec(&self.findings.evidence)?;
        let samples = peerscope_report::Samples::from_table(&self.table);
        peerscope_report::Report::from_json(analysis.as_slice(), evidence.as_slice(), samples)
    }
}

impl InputSummary {
    pub(crate) fn new(host_slots: &HostSlots, report: InputReport) -> Self {
        let skipped = host_slots.skipped().by_reason().into_iter();
        let mut records_skipped = BTreeMap::new();
        for source in &report.sources {
            if let SourceReport::Log(log) = source {
                for (kind, count) in &log.skipped {
                    *records_skipped.entry(kind.to_string()).or_default() += count;
                }
            }
        }
        Self {
            flows: host_slots.flows(),
            of_interest: host_slots.of_interest(),
            skipped: skipped.filter(|(_, count)| *count > 0).collect(),
            records_skipped,
            report,
        }
    }
}

impl WithheldMetric {
    /// Every metric that one of the sources makes wrong, or all that are paired together, by name.
    pub(crate) fn all(report: &InputReport) -> Vec<Self> {
        let sources = report.sources.iter().filter_map(|source| match source {
            SourceReport::Log(log) => Some((log.name.clone(), log.feed.as_ref()?)),
            SourceReport::Capture(_) | SourceReport::Repeat(_) => None,
        });
        let paired = report.paired.iter().map(|paired| {
            let name = format!("{} sources together", paired.sources);
            (name, &paired.feed)
        });
        let mut all: BTreeMap<&str, Self> = BTreeMap::new();
        for (source, feed) in sources.chain(paired) {
            for withheld in feed.withheld() {
                all.entry(withheld.metric).or_insert_with(|| Self {
                    metric: withheld.metric.to_owned(),
                    source: source.clone(),
                    reason: withheld.reason.to_string(),
                });
            }
        }
        all.into_values().collect()
    }
}

impl SampleSummary {
    pub(crate) fn new(table: &SampleTable) -> Self {
        let systems = table.systems().iter().zip((0..).map(SystemId));
        Self {
            total: table.len(),
            edge: table.keys().filter(|key| key.edge).count(),
            hosts: table.hosts().count(),
            by_system: systems
                .map(|(name, id)| (name.clone(), table.count(id)))
                .collect(),
            peers_standard_error: table.approximate().map(Precision::standard_error),
        }
    }
}
