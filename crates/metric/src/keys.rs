//! Which sample each row of a table is.

use std::net::IpAddr;
use std::ops::Range;

use peerscope_flow::{SlotIndex, SystemId};
use peerscope_slot::HostSlots;
use rayon::prelude::*;

use crate::SampleKey;

/// The key of each row, in a quarter of the room that a list of them would take.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    hosts: Vec<IpAddr>,
    slots: Vec<SlotIndex>,
    /// By row: which of `hosts`.
    host_numbers: Vec<u32>,
    /// By row: which of `slots`.
    slot_numbers: Vec<u32>,
    /// By row.
    systems: Vec<SystemId>,
    /// First and last slot of the trace.
    edges: Option<(SlotIndex, SlotIndex)>,
}

impl Keys {
    /// Those of all aggregates, on the threads of the current rayon pool.
    pub(crate) fn new(host_slots: &HostSlots) -> Self {
        let rows = || (0..host_slots.len()).into_par_iter();
        Self {
            hosts: host_slots.hosts().collect(),
            slots: host_slots.slots().collect(),
            host_numbers: rows().map(|row| host_slots.host_number(row)).collect(),
            slot_numbers: rows().map(|row| host_slots.slot_number(row)).collect(),
            systems: rows().map(|row| host_slots.system(row)).collect(),
            edges: host_slots.edge_slots(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.systems.len()
    }

    pub(crate) fn get(&self, row: usize) -> SampleKey {
        let slot = self.slots[self.slot_numbers[row] as usize];
        SampleKey {
            host: self.hosts[self.host_numbers[row] as usize],
            slot,
            system: self.systems[row],
            edge: self
                .edges
                .is_some_and(|(first, last)| slot == first || slot == last),
        }
    }

    /// Each host with its rows, in order.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (IpAddr, Range<usize>)> + '_ {
        let mut next = 0;
        let runs = self.host_numbers.chunk_by(|one, other| one == other);
        self.hosts.iter().zip(runs).map(move |(&host, run)| {
            let first = next;
            next += run.len();
            (host, first..next)
        })
    }

    /// Those of a host; none where they would stand if there are none.
    pub(crate) fn rows_of(&self, host: IpAddr) -> Range<usize> {
        let before = |end: usize| {
            let numbers = &self.host_numbers;
            numbers.partition_point(|&number| (number as usize) < end)
        };
        match self.hosts.binary_search(&host) {
            Ok(number) => before(number)..before(number + 1),
            Err(number) => before(number)..before(number),
        }
    }

    /// By row.
    pub(crate) fn systems(&self) -> &[SystemId] {
        &self.systems
    }
}
