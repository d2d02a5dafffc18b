//! Whether a few hosts make all the interesting samples (SIGMETRICS 2009, section 6.3).

use std::net::IpAddr;

use peerscope_cluster::Percent;

/// How many interesting samples of one metric a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HostCount {
    /// The host.
    pub host: IpAddr,
    /// Its interesting samples.
    pub count: usize,
}

/// The fewest hosts that make nearly all the interesting samples of a metric.
///
/// Few hosts point to a property of those hosts, many to a general behaviour.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dominance {
    /// How many hosts.
    pub hosts: usize,
    /// As a fraction of the hosts with at least one sample of the system, whether or not the
    /// metric is defined in it.
    pub host_fraction: f64,
}

impl Dominance {
    /// Counts how many of the leading hosts it takes to make at least `share` of the samples.
    ///
    /// `by_host` is sorted by [`rank`]. `None` if there is no interesting sample.
    pub(crate) fn new(by_host: &[HostCount], system_hosts: usize, share: Percent) -> Option<Self> {
        let total: usize = by_host.iter().map(|host| host.count).sum();
        if total == 0 {
            return None;
        }
        let mut sum = 0;
        let before = by_host.iter().take_while(|host| {
            let missing = is_less(sum, share, total);
            sum += host.count;
            missing
        });
        let hosts = before.count();
        Some(Self {
            hosts,
            host_fraction: hosts as f64 / system_hosts as f64,
        })
    }
}

/// Hosts by count, the highest first; equal ones by address.
pub(crate) fn rank(mut hosts: Vec<HostCount>) -> Vec<HostCount> {
    hosts.sort_by(|a, b| b.count.cmp(&a.count).then(a.host.cmp(&b.host)));
    hosts
}

/// Whether `part` is less than a share of `whole`, in whole numbers.
fn is_less(part: usize, share: Percent, whole: usize) -> bool {
    100 * (part as u128) < u128::from(share.get()) * whole as u128
}

/// Whether `part` is strictly more than a share of `whole`, in whole numbers.
pub(crate) fn is_more(part: usize, share: Percent, whole: usize) -> bool {
    100 * (part as u128) > u128::from(share.get()) * whole as u128
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hosts(counts: &[usize]) -> Vec<HostCount> {
        let host = |i| IpAddr::from([10, 0, 0, i]);
        let counts = (0..).zip(counts).map(|(i, &count)| HostCount {
            host: host(i),
            count,
        });
        rank(counts.collect())
    }

    fn needed(counts: &[usize], percent: u8) -> Option<usize> {
        let share = Percent::new(percent).unwrap();
        Dominance::new(&hosts(counts), 10, share).map(|found| found.hosts)
    }

    #[test]
    fn exactly_nine_tenths_are_enough() {
        assert_eq!(needed(&[1, 9], 90), Some(1));
        assert_eq!(needed(&[11, 89], 90), Some(2));
        assert_eq!(needed(&[1; 10], 90), Some(9));
        assert_eq!(needed(&[5], 100), Some(1));
        assert_eq!(needed(&[0, 0], 90), None);
        assert_eq!(needed(&[], 90), None);
        let share = Percent::new(90).unwrap();
        let found = Dominance::new(&hosts(&[1, 9]), 10, share);
        let fraction = found.map(|found| found.host_fraction);
        assert_eq!(fraction, Some(0.1));
    }

    #[test]
    fn equal_hosts_are_ranked_by_address() {
        let order: Vec<_> = hosts(&[2, 3, 2]).iter().map(|h| h.host).collect();
        let host = |i| IpAddr::from([10, 0, 0, i]);
        assert_eq!(order, [host(1), host(0), host(2)]);
    }

    proptest! {
        /// The fewest over all subsets, not only over leading ones.
        #[test]
        fn no_smaller_set_of_hosts_is_enough(
            counts in prop::collection::vec(0_usize..6, 1..9),
            percent in 1_u8..=100,
        ) {
            let total: usize = counts.iter().sum();
            let fewest = (0_u32..1 << counts.len()).filter(|set| {
                let chosen = counts.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
                let sum: usize = chosen.map(|(_, count)| count).sum();
                100 * sum >= usize::from(percent) * total
            });
            let fewest = fewest.map(u32::count_ones).min().unwrap() as usize;
            prop_assert_eq!(needed(&counts, percent), (total > 0).then_some(fewest));
        }
    }
}
