//! Rules as they come out.

use peerscope_flow::PortRange;

use crate::{Activity, ActivitySource, Clusters, FlowGroup, Parameters, SampledBucket, Template};

/// An accepted rule `left => right`, or both ways.
///
/// Displayed as in the eXpose paper: `10.0.0.1.* : 192.0.2.1.80 <=> 10.0.0.1.* : 192.0.2.2.80`.
/// In a rule of [`Template::Peers`] the other peer is `*'`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Rule {
    /// X. Of two groups that imply each other, the lower one.
    pub left: FlowGroup,
    /// Y.
    pub right: FlowGroup,
    /// Whether `right => left` was accepted too.
    pub both_ways: bool,
    /// The shape.
    pub template: Template,
    /// The evidence for `left => right`; where that was rejected, there is no such rule.
    pub evidence: Evidence,
    /// The evidence for `right => left`, if both ways.
    pub reverse: Option<Evidence>,
    /// Concrete rules that a generic one explains; they are not listed on their own.
    pub instances: Vec<(FlowGroup, FlowGroup)>,
}

/// What speaks for one direction of a rule.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Evidence {
    /// Positive part of the J-measure, nats.
    pub score: f64,
    /// P-value of the test. Values below the smallest positive number are that number.
    pub p_value: f64,
    /// The same after Benjamini-Hochberg over all pairs tested.
    pub p_adjusted: f64,
    /// Windows with an event of X, summed over bindings.
    pub count_left: u64,
    /// Windows with Y, summed over bindings.
    pub count_right: u64,
    /// Windows with both, summed over bindings.
    pub count_both: u64,
    /// Co-occurrences that the local baseline expects.
    pub expected: f64,
    /// Windows looked at, summed over bindings.
    pub windows: u64,
    /// Distinct values of `*` with a co-occurrence; 1 for a concrete rule.
    pub bindings: u32,
    /// How often Y is present at lags -n..=n windows from an event of X; the middle is lag 0.
    /// Y after X shows at positive lags.
    pub lag_profile: Vec<u64>,
}

impl Evidence {
    /// Share of X's events with Y present: comparable between traces of different lengths.
    pub fn confidence(&self) -> f64 {
        if self.count_left == 0 {
            0.0
        } else {
            self.count_both as f64 / self.count_left as f64
        }
    }
}

impl Rule {
    /// Whether a named port of either side lies in a range: 6881 to 6889, say.
    pub fn uses_port(&self, range: PortRange) -> bool {
        [self.left, self.right]
            .iter()
            .flat_map(|side| [side.src.port, side.dst.port])
            .flatten()
            .any(|port| range.contains(port))
    }

    /// The evidence of the direction with the higher score.
    pub fn best(&self) -> &Evidence {
        match &self.reverse {
            Some(reverse) if reverse.score > self.evidence.score => reverse,
            _ => &self.evidence,
        }
    }
}

/// All rules of a trace.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleSet {
    /// The rules, ascending by sides.
    pub rules: Vec<Rule>,
    /// Clusters of rules.
    pub clusters: Clusters,
    /// Buckets in which only a sample of the pairs was looked at.
    pub sampled: Vec<SampledBucket>,
    /// Concrete rules left out because as many phases meet by chance: each direction of a pair of
    /// flow groups that beat with one period, and that no generic rule explains.
    pub in_step: usize,
    /// Number of pairs that count as tested in the false discovery rate.
    pub tests: u128,
    /// Windows of the trace.
    pub windows: u32,
    /// Whether activity came from records or packets.
    pub source: ActivitySource,
    /// The settings.
    pub parameters: Parameters,
}

impl RuleSet {
    pub(crate) fn new(
        rules: Vec<Rule>,
        sampled: Vec<SampledBucket>,
        tests: u128,
        activity: &Activity,
        parameters: &Parameters,
    ) -> Self {
        Self {
            clusters: Clusters::of(&rules, parameters.max_conductance),
            rules,
            sampled,
            in_step: 0,
            tests,
            windows: activity.windows,
            source: activity.source,
            parameters: parameters.clone(),
        }
    }
}
