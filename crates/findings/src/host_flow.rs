//! A flow as one of its monitored ends sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use peerscope_flow::{AddressBits, Flow, Handshake, Timestamp, Transport, Volume};
use peerscope_slot::Direction;

/// The number of a peer in a [`Scene`](crate::Scene), in the order of addresses.
///
/// An IPv4 address is its own number; those of IPv6 come behind, in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(u64);

impl PeerId {
    const V6: u64 = 1 << 32;

    pub(crate) fn v4(ip: Ipv4Addr) -> Self {
        Self(u64::from(ip.to_bits()))
    }

    /// The number of an address; `place` gives those of IPv6 theirs.
    pub(crate) fn of(address: AddressBits, place: impl FnOnce(Ipv6Addr) -> usize) -> Self {
        match address.to_v4_bits() {
            Some(bits) => Self(u64::from(bits)),
            None => Self::v6(place(Ipv6Addr::from_bits(address.to_bits()))),
        }
    }

    /// The peer at this place in the table.
    pub(crate) const fn v6(place: usize) -> Self {
        Self(Self::V6 + place as u64)
    }

    /// Flows of one host that can be told apart in one number with their peer.
    pub(crate) const PLACES: usize = 1 << 31;

    /// A number that orders flows by peer, and then by their place.
    pub(crate) const fn with_place(self, place: u32) -> u64 {
        self.0 << 31 | place as u64
    }

    /// The place of the flow in such a number.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the place is in the lower bits"
    )]
    pub(crate) const fn place_in(number: u64) -> u32 {
        number as u32 & (u32::MAX >> 1)
    }

    /// The place of the peer in the table, if it is there.
    pub(crate) fn place(self) -> Option<usize> {
        let place = self.0.checked_sub(Self::V6)?;
        usize::try_from(place).ok()
    }

    pub(crate) fn ip(self, table: &[Ipv6Addr]) -> IpAddr {
        match (self.place(), u32::try_from(self.0)) {
            (Some(place), _) => table[place].into(),
            (None, bits) => Ipv4Addr::from_bits(bits.unwrap_or(u32::MAX)).into(),
        }
    }
}

/// A flow of interest as one monitored host sees it: what the drill-downs need of it.
///
/// Ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct HostFlow {
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// The other end.
    pub peer: PeerId,
    /// Who initiated it.
    pub direction: Direction,
    /// TCP or UDP.
    pub transport: Transport,
    /// The host's port.
    pub host_port: u16,
    /// The peer's port.
    pub peer_port: u16,
    /// Outcome of the TCP handshake.
    pub handshake: Option<Handshake>,
    /// What the host sent.
    pub sent: Volume,
    /// What the host received.
    pub rcvd: Volume,
    /// Application payload of the responder, where known.
    pub reply: Option<u64>,
}

impl HostFlow {
    /// A flow as it is seen from the end that it is of this direction to; `peer` is the other one.
    #[inline]
    pub(crate) fn new(flow: &Flow, direction: Direction, peer: PeerId) -> Self {
        let [host_port, peer_port] = oriented([flow.src.port, flow.dst.port], direction);
        let [sent, rcvd] = oriented([flow.fwd, flow.rev], direction);
        Self {
            start: flow.span.start(),
            end: flow.span.end(),
            peer,
            direction,
            transport: flow.transport,
            host_port,
            peer_port,
            handshake: flow.handshake,
            sent,
            rcvd,
            reply: flow.rev_payload_bytes,
        }
    }

    /// The addresses of the end that a flow is of this direction to, and of the other one.
    #[inline]
    pub(crate) fn ends(flow: &Flow, direction: Direction) -> [AddressBits; 2] {
        oriented([flow.src.ip.into(), flow.dst.ip.into()], direction)
    }

    /// The responder's port.
    pub const fn destination_port(&self) -> u16 {
        match self.direction {
            Direction::InOut => self.peer_port,
            Direction::OutIn => self.host_port,
        }
    }

    /// What the responder sent.
    pub const fn response(&self) -> Volume {
        match self.direction {
            Direction::InOut => self.rcvd,
            Direction::OutIn => self.sent,
        }
    }

    /// Whether the host initiated it.
    pub fn is_initiated(&self) -> bool {
        self.direction == Direction::InOut
    }

    /// A UDP flow without a packet from the responder.
    pub fn is_unanswered(&self) -> bool {
        self.transport == Transport::Udp && self.response().packets == 0
    }

    /// A TCP attempt whose handshake failed.
    pub fn is_failed(&self) -> bool {
        self.handshake == Some(Handshake::Failed)
    }

    /// A TCP connection that was set up.
    pub fn is_complete(&self) -> bool {
        self.handshake == Some(Handshake::Complete)
    }

    /// A TCP connection that was set up and on which the responder sent no payload.
    pub fn is_silent(&self) -> bool {
        self.is_complete() && self.reply == Some(0)
    }

    /// Whether it is known if anyone is there: UDP, or TCP with a known outcome.
    pub fn is_decided(&self) -> bool {
        self.transport == Transport::Udp || self.is_failed() || self.is_complete()
    }

    /// Whether nobody was there: UDP unanswered or TCP failed.
    pub fn is_in_vain(&self) -> bool {
        self.is_unanswered() || self.is_failed()
    }

    /// Payload of the responder in bytes; where it is not known, what its packets hold beyond
    /// headers of 40 bytes.
    pub fn reply_bytes(&self) -> u64 {
        let response = self.response();
        let estimate = || {
            response
                .bytes
                .saturating_sub(response.packets.saturating_mul(40))
        };
        self.reply.unwrap_or_else(estimate)
    }

    /// Length in microseconds.
    pub const fn micros(&self) -> i64 {
        self.end.micros_since(self.start)
    }
}

/// What is of the initiator and of the responder, as what is of the host and of its peer.
#[inline]
fn oriented<T>([initiator, responder]: [T; 2], direction: Direction) -> [T; 2] {
    match direction {
        Direction::InOut => [initiator, responder],
        Direction::OutIn => [responder, initiator],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_orders_flows_by_peer_and_place() {
        let last = u32::MAX >> 1;
        let peers = [
            PeerId::v4(Ipv4Addr::UNSPECIFIED),
            PeerId::v4(Ipv4Addr::BROADCAST),
            PeerId::v6(0),
            PeerId::v6(u32::MAX as usize),
        ];
        let both = peers.iter().flat_map(|&peer| [(peer, 0), (peer, last)]);
        let numbers: Vec<u64> = both
            .clone()
            .map(|(peer, place)| peer.with_place(place))
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a < b));
        for ((_, place), number) in both.zip(numbers) {
            assert_eq!(PeerId::place_in(number), place);
        }
    }
}
