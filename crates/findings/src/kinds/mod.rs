//! The built-in kinds of findings: each has its thresholds and its drill-down in a file of its own.

mod buddy;
mod control_only;
mod ddos_reserved_port;
mod departed_hosts;
mod fake_server;
mod idle_connections;
mod inter_isp;
mod natted_hosts;
mod persistent;
mod selfish;
mod very_active;

use std::collections::BTreeMap;

use peerscope_flow::{SystemId, Transport};
use statrs::distribution::{Binomial, DiscreteCDF};

use crate::host::Host;
use crate::{HostFlow, SampleRef, Scene};

pub use buddy::Buddy;
pub use control_only::ControlOnly;
pub use ddos_reserved_port::{DdosReservedPort, PortUse};
pub(crate) use ddos_reserved_port::{Tried, UsesOf, port_uses};
pub use departed_hosts::DepartedHosts;
pub use fake_server::FakeServer;
pub use idle_connections::IdleConnections;
pub use inter_isp::InterIsp;
pub use natted_hosts::NattedHosts;
pub use persistent::Persistence;
pub use selfish::Selfish;
pub use very_active::VeryActive;

/// Named numbers.
fn evidence<const N: usize>(numbers: [(&str, f64); N]) -> BTreeMap<String, f64> {
    numbers
        .map(|(name, number)| (name.to_owned(), number))
        .into()
}

/// The samples of one metric, if there are any.
fn named(metric: &str, samples: Vec<SampleRef>) -> BTreeMap<String, Vec<SampleRef>> {
    let some = (!samples.is_empty()).then(|| (metric.to_owned(), samples));
    some.into_iter().collect()
}

/// The value in the middle, the lower of two; `None` of nothing.
fn median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    let middle = values.len().checked_sub(1)? / 2;
    Some(*values.select_nth_unstable(middle).1)
}

/// Whether connections to one peer come too far apart, in microseconds, for two of them in a slot: metrics of
/// connections for each peer cannot show them then, and the flows speak alone.
fn is_beyond_slots(scene: &Scene<'_>, interval: i64) -> bool {
    interval > scene.slots(1)
}

/// Whether the flows are those of peers: what a host takes from a web server it does not owe anybody.
fn is_peer_to_peer(scene: &Scene<'_>) -> bool {
    scene.aggregation().family().labels().is_some()
}

/// The least mean packet of a connection that carries data, in bytes: the high end of what the paper
/// reads as control messages only (Table 4).
const DATA_PACKET: f64 = 250.0;

/// Whether data, not control messages only, went over a TCP connection.
fn carries_data(flow: &HostFlow) -> bool {
    let bytes = flow.sent.bytes as f64 + flow.rcvd.bytes as f64;
    let packets = flow.sent.packets as f64 + flow.rcvd.packets as f64;
    flow.is_complete() && bytes > DATA_PACKET * packets
}

/// What kinds ask of every host, taken while its flows are in cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// The TCP connections that carry data, of all that were set up.
    with_data: Part,
    /// Of these, those on which the host sends more than it receives.
    giving: Part,
    /// Packets sent.
    packets: u128,
}

impl Facts {
    pub(crate) fn of(flows: &[HostFlow]) -> Self {
        let mut facts = Self::default();
        for flow in flows {
            facts.packets += u128::from(flow.sent.packets);
            if flow.transport == Transport::Tcp && flow.is_complete() {
                let data = carries_data(flow);
                facts.with_data.add(data);
                if data {
                    facts.giving.add(flow.sent.bytes > flow.rcvd.bytes);
                }
            }
        }
        facts
    }
}

/// Things of which some are of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Part {
    some: u64,
    all: u64,
}

impl Part {
    fn of<'a>(
        flows: impl IntoIterator<Item = &'a HostFlow>,
        is_some: impl Fn(&HostFlow) -> bool,
    ) -> Self {
        let mut part = Self::default();
        for flow in flows {
            part.add(is_some(flow));
        }
        part
    }

    fn add(&mut self, is_some: bool) {
        self.some += u64::from(is_some);
        self.all += 1;
    }

    /// How many of `hosts` hosts would have so few, if they were as frequent as in `whole`.
    fn expected_with_so_few(self, whole: Self, hosts: usize) -> f64 {
        // Laplace's rule keeps the rate off 0 and 1.
        let rate = (whole.some + 1) as f64 / (whole.all + 2) as f64;
        let chance = Binomial::new(rate, self.all).map_or(1.0, |null| null.cdf(self.some));
        chance * hosts as f64
    }
}

/// How rare a host is among those of its system.
#[derive(Clone, Copy, Debug)]
struct Rarity {
    own: Part,
    /// Of all hosts of the system together.
    system: Part,
    /// So many hosts of the system would have a part as small, if all were alike.
    expected: f64,
}

/// Every host with the part that `part` gives of it, beside the other hosts of its system.
fn rarities<'s>(scene: &'s Scene<'_>, part: impl Fn(&Facts) -> Part) -> Vec<(&'s Host, Rarity)> {
    let hosts = scene.hosts().iter();
    let parts = hosts.map(|host| (host, part(host.facts())));
    let mut systems: BTreeMap<SystemId, (Part, usize)> = BTreeMap::new();
    for (host, own) in parts.clone() {
        let (whole, hosts) = systems.entry(host.system).or_default();
        whole.some += own.some;
        whole.all += own.all;
        *hosts += 1;
    }
    let rarity = |(host, own): (&'s Host, Part)| {
        let (system, hosts) = systems[&host.system];
        let rarity = Rarity {
            own,
            system,
            expected: own.expected_with_so_few(system, hosts),
        };
        (host, rarity)
    };
    parts.map(rarity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_with_so_few_is_the_lower_tail_times_the_hosts() {
        let whole = Part { some: 49, all: 98 };
        let part = |some, all| Part { some, all };
        assert!((part(0, 3).expected_with_so_few(whole, 1) - 0.125).abs() < 1e-12);
        assert!((part(1, 3).expected_with_so_few(whole, 1) - 0.5).abs() < 1e-12);
        assert!((part(0, 10).expected_with_so_few(whole, 4) - 4.0 / 1024.0).abs() < 1e-12);
        assert!((part(0, 0).expected_with_so_few(whole, 1) - 1.0).abs() < 1e-12);
    }
}
