//! The aggregate of one host in one slot.

use std::fmt;
use std::net::IpAddr;

use peerscope_flow::{SlotIndex, SystemId, Transport};

use crate::Amount;
use crate::distinct::Distinct;

/// Who initiated a flow, seen from a monitored host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(clippy::exhaustive_enums, reason = "a flow has two ends")]
pub enum Direction {
    /// The host initiated the flow.
    InOut,
    /// The host received it.
    OutIn,
}

impl Direction {
    /// Both, in the order of the metric catalogue.
    pub const BOTH: [Self; 2] = [Self::InOut, Self::OutIn];

    /// The paper's name: `inout` or `outin`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InOut => "inout",
            Self::OutIn => "outin",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Everything the metrics need of one monitored host in one slot.
///
/// A transport without an active flow has `live == 0`; its metrics are undefined then.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HostSlot {
    /// The monitored host.
    pub host: IpAddr,
    /// The slot.
    pub slot: SlotIndex,
    /// What the host's control traffic in the slot says it runs.
    pub system: SystemId,
    /// Its TCP flows of interest.
    pub tcp: TransportSlot,
    /// Its UDP flows of interest.
    pub udp: TransportSlot,
}

impl HostSlot {
    /// The aggregate of one transport, or `None` if it has no active flow in the slot (or is
    /// neither TCP nor UDP).
    pub fn active(&self, transport: Transport) -> Option<&TransportSlot> {
        let of = match transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
            Transport::Other(_) => return None,
        };
        (of.live > 0).then_some(of)
    }
}

/// One transport of a [`HostSlot`]. Flow counts saturate at 2^32 - 1.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TransportSlot {
    /// Flows active in the slot.
    pub live: u32,
    /// IP bytes sent by the host, apportioned.
    pub sent: Amount,
    /// IP bytes received by the host, apportioned.
    pub rcvd: Amount,
    /// Packets in both directions, apportioned.
    pub packets: Amount,
    /// Sum of the durations of the flows started in the slot, microseconds; saturates.
    pub duration_micros: u64,
    /// Flows started in the slot by the host.
    pub inout: DirectionSlot,
    /// Flows started in the slot by a peer.
    pub outin: DirectionSlot,
}

impl TransportSlot {
    /// The flows of one direction.
    pub fn direction(&self, direction: Direction) -> &DirectionSlot {
        match direction {
            Direction::InOut => &self.inout,
            Direction::OutIn => &self.outin,
        }
    }

    pub(crate) const fn direction_mut(&mut self, direction: Direction) -> &mut DirectionSlot {
        match direction {
            Direction::InOut => &mut self.inout,
            Direction::OutIn => &mut self.outin,
        }
    }

    /// Adds what another part of the trace has of the same host, slot and transport. What is distinct is to
    /// be counted behind that, or was in one of them: sketches stand in one part only.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.live = self.live.saturating_add(other.live);
        self.sent += other.sent;
        self.rcvd += other.rcvd;
        self.packets += other.packets;
        self.duration_micros = self.duration_micros.saturating_add(other.duration_micros);
        self.inout.merge(&other.inout);
        self.outin.merge(&other.outin);
    }
}

/// Flows of one transport started in a slot in one direction.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DirectionSlot {
    /// Flows started.
    pub started: u32,
    /// TCP flows whose handshake failed.
    pub failed: u32,
    /// TCP flows whose handshake was completed.
    pub complete: u32,
    /// Of these, flows whose responder payload is known.
    pub payload_known: u32,
    /// Of these, flows whose responder sent no payload.
    pub payload_none: u32,
    /// Flows without a packet from the responder.
    pub unanswered: u32,
    /// Distinct peers.
    pub peers: u32,
    /// Distinct peers inside the provider's network, monitored ones included.
    pub isp_peers: u32,
    /// Distinct destination (responder's) ports.
    pub dest_ports: u32,
    /// Distinct destination ports from 0 to 1024.
    pub reserved_ports: u32,
}

impl DirectionSlot {
    pub(crate) fn set_distinct(&mut self, distinct: Distinct) {
        self.peers = distinct.peers;
        self.isp_peers = distinct.isp_peers;
        self.dest_ports = distinct.ports;
        self.reserved_ports = distinct.reserved_ports;
    }

    fn merge(&mut self, other: &Self) {
        let add = |own: &mut u32, more: u32| *own = own.saturating_add(more);
        add(&mut self.started, other.started);
        add(&mut self.failed, other.failed);
        add(&mut self.complete, other.complete);
        add(&mut self.payload_known, other.payload_known);
        add(&mut self.payload_none, other.payload_none);
        add(&mut self.unanswered, other.unanswered);
        add(&mut self.peers, other.peers);
        add(&mut self.isp_peers, other.isp_peers);
        add(&mut self.dest_ports, other.dest_ports);
        add(&mut self.reserved_ports, other.reserved_ports);
    }
}

/// Flows that entered no aggregate, by the first reason that applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct SkippedFlows {
    /// Started outside the time range asked for.
    pub outside_time: u64,
    /// Neither TCP nor UDP.
    pub other_transport: u64,
    /// Not of the family.
    pub not_of_interest: u64,
    /// No monitored host at either end.
    pub not_monitored: u64,
    /// No monitored host at either end that was asked for.
    pub not_selected: u64,
    /// A multicast end, or 255.255.255.255: broadcasts of a subnet cannot be told from hosts.
    pub group_peer: u64,
    /// Both ends monitored, where such flows are ignored.
    pub internal: u64,
    /// Active in more slots than the limit.
    pub too_long: u64,
    /// Started in a slot that was final already: streams only.
    pub late: u64,
    /// Started too far ahead of all others: streams only.
    pub ahead: u64,
}

impl SkippedFlows {
    /// Every reason with its count, in a fixed order.
    pub fn by_reason(&self) -> [(&'static str, u64); 10] {
        [
            ("outside-time", self.outside_time),
            ("other-transport", self.other_transport),
            ("not-of-interest", self.not_of_interest),
            ("not-monitored", self.not_monitored),
            ("not-selected", self.not_selected),
            ("group-peer", self.group_peer),
            ("internal", self.internal),
            ("too-long", self.too_long),
            ("late", self.late),
            ("ahead", self.ahead),
        ]
    }

    /// Flows skipped for any reason.
    pub fn total(&self) -> u64 {
        self.by_reason().iter().map(|(_, count)| count).sum()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.outside_time += other.outside_time;
        self.other_transport += other.other_transport;
        self.not_of_interest += other.not_of_interest;
        self.not_monitored += other.not_monitored;
        self.not_selected += other.not_selected;
        self.group_peer += other.group_peer;
        self.internal += other.internal;
        self.too_long += other.too_long;
        self.late += other.late;
        self.ahead += other.ahead;
    }
}
