//! The end of slots: what several parts of a trace hold of each comes together.

use std::borrow::Borrow;
use std::convert::Infallible;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::SlotIndex;
use rayon::prelude::*;

use crate::Aggregation;
use crate::closed_slot::ClosedSlot;
use crate::distinct::DistinctCounter;
use crate::host_slots::Closed;
use crate::hosts::{Hosts, in_order};
use crate::open_slot::OpenSlot;

/// Slots that one part of a trace held open.
pub(crate) type Slots = Vec<(SlotIndex, OpenSlot)>;

/// What a part of a trace has, with the hosts that its rows name by number.
pub(crate) struct PartSlots<H> {
    pub(crate) hosts: H,
    pub(crate) open: Slots,
    /// Slots that were closed before. No flows of other parts start in them, but may be active there.
    pub(crate) settled: Vec<ClosedSlot>,
}

impl<H> PartSlots<H> {
    /// A part that closed no slot yet.
    pub(crate) const fn open(hosts: H, open: Slots) -> Self {
        Self {
            hosts,
            open,
            settled: Vec::new(),
        }
    }
}

/// What the parts hold of a slot, each with its number.
#[derive(Default)]
struct Held {
    open: Vec<(usize, OpenSlot)>,
    settled: Vec<(usize, ClosedSlot)>,
}

/// Brings the parts of each slot together and closes the slots, on the threads of the current rayon
/// pool. `restore` brings back what a slot of a part, which it is told by its place, holds elsewhere.
pub(crate) fn close<H: Borrow<Hosts> + Send, E: Send>(
    config: &Aggregation,
    parts: impl IntoIterator<Item = PartSlots<H>>,
    restore: impl Fn(usize, &mut OpenSlot) -> Result<(), E> + Sync,
) -> Result<Closed, E> {
    let parts: Vec<PartSlots<H>> = parts.into_iter().collect();
    let (hosts, numbers) = in_order(parts.iter().map(|part| {
        let open = part.open.iter().flat_map(|(_, open)| open.keys());
        let settled = part.settled.iter().flat_map(ClosedSlot::keys);
        let named = open.chain(settled).map(|key| key.host());
        (part.hosts.borrow().addresses(), named)
    }));
    let mut by_slot: HashMap<SlotIndex, Held, RandomState> = HashMap::default();
    for (number, part) in parts.into_iter().enumerate() {
        for (slot, open) in part.open {
            by_slot.entry(slot).or_default().open.push((number, open));
        }
        for closed in part.settled {
            let held = by_slot.entry(closed.slot).or_default();
            held.settled.push((number, closed));
        }
    }
    let mut slots: Vec<(SlotIndex, Held)> = by_slot.into_iter().collect();
    slots.sort_unstable_by_key(|(slot, _)| *slot);
    let close = |counter: &mut DistinctCounter, (slot, held): (SlotIndex, Held)| {
        let settled = held.settled.into_iter();
        let settled = settled.map(|(part, closed)| closed.renumbered(&numbers[part]));
        let mut parts: Vec<ClosedSlot> = settled.collect();
        let mut open = held.open.into_iter();
        if let Some((part, mut first)) = open.next() {
            restore(part, &mut first)?;
            if open.len() == 0 {
                parts.push(first.close(slot, counter).renumbered(&numbers[part]));
            } else {
                let mut whole = first.renumbered(&numbers[part]);
                for (part, mut open) in open {
                    restore(part, &mut open)?;
                    whole.merge(&open, &numbers[part]);
                }
                parts.push(whole.close(slot, counter));
            }
        }
        Ok(ClosedSlot::together(parts))
    };
    let slots = slots
        .into_par_iter()
        .map_init(|| DistinctCounter::new(config.approximate), close)
        .collect::<Result<Vec<_>, E>>()?;
    let slots = slots.into_iter().flatten().collect();
    Ok(Closed { hosts, slots })
}

/// For slots that are held in memory as a whole.
#[expect(clippy::unnecessary_wraps, reason = "beside those that can fail")]
pub(crate) fn whole(_: usize, _: &mut OpenSlot) -> Result<(), Infallible> {
    Ok(())
}
