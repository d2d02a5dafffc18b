//! What changed in the course of the trace, and what may be worth a rule.

use serde::Deserialize;

/// What changed in the course of a trace.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Changes {
    /// Every metric in the first half of the trace against the second.
    pub halves: Vec<MetricShift>,
    /// Jumps in the series of single hosts.
    pub hosts: Vec<HostChange>,
}

/// How a metric changed from the first half of the trace to the second.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MetricShift {
    /// The system.
    pub system: String,
    /// The metric.
    pub metric: String,
    /// The mean before and after.
    pub mean: [f64; 2],
    /// The Kolmogorov-Smirnov distance, from 0 to 1.
    pub ks: f64,
    /// The p-value that takes hosts as units, adjusted for all metrics.
    pub adjusted: f64,
}

/// A jump in the series of a host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HostChange {
    /// The host.
    pub host: String,
    /// The metric.
    pub metric: String,
    /// When.
    pub at_us: i64,
    /// The median before.
    pub before: f64,
    /// The median after.
    pub after: f64,
}

/// Results of methods that are not proven.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Experimental {
    /// What clusters that no rule speaks of may mean.
    pub proposals: Vec<Proposal>,
}

/// The clusters of a metric that needs a rule.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Proposal {
    /// The system.
    pub system: String,
    /// The metric.
    pub metric: String,
    /// Its clusters.
    pub clusters: Vec<RankedCluster>,
}

/// A cluster, and what speaks for its being interesting.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RankedCluster {
    /// The lowest value.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// Its share of the metric's values.
    pub fraction: f64,
    /// Whether it is proposed as interesting.
    pub proposed: bool,
    /// What speaks for it.
    pub reasons: Vec<Reason>,
}

/// A piece of evidence.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Reason {
    /// Of which kind, such as `coincides`.
    pub evidence: String,
    /// The metric that it coincides with.
    pub with: Option<String>,
    /// A share from 0 to 1, if the evidence is one.
    pub fraction: Option<f64>,
}
