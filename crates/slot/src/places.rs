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

/// Where each aggregate stands, by host, then slot.
///
/// In pieces of some hosts each, which stay where the thread that found them put them: of very many
/// aggregates, moving them together takes longer than finding them.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pieces: Vec<Vec<Place>>,
    /// By piece: how many aggregates come before it; all of them at the end.
    before: Vec<usize>,
}

impl Places {
    /// The places of all rows of these slots, in each of which they are in order of host.
    pub(crate) fn of(slots: &[ClosedSlot], hosts: usize) -> Self {
        let rows: usize = slots.iter().map(|slot| slot.keys().len()).sum();
        // Each piece of the hosts is looked up in each slot, which has to be worth it.
        let pieces = (rows / (8 * slots.len()).max(1)).clamp(1, 64);
        let share = hosts.div_ceil(pieces).max(1);
        let pieces = (0..pieces).into_par_iter();
        let of_piece = |piece: usize| places_of(slots, piece * share..(piece + 1) * share);
        let pieces: Vec<Vec<Place>> = pieces.map(of_piece).collect();
        let mut before = vec![0];
        for piece in &pieces {
            before.push(before[before.len() - 1] + piece.len());
        }
        Self { pieces, before }
    }

    /// Number of aggregates.
    pub(crate) fn len(&self) -> usize {
        self.before[self.pieces.len()]
    }

    /// That of one aggregate.
    ///
    /// # Panics
    ///
    /// If there are no more than `index`.
    pub(crate) fn get(&self, index: usize) -> &Place {
        let piece = self.piece_of(index);
        &self.pieces[piece][index - self.before[piece]]
    }

    /// Those of a range of aggregates.
    ///
    /// # Panics
    ///
    /// If there are no more than the last of `range`.
    pub(crate) fn range(&self, range: Range<usize>) -> impl Iterator<Item = &Place> {
        assert!(range.end <= self.len(), "no aggregates {range:?}");
        let first = self.piece_of(range.start);
        let skipped = range.start - self.before[first];
        let pieces = self.pieces[first..].iter().flatten();
        pieces.skip(skipped).take(range.len())
    }

    /// The piece in which an aggregate stands, of the last if there are no more than `index`.
    fn piece_of(&self, index: usize) -> usize {
        let last = self.pieces.len() - 1;
        self.before[1..=last].partition_point(|&before| before <= index)
    }
}

/// The places of the rows of a range of hosts, by host, then slot.
///
/// A counting sort: there may be many more aggregates than hosts, and comparing two of them costs
/// as much as moving one.
fn places_of(slots: &[ClosedSlot], hosts: Range<usize>) -> Vec<Place> {
    /// Where the host's next aggregate is to stand, and the slot of its latest, counted from 1.
    #[derive(Clone, Copy, Default)]
    struct Next {
        place: u32,
        slot: u32,
    }
    let mut next = vec![Next::default(); hosts.len()];
    let slots = (1_u32..).zip(slots).map(|(slot, closed)| {
        let keys = closed.keys();
        let before = |end: usize| keys.partition_point(|key| (key.host() as usize) < end);
        let rows = before(hosts.start)..before(hosts.end);
        (slot, closed, rows)
    });
    for (slot, closed, rows) in slots.clone() {
        for key in &closed.keys()[rows] {
            let next = &mut next[key.host() as usize - hosts.start];
            next.place += u32::from(next.slot != slot);
            next.slot = slot;
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
    let nowhere = Place {
        host: 0,
        slot: 0,
        rows: [NONE; 2],
        control: 0,
    };
    let mut places = vec![nowhere; len as usize];
    for (slot, closed, rows) in slots {
        for row in rows {
            let key = closed.keys()[row];
            let row = next_index(row);
            let next = &mut next[key.host() as usize - hosts.start];
            next.place += u32::from(next.slot != slot);
            next.slot = slot;
            let place = &mut places[next.place as usize - 1];
            (place.host, place.slot) = (key.host(), slot - 1);
            place.rows[key.transport_index()] = row;
            place.control |= closed.control(row);
        }
    }
    places
}
