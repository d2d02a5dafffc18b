//! A slot that still takes flows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use peerscope_flow::{AddressBits, Flow, SlotIndex, SystemId};

use crate::closed_slot::ClosedSlot;
use crate::distinct::{GROUPS_PER_ROW, Start, group_in};
use crate::hosts::next_index;
use crate::rows::{Key, Rows};
use crate::settled::Settled;
use crate::sketch::Sketch;
use crate::spill::{Segment, Spilled};
use crate::started::Started;
use crate::sums::{Portion, SlotSums};
use crate::{Direction, Precision};

/// The slots that take flows, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenSlots {
    slots: Vec<(SlotIndex, OpenSlot)>,
    places: HashMap<i64, usize, RandomState>,
    /// Slots that [`take_passed`](Self::take_passed) has not come to, the earliest on top, and where they stand.
    not_passed: BinaryHeap<Reverse<(SlotIndex, usize)>>,
    /// Where the last flow went: the next one mostly goes there too, or to the slot behind it.
    latest: usize,
}

impl OpenSlots {
    /// Where a slot stands; it is opened if it is new.
    #[inline]
    pub(crate) fn place(&mut self, slot: SlotIndex) -> usize {
        let is_at = |place: usize| self.slots.get(place).is_some_and(|(at, _)| *at == slot);
        if !is_at(self.latest) {
            self.latest = if is_at(self.latest + 1) {
                self.latest + 1
            } else {
                self.find_or_open(slot)
            };
        }
        self.latest
    }

    #[inline]
    pub(crate) fn at(&mut self, place: usize) -> &mut OpenSlot {
        &mut self.slots[place].1
    }

    /// Takes out the slots before `end`, each once at most: flows that come yet make another one of it,
    /// which stays.
    pub(crate) fn take_passed(
        &mut self,
        end: SlotIndex,
    ) -> impl Iterator<Item = (SlotIndex, OpenSlot)> {
        iter::from_fn(move || {
            let &Reverse((slot, place)) = self.not_passed.peek()?;
            (slot < end).then(|| {
                self.not_passed.pop();
                (slot, std::mem::take(&mut self.slots[place].1))
            })
        })
    }

    /// All slots that hold anything.
    pub(crate) fn into_slots(self) -> Vec<(SlotIndex, OpenSlot)> {
        let slots = self.slots.into_iter();
        slots.filter(|(_, open)| !open.keys().is_empty()).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &OpenSlot> {
        self.slots.iter().map(|(_, open)| open)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenSlot> {
        self.slots.iter_mut().map(|(_, open)| open)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes out the slots before `end`.
    pub(crate) fn take_before(&mut self, end: SlotIndex) -> Vec<(SlotIndex, OpenSlot)> {
        let slots = std::mem::take(self).slots.into_iter();
        let (taken, kept) = slots.partition(|&(slot, _)| slot < end);
        self.put(kept);
        taken
    }

    /// The same slots with other numbers for their hosts.
    pub(crate) fn renumber(&mut self, numbers: &[u32]) {
        let slots = std::mem::take(self).slots.into_iter();
        self.put(
            slots
                .map(|(slot, open)| (slot, open.renumbered(numbers)))
                .collect(),
        );
    }

    /// Fills what is empty.
    fn put(&mut self, slots: Vec<(SlotIndex, OpenSlot)>) {
        let places = slots.iter().zip(0..);
        self.places = places
            .clone()
            .map(|((slot, _), place)| (slot.0, place))
            .collect();
        self.not_passed = places
            .map(|((slot, _), place)| Reverse((*slot, place)))
            .collect();
        self.slots = slots;
    }

    fn find_or_open(&mut self, slot: SlotIndex) -> usize {
        *self.places.entry(slot.0).or_insert_with(|| {
            self.slots.push((slot, OpenSlot::default()));
            let place = self.slots.len() - 1;
            self.not_passed.push(Reverse((slot, place)));
            place
        })
    }
}

/// Sums per host and transport and the keys for distinct counts. Cheap to merge, finished once.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenSlot {
    rows: Rows,
    sums: SlotSums,
    pub(crate) started: Started,
    /// What is kept of the starts of giant groups, and how many starts it left.
    sketches: HashMap<u32, Sketch, RandomState>,
    condensed: usize,
}

/// A flow as one of its monitored ends sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) flow: &'a Flow,
    pub(crate) peer_in_isp: bool,
    pub(crate) direction: Direction,
    pub(crate) control: Option<SystemId>,
    /// The slot in which the flow starts.
    pub(crate) first: SlotIndex,
    /// The host's number.
    pub(crate) number: u32,
    /// Where the open slot stands.
    pub(crate) place: usize,
    /// The row in it of the host and the flow's transport.
    pub(crate) row: u32,
}

impl View<'_> {
    #[inline]
    pub(crate) fn key(&self) -> Key {
        Key::new(self.number, self.flow.transport)
    }

    pub(crate) fn host(&self) -> AddressBits {
        let [host, _] = self.oriented([&self.flow.src, &self.flow.dst]);
        host.ip.into()
    }

    fn peer(&self) -> AddressBits {
        let [_, peer] = self.oriented([&self.flow.src, &self.flow.dst]);
        peer.ip.into()
    }

    /// What is of the initiator and of the responder, as what is of the host and of its peer.
    ///
    /// By reference: what is picked from a copy has to wait until that is written.
    pub(crate) fn oriented<'v, T>(&self, [initiator, responder]: [&'v T; 2]) -> [&'v T; 2] {
        match self.direction {
            Direction::InOut => [initiator, responder],
            Direction::OutIn => [responder, initiator],
        }
    }
}

impl OpenSlot {
    /// Counts a flow that starts and ends in this slot.
    #[inline]
    pub(crate) fn add_whole(&mut self, view: &View<'_>) {
        self.sums.add_whole(view);
        self.add_start(view);
    }

    /// Counts the part of a flow that overlaps this slot.
    pub(crate) fn add_portion(&mut self, view: &View<'_>, portion: &Portion, starts_here: bool) {
        self.sums.add_portion(view, portion, starts_here);
        if starts_here {
            self.add_start(view);
        }
    }

    /// Keeps what is to be counted of a flow that starts in this slot.
    #[inline]
    fn add_start(&mut self, view: &View<'_>) {
        let group = view.row * GROUPS_PER_ROW + view.direction as u32;
        let port = view.flow.dst.port;
        self.started
            .push(group, view.peer(), port, view.peer_in_isp);
    }

    /// The same slot with other numbers for its hosts.
    pub(crate) fn renumbered(mut self, numbers: &[u32]) -> Self {
        self.sums.renumber(numbers);
        self.rows = Rows::default();
        for (&key, row) in self.sums.keys().iter().zip(0..) {
            self.rows.insert(key, row);
        }
        self
    }

    /// Adds everything another part of the trace brought into the same slot; `numbers` are the own
    /// numbers of the other part's hosts.
    pub(crate) fn merge(&mut self, other: &Self, numbers: &[u32]) {
        let own = |key: &Key| self.row(key.renumbered(numbers));
        let rows: Vec<u32> = other.sums.keys().iter().map(own).collect();
        for (theirs, &row) in rows.iter().enumerate() {
            self.sums.merge(row, &other.sums, theirs);
        }
        let own_row = |row: usize| rows[row];
        self.started.merge(&other.started, own_row);
        for (&group, sketch) in &other.sketches {
            match self.sketches.entry(group_in(own_row, group)) {
                Entry::Occupied(mut own) => own.get_mut().merge(sketch),
                Entry::Vacant(own) => {
                    own.insert(sketch.clone());
                }
            }
        }
    }

    /// Turns the starts of groups that have very many into sketches.
    pub(crate) fn condense(&mut self, precision: Precision) {
        let (starts, v6_peers) = self.started.take();
        let mut sketches = std::mem::take(&mut self.sketches);
        for &start in starts.iter() {
            let peer = match v6_peers.get(start.peer as usize) {
                Some(&peer) if start.peer_is_v6 => peer,
                _ => IpAddr::V4(start.peer.into()).into(),
            };
            if precision.exact_up_to() < self.started(start.group) {
                let sketch = sketches.entry(start.group);
                let sketch = sketch.or_insert_with(|| Sketch::new(precision));
                sketch.add(peer, start.peer_in_isp, start.port);
            } else {
                let Start { group, port, .. } = start;
                self.started.push(group, peer, port, start.peer_in_isp);
            }
        }
        self.sketches = sketches;
        self.condensed = self.started.starts().len();
    }

    /// Whether there are so many more starts that it is worth the work to condense them.
    pub(crate) fn has_grown(&self) -> bool {
        self.started.starts().len() > 2 * self.condensed + Self::GROWN
    }

    const GROWN: usize = 1 << 12;

    /// Flows started in a group.
    fn started(&self, group: u32) -> u32 {
        self.sums.started(group / GROUPS_PER_ROW)[(group % GROUPS_PER_ROW) as usize]
    }

    /// Brings back the starts that were written to a file, and condenses them on the way.
    pub(crate) fn restore<E>(
        &mut self,
        read: impl Fn(Segment) -> Result<Spilled, E>,
        precision: Precision,
    ) -> Result<(), E> {
        for segment in self.started.take_spilled() {
            self.started.add_spilled(&read(segment)?);
            if self.has_grown() {
                self.condense(precision);
            }
        }
        Ok(())
    }

    /// The slot takes no more flows of this part, so it seems. What is distinct stays to be counted, but for
    /// what is in sketches: no part may come behind these.
    pub(crate) fn settle(self, slot: SlotIndex) -> Settled {
        let mut closed = ClosedSlot::with_capacity(slot, self.keys().len());
        for (row, &key) in (0..).zip(self.keys()) {
            closed.push(key, self.sums.finish(row), self.sums.control(row));
        }
        for (&group, sketch) in &self.sketches {
            closed.set_distinct(group, sketch.counts(self.started(group)));
        }
        Settled::new(closed, self.started)
    }

    /// What each row is of.
    pub(crate) fn keys(&self) -> &[Key] {
        self.sums.keys()
    }

    /// The row of a host and transport.
    #[inline]
    pub(crate) fn row(&mut self, key: Key) -> u32 {
        match self.rows.get(key) {
            Some(row) => row,
            None => self.new_row(key),
        }
    }

    #[cold]
    fn new_row(&mut self, key: Key) -> u32 {
        let row = next_index(self.keys().len());
        self.rows.insert(key, row);
        self.sums.push(key);
        row
    }
}
