//! What to aggregate, and how.

use std::net::IpAddr;

use peerscope_flow::{
    AddressBits, Family, Flow, IpNet, SlotIndex, SlotLength, Timestamp, Topology,
};
use thiserror::Error;

use crate::Precision;

/// The settings of an aggregation: whose flows, on which network, in which slots.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    pub(crate) family: Family,
    pub(crate) topology: Topology,
    pub(crate) slot_length: SlotLength,
    pub(crate) keep_group_peers: bool,
    pub(crate) ignore_internal: bool,
    pub(crate) ipv6_host_mask: u128,
    pub(crate) max_slots_per_flow: u64,
    pub(crate) hosts: Option<Vec<IpNet>>,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) approximate: Option<Precision>,
}

/// An IPv6 prefix length that is not in `1..=128`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("IPv6 prefix length {0} is not in 1..=128")]
#[non_exhaustive]
pub struct PrefixLengthError(pub u8);

impl Aggregation {
    /// Default of [`with_max_slots_per_flow`](Self::with_max_slots_per_flow).
    pub const MAX_SLOTS_PER_FLOW: u64 = 100_000;

    /// Aggregates a family's flows on a network in slots of 300 s.
    pub fn new(family: Family, topology: Topology) -> Self {
        Self {
            family,
            topology,
            slot_length: SlotLength::PAPER,
            keep_group_peers: false,
            ignore_internal: false,
            ipv6_host_mask: u128::MAX,
            max_slots_per_flow: Self::MAX_SLOTS_PER_FLOW,
            hosts: None,
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            approximate: None,
        }
    }

    /// Sets the slot length.
    #[must_use]
    pub fn with_slot_length(mut self, slot_length: SlotLength) -> Self {
        self.slot_length = slot_length;
        self
    }

    /// Keeps flows with peers that are multicast or 255.255.255.255, which are skipped and counted
    /// otherwise. The broadcast address of a subnet cannot be told from a host's.
    #[must_use]
    pub fn with_group_peers(mut self) -> Self {
        self.keep_group_peers = true;
        self
    }

    /// Skips and counts flows between two monitored hosts, which belong to both otherwise.
    #[must_use]
    pub fn without_internal_flows(mut self) -> Self {
        self.ignore_internal = true;
        self
    }

    /// Groups monitored IPv6 hosts by prefix, for example 64 for one customer a /64.
    ///
    /// # Errors
    ///
    /// If the length is not in `1..=128`.
    pub fn with_ipv6_hosts_by_prefix(mut self, length: u8) -> Result<Self, PrefixLengthError> {
        if !(1..=128).contains(&length) {
            return Err(PrefixLengthError(length));
        }
        self.ipv6_host_mask = u128::MAX << (128 - u32::from(length));
        Ok(self)
    }

    /// Skips and counts flows that would be active in more slots than this. The default of
    /// [`MAX_SLOTS_PER_FLOW`](Self::MAX_SLOTS_PER_FLOW) is 347 days in slots of 300 s; it bounds
    /// what one record with an absurd end time can cost.
    #[must_use]
    pub fn with_max_slots_per_flow(mut self, slots: u64) -> Self {
        self.max_slots_per_flow = slots;
        self
    }

    /// Makes samples of the monitored hosts in these prefixes only; flows of none of them are
    /// skipped and counted.
    #[must_use]
    pub fn with_hosts(mut self, hosts: impl IntoIterator<Item = IpNet>) -> Self {
        self.hosts = Some(hosts.into_iter().collect());
        self
    }

    /// Skips and counts flows that start before `from`.
    #[must_use]
    pub fn with_from(mut self, from: Timestamp) -> Self {
        self.from = from;
        self
    }

    /// Skips and counts flows that start at `to` or later.
    #[must_use]
    pub fn with_to(mut self, to: Timestamp) -> Self {
        self.to = to;
        self
    }

    /// Counts the peers of giant hosts approximately, which bounds the memory that they take: where
    /// more than [`Precision::exact_up_to`] flows of one transport start in one direction in one slot.
    /// All other counts stay exact, ports too, and results still depend on neither order nor
    /// threads. [`HostSlots::approximate`](crate::HostSlots::approximate) says that it was so.
    ///
    /// The hash is fixed, so who can choose addresses can make counts wrong.
    #[must_use]
    pub fn with_approximate_peers(mut self, precision: Precision) -> Self {
        self.approximate = Some(precision);
        self
    }

    /// The family whose flows are aggregated.
    pub fn family(&self) -> &Family {
        &self.family
    }

    /// The network.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The length of a slot.
    pub fn slot_length(&self) -> SlotLength {
        self.slot_length
    }

    /// The first and last slot that a flow is active in; `None` if it starts outside the time range
    /// or is active in more slots than the limit.
    #[inline]
    pub(crate) fn slots_of(&self, flow: &Flow) -> Option<(SlotIndex, SlotIndex)> {
        let first = self.slot_length.slot_of(flow.span.start());
        let last = self.slot_length.slot_of(flow.span.end());
        let short = last.0.abs_diff(first.0) < self.max_slots_per_flow;
        (self.covers(flow.span.start()) && short).then_some((first, last))
    }

    /// The host that an address belongs to: itself, or its prefix for grouped IPv6 hosts.
    #[inline]
    pub fn host_of(&self, address: AddressBits) -> AddressBits {
        address.masked_v6(self.ipv6_host_mask)
    }
}

impl Aggregation {
    pub(crate) fn selects(&self, host: AddressBits) -> bool {
        let holds = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&IpAddr::from(host)));
        self.hosts.as_deref().is_none_or(holds)
    }

    pub(crate) fn covers(&self, start: Timestamp) -> bool {
        self.from <= start && (start < self.to || self.to == Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_grouped_by_prefix_in_ipv6_only() {
        let plain = Aggregation::new(Family::any(), Topology::everything_monitored());
        let grouped = plain.clone().with_ipv6_hosts_by_prefix(64).unwrap();
        let ip = |text: &str| AddressBits::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(plain.host_of(ip("2001:db8::1:2")), ip("2001:db8::1:2"));
        assert_eq!(grouped.host_of(ip("2001:db8::1:2")), ip("2001:db8::"));
        assert_eq!(grouped.host_of(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_eq!(
            plain.with_ipv6_hosts_by_prefix(0),
            Err(PrefixLengthError(0))
        );
    }
}
