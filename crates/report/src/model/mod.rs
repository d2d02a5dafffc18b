//! What the report reads of an analysis: the JSON that `analyze` and `rules` write, as far as it is
//! shown.
//!
//! Fields that an older analysis lacks are empty; fields that are not shown are passed over.

mod changes;
mod evidence;
mod finding;
mod input;
mod named;
mod overview;
mod rules;
mod system;

pub use changes::{
    Changes, Experimental, HostChange, MetricShift, Proposal, RankedCluster, Reason,
};
pub use evidence::{Activity, Contact, Endpoint, Evidence, Exhibit, Flow, Party, PortCount};
pub use finding::{Causes, Finding, Findings, Muted, Unanswered, WithheldKind};
pub use input::{Input, Meter, SampleNumbers, Source, Volume, Withheld};
pub use named::Named;
pub use overview::{
    FlowCounts, MetricPercentiles, MetricStability, Overview, Period, SplitHalf, SystemPercentiles,
    Traffic, ZonePair,
};
pub use rules::{RuleDocument, RuleLine, RuleParameters};
pub use system::{
    Dominance, HeavyHost, Interesting, Interval, Metric, MetricGroup, Noise, Pair, Standout,
    System, Test,
};

use serde::Deserialize;

/// An analysis (`analysis.json`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Document {
    /// The family analysed.
    pub family: String,
    /// The length of a slot, seconds.
    pub slot_seconds: f64,
    /// What was read.
    pub input: Input,
    /// Metrics that the input makes wrong.
    pub withheld: Vec<Withheld>,
    /// Numbers of samples.
    pub samples: SampleNumbers,
    /// Who exchanges how much with whom.
    pub overview: Overview,
    /// What changed in the course of the trace.
    pub changes: Changes,
    /// Results of methods that are not proven.
    pub experimental: Experimental,
    /// What stands out in each clustered system.
    pub systems: Named<System>,
    /// Hosts that stand out in several metrics.
    pub heavy_hosts: Vec<HeavyHost>,
    /// Metrics that are interesting together.
    pub metric_groups: Vec<MetricGroup>,
    /// The rate of false discoveries at which something counts as significant, percent.
    pub false_discovery_rate: Option<f64>,
    /// What an operator can act on.
    pub findings: Findings,
}

impl Document {
    /// Whether a p-value, adjusted for all tests of its kind, is significant; at 5 % where the analysis
    /// does not say.
    pub(crate) fn is_significant(&self, adjusted: f64) -> bool {
        adjusted <= self.false_discovery_rate.unwrap_or(5.0) / 100.0
    }
}
