//! Experimental: proposals where no rule says what is interesting.
//!
//! The paper leaves it to future work (SIGMETRICS 2009, section 11). A metric with several clusters
//! and no rule stays open; here its clusters are ranked by evidence that takes no knowledge of the
//! application. Nothing is decided by it: a proposal is a question to a person, with reasons.

use std::collections::BTreeMap;
use std::net::IpAddr;

use peerscope_cluster::Interval;
use peerscope_flow::SystemId;
use peerscope_metric::{Metric, Quantity, SampleTable};
use rayon::prelude::*;

use crate::dominance::rank;
use crate::{CorrelateConfig, Correlation, Dominance, HostCount, MetricOutcome, Side};

/// What the clusters of one metric without a rule may mean. Experimental.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Proposal {
    /// The system.
    pub system: String,
    /// The metric.
    pub metric: String,
    /// Its clusters: those with more reasons first, then the smaller ones.
    pub clusters: Vec<RankedCluster>,
}

/// A cluster with what speaks for its being interesting.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RankedCluster {
    /// Where it lies.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub interval: Interval,
    /// Its share of the metric's defined values.
    pub fraction: f64,
    /// Whether it is proposed as interesting: at least two reasons.
    pub proposed: bool,
    /// What speaks for it.
    pub reasons: Vec<Reason>,
}

/// A piece of evidence that a cluster is interesting.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "evidence", rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Reason {
    /// The metric has bounds, and the cluster lies at the one that is bad.
    BadEnd {
        /// Which one.
        side: Side,
    },
    /// At most a tenth of the system's hosts make nine tenths of it: a property of those.
    FewHosts {
        /// As a fraction of the system's hosts.
        fraction: f64,
    },
    /// Nine tenths of the hosts and more take part, and yet it is less than half of the values: a
    /// state that everyone gets into.
    NearlyAllHosts {
        /// As a fraction of the system's hosts.
        fraction: f64,
    },
    /// Half of its samples are interesting in another metric, twice as many as by chance.
    Coincides {
        /// The metric in which most are.
        with: String,
        /// The share of the cluster's samples, over those in which both metrics are defined.
        fraction: f64,
        /// How many times more than by chance.
        lift: f64,
    },
    /// Nine tenths of it lie within half of the time.
    PartOfTime {
        /// The part of the trace's slots that they span.
        fraction: f64,
    },
}

/// Ranks the clusters of every metric that needs a rule. Experimental.
///
/// # Complexity
///
/// O(values) for each pair of a metric that needs a rule and one with interesting samples.
pub fn propose(
    table: &SampleTable,
    correlation: &Correlation,
    config: &CorrelateConfig,
) -> Vec<Proposal> {
    let systems = table.clustered_systems().filter_map(|id| {
        let found = correlation.system(table.system_name(id))?;
        let open = found
            .metrics
            .iter()
            .filter_map(|metric| match &metric.outcome {
                MetricOutcome::NeedsRule { found } => {
                    Some((&metric.metric, &found.clustering.clusters))
                }
                _ => None,
            });
        let settled = found.metrics.iter().filter_map(|metric| {
            let interesting = metric.outcome.interesting();
            let interesting = interesting.filter(|interesting| interesting.count > 0)?;
            let mut marked = vec![false; table.len()];
            for &row in &interesting.rows {
                marked[row] = true;
            }
            Some(Settled {
                metric: metric.metric.as_str(),
                column: table.metric_index(&metric.metric)?,
                marked,
            })
        });
        let context = Context {
            table,
            id,
            hosts: found.hosts,
            settled: settled.collect(),
            config,
        };
        let open: Vec<_> = open.collect();
        let proposals = open
            .par_iter()
            .filter_map(|(metric, clusters)| context.rank(metric, clusters));
        Some(proposals.collect::<Vec<_>>())
    });
    systems.flatten().collect()
}

struct Context<'a> {
    table: &'a SampleTable,
    id: SystemId,
    /// Of the system.
    hosts: usize,
    settled: Vec<Settled<'a>>,
    config: &'a CorrelateConfig,
}

/// A metric with interesting samples.
struct Settled<'a> {
    metric: &'a str,
    column: usize,
    /// Of each row whether it is interesting.
    marked: Vec<bool>,
}

/// Samples in which a metric is defined.
#[derive(Clone, Copy, Debug, Default)]
struct Overlap {
    all: usize,
    /// Of these, interesting in that metric.
    marked: usize,
}

impl Context<'_> {
    fn rank(&self, metric: &str, clusters: &[Interval]) -> Option<Proposal> {
        let column = self.table.metric_index(metric)?;
        let samples: Vec<(usize, f64)> = self.table.column(self.id, column).collect();
        let rows: Vec<usize> = samples.iter().map(|(row, _)| *row).collect();
        let whole = self.overlaps(&rows);
        let mut ranked: Vec<RankedCluster> = clusters
            .iter()
            .map(|cluster| {
                let inside = samples.iter().filter(|(_, value)| cluster.contains(*value));
                let rows: Vec<usize> = inside.map(|(row, _)| *row).collect();
                let fraction = rows.len() as f64 / samples.len() as f64;
                let reasons: Vec<Reason> = [
                    bad_end(metric, cluster),
                    self.by_hosts(&rows, fraction),
                    self.coincides(column, &whole, &rows),
                    self.part_of_time(&samples, &rows),
                ]
                .into_iter()
                .flatten()
                .collect();
                RankedCluster {
                    interval: *cluster,
                    fraction,
                    proposed: reasons.len() >= 2,
                    reasons,
                }
            })
            .collect();
        ranked.sort_by(|a, b| {
            let fewer = b.reasons.len().cmp(&a.reasons.len());
            fewer.then(a.fraction.total_cmp(&b.fraction))
        });
        Some(Proposal {
            system: self.table.system_name(self.id).to_owned(),
            metric: metric.to_owned(),
            clusters: ranked,
        })
    }

    fn by_hosts(&self, rows: &[usize], fraction: f64) -> Option<Reason> {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for &row in rows {
            *counts.entry(self.table.key(row).host).or_default() += 1;
        }
        let all = counts.len() as f64 / self.hosts as f64;
        let counts = counts
            .into_iter()
            .map(|(host, count)| HostCount { host, count });
        let by_host = rank(counts.collect());
        let few = Dominance::new(&by_host, self.hosts, self.config.dominance)?.host_fraction;
        if few <= 0.1 {
            Some(Reason::FewHosts { fraction: few })
        } else if all >= 0.9 && fraction < 0.5 {
            Some(Reason::NearlyAllHosts { fraction: all })
        } else {
            None
        }
    }

    /// Some samples against every settled metric.
    fn overlaps(&self, rows: &[usize]) -> Vec<Overlap> {
        let overlap = |settled: &Settled| {
            let mut overlap = Overlap::default();
            for &row in rows {
                let defined = self.table.value(row, settled.column).is_some();
                overlap.all += usize::from(defined);
                overlap.marked += usize::from(defined && settled.marked[row]);
            }
            overlap
        };
        self.settled.iter().map(overlap).collect()
    }

    /// Over samples in which both metrics are defined.
    fn coincides(&self, column: usize, whole: &[Overlap], rows: &[usize]) -> Option<Reason> {
        let own = self.overlaps(rows);
        let overlaps = self.settled.iter().zip(whole.iter().zip(&own));
        let candidates = overlaps.filter(|(other, _)| other.column != column);
        let measured = candidates.filter_map(|(other, (whole, own))| {
            let fraction = own.marked as f64 / own.all as f64;
            let lift = fraction * whole.all as f64 / whole.marked as f64;
            (2 * own.marked >= own.all && own.marked > 0 && lift >= 2.0).then_some((
                other.metric,
                fraction,
                lift,
            ))
        });
        let best = measured.fold(None, |best: Option<(&str, f64, f64)>, next| match best {
            Some(best) if best.1 >= next.1 => Some(best),
            _ => Some(next),
        });
        best.map(|(with, fraction, lift)| Reason::Coincides {
            with: with.to_owned(),
            fraction,
            lift,
        })
    }

    fn part_of_time(&self, samples: &[(usize, f64)], rows: &[usize]) -> Option<Reason> {
        let slot = |row: usize| self.table.key(row).slot.0;
        let all = || samples.iter().map(|(row, _)| slot(*row));
        let (first, last) = (all().min()?, all().max()?);
        let mut slots: Vec<i64> = rows.iter().map(|&row| slot(row)).collect();
        slots.sort_unstable();
        let most = (slots.len() * 9).div_ceil(10);
        let shortest = slots
            .windows(most.max(1))
            .map(|run| run[most - 1] - run[0] + 1)
            .min()?;
        let fraction = shortest as f64 / (last - first + 1) as f64;
        (fraction <= 0.5).then_some(Reason::PartOfTime { fraction })
    }
}

/// A cluster within a twentieth of the range of the bound where a metric of the catalogue is bad.
fn bad_end(metric: &str, cluster: &Interval) -> Option<Reason> {
    use Quantity as Q;
    let quantity = metric.parse::<Metric>().ok()?.quantity();
    let (side, at_end) = match quantity {
        Q::FailureRatio | Q::FractUnansweredAppl | Q::FractUnanswered | Q::FractIncomingConn => {
            (Side::High, cluster.high >= 0.95 && cluster.low > 0.5)
        }
        Q::RatioBytesSentToRcvd => (Side::Low, cluster.low <= -0.9 && cluster.high < 0.0),
        Q::IspToInternetRatio => (Side::Low, cluster.low <= 0.05 && cluster.high < 0.5),
        _ => return None,
    };
    at_end.then_some(Reason::BadEnd { side })
}
