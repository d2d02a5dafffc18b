//! Communication rules (the JSON that `rules` writes).

use serde::Deserialize;

/// The communication rules of a trace.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RuleDocument {
    /// The rules.
    pub rules: Vec<RuleLine>,
    /// Numbers of the rules in each cluster.
    pub clusters: Vec<Vec<usize>>,
    /// Numbers of the rules that join two clusters.
    pub cut: Vec<usize>,
    /// Windows of the trace.
    pub windows: u64,
    /// The settings.
    pub parameters: RuleParameters,
}

/// A communication rule.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RuleLine {
    /// One flow group.
    pub left: String,
    /// The one that comes with it.
    pub right: String,
    /// Whether either comes with the other.
    pub both_ways: bool,
    /// The shape, such as `any-client`.
    pub template: String,
    /// Positive part of the J-measure, nats.
    pub score: f64,
    /// Adjusted p-value.
    pub p_adjusted: f64,
    /// Windows with an event of the one.
    pub count_left: u64,
    /// Windows with both.
    pub count_both: u64,
    /// Windows with both that chance would give.
    pub expected: f64,
    /// Concrete rules that it explains.
    pub instances: Vec<[String; 2]>,
}

/// Settings of the miner, as far as they are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RuleParameters {
    /// Length of a window, seconds.
    pub window: f64,
    /// The false discovery rate.
    pub fdr: f64,
}
