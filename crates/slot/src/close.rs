//! The end of slots: what several parts of a trace hold of each comes together.

use std::borrow::Borrow;
use std::convert::Infallible;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::SlotIndex;
use rayon::prelude::*;

use crate::Aggregation;
use crate::distinct::DistinctCounter;
use crate::host_slots::Closed;
use crate::hosts::{Hosts, in_order};
use crate::open_slot::OpenSlot;
use crate::settled::Settled;
use crate::spill::{Segment, Spilled};

/// Slots that one part of a trace held open.
pub(crate) type Slots = Vec<(SlotIndex, OpenSlot)>;

/// What a part of a trace has, with the hosts that its rows name by number.
pub(crate) struct PartSlots<H> {
    pub(crate) hosts: H,
    pub(crate) open: Slots,
    pub(crate) settled: Vec<Settled>,
}

/// What the parts hold of a slot, each with its number.
#[derive(Default)]
struct Held {
    open: Vec<(usize, OpenSlot)>,
    settled: Vec<(usize, Settled)>,
}

/// Brings the parts of each slot together and closes the slots, on the threads of the current rayon
/// pool. `read` brings back what a part, which it is told by its place, wrote to a file.
pub(crate) fn close<H: Borrow<Hosts> + Send, E: Send>(
    config: &Aggregation,
    parts: impl IntoIterator<Item = PartSlots<H>>,
    read: impl Fn(usize, Segment) -> Result<Spilled, E> + Sync,
) -> Result<Closed, E> {
    let parts: Vec<PartSlots<H>> = parts.into_iter().collect();
    let (hosts, numbers) = in_order(parts.iter().map(|part| {
        let open = part.open.iter().flat_map(|(_, open)| open.keys());
        let settled = part.settled.iter().flat_map(Settled::keys);
        let named = open.chain(settled).map(|key| key.host());
        (part.hosts.borrow().addresses(), named)
    }));
    let mut by_slot: HashMap<SlotIndex, Held, RandomState> = HashMap::default();
    for (number, part) in parts.into_iter().enumerate() {
        for (slot, open) in part.open {
            by_slot.entry(slot).or_default().open.push((number, open));
        }
        for settled in part.settled {
            let held = by_slot.entry(settled.slot()).or_default();
            held.settled.push((number, settled));
        }
    }
    let mut slots: Vec<(SlotIndex, Held)> = by_slot.into_iter().collect();
    slots.sort_unstable_by_key(|(slot, _)| *slot);
    let close = |counter: &mut DistinctCounter, (slot, held): (SlotIndex, Held)| {
        let Held { open, mut settled } = held;
        let mut parts = Vec::new();
        if let Some(precision) = config.approximate {
            // Sketches of all parts are brought together before they are counted.
            let mut whole = OpenSlot::default();
            for (part, mut open) in open {
                open.restore(|segment| read(part, segment), precision)?;
                whole.merge(&open, &numbers[part]);
            }
            whole.condense(precision);
            parts.push(whole.settle(slot));
        } else {
            let open = open.into_iter();
            settled.extend(open.map(|(part, open)| (part, open.settle(slot))));
        }
        for (part, settled) in settled {
            let settled = settled.restored(|segment| read(part, segment))?;
            parts.push(settled.renumbered(&numbers[part]));
        }
        Ok(Settled::together(parts).map(|whole| whole.counted(counter)))
    };
    let slots = slots
        .into_par_iter()
        .map_init(DistinctCounter::default, close)
        .collect::<Result<Vec<_>, E>>()?;
    let slots = slots.into_iter().flatten().collect();
    Ok(Closed { hosts, slots })
}

/// For parts that wrote nothing to files.
#[expect(clippy::unnecessary_wraps, reason = "beside those that can fail")]
pub(crate) fn in_memory(_: usize, _: Segment) -> Result<Spilled, Infallible> {
    Ok(Spilled::default())
}
