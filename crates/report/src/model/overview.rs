//! What a trace looks like before anything in it is interesting.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Volume;

/// What a trace looks like before anything in it is interesting.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Overview {
    /// Flows and bytes by zones, and over time.
    pub traffic: Traffic,
    /// Percentiles of every metric by system (7.1).
    pub percentiles: Vec<SystemPercentiles>,
    /// The clusters of both halves of the trace beside those of the whole (7.2).
    pub stability: SplitHalf,
}

/// The percentiles of the metrics of a system.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SystemPercentiles {
    /// The system.
    pub system: String,
    /// Its metrics.
    pub metrics: Vec<MetricPercentiles>,
}

/// The percentiles of a metric, as far as they are shown.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MetricPercentiles {
    /// The metric.
    pub metric: String,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
}

/// The clusters of both halves of a trace.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SplitHalf {
    /// Where the second half begins.
    pub split_us: Option<i64>,
    /// Every clustered metric.
    pub metrics: Vec<MetricStability>,
}

/// The clusters of a metric in both halves.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MetricStability {
    /// The system.
    pub system: String,
    /// The metric.
    pub metric: String,
    /// Clusters in the first half, the second and the whole; none of a half with too few values.
    pub clusters: [Option<u64>; 3],
}

/// The traffic of monitored hosts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Traffic {
    /// Flows of interest by zones (Table 1).
    pub zone_pairs: Vec<ZonePair>,
    /// Length of a period, microseconds.
    pub period_us: i64,
    /// Bytes by application (Figure 3); periods without any are left out.
    pub over_time: Vec<Period>,
}

/// Flows of interest from one zone to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ZonePair {
    /// The zone of the initiators.
    pub from: String,
    /// The zone of the responders.
    pub to: String,
    /// TCP.
    pub tcp: FlowCounts,
    /// UDP.
    pub udp: FlowCounts,
}

/// Numbers of flows and what they carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FlowCounts {
    /// Flows.
    pub flows: u64,
    /// TCP: those that were set up.
    pub complete: u64,
    /// TCP: those that failed.
    pub failed: u64,
    /// UDP: those without an answer.
    pub unanswered: u64,
    /// What the initiators sent.
    pub fwd: Volume,
    /// What the responders sent.
    pub rev: Volume,
}

/// Bytes in one period, by application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Period {
    /// When it begins.
    pub start_us: i64,
    /// Received by monitored hosts.
    pub inbound: BTreeMap<String, u64>,
    /// Sent by monitored hosts.
    pub outbound: BTreeMap<String, u64>,
}
