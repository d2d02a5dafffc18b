//! One interpretation rule: what a region of a metric means to someone who knows the system.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Domain knowledge about one metric, or about several whose names match a pattern.
///
/// In text, with everything that may be left out:
///
/// ```toml
/// [[rule]]
/// name = "idle-tcp"
/// family = "bittorrent"              # left out: every family
/// # system = "kad"                   # left out: every system of the family
/// metric = "inout-fract-unanswered-appl-TCP"
/// sides = ["high"]                   # one cluster: where noise has the explanation
/// select = [{ range = { low = 0.6 } }]   # several clusters: what is interesting
/// explanation = "connections on which the peer never replies"
/// severity = "low"                   # left out: info
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What reports call the rule.
    pub name: String,
    /// The family it speaks of; `None` for every family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The system it speaks of; `None` for every system of the family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The metrics it speaks of.
    pub metric: MetricPattern,
    /// For a metric with one cluster: where noise has this rule's explanation.
    #[serde(default)]
    pub sides: Vec<Side>,
    /// For a metric with several clusters: the union of what is interesting. If empty, the rule
    /// does not settle such a metric.
    #[serde(default)]
    pub select: Vec<Selection>,
    /// Why it is interesting.
    pub explanation: String,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
}

/// Where noise lies with respect to the only cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Side {
    /// Below the cluster.
    Low,
    /// Above the cluster.
    High,
    /// In a range of values, wherever the cluster is.
    Range(ValueRange),
}

/// What is interesting of a metric with several clusters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Selection {
    /// The lowest cluster.
    Lowest,
    /// The highest cluster.
    Highest,
    /// Every cluster but the lowest.
    AllButLowest,
    /// All noise.
    Noise,
    /// The noise below every cluster.
    BelowLowest,
    /// The noise above every cluster.
    AboveHighest,
    /// Everything above the lowest cluster, noise included.
    AboveLowest,
    /// Values in a range, in clusters and noise alike.
    Range(ValueRange),
}

/// How bad a behaviour is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "a scale, to be matched in full")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Info,
    /// Benign, or a matter of taste.
    Low,
    /// A waste of resources, or harm to the host itself.
    Medium,
    /// Harm to others.
    High,
}

/// Values from a low to a high end, both included; an end left out is open.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawRange", into = "RawRange")]
pub struct ValueRange {
    low: f64,
    high: f64,
}

/// Ends between which no value lies.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("no value lies in the range from {low} to {high}")]
#[non_exhaustive]
pub struct ValueRangeError {
    /// The offered low end.
    pub low: f64,
    /// The offered high end.
    pub high: f64,
}

/// The name of a metric, or a pattern in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetricPattern(String);

/// An empty pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a metric pattern is empty")]
#[non_exhaustive]
pub struct MetricPatternError;

impl Rule {
    /// Whether the rule speaks of a metric of a system of a family.
    pub fn applies_to(&self, family: &str, system: &str, metric: &str) -> bool {
        let is = |key: &Option<String>, name: &str| key.as_deref().is_none_or(|key| key == name);
        is(&self.family, family) && is(&self.system, system) && self.metric.matches(metric)
    }
}

impl Severity {
    /// The name in rule files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ValueRange {
    /// A range; infinite ends are open.
    ///
    /// # Errors
    ///
    /// If `low` is above `high`, or an end is NaN.
    pub fn new(low: f64, high: f64) -> Result<Self, ValueRangeError> {
        if low <= high {
            Ok(Self { low, high })
        } else {
            Err(ValueRangeError { low, high })
        }
    }

    /// Whether a value lies in the range.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
}

impl TryFrom<RawRange> for ValueRange {
    type Error = ValueRangeError;

    fn try_from(raw: RawRange) -> Result<Self, ValueRangeError> {
        let low = raw.low.unwrap_or(f64::NEG_INFINITY);
        Self::new(low, raw.high.unwrap_or(f64::INFINITY))
    }
}

impl From<ValueRange> for RawRange {
    fn from(range: ValueRange) -> Self {
        let finite = |end: f64| end.is_finite().then_some(end);
        Self {
            low: finite(range.low),
            high: finite(range.high),
        }
    }
}

impl MetricPattern {
    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a metric's name matches.
    ///
    /// # Complexity
    ///
    /// O(length of the name x length of the pattern).
    pub fn matches(&self, name: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(mut name) = name.strip_prefix(start) else {
            return false;
        };
        let mut parts = rest.split('*');
        let end = parts.next_back().unwrap_or_default();
        // The earliest place of each part leaves most to the next ones.
        for part in parts {
            match name.find(part) {
                Some(at) => name = &name[at + part.len()..],
                None => return false,
            }
        }
        name.ends_with(end)
    }

    /// Orders patterns by how much they pin down: names first, then by literal characters.
    pub(crate) fn specificity(&self) -> (bool, usize) {
        let literal = self.0.chars().filter(|&c| c != '*').count();
        (!self.0.contains('*'), literal)
    }
}

impl fmt::Display for MetricPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for MetricPattern {
    type Err = MetricPatternError;

    fn from_str(text: &str) -> Result<Self, MetricPatternError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for MetricPattern {
    type Error = MetricPatternError;

    fn try_from(text: String) -> Result<Self, MetricPatternError> {
        if text.is_empty() {
            Err(MetricPatternError)
        } else {
            Ok(Self(text))
        }
    }
}

impl From<MetricPattern> for String {
    fn from(pattern: MetricPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let matches = |pattern: &str, name: &str| {
            let pattern: MetricPattern = pattern.parse().unwrap();
            pattern.matches(name)
        };
        assert!(matches("live-conn-TCP", "live-conn-TCP"));
        assert!(!matches("live-conn", "live-conn-TCP"));
        assert!(matches("inout-1024-*", "inout-1024-dest-ports-UDP"));
        assert!(!matches("inout-1024-*-TCP", "inout-1024-dest-ports-UDP"));
        assert!(matches("*-fract-*-TCP", "inout-fract-unanswered-appl-TCP"));
        assert!(matches("*", "anything"));
        assert!(matches("a*a", "aa"));
        assert!(!matches("a*a", "a"));
        assert!(matches("*ab*ab", "abab"));
        assert!(!matches("*ab*ab", "ab"));
        assert!("".parse::<MetricPattern>().is_err());
    }

    #[test]
    fn ranges_have_a_low_and_a_high_end() {
        let range = ValueRange::new(0.6, f64::INFINITY).unwrap();
        assert!(range.contains(0.6) && range.contains(1e300) && !range.contains(0.5));
        assert!(ValueRange::new(1.0, 0.0).is_err());
        assert!(ValueRange::new(f64::NAN, 0.0).is_err());
    }
}
