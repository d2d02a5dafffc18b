//! A flow whose packets are still coming.

use peerscope_flow::{
    Application, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};

use crate::classify::Direction;
use crate::config::Initiator;
use crate::decode::TcpFlags;
use crate::key::{Key, Side};
use crate::tcp::{Opening, Progress, TcpState};

/// What is known of a flow so far.
#[derive(Clone, Debug)]
pub(crate) struct LiveFlow {
    start: i64,
    end: i64,
    fwd: Volume,
    rev: Volume,
    rev_payload: u64,
    app: Option<Application>,
    closed_at: i64,
    initiator: Side,
    evidence: InitiatorEvidence,
    tcp: TcpState,
    /// Payloads offered to classifiers, of each side.
    offered: [u8; 2],
}

/// What a packet adds to its flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contribution {
    pub(crate) time: i64,
    pub(crate) bytes: u64,
    pub(crate) payload: u64,
    pub(crate) flags: TcpFlags,
    pub(crate) sender: Side,
}

impl LiveFlow {
    /// A flow whose first packet is seen now; the packet itself is added by [`LiveFlow::add`].
    pub(crate) fn new(transport: Transport, first: &Contribution, rule: Initiator) -> Self {
        let opening = Opening::of(first.flags);
        let (initiator, evidence) = match (transport, opening, rule) {
            (Transport::Tcp, Opening::Syn, _) => (first.sender, InitiatorEvidence::SynSeen),
            (Transport::Tcp, Opening::SynAck, Initiator::TcpFlags) => {
                (first.sender.other(), InitiatorEvidence::SynSeen)
            }
            (Transport::Tcp, ..) => (first.sender, InitiatorEvidence::Unknown),
            _ => (first.sender, InitiatorEvidence::FirstPacket),
        };
        Self {
            start: first.time,
            end: first.time,
            fwd: Volume::ZERO,
            rev: Volume::ZERO,
            rev_payload: 0,
            app: None,
            closed_at: i64::MAX,
            initiator,
            evidence,
            tcp: TcpState::new(opening),
            offered: [0; 2],
        }
    }

    pub(crate) const fn direction(&self, sender: Side) -> Direction {
        sender.direction(self.initiator)
    }

    /// Counts a packet.
    pub(crate) const fn add(&mut self, packet: &Contribution) -> Progress {
        if packet.time < self.start {
            self.start = packet.time;
        }
        if packet.time > self.end {
            self.end = packet.time;
        }
        let direction = self.direction(packet.sender);
        let volume = match direction {
            Direction::Forward => &mut self.fwd,
            Direction::Reverse => {
                self.rev_payload += packet.payload;
                &mut self.rev
            }
        };
        volume.packets += 1;
        volume.bytes += packet.bytes;
        self.tcp.observe(packet.flags, direction)
    }

    /// Marks a TCP flow as closed.
    pub(crate) const fn close(&mut self, time: i64) {
        self.closed_at = time;
    }

    /// Whether a packet at `time` lies within `timeout` of the flow's packets.
    pub(crate) const fn reaches(&self, time: i64, timeout: i64) -> bool {
        time.saturating_sub(self.end) <= timeout && self.start.saturating_sub(time) <= timeout
    }

    /// Whether a packet at `time` still belongs to this closed flow.
    pub(crate) const fn lingers(&self, time: i64, flags: TcpFlags, linger: i64) -> bool {
        let new_syn = flags.syn() && !flags.ack();
        !new_syn && time.saturating_sub(self.closed_at) <= linger
    }

    /// The ordinal of a payload of this direction if the classifiers should see it; counts it if so.
    pub(crate) const fn offers(&mut self, direction: Direction, limit: u8) -> Option<u8> {
        let offered = &mut self.offered[direction as usize];
        if self.app.is_some() || *offered >= limit {
            return None;
        }
        *offered += 1;
        Some(*offered - 1)
    }

    pub(crate) fn label(&mut self, app: Option<Application>) {
        self.app = app;
    }

    /// Moves the flow out of its place.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            app: self.app.take(),
            ..*self
        }
    }

    /// Whether its handshake has been pending for less than `grace` at `now`.
    pub(crate) const fn is_pending(&self, now: i64, grace: i64) -> bool {
        self.closed_at == i64::MAX
            && matches!(self.tcp.handshake(), Handshake::Failed)
            && now.saturating_sub(self.start) < grace
    }

    /// The record of the flow as it stands.
    pub(crate) fn into_flow(self, key: Key) -> Flow {
        let key = key.directed(self.initiator);
        let at = Timestamp::from_micros;
        let span = Span::at(at(self.start)).including(at(self.end));
        let mut flow = Flow::new(key.transport, key.src, key.dst, span);
        flow.initiator = self.evidence;
        flow.fwd = self.fwd;
        flow.rev = self.rev;
        flow.app = self.app;
        match key.transport {
            Transport::Tcp => {
                flow.handshake = Some(self.tcp.handshake());
                flow.rev_payload_bytes = Some(self.rev_payload);
            }
            Transport::Udp => flow.rev_payload_bytes = Some(self.rev_payload),
            Transport::Other(_) => {}
        }
        flow
    }
}
