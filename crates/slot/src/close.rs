//! The end of slots: what several parts of a trace hold of each becomes its host slots.

use std::borrow::Borrow;
use std::convert::Infallible;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::{AddressBits, SlotIndex};
use rayon::prelude::*;

use crate::distinct::DistinctCounter;
use crate::hosts::Hosts;
use crate::open_slot::{ClosedSlot, OpenSlot};
use crate::{Aggregation, HostSlot};

/// Slots that one part of a trace held open.
pub(crate) type Slots = Vec<(SlotIndex, OpenSlot)>;

/// Brings the parts of each slot together and closes the slots, on the threads of the current rayon
/// pool. Host slots by host, then slot. `restore` brings back what a slot of a part, which it is told
/// by its place, holds elsewhere.
pub(crate) fn close<H: Borrow<Hosts>, E: Send>(
    config: &Aggregation,
    parts: impl IntoIterator<Item = (H, Slots)>,
    restore: impl Fn(usize, &mut OpenSlot) -> Result<(), E> + Sync,
) -> Result<Vec<HostSlot>, E> {
    let mut hosts = Hosts::default();
    let mut by_slot: HashMap<SlotIndex, Vec<(usize, OpenSlot)>, RandomState> = HashMap::default();
    let mut numbers: Vec<Vec<u32>> = Vec::new();
    for (part, (own_hosts, slots)) in parts.into_iter().enumerate() {
        let named = slots
            .iter()
            .flat_map(|(_, open)| open.hosts.iter().copied());
        numbers.push(hosts.numbers_of(own_hosts.borrow(), named));
        for (slot, open) in slots {
            by_slot.entry(slot).or_default().push((part, open));
        }
    }
    let slots: Vec<(SlotIndex, Vec<(usize, OpenSlot)>)> = by_slot.into_iter().collect();
    let close = |counter: &mut DistinctCounter,
                 (slot, parts): (SlotIndex, Vec<(usize, OpenSlot)>)| {
        let mut parts = parts.into_iter();
        let mut whole = OpenSlot::default();
        if let Some((part, mut first)) = parts.next() {
            restore(part, &mut first)?;
            whole = first.renumbered(&numbers[part]);
        }
        for (part, mut open) in parts {
            restore(part, &mut open)?;
            whole.merge(&open, &numbers[part]);
        }
        Ok(whole.close(slot, counter))
    };
    let closed: Vec<ClosedSlot> = slots
        .into_par_iter()
        .map_init(|| DistinctCounter::new(config.approximate), close)
        .collect::<Result<_, E>>()?;
    let mut rows: Vec<(AddressBits, &ClosedSlot, usize)> = Vec::new();
    for slot in &closed {
        let hosts = slot
            .hosts
            .iter()
            .map(|&host| hosts.addresses()[host as usize]);
        rows.extend(hosts.zip(0..).map(|(host, row)| (host, slot, row)));
    }
    rows.par_sort_unstable_by_key(|(host, slot, _)| (*host, slot.slot));
    let host_slot = |&(host, slot, row): &(AddressBits, &ClosedSlot, usize)| {
        slot.host_slot(row, host, &config.family)
    };
    Ok(rows.par_iter().map(host_slot).collect())
}

/// For slots that are held in memory as a whole.
#[expect(clippy::unnecessary_wraps, reason = "beside those that can fail")]
pub(crate) fn whole(_: usize, _: &mut OpenSlot) -> Result<(), Infallible> {
    Ok(())
}
