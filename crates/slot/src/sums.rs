//! What is summed of one host, slot and transport while flows come.

use peerscope_flow::{Flow, Handshake};

use crate::amount::{Amount, Fraction};
use crate::distinct::Distinct;
use crate::{Direction, DirectionSlot, TransportSlot};

/// The sums that every flow touches, kept small: rows of a whole slot stay in cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) live: u32,
    sent: u64,
    rcvd: u64,
    packets: u64,
    duration_micros: u64,
    outcomes: [Outcomes; 2],
}

/// Flows started in one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Outcomes {
    started: u32,
    failed: u32,
    complete: u32,
    payload_known: u32,
    payload_none: u32,
    unanswered: u32,
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
    pub(crate) fn add_whole(&mut self, flow: &Flow, direction: Direction) {
        let (sent, rcvd) = match direction {
            Direction::InOut => (flow.fwd.bytes, flow.rev.bytes),
            Direction::OutIn => (flow.rev.bytes, flow.fwd.bytes),
        };
        let packets = flow.fwd.packets.saturating_add(flow.rev.packets);
        self.add_volume(sent, rcvd, packets);
        self.live = self.live.saturating_add(1);
    }

    /// Counts a flow that spans slots.
    pub(crate) fn add_portion(
        &mut self,
        fractions: &mut Fractions,
        portion: &Portion,
        direction: Direction,
    ) {
        let (sent, rcvd) = match direction {
            Direction::InOut => (portion.fwd_bytes, portion.rev_bytes),
            Direction::OutIn => (portion.rev_bytes, portion.fwd_bytes),
        };
        self.add_volume(sent.whole, rcvd.whole, portion.packets.whole);
        let portion = Fractions {
            sent: sent.fraction,
            rcvd: rcvd.fraction,
            packets: portion.packets.fraction,
        };
        self.add_fractions(fractions, &portion);
        self.live = self.live.saturating_add(1);
    }

    /// Counts a flow that starts in this slot.
    pub(crate) fn add_started(&mut self, flow: &Flow, direction: Direction) {
        self.duration_micros = self.duration_micros.saturating_add(flow.span.micros());
        let complete = flow.handshake == Some(Handshake::Complete);
        let payload = flow.rev_payload_bytes.filter(|_| complete);
        self.outcomes[direction as usize].add(&Outcomes {
            started: 1,
            failed: u32::from(flow.handshake == Some(Handshake::Failed)),
            complete: u32::from(complete),
            payload_known: u32::from(payload.is_some()),
            payload_none: u32::from(payload == Some(0)),
            unanswered: u32::from(flow.rev.packets == 0),
        });
    }

    /// Adds the sums of another part of the trace.
    pub(crate) fn merge(&mut self, fractions: &mut Fractions, other: &Self, more: &Fractions) {
        self.live = self.live.saturating_add(other.live);
        self.duration_micros = self.duration_micros.saturating_add(other.duration_micros);
        self.add_volume(other.sent, other.rcvd, other.packets);
        self.add_fractions(fractions, more);
        for (own, more) in self.outcomes.iter_mut().zip(&other.outcomes) {
            own.add(more);
        }
    }

    /// The finished aggregate, distinct counts by direction.
    pub(crate) fn finish(&self, fractions: &Fractions, distinct: &[Distinct; 2]) -> TransportSlot {
        let amount = |whole, fraction| Amount { whole, fraction };
        let direction = |direction: Direction| {
            let flows = &self.outcomes[direction as usize];
            let distinct = &distinct[direction as usize];
            DirectionSlot {
                started: flows.started,
                failed: flows.failed,
                complete: flows.complete,
                payload_known: flows.payload_known,
                payload_none: flows.payload_none,
                unanswered: flows.unanswered,
                peers: distinct.peers,
                isp_peers: distinct.isp_peers,
                dest_ports: distinct.ports,
                reserved_ports: distinct.reserved_ports,
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

impl Outcomes {
    fn add(&mut self, other: &Self) {
        for (own, more) in [
            (&mut self.started, other.started),
            (&mut self.failed, other.failed),
            (&mut self.complete, other.complete),
            (&mut self.payload_known, other.payload_known),
            (&mut self.payload_none, other.payload_none),
            (&mut self.unanswered, other.unanswered),
        ] {
            *own = own.saturating_add(more);
        }
    }
}
