//! A slot that a part of a trace is done with, so it seems.

use std::collections::BTreeMap;

use peerscope_flow::SlotIndex;

use crate::closed_slot::ClosedSlot;
use crate::distinct::DistinctCounter;
use crate::rows::Key;
use crate::spill::{Segment, Spilled};
use crate::started::Started;

/// What a part of a trace has of a slot, in little room: its rows, and what is to be counted before
/// these are whole.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    closed: ClosedSlot,
    started: Started,
}

impl Settled {
    pub(crate) const fn new(closed: ClosedSlot, started: Started) -> Self {
        Self { closed, started }
    }

    pub(crate) const fn slot(&self) -> SlotIndex {
        self.closed.slot
    }

    pub(crate) fn keys(&self) -> &[Key] {
        self.closed.keys()
    }

    pub(crate) const fn started_mut(&mut self) -> &mut Started {
        &mut self.started
    }

    /// With what was written to a file.
    pub(crate) fn restored<E>(
        mut self,
        read: impl Fn(Segment) -> Result<Spilled, E>,
    ) -> Result<Self, E> {
        for segment in self.started.take_spilled() {
            self.started.add_spilled(&read(segment)?);
        }
        Ok(self)
    }

    /// The same with other numbers for its hosts.
    pub(crate) fn renumbered(self, numbers: &[u32]) -> Self {
        Self {
            closed: self.closed.renumbered(numbers),
            ..self
        }
    }

    /// Parts of one slot as a whole, rows in order of key.
    pub(crate) fn together(mut parts: Vec<Self>) -> Option<Self> {
        // Where something is to be counted of one part only, as mostly, that stays where it is.
        parts.sort_by_key(|part| part.started.is_empty());
        let mut parts = parts.into_iter();
        let Self {
            closed: mut whole,
            mut started,
        } = parts.next()?;
        let mut others = Vec::new();
        for part in parts {
            others.push((whole.keys().len(), part.started));
            whole.append(part.closed);
        }
        let order = whole.order();
        if !started.is_empty() {
            let rows = rows_in(&order);
            started.renumber(|row| rows[row]);
            for (before, other) in others {
                started.merge(&other, |row| rows[before + row]);
            }
        }
        Some(Self::new(whole.added_up(&order), started))
    }

    /// Parts of any slots, those of one together where they have more than twice the rows of the
    /// largest: many of these may be of the same hosts.
    pub(crate) fn joined(parts: Vec<Self>) -> Vec<Self> {
        let mut by_slot: BTreeMap<SlotIndex, Vec<Self>> = BTreeMap::new();
        for part in parts {
            by_slot.entry(part.slot()).or_default().push(part);
        }
        let join = |parts: Vec<Self>| {
            let rows = || parts.iter().map(|part| part.keys().len());
            if rows().sum::<usize>() > 2 * rows().max().unwrap_or(0) {
                Self::together(parts).into_iter().collect()
            } else {
                parts
            }
        };
        by_slot.into_values().flat_map(join).collect()
    }

    /// With what is distinct in it: there are no other parts.
    pub(crate) fn counted(self, counter: &mut DistinctCounter) -> ClosedSlot {
        let Self {
            mut closed,
            started,
        } = self;
        closed.count(&started, counter);
        closed
    }
}

/// By row, where its key stands in order.
fn rows_in(order: &[(Key, u32)]) -> Vec<u32> {
    let mut rows = vec![0; order.len()];
    let same = order.chunk_by(|(one, _), (other, _)| one == other);
    for (place, same) in (0..).zip(same) {
        for &(_, row) in same {
            rows[row as usize] = place;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use peerscope_flow::{Endpoint, Family, Flow, Span, Timestamp, Topology, Transport, Volume};
    use proptest::prelude::*;

    use crate::{Aggregation, Aggregator, HostSlots, ParallelAggregator, SpillingAggregator};

    const SLOT: i64 = 300_000_000;

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        let v4 = (0_u8..6).prop_map(|host| IpAddr::from([10, 0, 0, host]));
        let v6 = (0_u16..6).prop_map(|host| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]));
        let ip = prop_oneof![2 => v4, 1 => v6];
        (ip, 1022_u16..1027).prop_map(|(ip, port)| Endpoint::new(ip, port))
    }

    /// A flow that may span slots.
    fn flow() -> impl Strategy<Value = Flow> {
        let times = (0..10 * SLOT, prop_oneof![3 => Just(0), 1 => 0..4 * SLOT]);
        let ends = (any::<bool>(), endpoint(), endpoint(), times);
        (ends, 0_u64..1 << 40).prop_map(|((tcp, src, dst, (start, length)), bytes)| {
            let transport = if tcp { Transport::Tcp } else { Transport::Udp };
            let at = Timestamp::from_micros;
            let span = Span::new(at(start), at(start + length)).unwrap();
            Flow {
                fwd: Volume::new(1, bytes),
                ..Flow::new(transport, src, dst, span)
            }
        })
    }

    /// All slots open to the end.
    fn unsettled(flows: &[Flow], config: &Aggregation) -> HostSlots {
        let mut whole = Aggregator::new(config);
        whole.settles = false;
        whole.add(flows);
        whole.finish()
    }

    proptest! {
        #[test]
        fn what_settles_makes_no_difference(
            mut flows in prop::collection::vec(flow(), 0..300),
            sorted in any::<bool>(),
            size in 1_usize..40,
            threads in 1_usize..4,
            memory in prop::sample::select(vec![0_usize, 500, 1_000_000]),
        ) {
            let config = Aggregation::new(Family::any(), Topology::everything_monitored());
            if sorted {
                flows.sort_by_key(|flow| flow.span.start());
            }
            let expected = unsettled(&flows, &config);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (shared, spilled) = pool.install(|| {
                let mut shared = ParallelAggregator::new(&config);
                let mut spilled = SpillingAggregator::new(&config, memory, tempfile::tempfile);
                for batch in flows.chunks(size) {
                    shared.add(batch);
                    spilled.add(batch);
                }
                (shared.finish(), spilled.finish().unwrap())
            });
            prop_assert_eq!(&shared, &expected);
            prop_assert_eq!(&spilled, &expected);
            let mut merged = Aggregator::new(&config);
            for batch in flows.chunks(size) {
                let mut part = Aggregator::new(&config);
                part.add(batch);
                merged.merge(part).unwrap();
            }
            prop_assert_eq!(&merged.finish(), &expected);
        }
    }

    #[test]
    fn parts_of_the_same_hosts_do_not_pile_up() {
        let end = |host: u8| Endpoint::new(IpAddr::from([10, 0, 0, host]), 1);
        let flow = |n: u8| {
            let at = Span::at(Timestamp::from_micros(i64::from(n / 4) * SLOT));
            Flow::new(Transport::Udp, end(n % 4), end(9), at)
        };
        let flows: Vec<Flow> = (0..80).map(flow).collect();
        let config = Aggregation::new(Family::any(), Topology::everything_monitored());
        let mut merged = Aggregator::new(&config);
        let mut most = 0;
        for _ in 0..20 {
            let mut part = Aggregator::new(&config);
            flows.chunks(8).for_each(|batch| part.add(batch));
            merged.merge(part).unwrap();
            most = most.max(merged.settled_rows());
        }
        let host_slots = merged.finish();
        assert_eq!(host_slots.len(), 100);
        assert_eq!(host_slots.row(0).udp.live, 20);
        assert!(
            (80..=200).contains(&most),
            "{most} rows of {} put away",
            host_slots.len()
        );
    }
}
