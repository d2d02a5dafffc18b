//! The key of a conversation: the same for both directions.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};

use peerscope_flow::{Endpoint, FlowKey, Transport};

use crate::classify::Direction;
use crate::config::FlowIdentity;
use crate::decode::Decoded;

/// The two ends in numeric order, the protocol, and the VLAN if it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    low: u128,
    high: u128,
    /// Port of `low`, port of `high`, protocol, VLAN, from the high bits down.
    rest: u64,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.low);
        state.write_u128(self.high);
        state.write_u64(self.rest);
    }
}

/// One end of a conversation within its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Low,
    High,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// The direction of a packet sent by `self` in a flow initiated by `initiator`.
    pub(crate) const fn direction(self, initiator: Self) -> Direction {
        match (self, initiator) {
            (Self::Low, Self::Low) | (Self::High, Self::High) => Direction::Forward,
            _ => Direction::Reverse,
        }
    }
}

impl Key {
    /// The key of a packet, and the side that sent it.
    pub(crate) fn of(packet: &Decoded<'_>, identity: FlowIdentity) -> (Self, Side) {
        let vlan = match identity {
            FlowIdentity::FiveTuple => 0,
            FlowIdentity::FiveTupleAndVlan => packet.vlan,
        };
        let src = (packet.src, packet.src_port);
        let dst = (packet.dst, packet.dst_port);
        let (low, high, sender) = if src <= dst {
            (src, dst, Side::Low)
        } else {
            (dst, src, Side::High)
        };
        let rest = u64::from(low.1) << 48
            | u64::from(high.1) << 32
            | u64::from(packet.protocol) << 16
            | u64::from(vlan);
        let key = Self {
            low: low.0,
            high: high.0,
            rest,
        };
        (key, sender)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "takes a byte out of the packed number"
    )]
    pub(crate) const fn transport(self) -> Transport {
        Transport::from_number((self.rest >> 16) as u8)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "takes 16 bits out of the packed number"
    )]
    fn endpoint(self, side: Side) -> Endpoint {
        match side {
            Side::Low => endpoint(self.low, (self.rest >> 48) as u16),
            Side::High => endpoint(self.high, (self.rest >> 32) as u16),
        }
    }

    /// The 5-tuple seen from `initiator`.
    pub(crate) fn directed(self, initiator: Side) -> FlowKey {
        FlowKey {
            transport: self.transport(),
            src: self.endpoint(initiator),
            dst: self.endpoint(initiator.other()),
        }
    }
}

pub(crate) fn endpoint(ip: u128, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V6(Ipv6Addr::from_bits(ip)), port)
}
