//! Whether the clusters of both halves of a trace are those of the whole.

use peerscope_cluster::{Clustering, SearchOutcome, SortedValues, Stability};
use peerscope_flow::{SlotIndex, SystemId, Timestamp};
use peerscope_metric::SampleTable;
use rayon::prelude::*;

use crate::{CorrelateConfig, Correlation, Interesting};

/// Every clustering held against those of the two halves of the trace (SIGMETRICS 2009, section
/// 7.2: day and night).
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SplitHalf {
    /// Where the second half begins: the start of the slot in the middle. `None` without samples.
    #[cfg_attr(feature = "serde", serde(rename = "split_us"))]
    pub split: Option<Timestamp>,
    /// Every clustered metric, by system and column.
    pub metrics: Vec<MetricStability>,
}

/// How one metric's clusters in the halves compare with those of the whole.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MetricStability {
    /// The system.
    pub system: String,
    /// The metric.
    pub metric: String,
    /// Clusters in the first half, the second and the whole; `None` of a half with too few values.
    pub clusters: [Option<usize>; 3],
    /// The share of values in the interesting regions of the whole: in the first half, the second
    /// and the whole. `None` without a value there or if it is open what is interesting.
    pub interesting: [Option<f64>; 3],
    /// The comparison of the clusters; `None` if a half has too few values.
    pub stability: Option<Stability>,
}

/// Clusters both halves of the trace as `correlation` did the whole, and compares.
///
/// # Complexity
///
/// That of clustering the whole once more.
pub fn split_half(
    table: &SampleTable,
    correlation: &Correlation,
    config: &CorrelateConfig,
) -> SplitHalf {
    let slots = || table.keys().map(|key| key.slot.0);
    let (Some(first), Some(last)) = (slots().min(), slots().max()) else {
        return SplitHalf::default();
    };
    let middle = first.midpoint(last.saturating_add(1));
    let ids: Vec<(SystemId, &str)> = table
        .clustered_systems()
        .map(|id| (id, table.system_name(id)))
        .collect();
    let metrics = ids.into_iter().flat_map(|(id, system)| {
        let of_system = correlation.system(system).map(|found| &found.metrics);
        let clustered = of_system.into_iter().flatten().filter_map(|metric| {
            let whole = &metric.outcome.found()?.clustering;
            Some((table.metric_index(&metric.metric)?, metric, whole))
        });
        let clustered: Vec<_> = clustered.collect();
        clustered
            .into_par_iter()
            .map(|(column, metric, whole)| {
                let samples: Vec<(bool, f64)> = table
                    .column(id, column)
                    .map(|(row, value)| (table.key(row).slot.0 >= middle, value))
                    .collect();
                let interesting = metric.outcome.interesting();
                compare(
                    &samples,
                    whole,
                    interesting,
                    config,
                    (system, &metric.metric),
                )
            })
            .collect::<Vec<_>>()
    });
    SplitHalf {
        metrics: metrics.collect(),
        split: Some(table.slot_length().start_of(SlotIndex(middle))),
    }
}

impl MetricStability {
    /// Whether the halves have as many clusters as the whole; `None` if a half has too few values.
    pub fn same_count(&self) -> Option<bool> {
        let [first, second, whole] = self.clusters;
        Some(first? == whole? && second? == whole?)
    }
}

/// `samples` tell whether they are of the second half.
fn compare(
    samples: &[(bool, f64)],
    whole: &Clustering,
    interesting: Option<&Interesting>,
    config: &CorrelateConfig,
    (system, metric): (&str, &str),
) -> MetricStability {
    let half = |second: bool| samples.iter().filter(move |s| s.0 == second).map(|s| s.1);
    let sorted = |values: Vec<f64>| SortedValues::new(values).ok();
    let cluster = |second| match config.search.run(&sorted(half(second).collect())?) {
        Ok(SearchOutcome::Clustered(found)) => Some(found.clustering),
        Ok(SearchOutcome::TooFewValues { .. }) | Err(_) => None,
    };
    let [first, second] = [cluster(false), cluster(true)];
    let share = |values: &[f64]| {
        let regions = &interesting?.regions;
        let inside = |value: &&f64| {
            regions
                .iter()
                .any(|r| r.low <= **value && **value <= r.high)
        };
        let count = values.iter().filter(inside).count();
        (!values.is_empty()).then(|| count as f64 / values.len() as f64)
    };
    let parts: [Vec<f64>; 3] = [
        half(false).collect(),
        half(true).collect(),
        samples.iter().map(|s| s.1).collect(),
    ];
    let all = sorted(parts[2].clone());
    let count = |clustering: &Option<Clustering>| clustering.as_ref().map(|c| c.clusters.len());
    MetricStability {
        system: system.to_owned(),
        metric: metric.to_owned(),
        clusters: [count(&first), count(&second), Some(whole.clusters.len())],
        interesting: parts.each_ref().map(|values| share(values)),
        stability: first
            .zip(second)
            .zip(all)
            .map(|((first, second), all)| Stability::new(&first, &second, whole, &all)),
    }
}
