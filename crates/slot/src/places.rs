//! Where the aggregates of a trace stand.

use std::ops::Range;

use peerscope_flow::Transport;
use rayon::prelude::*;

use crate::closed_slot::ClosedSlot;
use crate::hosts::next_index;

/// Where an aggregate stands: the numbers of its host and of its slot, and its rows there of TCP and UDP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) host: u32,
    pub(crate) slot: u32,
    rows: [u32; 2],
    /// The set of control systems seen in both.
    pub(crate) control: u32,
}

/// The row of a transport without active flows.
const NONE: u32 = u32::MAX;

impl Place {
    pub(crate) fn row(&self, transport: Transport) -> Option<u32> {
        let row = match transport {
            Transport::Tcp => self.rows[0],
            Transport::Udp => self.rows[1],
            Transport::Other(_) => NONE,
        };
        (row != NONE).then_some(row)
    }
}

/// An aggregate of which nothing is known yet.
const NOWHERE: Place = Place {
    host: 0,
    slot: 0,
    rows: [NONE; 2],
    control: 0,
};

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
    let nowhere = (0..len).into_par_iter().map(|_| NOWHERE);
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
    next: Vec<Next>,
    /// Number of aggregates.
    len: usize,
}

#[derive(Clone, Copy, Default)]
struct Next {
    place: u32,
    /// The slot of the host's latest aggregate, counted from 1.
    slot: u32,
}

impl Next {
    /// Goes on to the host's aggregate in a slot, if it is not there already.
    fn reach(&mut self, slot: u32) {
        self.place += u32::from(self.slot != slot);
        self.slot = slot;
    }
}

impl Piece {
    /// Counts the aggregates of each host.
    fn count(slots: &[ClosedSlot], hosts: Range<usize>) -> Self {
        let mut next = vec![Next::default(); hosts.len()];
        for (slot, closed) in (1..).zip(slots) {
            for key in &closed.keys()[rows(closed, &hosts)] {
                next[key.host() as usize - hosts.start].reach(slot);
            }
        }
        let mut len = 0;
        for next in &mut next {
            let own = next.place;
            *next = Next {
                place: len,
                slot: 0,
            };
            len += own;
        }
        let len = len as usize;
        Self { hosts, next, len }
    }

    /// Writes down where they stand.
    fn fill(mut self, slots: &[ClosedSlot], places: &mut [Place]) {
        for (slot, closed) in (1..).zip(slots) {
            for row in rows(closed, &self.hosts) {
                let key = closed.keys()[row];
                let row = next_index(row);
                let next = &mut self.next[key.host() as usize - self.hosts.start];
                next.reach(slot);
                let place = &mut places[next.place as usize - 1];
                (place.host, place.slot) = (key.host(), slot - 1);
                place.rows[key.transport_index()] = row;
                place.control |= closed.control(row);
            }
        }
    }
}

/// The rows of a range of hosts.
fn rows(closed: &ClosedSlot, hosts: &Range<usize>) -> Range<usize> {
    let keys = closed.keys();
    let before = |end: usize| keys.partition_point(|key| (key.host() as usize) < end);
    before(hosts.start)..before(hosts.end)
}
