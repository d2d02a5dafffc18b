//! What is summed of one host, slot and transport while flows come.

use peerscope_flow::{Flow, Handshake, Transport};

use crate::amount::{Amount, Fraction};
use crate::hosts::next_index;
use crate::open_slot::View;
use crate::rows::Key;
use crate::{Direction, DirectionSlot, TransportSlot};

/// The sums of a slot's rows.
///
/// What every flow touches stands in one list, and what only some rows have in others: where nearly
/// every flow makes a row of its own, rows are what takes memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlotSums {
    keys: Vec<Key>,
    sums: Vec<Sums>,
    handshakes: Vec<Handshakes>,
    fractions: Vec<Fractions>,
}

/// The sums that every flow touches: one cache line, so that the rows of a slot stay in cache.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
struct Sums {
    sent: u64,
    rcvd: u64,
    packets: u64,
    duration_micros: u64,
    live: u32,
    /// By direction.
    started: [u32; 2],
    /// By direction.
    unanswered: [u32; 2],
    /// Bit i: control system i was active.
    control: u32,
    /// Where the handshakes of a TCP row stand, counted from 1; 0 for UDP.
    handshakes: u32,
    /// Where the row's fractions stand, counted from 1; 0 if it has none.
    fractions: u32,
}

/// What only TCP flows have, by direction.
#[derive(Clone, Debug, Default)]
struct Handshakes {
    failed: [u32; 2],
    complete: [u32; 2],
    payload_known: [u32; 2],
    payload_none: [u32; 2],
}

/// The digits behind the point of the sums, which only flows that span slots touch.
#[derive(Clone, Copy, Debug, Default)]
struct Fractions {
    sent: Fraction,
    rcvd: Fraction,
    packets: Fraction,
}

/// What a flow brings into one slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portion {
    pub(crate) fwd_bytes: Amount,
    pub(crate) rev_bytes: Amount,
    pub(crate) packets: Amount,
}

impl SlotSums {
    /// What each row is of.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, key: Key) {
        let mut sums = Sums::default();
        if key.transport() == Transport::Tcp {
            self.handshakes.push(Handshakes::default());
            sums.handshakes = next_index(self.handshakes.len());
        }
        self.keys.push(key);
        self.sums.push(sums);
    }

    /// Gives the rows' hosts other numbers.
    pub(crate) fn renumber(&mut self, numbers: &[u32]) {
        for key in &mut self.keys {
            *key = key.renumbered(numbers);
        }
    }

    /// Counts a flow that lies in this slot as a whole.
    #[inline]
    pub(crate) fn add_whole(&mut self, view: &View<'_>) {
        let flow = view.flow;
        let [sent, rcvd] = view.oriented([&flow.fwd, &flow.rev]);
        let packets = sent.packets.saturating_add(rcvd.packets);
        let sums = &mut self.sums[view.row as usize];
        sums.add_volume(sent.bytes, rcvd.bytes, packets);
        sums.add_live(view);
        sums.add_started(view, &mut self.handshakes);
    }

    /// Counts what a flow that spans slots brings into this one.
    pub(crate) fn add_portion(&mut self, view: &View<'_>, portion: &Portion, starts_here: bool) {
        let [sent, rcvd] = view.oriented([&portion.fwd_bytes, &portion.rev_bytes]);
        let sums = &mut self.sums[view.row as usize];
        sums.add_volume(sent.whole, rcvd.whole, portion.packets.whole);
        let fractions = Fractions {
            sent: sent.fraction,
            rcvd: rcvd.fraction,
            packets: portion.packets.fraction,
        };
        sums.add_fractions(&mut self.fractions, &fractions);
        sums.add_live(view);
        if starts_here {
            sums.add_started(view, &mut self.handshakes);
        }
    }

    /// Adds a row of another part of the trace to the row of the same host and transport here.
    pub(crate) fn merge(&mut self, row: u32, other: &Self, theirs: usize) {
        let own = &mut self.sums[row as usize];
        let theirs = &other.sums[theirs];
        own.merge(theirs);
        if let Some(fractions) = at(&other.fractions, theirs.fractions) {
            own.add_fractions(&mut self.fractions, fractions);
        }
        if let Some(handshakes) = at(&other.handshakes, theirs.handshakes) {
            self.handshakes[own.handshakes as usize - 1].merge(handshakes);
        }
    }

    /// Flows started, by direction.
    pub(crate) fn started(&self, row: u32) -> [u32; 2] {
        self.sums[row as usize].started
    }

    /// The set of control systems seen.
    pub(crate) fn control(&self, row: u32) -> u32 {
        self.sums[row as usize].control
    }

    /// The aggregate of a row, but for what is distinct.
    pub(crate) fn finish(&self, row: u32) -> TransportSlot {
        let sums = &self.sums[row as usize];
        let fractions = at(&self.fractions, sums.fractions);
        let fractions = fractions.copied().unwrap_or_default();
        let amount = |whole, fraction| Amount { whole, fraction };
        let direction = |direction: Direction| {
            let index = direction as usize;
            DirectionSlot {
                started: sums.started[index],
                unanswered: sums.unanswered[index],
                ..DirectionSlot::default()
            }
        };
        let mut slot = TransportSlot {
            live: sums.live,
            sent: amount(sums.sent, fractions.sent),
            rcvd: amount(sums.rcvd, fractions.rcvd),
            packets: amount(sums.packets, fractions.packets),
            duration_micros: sums.duration_micros,
            inout: direction(Direction::InOut),
            outin: direction(Direction::OutIn),
        };
        if let Some(handshakes) = at(&self.handshakes, sums.handshakes) {
            handshakes.finish(&mut slot.inout, Direction::InOut);
            handshakes.finish(&mut slot.outin, Direction::OutIn);
        }
        slot
    }
}

impl Sums {
    /// Counts a flow that starts in this slot.
    #[inline]
    fn add_started(&mut self, view: &View<'_>, handshakes: &mut [Handshakes]) {
        let (flow, direction) = (view.flow, view.direction);
        self.duration_micros = self.duration_micros.saturating_add(flow.span.micros());
        add(&mut self.started[direction as usize], 1);
        let unanswered = u32::from(flow.rev.packets == 0);
        add(&mut self.unanswered[direction as usize], unanswered);
        if flow.transport == Transport::Tcp {
            handshakes[self.handshakes as usize - 1].add_started(flow, direction);
        }
    }

    /// Adds the sums of another part of the trace, without handshakes and fractions.
    fn merge(&mut self, other: &Self) {
        self.live = self.live.saturating_add(other.live);
        self.control |= other.control;
        self.duration_micros = self.duration_micros.saturating_add(other.duration_micros);
        self.add_volume(other.sent, other.rcvd, other.packets);
        add_each(&mut self.started, other.started);
        add_each(&mut self.unanswered, other.unanswered);
    }

    #[inline]
    fn add_live(&mut self, view: &View<'_>) {
        add(&mut self.live, 1);
        self.control |= view.control.map_or(0, |system| 1 << system.0);
    }

    #[inline]
    fn add_volume(&mut self, sent: u64, rcvd: u64, packets: u64) {
        self.sent = self.sent.saturating_add(sent);
        self.rcvd = self.rcvd.saturating_add(rcvd);
        self.packets = self.packets.saturating_add(packets);
    }

    /// Adds to the row's fractions, which it gets if it has none.
    fn add_fractions(&mut self, all: &mut Vec<Fractions>, more: &Fractions) {
        if self.fractions == 0 {
            all.push(Fractions::default());
            self.fractions = next_index(all.len());
        }
        let own = &mut all[self.fractions as usize - 1];
        let sent = own.sent.add(more.sent);
        let rcvd = own.rcvd.add(more.rcvd);
        let packets = own.packets.add(more.packets);
        self.add_volume(sent, rcvd, packets);
    }
}

impl Handshakes {
    /// Counts a TCP flow that starts in this slot.
    fn add_started(&mut self, flow: &Flow, direction: Direction) {
        let index = direction as usize;
        match flow.handshake {
            Some(Handshake::Failed) => add(&mut self.failed[index], 1),
            Some(Handshake::Complete) => {
                add(&mut self.complete[index], 1);
                let payload = flow.rev_payload_bytes;
                add(&mut self.payload_known[index], u32::from(payload.is_some()));
                add(&mut self.payload_none[index], u32::from(payload == Some(0)));
            }
            Some(Handshake::Unknown) | None => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        add_each(&mut self.failed, other.failed);
        add_each(&mut self.complete, other.complete);
        add_each(&mut self.payload_known, other.payload_known);
        add_each(&mut self.payload_none, other.payload_none);
    }

    fn finish(&self, slot: &mut DirectionSlot, direction: Direction) {
        let index = direction as usize;
        slot.failed = self.failed[index];
        slot.complete = self.complete[index];
        slot.payload_known = self.payload_known[index];
        slot.payload_none = self.payload_none[index];
    }
}

/// What stands at a place that is counted from 1; nothing at 0.
fn at<T>(all: &[T], place: u32) -> Option<&T> {
    all.get((place as usize).wrapping_sub(1))
}

fn add(own: &mut u32, more: u32) {
    *own = own.saturating_add(more);
}

fn add_each(own: &mut [u32; 2], more: [u32; 2]) {
    add(&mut own[0], more[0]);
    add(&mut own[1], more[1]);
}
