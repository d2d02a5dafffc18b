//! From the table of samples to interesting regions, hosts and groups of metrics.

use peerscope_cluster::{Found, NonFiniteError, Percent, ScaleError, SearchOutcome, SortedValues};
use peerscope_metric::SampleTable;
use rayon::prelude::*;
use thiserror::Error;

use crate::cross_metric::{Candidate, pairs};
use crate::dominance::{HostCount, rank};
use crate::graph::groups;
use crate::heavy::heavy_hosts;
use crate::interesting::regions;
use crate::system::SystemRows;
use crate::{
    CorrelateConfig, Dominance, HeavyHost, MetricGroup, MetricPair, Reading, Region, Rule, Rules,
    Severity, metric_graph,
};

/// What stands out in a table of samples.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Correlation {
    /// The clustered systems, in the family's order; in JSON an object by name.
    #[cfg_attr(feature = "serde", serde(serialize_with = "by_name::systems"))]
    pub systems: Vec<SystemCorrelation>,
    /// Hosts that stand out in several metrics, by system.
    pub heavy_hosts: Vec<HeavyHost>,
    /// Metrics that are interesting together, by system.
    pub metric_groups: Vec<MetricGroup>,
    /// The rate of false discoveries at which pairs count as significant.
    pub false_discovery_rate: Percent,
}

/// What stands out in one system.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SystemCorrelation {
    /// The system.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub system: String,
    /// Its samples.
    pub samples: usize,
    /// Hosts with at least one of them.
    pub hosts: usize,
    /// Every metric of the table, in column order; in JSON an object by name.
    #[cfg_attr(feature = "serde", serde(serialize_with = "by_name::metrics"))]
    pub metrics: Vec<MetricCorrelation>,
    /// Every pair of metrics with interesting samples, in column order.
    pub pairs: Vec<MetricPair>,
}

/// What stands out in one metric of one system.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricCorrelation {
    /// The metric.
    pub metric: String,
    /// What came of it.
    pub outcome: MetricOutcome,
}

/// How far a metric was brought.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "status", rename_all = "kebab-case"))]
#[expect(
    clippy::exhaustive_enums,
    reason = "the three states of the method, and none"
)]
pub enum MetricOutcome {
    /// The input makes its values wrong, so there are none.
    Withheld {
        /// Why.
        reason: String,
    },
    /// Too few defined values to cluster.
    TooFewValues {
        /// How many there are.
        n: usize,
    },
    /// Several clusters, and no rule says which is interesting: someone has to.
    NeedsRule {
        /// Parameters, clusters, noise and the trail of the search.
        #[cfg_attr(feature = "serde", serde(flatten))]
        found: Found,
    },
    /// Clusters, and what is interesting.
    Clustered {
        /// Parameters, clusters, noise and the trail of the search.
        #[cfg_attr(feature = "serde", serde(flatten))]
        found: Found,
        /// The interesting samples.
        interesting: Interesting,
        /// The hosts that make nearly all of them; `None` if there are none.
        dominance: Option<Dominance>,
    },
}

/// The interesting samples of a metric.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Interesting {
    /// The rule that speaks of the metric, if any does.
    pub rule: Option<String>,
    /// The rule's explanation. `outlier` without a rule, or if none of the interesting samples is
    /// one that the rule explains.
    pub explanation: String,
    /// The rule's severity.
    pub severity: Option<Severity>,
    /// Where they lie, ascending.
    pub regions: Vec<Region>,
    /// How many there are.
    pub count: usize,
    /// How many of them the rule explains; the others are outliers.
    pub explained: usize,
    /// Their share of the metric's defined values, from 0 to 1.
    pub fraction: f64,
    /// Their rows in the table, ascending. Not serialised.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub rows: Vec<usize>,
    /// How many each host has, the highest first, then by address; hosts without any are left
    /// out. Not serialised.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub by_host: Vec<HostCount>,
}

/// Where a metric lies in Figures 6 and 7 of the paper: many hosts and many samples, at the top
/// right, are a general behaviour.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DominancePoint {
    /// The metric.
    pub metric: String,
    /// Interesting samples as a fraction of the metric's defined values.
    pub sample_fraction: f64,
    /// The hosts that make nearly all of them as a fraction of the system's hosts.
    pub host_fraction: f64,
}

/// Why a table cannot be correlated.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum CorrelateError {
    /// The scale of the search cannot measure a metric's values.
    #[error("{metric} of {system}: {source}")]
    Scale {
        /// The system.
        system: String,
        /// The metric.
        metric: String,
        /// Why.
        source: ScaleError,
    },
    /// A metric has a value that is not a number.
    #[error("{metric} of {system}: {source}")]
    NonFinite {
        /// The system.
        system: String,
        /// The metric.
        metric: String,
        /// Which.
        source: NonFiniteError,
    },
}

/// Clusters every metric of every clustered system, reads the clusters by the rules, and
/// correlates hosts and metrics.
///
/// `family` is the name of the family the table was made for, by which rules are found. The work
/// is spread over the threads of the current rayon pool; the result does not depend on them.
///
/// # Errors
///
/// If the scale of the search cannot measure a metric, for example logarithms of zeros.
///
/// # Complexity
///
/// O(n log n) for each metric with n values, and O(n) for each pair of metrics, besides the cost
/// of the shift test (crate documentation).
pub fn correlate(
    table: &SampleTable,
    family: &str,
    rules: &Rules,
    config: &CorrelateConfig,
) -> Result<Correlation, CorrelateError> {
    let mut correlation = Correlation {
        systems: Vec::new(),
        heavy_hosts: Vec::new(),
        metric_groups: Vec::new(),
        false_discovery_rate: config.cross_metric.false_discovery_rate,
    };
    for id in table.clustered_systems() {
        let rows = SystemRows::new(table, id);
        let system = table.system_name(id);
        let metrics: Result<Vec<_>, _> = (0..table.metrics().len())
            .into_par_iter()
            .map(|column| {
                let metric = table.metrics()[column].clone();
                let rule = rules.find(family, system, &metric);
                let outcome = examine(&rows, column, rule, config)?;
                Ok(MetricCorrelation { metric, outcome })
            })
            .collect();
        let mut of_system = SystemCorrelation {
            system: system.to_owned(),
            samples: rows.rows.len(),
            hosts: rows.hosts.len(),
            metrics: metrics?,
            pairs: Vec::new(),
        };
        of_system.pairs = compare(&rows, &of_system.metrics, config);
        let rate = config.cross_metric.false_discovery_rate;
        let graph = metric_graph(table.metrics(), &of_system.pairs, rate);
        correlation.metric_groups.extend(groups(system, &graph));
        let by_host = of_system.metrics.iter().filter_map(|metric| {
            let interesting = metric.outcome.interesting()?;
            Some((metric.metric.as_str(), interesting.by_host.as_slice()))
        });
        let heavy = heavy_hosts(system, by_host, &config.heavy);
        correlation.heavy_hosts.extend(heavy);
        correlation.systems.push(of_system);
    }
    Ok(correlation)
}

impl Correlation {
    /// What stands out in a system, by its name.
    pub fn system(&self, name: &str) -> Option<&SystemCorrelation> {
        self.systems.iter().find(|system| system.system == name)
    }
}

impl SystemCorrelation {
    /// What came of a metric, by its name.
    pub fn metric(&self, name: &str) -> Option<&MetricOutcome> {
        let metric = self.metrics.iter().find(|metric| metric.metric == name)?;
        Some(&metric.outcome)
    }

    /// The points of Figure 6 or 7: every metric with interesting samples, in column order.
    pub fn dominance_points(&self) -> impl Iterator<Item = DominancePoint> + '_ {
        self.metrics.iter().filter_map(|metric| {
            Some(DominancePoint {
                metric: metric.metric.clone(),
                sample_fraction: metric.outcome.interesting()?.fraction,
                host_fraction: metric.outcome.dominance()?.host_fraction,
            })
        })
    }
}

impl MetricOutcome {
    /// Parameters, clusters and noise, if the metric was clustered.
    pub fn found(&self) -> Option<&Found> {
        match self {
            Self::Withheld { .. } | Self::TooFewValues { .. } => None,
            Self::NeedsRule { found } | Self::Clustered { found, .. } => Some(found),
        }
    }

    /// The interesting samples, if it is settled which are.
    pub fn interesting(&self) -> Option<&Interesting> {
        match self {
            Self::Clustered { interesting, .. } => Some(interesting),
            Self::Withheld { .. } | Self::TooFewValues { .. } | Self::NeedsRule { .. } => None,
        }
    }

    /// The dominating hosts, if there are interesting samples.
    pub fn dominance(&self) -> Option<Dominance> {
        match self {
            Self::Clustered { dominance, .. } => *dominance,
            Self::Withheld { .. } | Self::TooFewValues { .. } | Self::NeedsRule { .. } => None,
        }
    }
}

/// Clusters one metric of one system and reads the clusters.
fn examine(
    system: &SystemRows<'_>,
    column: usize,
    rule: Option<&Rule>,
    config: &CorrelateConfig,
) -> Result<MetricOutcome, CorrelateError> {
    if let Some(reason) = system.table.withheld(column) {
        let reason = reason.to_owned();
        return Ok(MetricOutcome::Withheld { reason });
    }
    let name = || system.table.system_name(system.id).to_owned();
    let metric = || system.table.metrics()[column].clone();
    let samples: Vec<(usize, f64)> = system
        .rows
        .iter()
        .filter_map(|&row| Some((row, system.table.value(row, column)?)))
        .collect();
    let values = SortedValues::new(samples.iter().map(|&(_, value)| value));
    let values = values.map_err(|source| CorrelateError::NonFinite {
        system: name(),
        metric: metric(),
        source,
    })?;
    let outcome = config.search.run(&values);
    let outcome = outcome.map_err(|source| CorrelateError::Scale {
        system: name(),
        metric: metric(),
        source,
    })?;
    let found = match outcome {
        SearchOutcome::TooFewValues { n } => return Ok(MetricOutcome::TooFewValues { n }),
        SearchOutcome::Clustered(found) => found,
    };
    let Some(regions) = regions(&values, &found.clustering, rule) else {
        return Ok(MetricOutcome::NeedsRule { found });
    };
    let interesting = Interesting::new(system, &samples, regions, rule);
    Ok(MetricOutcome::Clustered {
        dominance: Dominance::new(&interesting.by_host, system.hosts.len(), config.dominance),
        found,
        interesting,
    })
}

impl Interesting {
    fn new(
        system: &SystemRows<'_>,
        samples: &[(usize, f64)],
        regions: Vec<Region>,
        rule: Option<&Rule>,
    ) -> Self {
        let holds = |value: f64| {
            let next = regions.partition_point(|region| region.high < value);
            regions.get(next).is_some_and(|region| region.low <= value)
        };
        let rows: Vec<usize> = samples
            .iter()
            .filter(|&&(_, value)| holds(value))
            .map(|&(row, _)| row)
            .collect();
        let host_of = |row: usize| system.table.key(row).host;
        let by_host = rows
            .chunk_by(|&a, &b| host_of(a) == host_of(b))
            .map(|rows| HostCount {
                host: host_of(rows[0]),
                count: rows.len(),
            });
        let by_rule = regions
            .iter()
            .filter(|region| region.reading == Reading::Rule);
        let explained = by_rule.map(|region| region.count).sum();
        let only_outliers = explained == 0 && !rows.is_empty();
        let speaking = rule.filter(|_| !only_outliers);
        Self {
            rule: rule.map(|rule| rule.name.clone()),
            explanation: speaking
                .map_or("outlier", |rule| &rule.explanation)
                .to_owned(),
            severity: rule.map(|rule| rule.severity),
            by_host: rank(by_host.collect()),
            count: rows.len(),
            explained,
            fraction: rows.len() as f64 / samples.len() as f64,
            regions,
            rows,
        }
    }
}

fn compare(
    system: &SystemRows<'_>,
    metrics: &[MetricCorrelation],
    config: &CorrelateConfig,
) -> Vec<MetricPair> {
    let candidates: Vec<Candidate<'_>> = metrics
        .par_iter()
        .enumerate()
        .filter_map(|(column, metric)| {
            let interesting = metric.outcome.interesting()?;
            (interesting.count > 0).then(|| Candidate {
                name: &metric.metric,
                states: system.states(column, &interesting.rows),
            })
        })
        .collect();
    let hosts: Vec<_> = system.hosts.iter().map(|(_, rows)| rows.clone()).collect();
    pairs(&candidates, &hosts, system.id.0, &config.cross_metric)
}

#[cfg(feature = "serde")]
mod by_name {
    use serde::Serializer;

    use super::{MetricCorrelation, SystemCorrelation};

    pub(super) fn systems<S: Serializer>(
        systems: &[SystemCorrelation],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(systems.iter().map(|system| (&system.system, system)))
    }

    pub(super) fn metrics<S: Serializer>(
        metrics: &[MetricCorrelation],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            metrics
                .iter()
                .map(|metric| (&metric.metric, &metric.outcome)),
        )
    }
}
