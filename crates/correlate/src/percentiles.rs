//! The percentiles of every metric.

use peerscope_metric::SampleTable;
use rayon::prelude::*;

/// The metrics of one system by their percentiles (SIGMETRICS 2009, section 7.1).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SystemPercentiles {
    /// The system; those that are not clustered are there too.
    pub system: String,
    /// Its samples.
    pub samples: usize,
    /// Every metric with a value, in column order.
    pub metrics: Vec<MetricPercentiles>,
}

/// The percentiles of one metric of one system.
///
/// The p-th percentile is the least value that at least p percent of the values do not exceed
/// (nearest rank), so it is one of the values.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MetricPercentiles {
    /// The metric.
    pub metric: String,
    /// Its unit; empty for plain ratios.
    pub unit: String,
    /// Defined values.
    pub n: usize,
    /// The least value.
    pub min: f64,
    /// The 5th percentile.
    pub p5: f64,
    /// The 10th percentile.
    pub p10: f64,
    /// The 25th percentile.
    pub p25: f64,
    /// The median.
    pub p50: f64,
    /// The 75th percentile.
    pub p75: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest value.
    pub max: f64,
}

/// The percentiles of all metrics of every system that has samples, in the family's order.
///
/// # Complexity
///
/// O(n log n) for each metric with n values.
pub fn percentiles(table: &SampleTable) -> Vec<SystemPercentiles> {
    let ids = (0..=u8::MAX).map(peerscope_flow::SystemId);
    let systems = ids.zip(table.systems()).map(|(id, name)| {
        let metrics = (0..table.metrics().len())
            .into_par_iter()
            .filter_map(|column| {
                let mut values: Vec<f64> = table.column(id, column).map(|(_, v)| v).collect();
                values.sort_unstable_by(f64::total_cmp);
                MetricPercentiles::new(&table.metrics()[column], &table.units()[column], &values)
            });
        SystemPercentiles {
            system: name.clone(),
            samples: table.count(id),
            metrics: metrics.collect(),
        }
    });
    systems.filter(|system| system.samples > 0).collect()
}

impl MetricPercentiles {
    /// Of values in ascending order; `None` of none.
    fn new(metric: &str, unit: &str, sorted: &[f64]) -> Option<Self> {
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let at = |percent| sorted[nearest_rank(sorted.len(), percent)];
        Some(Self {
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            n: sorted.len(),
            min,
            p5: at(5),
            p10: at(10),
            p25: at(25),
            p50: at(50),
            p75: at(75),
            p90: at(90),
            p95: at(95),
            p99: at(99),
            max,
        })
    }
}

/// The index of a percentile, 1 to 100, among `n` sorted values.
const fn nearest_rank(n: usize, percent: usize) -> usize {
    // Without the product of both, which could overflow.
    let rank = n / 100 * percent + (n % 100 * percent).div_ceil(100);
    rank.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_percentile_is_the_least_value_that_enough_do_not_exceed(
            mut values in prop::collection::vec(-5_i32..5, 1..300),
            percent in 1_usize..=100,
        ) {
            values.sort_unstable();
            let enough = |limit: &&i32| {
                let below = values.iter().filter(|value| value <= limit).count();
                100 * below >= percent * values.len()
            };
            let expected = values.iter().find(enough).unwrap();
            prop_assert_eq!(&values[nearest_rank(values.len(), percent)], expected);
        }
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(MetricPercentiles::new("m", "", &[]), None);
        let one = MetricPercentiles::new("m", "", &[3.0]);
        let ends = one.map(|one| [one.min, one.p5, one.p50, one.p99, one.max]);
        assert_eq!(ends, Some([3.0; 5]));
    }
}
