//! Hosts that stand out in several metrics (SIGMETRICS 2009, section 8.4).

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::HeavyConfig;
use crate::dominance::{HostCount, is_more};

/// A host with a large part of the interesting samples of several metrics of one system.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HeavyHost {
    /// The system.
    pub system: String,
    /// The host.
    pub host: IpAddr,
    /// The metrics it stands out in, in column order.
    pub metrics: Vec<Standout>,
}

/// A metric in which a host stands out.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Standout {
    /// The metric.
    pub metric: String,
    /// The host's interesting samples.
    pub count: usize,
    /// As a fraction of all interesting samples of the metric.
    pub fraction: f64,
}

/// The heavy hosts of a system, those with most metrics first, then by address.
///
/// `metrics` are names with the interesting samples of each host, ranked.
pub(crate) fn heavy_hosts<'a>(
    system: &str,
    metrics: impl Iterator<Item = (&'a str, &'a [HostCount])>,
    config: &HeavyConfig,
) -> Vec<HeavyHost> {
    let mut standouts: BTreeMap<IpAddr, Vec<Standout>> = BTreeMap::new();
    for (metric, hosts) in metrics {
        let total: usize = hosts.iter().map(|host| host.count).sum();
        if total < config.min_samples {
            continue;
        }
        let heavy = hosts
            .iter()
            .take_while(|host| is_more(host.count, config.share, total));
        for &HostCount { host, count } in heavy {
            standouts.entry(host).or_default().push(Standout {
                metric: metric.to_owned(),
                count,
                fraction: count as f64 / total as f64,
            });
        }
    }
    standouts.retain(|_, metrics| metrics.len() >= config.min_metrics);
    let mut heavy: Vec<HeavyHost> = standouts
        .into_iter()
        .map(|(host, metrics)| HeavyHost {
            system: system.to_owned(),
            host,
            metrics,
        })
        .collect();
    heavy.sort_by_key(|host| std::cmp::Reverse(host.metrics.len()));
    heavy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dominance::rank;

    fn ranked(counts: &[usize]) -> Vec<HostCount> {
        let hosts = (1_u8..).zip(counts).map(|(i, &count)| HostCount {
            host: IpAddr::from([10, 0, 0, i]),
            count,
        });
        rank(hosts.collect())
    }

    fn heavy(metrics: &[Vec<HostCount>], min_metrics: usize) -> Vec<(u8, usize)> {
        let names = ["a", "b", "c", "d", "e", "f"];
        let config = HeavyConfig {
            min_metrics,
            ..HeavyConfig::default()
        };
        let metrics = names.into_iter().zip(metrics.iter().map(Vec::as_slice));
        let last = |host: IpAddr| match host {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(_) => 0,
        };
        heavy_hosts("kad", metrics, &config)
            .into_iter()
            .map(|heavy| (last(heavy.host), heavy.metrics.len()))
            .collect()
    }

    #[test]
    fn exactly_a_tenth_is_not_heavy() {
        assert_eq!(heavy(&[ranked(&[10, 11, 79])], 1), [(2, 1), (3, 1)]);
        assert_eq!(heavy(&vec![ranked(&[2, 3, 15]); 4], 5), []);
        assert_eq!(heavy(&vec![ranked(&[2, 3, 15]); 5], 5), [(2, 5), (3, 5)]);
    }

    #[test]
    fn metrics_with_few_interesting_samples_do_not_count() {
        assert_eq!(heavy(&[ranked(&[9])], 1), []);
        assert_eq!(heavy(&[ranked(&[10])], 1), [(1, 1)]);
    }

    #[test]
    fn most_metrics_come_first() {
        let metrics = [ranked(&[6, 6]), ranked(&[0, 12])];
        assert_eq!(heavy(&metrics, 1), [(2, 2), (1, 1)]);
    }
}
