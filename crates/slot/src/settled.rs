//! A slot that a part of a trace is done with, so it seems.

use peerscope_flow::SlotIndex;

use crate::closed_slot::ClosedSlot;
use crate::distinct::DistinctCounter;
use crate::rows::Key;
use crate::spill::{Segment, Spilled};
use crate::started::Started;

/// What a part of a trace has of a slot, in little room: its rows, and what is to be counted before
/// these are whole.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    closed: ClosedSlot,
    started: Started,
}

impl Settled {
    pub(crate) const fn new(closed: ClosedSlot, started: Started) -> Self {
        Self { closed, started }
    }

    pub(crate) const fn slot(&self) -> SlotIndex {
        self.closed.slot
    }

    pub(crate) fn keys(&self) -> &[Key] {
        self.closed.keys()
    }

    pub(crate) const fn started_mut(&mut self) -> &mut Started {
        &mut self.started
    }

    /// With what was written to a file.
    pub(crate) fn restored<E>(
        mut self,
        read: impl Fn(Segment) -> Result<Spilled, E>,
    ) -> Result<Self, E> {
        for segment in self.started.take_spilled() {
            self.started.add_spilled(&read(segment)?);
        }
        Ok(self)
    }

    /// The same with other numbers for its hosts.
    pub(crate) fn renumbered(self, numbers: &[u32]) -> Self {
        Self {
            closed: self.closed.renumbered(numbers),
            ..self
        }
    }

    /// Parts of one slot as a whole, rows in order of key, with what is distinct in all of them.
    pub(crate) fn together(
        mut parts: Vec<Self>,
        counter: &mut DistinctCounter,
    ) -> Option<ClosedSlot> {
        // Where something is to be counted of one part only, as mostly, that stays where it is.
        parts.sort_by_key(|part| part.started.is_empty());
        let mut parts = parts.into_iter();
        let Self {
            closed: mut whole,
            mut started,
        } = parts.next()?;
        let mut others = Vec::new();
        for part in parts {
            others.push((whole.keys().len(), part.started));
            whole.append(part.closed);
        }
        let order = whole.order();
        let mut whole = whole.added_up(&order);
        if !started.is_empty() {
            let rows = rows_in(&order);
            started.renumber(|row| rows[row]);
            for (before, other) in &others {
                started.merge(other, |row| rows[before + row]);
            }
            whole.count(&started, counter);
        }
        Some(whole)
    }
}

/// By row, where its key stands in order.
fn rows_in(order: &[(Key, u32)]) -> Vec<u32> {
    let mut rows = vec![0; order.len()];
    let same = order.chunk_by(|(one, _), (other, _)| one == other);
    for (place, same) in (0..).zip(same) {
        for &(_, row) in same {
            rows[row as usize] = place;
        }
    }
    rows
}
