//! Where the aggregates of a trace stand.

use std::ops::Range;

use peerscope_flow::Transport;
use rayon::prelude::*;

use crate::closed_slot::ClosedSlot;
use crate::hosts::next_index;
use crate::rows::Key;

/// Where an aggregate stands: its slot, and the row there of TCP, with that of UDP behind it, or of the one
/// of them that it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The number of the slot; the lowest bits say which transports it has, TCP first.
    slot: u32,
    pub(crate) row: u32,
    /// The set of control systems seen.
    pub(crate) control: u32,
}

impl Place {
    /// Nothing is known of it yet.
    const NOWHERE: Self = Self {
        slot: 0,
        row: 0,
        control: 0,
    };

    fn new(slot: u32, row: u32) -> Self {
        Self {
            slot: slot << 2,
            row,
            control: 0,
        }
    }

    fn add(&mut self, key: Key, control: u32) {
        self.slot |= 1 << key.transport_index();
        self.control |= control;
    }

    pub(crate) const fn slot(self) -> u32 {
        self.slot >> 2
    }

    /// The row of a transport, if it has active flows.
    pub(crate) const fn row_of(self, transport: Transport) -> Option<u32> {
        let (tcp, udp) = (self.slot & 1, self.slot >> 1 & 1);
        match transport {
            Transport::Tcp if tcp == 1 => Some(self.row),
            Transport::Udp if udp == 1 => Some(self.row + tcp),
            _ => None,
        }
    }
}

/// Where each aggregate of these slots stands, by host, then slot; some hosts at a time on each thread. The
/// rows of each slot are in order of host.
///
/// A counting sort: there may be many more aggregates than hosts, and comparing two of them costs as much
/// as moving one.
pub(crate) fn places(slots: &[ClosedSlot], hosts: usize) -> Vec<Place> {
    let rows: usize = slots.iter().map(|slot| slot.keys().len()).sum();
    // Each piece of the hosts is looked up in each slot, which has to be worth it.
    let pieces = (rows / (8 * slots.len()).max(1)).clamp(1, 64);
    let share = hosts.div_ceil(pieces).max(1);
    let pieces = (0..pieces).into_par_iter();
    let piece = |piece: usize| Piece::count(slots, piece * share..(piece + 1) * share);
    let pieces: Vec<Piece> = pieces.map(piece).collect();
    let len: usize = pieces.iter().map(|piece| piece.len).sum();
    // On all threads: the first touch of so much memory takes longer than finding what it is to hold.
    let nowhere = (0..len).into_par_iter();
    let nowhere = nowhere.map(|_| Place::NOWHERE);
    let mut places: Vec<Place> = nowhere.collect();
    let mut rest = &mut *places;
    let mut parts = Vec::new();
    for piece in pieces {
        let (part, behind) = rest.split_at_mut(piece.len);
        rest = behind;
        parts.push((piece, part));
    }
    let parts = parts.into_par_iter();
    parts.for_each(|(piece, part)| piece.fill(slots, part));
    places
}

/// A range of hosts.
struct Piece {
    hosts: Range<usize>,
    /// By host: where its next aggregate is to stand in the piece.
    next: Vec<u32>,
    /// Number of aggregates.
    len: usize,
}

impl Piece {
    /// Counts the aggregates of each host.
    fn count(slots: &[ClosedSlot], hosts: Range<usize>) -> Self {
        let mut next = vec![0; hosts.len()];
        for closed in slots {
            for (host, ..) in first_rows(closed, &hosts) {
                next[host - hosts.start] += 1;
            }
        }
        let mut len = 0;
        for next in &mut next {
            len += std::mem::replace(next, len);
        }
        let len = len as usize;
        Self { hosts, next, len }
    }

    /// Writes down where they stand.
    fn fill(mut self, slots: &[ClosedSlot], places: &mut [Place]) {
        for (slot, closed) in (0..).zip(slots) {
            for (host, row, keys) in first_rows(closed, &self.hosts) {
                let next = &mut self.next[host - self.hosts.start];
                let place = &mut places[*next as usize];
                *place = Place::new(slot, row);
                for (row, &key) in (row..).zip(keys) {
                    place.add(key, closed.control(row));
                }
                *next += 1;
            }
        }
    }
}

/// Each of a range of hosts that has rows in a slot, the first of these, and their keys.
fn first_rows<'c>(
    closed: &'c ClosedSlot,
    hosts: &Range<usize>,
) -> impl Iterator<Item = (usize, u32, &'c [Key])> {
    let keys = closed.keys();
    let before = |end: usize| keys.partition_point(|key| (key.host() as usize) < end);
    let rows = before(hosts.start)..before(hosts.end);
    let mut next = next_index(rows.start);
    let of_host = keys[rows].chunk_by(|one, other| one.host() == other.host());
    of_host.map(move |keys| {
        let row = next;
        next += next_index(keys.len());
        (keys[0].host() as usize, row, keys)
    })
}
