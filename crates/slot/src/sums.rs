//! What is summed of one host, slot and transport while flows come.

use peerscope_flow::{Flow, Handshake};

use crate::amount::{Amount, Fraction};
use crate::distinct::Distinct;
use crate::open_slot::View;
use crate::{Direction, DirectionSlot, TransportSlot};

/// The sums that every flow touches: one cache line, so that the rows of a slot stay in cache.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(crate) struct Sums {
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
    pub(crate) control: u32,
}

/// What only TCP flows have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshakes {
    failed: [u32; 2],
    complete: [u32; 2],
    payload_known: [u32; 2],
    payload_none: [u32; 2],
}

/// The digits behind the point of the same sums, which only flows that span slots touch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fractions {
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

impl Sums {
    /// Counts a flow that lies in this slot as a whole.
    #[inline]
    pub(crate) fn add_whole(&mut self, view: &View<'_>) {
        let flow = view.flow;
        let [sent, rcvd] = view.oriented([&flow.fwd, &flow.rev]);
        let packets = sent.packets.saturating_add(rcvd.packets);
        self.add_volume(sent.bytes, rcvd.bytes, packets);
        self.add_live(view);
    }

    /// Counts a flow that spans slots.
    pub(crate) fn add_portion(
        &mut self,
        fractions: &mut Fractions,
        view: &View<'_>,
        portion: &Portion,
    ) {
        let [sent, rcvd] = view.oriented([&portion.fwd_bytes, &portion.rev_bytes]);
        self.add_volume(sent.whole, rcvd.whole, portion.packets.whole);
        let portion = Fractions {
            sent: sent.fraction,
            rcvd: rcvd.fraction,
            packets: portion.packets.fraction,
        };
        self.add_fractions(fractions, &portion);
        self.add_live(view);
    }

    /// Counts a flow that starts in this slot.
    #[inline]
    pub(crate) fn add_started(&mut self, view: &View<'_>) {
        let (flow, direction) = (view.flow, view.direction);
        self.duration_micros = self.duration_micros.saturating_add(flow.span.micros());
        add(&mut self.started[direction as usize], 1);
        let unanswered = u32::from(flow.rev.packets == 0);
        add(&mut self.unanswered[direction as usize], unanswered);
    }

    /// Adds the sums of another part of the trace.
    pub(crate) fn merge(&mut self, fractions: &mut Fractions, other: &Self, more: &Fractions) {
        self.live = self.live.saturating_add(other.live);
        self.control |= other.control;
        self.duration_micros = self.duration_micros.saturating_add(other.duration_micros);
        self.add_volume(other.sent, other.rcvd, other.packets);
        self.add_fractions(fractions, more);
        add_each(&mut self.started, other.started);
        add_each(&mut self.unanswered, other.unanswered);
    }

    /// Whether no flow was counted: there is nothing else to look up.
    pub(crate) fn is_idle(&self) -> bool {
        self.live == 0
    }

    /// The finished aggregate, distinct counts by direction.
    pub(crate) fn finish(
        &self,
        fractions: &Fractions,
        handshakes: &Handshakes,
        distinct: &[Distinct],
    ) -> TransportSlot {
        let amount = |whole, fraction| Amount { whole, fraction };
        let direction = |direction: Direction| {
            let index = direction as usize;
            DirectionSlot {
                started: self.started[index],
                failed: handshakes.failed[index],
                complete: handshakes.complete[index],
                payload_known: handshakes.payload_known[index],
                payload_none: handshakes.payload_none[index],
                unanswered: self.unanswered[index],
                peers: distinct[index].peers,
                isp_peers: distinct[index].isp_peers,
                dest_ports: distinct[index].ports,
                reserved_ports: distinct[index].reserved_ports,
            }
        };
        TransportSlot {
            live: self.live,
            sent: amount(self.sent, fractions.sent),
            rcvd: amount(self.rcvd, fractions.rcvd),
            packets: amount(self.packets, fractions.packets),
            duration_micros: self.duration_micros,
            inout: direction(Direction::InOut),
            outin: direction(Direction::OutIn),
        }
    }

    /// Flows started, by direction.
    pub(crate) const fn started(&self) -> [u32; 2] {
        self.started
    }

    fn add_live(&mut self, view: &View<'_>) {
        add(&mut self.live, 1);
        self.control |= view.control.map_or(0, |system| 1 << system.0);
    }

    fn add_volume(&mut self, sent: u64, rcvd: u64, packets: u64) {
        self.sent = self.sent.saturating_add(sent);
        self.rcvd = self.rcvd.saturating_add(rcvd);
        self.packets = self.packets.saturating_add(packets);
    }

    fn add_fractions(&mut self, fractions: &mut Fractions, more: &Fractions) {
        let sent = fractions.sent.add(more.sent);
        let rcvd = fractions.rcvd.add(more.rcvd);
        let packets = fractions.packets.add(more.packets);
        self.add_volume(sent, rcvd, packets);
    }
}

impl Handshakes {
    /// Counts a TCP flow that starts in this slot.
    pub(crate) fn add_started(&mut self, flow: &Flow, direction: Direction) {
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

    pub(crate) fn merge(&mut self, other: &Self) {
        add_each(&mut self.failed, other.failed);
        add_each(&mut self.complete, other.complete);
        add_each(&mut self.payload_known, other.payload_known);
        add_each(&mut self.payload_none, other.payload_none);
    }
}

fn add(own: &mut u32, more: u32) {
    *own = own.saturating_add(more);
}

fn add_each(own: &mut [u32; 2], more: [u32; 2]) {
    add(&mut own[0], more[0]);
    add(&mut own[1], more[1]);
}
