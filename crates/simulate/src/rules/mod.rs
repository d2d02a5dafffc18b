//! Traces with communication rules planted over realistic background, and their truth.

mod background;
mod catalogue;
mod scenario;
mod shape;
mod trace;
mod truth;

pub use scenario::RulesScenario;
pub use shape::ShapeKind;
pub use trace::RulesTrace;
pub use truth::{RulesTruth, TrueShape};

use std::net::{IpAddr, Ipv6Addr};

use peerscope_flow::{
    Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};

use crate::rng::Rng;

/// A host, as an IPv4 address in bits, whatever the trace writes.
type Host = u32;

const fn host(a: u8, b: u8, c: u8, d: u8) -> Host {
    u32::from_be_bytes([a, b, c, d])
}

/// The monitored client with a number.
const fn client(number: u32) -> Host {
    host(10, 32, 0, 1) + number
}

/// Where clients look names up.
const RESOLVER: Host = host(10, 9, 9, 53);

/// The address that stands for a host.
fn address(host: Host, ipv6: bool) -> IpAddr {
    let v4 = std::net::Ipv4Addr::from_bits(host);
    if !ipv6 {
        return IpAddr::V4(v4);
    }
    let network = if v4.is_multicast() || v4.is_broadcast() {
        0xff02_u128
    } else {
        0xfd00
    };
    IpAddr::V6(Ipv6Addr::from_bits(network << 112 | u128::from(host)))
}

/// A flow in the making; times in seconds from the trace's begin.
#[derive(Clone, Copy, Debug)]
struct Draft {
    start: f64,
    length: f64,
    transport: Transport,
    src: (Host, u16),
    dst: (Host, u16),
}

impl Draft {
    fn finish(self, begin: Timestamp, ipv6: bool) -> Flow {
        let at = |secs: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a trace is shorter than 292,000 years"
            )]
            begin.saturating_add_micros((secs * 1e6) as i64)
        };
        let start = at(self.start);
        let end = |(host, port)| Endpoint::new(address(host, ipv6), port);
        Flow {
            handshake: (self.transport == Transport::Tcp).then_some(Handshake::Complete),
            initiator: if self.transport == Transport::Tcp {
                InitiatorEvidence::SynSeen
            } else {
                InitiatorEvidence::FirstPacket
            },
            fwd: Volume::new(3, 300),
            rev: Volume::new(3, 1200),
            ..Flow::new(
                self.transport,
                end(self.src),
                end(self.dst),
                Span::new(start, at(self.start + self.length)).unwrap_or(Span::at(start)),
            )
        }
    }
}

fn ephemeral(rng: &mut Rng) -> u16 {
    32_768 + u16::try_from(rng.below(28_000)).unwrap_or(0)
}
