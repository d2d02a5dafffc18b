//! The flow record.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{Application, Endpoint, FlowKey, Span, Transport};

/// One bidirectional 5-tuple conversation.
///
/// Plain data; the only invariant, that a flow does not end before it starts, is [`Span`]'s.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Flow {
    /// Protocol above IP.
    pub transport: Transport,
    /// Outcome of the TCP handshake; `None` for every other transport.
    pub handshake: Option<Handshake>,
    /// How the initiator is known.
    pub initiator: InitiatorEvidence,
    /// The initiator: the end that sent the first packet.
    pub src: Endpoint,
    /// The responder.
    pub dst: Endpoint,
    /// First and last packet.
    pub span: Span,
    /// Initiator to responder.
    pub fwd: Volume,
    /// Responder to initiator.
    pub rev: Volume,
    /// Application payload sent by the responder, in bytes; `None` where the source cannot tell.
    pub rev_payload_bytes: Option<u64>,
    /// What a classifier or the source called it.
    pub app: Option<Application>,
}

impl Flow {
    /// A flow with no traffic yet, no label, and everything else unknown.
    pub const fn new(transport: Transport, src: Endpoint, dst: Endpoint, span: Span) -> Self {
        let handshake = match transport {
            Transport::Tcp => Some(Handshake::Unknown),
            Transport::Udp | Transport::Other(_) => None,
        };
        Self {
            transport,
            handshake,
            initiator: InitiatorEvidence::Unknown,
            src,
            dst,
            span,
            fwd: Volume::ZERO,
            rev: Volume::ZERO,
            rev_payload_bytes: None,
            app: None,
        }
    }

    /// The directed 5-tuple.
    pub const fn key(&self) -> FlowKey {
        FlowKey {
            transport: self.transport,
            src: self.src,
            dst: self.dst,
        }
    }
}

/// Packets and bytes in one direction. Bytes are IP-layer bytes, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Volume {
    /// Number of packets.
    pub packets: u64,
    /// IP-layer bytes, headers included.
    pub bytes: u64,
}

impl Volume {
    /// No traffic.
    pub const ZERO: Self = Self {
        packets: 0,
        bytes: 0,
    };

    /// A volume from its two counts.
    pub const fn new(packets: u64, bytes: u64) -> Self {
        Self { packets, bytes }
    }
}

/// Outcome of a TCP three-way handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(clippy::exhaustive_enums, reason = "the three outcomes there are")]
pub enum Handshake {
    /// SYN, SYN-ACK and the final ACK were seen.
    Complete,
    /// A SYN was seen, the handshake was not completed.
    Failed,
    /// The flow was first seen mid-stream, or the trace ended too early to tell.
    Unknown,
}

/// Text that is no handshake outcome.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a handshake outcome: expected complete, failed or unknown")]
#[non_exhaustive]
pub struct HandshakeError(pub String);

impl Handshake {
    /// The canonical lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Handshake {
    type Err = HandshakeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Complete, Self::Failed, Self::Unknown]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| HandshakeError(text.to_owned()))
    }
}

/// How a source knows which end of a flow initiated it, the strongest evidence first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum InitiatorEvidence {
    /// A TCP SYN (or SYN-ACK, which implies one) fixes the direction.
    SynSeen,
    /// The first packet of the flow was seen.
    FirstPacket,
    /// The exporter or log states the initiator.
    Exporter,
    /// Of two unidirectional records, the initiator's starts earlier, beyond clock tolerance.
    EarlierStart,
    /// The other end's port was seen to serve many distinct peers.
    LearnedPort,
    /// Guessed from port numbers.
    PortHeuristic,
    /// No evidence: the direction is as the source happened to write it.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_fits_two_cache_lines() {
        assert!(size_of::<Flow>() <= 128, "{}", size_of::<Flow>());
    }

    #[test]
    fn handshake_names_round_trip() {
        for outcome in [Handshake::Complete, Handshake::Failed, Handshake::Unknown] {
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
        assert!("Complete".parse::<Handshake>().is_err());
    }
}
