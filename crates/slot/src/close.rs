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
    let mut slots: Vec<(SlotIndex, Vec<(usize, OpenSlot)>)> = by_slot.into_iter().collect();
    slots.sort_unstable_by_key(|(slot, _)| *slot);
    let close = |counter: &mut DistinctCounter,
                 (slot, parts): (SlotIndex, Vec<(usize, OpenSlot)>)| {
        let mut parts = parts.into_iter();
        let (part, mut first) = parts.next().unwrap_or_default();
        restore(part, &mut first)?;
        if parts.len() == 0 {
            return Ok(first.close(slot, counter).renumbered(&numbers[part]));
        }
        let mut whole = first.renumbered(&numbers[part]);
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
    let host_slot = |&(slot, row): &(u32, u32)| {
        let (slot, row) = (&closed[slot as usize], row as usize);
        let host = hosts.addresses()[slot.hosts[row] as usize];
        slot.host_slot(row, host, &config.family)
    };
    let order = by_host(&closed, &hosts);
    Ok(order.par_iter().map(host_slot).collect())
}

/// Where each host slot stands, slot and row, by host, then slot; the slots are in order.
///
/// A counting sort: there may be many more host slots than hosts, and comparing two of them costs
/// as much as moving one.
fn by_host(slots: &[ClosedSlot], hosts: &Hosts) -> Vec<(u32, u32)> {
    let mut sorted: Vec<(AddressBits, usize)> =
        hosts.addresses().iter().copied().zip(0..).collect();
    sorted.par_sort_unstable();
    let mut places = vec![0; sorted.len()];
    for &host in slots.iter().flat_map(|slot| &slot.hosts) {
        places[host as usize] += 1;
    }
    let mut rows = 0;
    for (_, host) in sorted {
        rows += std::mem::replace(&mut places[host], rows);
    }
    let mut order = vec![(0, 0); rows];
    for (slot, closed) in (0..).zip(slots) {
        for (row, &host) in (0..).zip(&closed.hosts) {
            let place = &mut places[host as usize];
            order[*place] = (slot, row);
            *place += 1;
        }
    }
    order
}

/// For slots that are held in memory as a whole.
#[expect(clippy::unnecessary_wraps, reason = "beside those that can fail")]
pub(crate) fn whole(_: usize, _: &mut OpenSlot) -> Result<(), Infallible> {
    Ok(())
}
