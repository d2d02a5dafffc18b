//! Endpoints, transports and the 5-tuple.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use crate::AddressBits;

/// An address and a port. Protocols without ports use port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Endpoint {
    /// IPv4 or IPv6 address; an IPv4-mapped IPv6 address is stored as IPv4 by [`Endpoint::new`].
    pub ip: IpAddr,
    /// Port, or 0 where the protocol has none.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint; IPv4-mapped IPv6 addresses become IPv4 addresses.
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        Self {
            ip: ip.to_canonical(),
            port,
        }
    }
}

impl fmt::Display for Endpoint {
    /// `192.0.2.1:80` or `[2001:db8::1]:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// Whether an address names a group (multicast, or the limited IPv4 broadcast), not one host.
pub fn is_group_address(ip: IpAddr) -> bool {
    AddressBits::from(ip).is_group()
}

/// The protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[expect(
    clippy::exhaustive_enums,
    reason = "Other covers every protocol number there is"
)]
pub enum Transport {
    /// TCP, protocol 6.
    Tcp,
    /// UDP, protocol 17.
    Udp,
    /// Any other IP protocol by its number, for example 1 for ICMP.
    Other(u8),
}

/// Text that names no transport.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a transport: expected tcp, udp, icmp, icmp6 or a protocol number")]
#[non_exhaustive]
pub struct TransportError(pub String);

impl Transport {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self::Other(1);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self::Other(58);

    /// The transport with an IP protocol number.
    pub const fn from_number(number: u8) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            other => Self::Other(other),
        }
    }

    /// The IP protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Other(number) => number,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::ICMP => f.write_str("icmp"),
            Self::ICMPV6 => f.write_str("icmp6"),
            Self::Other(number) => number.fmt(f),
        }
    }
}

impl FromStr for Transport {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = [
            ("tcp", Self::Tcp),
            ("udp", Self::Udp),
            ("icmp", Self::ICMP),
            ("icmp6", Self::ICMPV6),
            ("icmpv6", Self::ICMPV6),
            ("ipv6-icmp", Self::ICMPV6),
        ];
        named
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name))
            .map(|&(_, transport)| transport)
            .or_else(|| text.parse().ok().map(Self::from_number))
            .ok_or_else(|| TransportError(text.to_owned()))
    }
}

impl TryFrom<String> for Transport {
    type Error = TransportError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Transport> for String {
    fn from(transport: Transport) -> Self {
        transport.to_string()
    }
}

/// The directed 5-tuple of a flow: transport, initiator and responder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FlowKey {
    /// Protocol above IP.
    pub transport: Transport,
    /// The initiator.
    pub src: Endpoint,
    /// The responder.
    pub dst: Endpoint,
}

impl FlowKey {
    /// The same conversation seen from the other end.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            transport: self.transport,
            src: self.dst,
            dst: self.src,
        }
    }
}

impl fmt::Display for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} > {}", self.transport, self.src, self.dst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_number_round_trips_as_text() {
        for number in 0..=u8::MAX {
            let transport = Transport::from_number(number);
            assert_eq!(transport.number(), number);
            assert_eq!(transport.to_string().parse(), Ok(transport));
        }
        assert!("256".parse::<Transport>().is_err());
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let endpoint = Endpoint::new("::ffff:192.0.2.1".parse().unwrap(), 80);
        assert_eq!(endpoint.to_string(), "192.0.2.1:80");
    }
}
