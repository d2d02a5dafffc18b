//! The settings of a correlation.

use peerscope_cluster::{Percent, Search};

use crate::{ChangePointConfig, ShiftConfig};

/// How to cluster, and what counts as dominance, coincidence, a heavy host and a shift.
///
/// The defaults are the paper's where it gives any.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct CorrelateConfig {
    /// The parameter search of every metric.
    pub search: Search,
    /// The share of the interesting samples that dominating hosts make together: 90 %.
    pub dominance: Percent,
    /// Coincidence between metrics.
    pub cross_metric: CrossMetricConfig,
    /// Heavy hosts.
    pub heavy: HeavyConfig,
    /// Shifts of metrics between the halves of the trace.
    pub shifts: ShiftConfig,
    /// Jumps in the series of single hosts.
    pub change_points: ChangePointConfig,
}

/// When the interesting samples of two metrics coincide.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct CrossMetricConfig {
    /// The false discovery rate at which a pair enters the metric graph: 5 %.
    pub false_discovery_rate: Percent,
    /// The most multiplications that the exact null may take for one pair: 2^24, some
    /// milliseconds. A pair that needs more is tested by drawing shifts; 0 draws for every pair.
    pub exact_work: u64,
    /// How many times to draw then: 999.
    pub permutations: u32,
    /// The seed of these draws.
    pub seed: u64,
}

/// When a host is heavy (SIGMETRICS 2009, section 8.4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct HeavyConfig {
    /// The share of a metric's interesting samples of which it must have strictly more: 10 %.
    pub share: Percent,
    /// In at least how many metrics: 5.
    pub min_metrics: usize,
    /// Only metrics with at least this many interesting samples count: 10.
    pub min_samples: usize,
}

impl Default for CorrelateConfig {
    fn default() -> Self {
        Self {
            search: Search::default(),
            dominance: percent(90),
            cross_metric: CrossMetricConfig::default(),
            heavy: HeavyConfig::default(),
            shifts: ShiftConfig::default(),
            change_points: ChangePointConfig::default(),
        }
    }
}

impl Default for CrossMetricConfig {
    fn default() -> Self {
        Self {
            false_discovery_rate: percent(5),
            exact_work: 1 << 24,
            permutations: 999,
            seed: 0,
        }
    }
}

impl Default for HeavyConfig {
    fn default() -> Self {
        Self {
            share: percent(10),
            min_metrics: 5,
            min_samples: 10,
        }
    }
}

#[expect(clippy::expect_used, reason = "constants of this file, read in a test")]
fn percent(value: u8) -> Percent {
    Percent::new(value).expect("1 to 100")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_papers() {
        let config = CorrelateConfig::default();
        assert_eq!((config.dominance.get(), config.heavy.share.get()), (90, 10));
        assert_eq!(
            (config.heavy.min_metrics, config.heavy.min_samples),
            (5, 10)
        );
    }

    #[cfg(feature = "serde")]
    #[test]
    fn anything_may_be_left_out_and_nothing_misspelt() {
        let config: CorrelateConfig = toml::from_str("heavy.min_metrics = 3").unwrap();
        assert_eq!(config.heavy.min_metrics, 3);
        assert_eq!(config.search, Search::default());
        let error = toml::from_str::<CorrelateConfig>("dominanze = 90").unwrap_err();
        assert!(error.to_string().contains("line 1"));
        assert!(toml::from_str::<CorrelateConfig>("dominance = 0").is_err());
    }
}
