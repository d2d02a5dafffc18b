//! The aggregates of a trace, in order.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;

use peerscope_flow::{AddressBits, Family, SlotIndex, SlotLength, SystemId, Transport};

use crate::aggregator::Totals;
use crate::closed_slot::ClosedSlot;
use crate::hosts::in_order;
use crate::places::{Place, places};
use crate::{Aggregation, HostSlot, Precision, SkippedFlows, TransportSlot};

/// The aggregates of a trace, by host address (IPv4 first), then slot.
///
/// They are kept in some 60 bytes for each transport of a host in a slot, more where numbers are large, and
/// put together when they are asked for: where nearly every flow makes an aggregate of its own, a list of
/// [`HostSlot`]s would take several times as much.
#[derive(Clone)]
pub struct HostSlots {
    closed: Closed,
    /// One for each aggregate, in order.
    places: Vec<Place>,
    family: Family,
    slot_length: SlotLength,
    totals: Totals,
    approximate: Option<Precision>,
}

/// Slots that take no more flows, in order, and the hosts that their rows name by number, in order of
/// address. The rows are in order of host: who goes through a host's slots, and then the next host's,
/// finds in each slot what stands next to what it had there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closed {
    pub(crate) hosts: Vec<AddressBits>,
    pub(crate) slots: Vec<ClosedSlot>,
}

impl HostSlots {
    pub(crate) fn new(closed: Closed, totals: Totals, config: &Aggregation) -> Self {
        Self {
            places: places(&closed.slots, closed.hosts.len()),
            closed,
            family: config.family.clone(),
            slot_length: config.slot_length,
            totals,
            approximate: config.approximate,
        }
    }

    /// The aggregates, by host, then slot, each put together as it is reached.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = HostSlot> + '_ {
        (0..self.len()).map(|index| self.row(index))
    }

    /// One aggregate, by its place among all.
    ///
    /// # Panics
    ///
    /// If there are no more than `index`.
    pub fn row(&self, index: usize) -> HostSlot {
        let (host, slot, system) = self.key(index);
        let transport = |transport| self.transport(index, transport).unwrap_or_default();
        HostSlot {
            host,
            slot,
            system,
            tcp: transport(Transport::Tcp),
            udp: transport(Transport::Udp),
        }
    }

    /// The host, the slot and the system of one aggregate, by its place among all.
    ///
    /// # Panics
    ///
    /// If there are no more than `index`.
    pub fn key(&self, index: usize) -> (IpAddr, SlotIndex, SystemId) {
        let (closed, _) = self.at(index);
        let host = self.closed.hosts[self.host_number(index) as usize];
        (host.into(), closed.slot, self.system(index))
    }

    /// The hosts that have aggregates, in order.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = IpAddr> + '_ {
        self.closed.hosts.iter().map(|&host| host.into())
    }

    /// The slots that have aggregates, in order.
    pub fn slots(&self) -> impl ExactSizeIterator<Item = SlotIndex> + '_ {
        self.closed.slots.iter().map(|closed| closed.slot)
    }

    /// Which of [`hosts`](Self::hosts) one aggregate is of, by its place among all.
    ///
    /// # Panics
    ///
    /// If there are no more than `index`.
    pub fn host_number(&self, index: usize) -> u32 {
        let (closed, place) = self.at(index);
        closed.keys()[place.row as usize].host()
    }

    /// Which of [`slots`](Self::slots) one aggregate is in, by its place among all.
    ///
    /// # Panics
    ///
    /// If there are no more than `index`.
    pub fn slot_number(&self, index: usize) -> u32 {
        self.places[index].slot()
    }

    /// The system of one aggregate, by its place among all.
    ///
    /// # Panics
    ///
    /// If there are no more than `index`.
    pub fn system(&self, index: usize) -> SystemId {
        self.family.system_of(self.places[index].control)
    }

    /// Whether one aggregate, by its place among all, has active flows of a transport.
    ///
    /// # Panics
    ///
    /// If there are no more than `index`.
    pub fn is_active(&self, index: usize, transport: Transport) -> bool {
        self.places[index].row_of(transport).is_some()
    }

    /// One transport of an aggregate, by its place among all; `None` if it has no active flow.
    ///
    /// # Panics
    ///
    /// If there are no more than `index`.
    pub fn transport(&self, index: usize, transport: Transport) -> Option<TransportSlot> {
        let (closed, place) = self.at(index);
        Some(closed.transport_slot(place.row_of(transport)?))
    }

    /// One transport of those of a range of aggregates that have active flows of it, in order.
    ///
    /// Cheaper than one [`transport`](Self::transport) after the other: what they are put together from
    /// lies all over memory, and is fetched list by list, so that the waits for it overlap.
    ///
    /// # Panics
    ///
    /// If there are no more than the last of `range`.
    pub fn transports(&self, range: Range<usize>, transport: Transport) -> Vec<TransportSlot> {
        let rows = range.filter_map(|index| {
            let (closed, place) = self.at(index);
            Some((closed, place.row_of(transport)?))
        });
        ClosedSlot::transport_slots(&rows.collect::<Vec<_>>())
    }

    /// The slot of an aggregate, and where it stands there.
    fn at(&self, index: usize) -> (&ClosedSlot, Place) {
        let place = self.places[index];
        (&self.closed.slots[place.slot() as usize], place)
    }

    /// Number of aggregates.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no aggregate at all.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The length of a slot.
    pub fn slot_length(&self) -> SlotLength {
        self.slot_length
    }

    /// Flows seen, of interest or not.
    pub fn flows(&self) -> u64 {
        self.totals.flows
    }

    /// Flows that entered the aggregates.
    pub fn of_interest(&self) -> u64 {
        self.totals.flows - self.totals.skipped.total()
    }

    /// Flows that did not, by reason.
    pub fn skipped(&self) -> SkippedFlows {
        self.totals.skipped
    }

    /// First and last slot of the trace, over every flow in the time range, of interest or not; both
    /// are only partly covered. A flow that is active in too many slots does not count.
    pub fn edge_slots(&self) -> Option<(SlotIndex, SlotIndex)> {
        self.totals.slots
    }

    /// How precisely [`peers`](crate::DirectionSlot::peers) and
    /// [`isp_peers`](crate::DirectionSlot::isp_peers) were counted where more flows started than
    /// [`Precision::exact_up_to`]; `None` if exactly everywhere.
    pub fn approximate(&self) -> Option<Precision> {
        self.approximate
    }
}

/// The same aggregates, counts and settings, however they are kept.
impl PartialEq for HostSlots {
    fn eq(&self, other: &Self) -> bool {
        self.slot_length == other.slot_length
            && self.approximate == other.approximate
            && self.totals == other.totals
            && self.rows().eq(other.rows())
    }
}

impl fmt::Debug for HostSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostSlots")
            .field("rows", &self.rows().collect::<Vec<_>>())
            .field("slot_length", &self.slot_length)
            .field("totals", &self.totals)
            .field("approximate", &self.approximate)
            .finish_non_exhaustive()
    }
}

impl Closed {
    /// All slots of several parts, none of which is in two of them.
    pub(crate) fn union(parts: Vec<Self>) -> Self {
        let parts = match <[Self; 1]>::try_from(parts) {
            Ok([one]) => return one,
            Err(parts) => parts,
        };
        let (hosts, numbers) = in_order(parts.iter().map(|part| {
            let keys = part.slots.iter().flat_map(ClosedSlot::keys);
            (part.hosts.as_slice(), keys.map(|key| key.host()))
        }));
        let of_part = |(part, numbers): (Self, Vec<u32>)| {
            let slots = part.slots.into_iter();
            slots.map(move |slot| slot.renumbered(&numbers))
        };
        let mut slots: Vec<ClosedSlot> = parts.into_iter().zip(numbers).flat_map(of_part).collect();
        slots.sort_unstable_by_key(|closed| closed.slot);
        Self { hosts, slots }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate;
    use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Topology, Transport};
    use proptest::prelude::*;

    /// A flow between two of a few hosts, within one slot.
    fn flow() -> impl Strategy<Value = Flow> {
        (any::<bool>(), 0_u8..6, 0_u8..6, 0_i64..8).prop_map(|(tcp, src, dst, slot)| {
            let end = |host: u8| Endpoint::new([10, 0, 0, host].into(), 1);
            let transport = if tcp { Transport::Tcp } else { Transport::Udp };
            let at = Timestamp::from_secs(300 * slot + 1);
            Flow::new(transport, end(src), end(dst), Span::at(at))
        })
    }

    proptest! {
        #[test]
        fn parts_of_a_trace_are_together_what_it_is_as_a_whole(
            flows in prop::collection::vec(flow(), 0..60),
            modulus in 1_i64..4,
        ) {
            let config = Aggregation::new(Family::any(), Topology::everything_monitored());
            let expected = aggregate(&flows, &config);
            let slot_of = |flow: &Flow| config.slot_length.slot_of(flow.span.start()).0;
            let part = |rest| {
                let in_part = |flow: &&Flow| slot_of(flow) % modulus == rest;
                let flows: Vec<Flow> = flows.iter().filter(in_part).cloned().collect();
                aggregate(&flows, &config).closed
            };
            let closed = Closed::union((0..modulus).map(part).collect());
            let found = HostSlots::new(closed, expected.totals, &config);
            prop_assert_eq!(&found, &expected);
            prop_assert!(found.rows().map(|row| (row.host, row.slot)).is_sorted());
            for (place, row) in found.rows().enumerate() {
                let key = (row.host, row.slot, row.system);
                prop_assert_eq!(found.key(place), key);
                let (host, slot) = (found.host_number(place), found.slot_number(place));
                prop_assert_eq!(
                    (found.hosts().nth(host as usize), found.slots().nth(slot as usize)),
                    (Some(row.host), Some(row.slot))
                );
                for transport in [Transport::Tcp, Transport::Udp, Transport::Other(1)] {
                    let of_row = row.active(transport);
                    prop_assert_eq!(found.transport(place, transport), of_row.cloned());
                    prop_assert_eq!(found.is_active(place, transport), of_row.is_some());
                }
            }
        }
    }
}
