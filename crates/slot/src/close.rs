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

/// Slots that one part of a trace held open.
pub(crate) type Slots = Vec<(SlotIndex, OpenSlot)>;

/// Brings the parts of each slot together and closes the slots, on the threads of the current rayon
/// pool. `restore` brings back what a slot of a part, which it is told by its place, holds elsewhere.
pub(crate) fn close<H: Borrow<Hosts>, E: Send>(
    config: &Aggregation,
    parts: impl IntoIterator<Item = (H, Slots)>,
    restore: impl Fn(usize, &mut OpenSlot) -> Result<(), E> + Sync,
) -> Result<Closed, E> {
    let parts: Vec<(H, Slots)> = parts.into_iter().collect();
    let (hosts, numbers) = in_order(parts.iter().map(|(own_hosts, slots)| {
        let keys = slots.iter().flat_map(|(_, open)| open.keys());
        (own_hosts.borrow().addresses(), keys.map(|key| key.host()))
    }));
    let mut by_slot: HashMap<SlotIndex, Vec<(usize, OpenSlot)>, RandomState> = HashMap::default();
    for (part, (_, slots)) in parts.into_iter().enumerate() {
        for (slot, open) in slots {
            by_slot.entry(slot).or_default().push((part, open));
        }
    }
    let mut slots: Vec<(SlotIndex, Vec<(usize, OpenSlot)>)> = by_slot.into_iter().collect();
    slots.sort_unstable_by_key(|(slot, _)| *slot);
    let close = |counter: &mut DistinctCounter,
                 (slot, parts): (SlotIndex, Vec<(usize, OpenSlot)>)| {
        let mut parts = parts.into_iter();
        let (part, mut first) = parts.next().unwrap_or_default();
        restore(part, &mut first)?;
        if parts.len() == 0 {
            let closed = first.close(slot, counter);
            return Ok(closed.renumbered(&numbers[part]).sorted());
        }
        let mut whole = first.renumbered(&numbers[part]);
        for (part, mut open) in parts {
            restore(part, &mut open)?;
            whole.merge(&open, &numbers[part]);
        }
        Ok(whole.close(slot, counter).sorted())
    };
    let slots = slots
        .into_par_iter()
        .map_init(|| DistinctCounter::new(config.approximate), close)
        .collect::<Result<_, E>>()?;
    Ok(Closed { hosts, slots })
}

/// For slots that are held in memory as a whole.
#[expect(clippy::unnecessary_wraps, reason = "beside those that can fail")]
pub(crate) fn whole(_: usize, _: &mut OpenSlot) -> Result<(), Infallible> {
    Ok(())
}
