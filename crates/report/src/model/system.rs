//! What stands out in a system.

use serde::Deserialize;

use super::Named;

/// What stands out in a system.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct System {
    /// Its samples.
    pub samples: u64,
    /// Hosts with at least one of them.
    pub hosts: u64,
    /// Every metric.
    pub metrics: Named<Metric>,
    /// Every pair of metrics with interesting samples.
    pub pairs: Vec<Pair>,
}

/// How far a metric was brought.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Metric {
    /// `withheld`, `too-few-values`, `needs-rule` or `clustered`.
    pub status: String,
    /// Defined values.
    pub n: u64,
    /// The radius found.
    pub eps: f64,
    /// The density found, as a number of values.
    pub min_points: Option<u64>,
    /// The clusters.
    pub clusters: Vec<Interval>,
    /// What is in none.
    pub noise: Noise,
    /// The interesting samples.
    pub interesting: Option<Interesting>,
    /// The hosts that make nearly all of them.
    pub dominance: Option<Dominance>,
}

/// Values in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Interval {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// How many.
    pub count: u64,
}

/// Values in no cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Noise {
    /// How many.
    pub count: u64,
    /// Where they lie.
    pub regions: Vec<Interval>,
}

impl Metric {
    /// Whether there are clusters, of interest or not.
    pub fn is_clustered(&self) -> bool {
        !matches!(self.status.as_str(), "withheld" | "too-few-values")
    }
}

/// The interesting samples of a metric.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Interesting {
    /// The rule that speaks of the metric.
    pub rule: Option<String>,
    /// Its explanation.
    pub explanation: String,
    /// Its severity.
    pub severity: Option<String>,
    /// Where they lie.
    pub regions: Vec<Interval>,
    /// How many there are.
    pub count: u64,
    /// Their share of the defined values.
    pub fraction: f64,
}

/// The hosts that make nearly all interesting samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Dominance {
    /// How many.
    pub hosts: u64,
    /// As a share of the system's hosts.
    pub host_fraction: f64,
}

/// Two metrics that are compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Pair {
    /// One metric.
    pub left: String,
    /// The other.
    pub right: String,
    /// Samples interesting in both.
    pub both: u64,
    /// Those as a share of the samples interesting in either.
    pub overlap: Option<f64>,
    /// How many times as many as by chance.
    pub lift: Option<f64>,
    /// The test against shifted series.
    pub shift: Option<Test>,
}

/// A significance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Test {
    /// The p-value.
    pub p: f64,
    /// Adjusted for the number of pairs.
    pub adjusted: f64,
}

/// A host that stands out in several metrics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HeavyHost {
    /// The system.
    pub system: String,
    /// Its address.
    pub host: String,
    /// Where it stands out.
    pub metrics: Vec<Standout>,
}

/// A metric in which a host stands out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Standout {
    /// The metric.
    pub metric: String,
    /// Interesting samples of the host.
    pub count: u64,
    /// As a share of all of the metric.
    pub fraction: f64,
}

/// Metrics that are interesting together.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MetricGroup {
    /// The system.
    pub system: String,
    /// The metrics.
    pub metrics: Vec<String>,
    /// Coincident pairs among them.
    pub pairs: u64,
}
