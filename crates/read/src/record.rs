//! What an exporter reports: one record, of one direction or of both.

use std::fmt;

use peerscope_flow::{Application, Endpoint, FlowKey, Span, Transport, Volume};

/// A record of a flow exporter, before pairing.
///
/// A unidirectional record tells of the packets from `src` to `dst` only; its `rev` is `None`. One
/// conversation may be reported in many records of either direction, cut by timeouts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by readers with struct syntax"
)]
pub struct Record {
    /// Protocol above IP.
    pub transport: Transport,
    /// Sender of the packets counted in `fwd`.
    pub src: Endpoint,
    /// Their receiver.
    pub dst: Endpoint,
    /// First and last packet.
    pub span: Span,
    /// From `src` to `dst`, in IP-layer bytes.
    pub fwd: Volume,
    /// From `dst` to `src`, where the exporter reports both directions in one record.
    pub rev: Option<Volume>,
    /// The TCP flags of all packets from `src`, combined; `None` if not reported.
    pub fwd_flags: Option<TcpFlags>,
    /// The TCP flags of all packets from `dst`, combined; `None` if not reported.
    pub rev_flags: Option<TcpFlags>,
    /// What the exporter says about who began.
    pub initiator: StatedInitiator,
    /// What the exporter calls it.
    pub app: Option<Application>,
    /// The number of the source, where several are read as one; else 0.
    pub source: u32,
}

impl Record {
    /// A record without traffic, of which nothing else is known.
    pub const fn new(transport: Transport, src: Endpoint, dst: Endpoint, span: Span) -> Self {
        Self {
            transport,
            src,
            dst,
            span,
            fwd: Volume::ZERO,
            rev: None,
            fwd_flags: None,
            rev_flags: None,
            initiator: StatedInitiator::Unstated,
            app: None,
            source: 0,
        }
    }

    /// The 5-tuple as the record has it.
    pub const fn key(&self) -> FlowKey {
        FlowKey {
            transport: self.transport,
            src: self.src,
            dst: self.dst,
        }
    }
}

/// What an exporter says about the initiator, for example by the reverse elements of RFC 5103 or
/// by `biflowDirection`. The side on which a flow was sampled says nothing about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(clippy::exhaustive_enums, reason = "the three answers there are")]
pub enum StatedInitiator {
    /// Nothing.
    #[default]
    Unstated,
    /// The record's `src` began.
    Src,
    /// The record's `dst` began.
    Dst,
}

/// The TCP flags of one or more packets, combined; bits as in the TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TcpFlags(u8);

impl TcpFlags {
    /// The sender has no more data.
    pub const FIN: Self = Self(0x01);
    /// Opens a connection.
    pub const SYN: Self = Self(0x02);
    /// Refuses or breaks a connection.
    pub const RST: Self = Self(0x04);
    /// Data is to be delivered at once.
    pub const PSH: Self = Self(0x08);
    /// Acknowledges what the other side sent.
    pub const ACK: Self = Self(0x10);

    /// The flags as bits; see the constants.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Flags written as letters, `.` for those not set (`...AP.SF`), or as a number (`27`, `0x1b`).
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let number = std::str::from_utf8(text).ok().and_then(|text| {
            text.strip_prefix("0x")
                .map_or_else(|| text.parse().ok(), |hex| u8::from_str_radix(hex, 16).ok())
        });
        if let Some(bits) = number {
            return Some(Self(bits));
        }
        text.iter().try_fold(Self::default(), |flags, &letter| {
            let at = match letter {
                b'.' => return Some(flags),
                letter => LETTERS.iter().position(|&known| known == letter)?,
            };
            Some(flags.union(Self(0x80 >> at)))
        })
    }
}

/// From the highest bit to the lowest.
const LETTERS: [u8; 8] = *b"CEUAPRSF";

impl fmt::Display for TcpFlags {
    /// `...AP.SF`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = LETTERS.iter().enumerate().map(|(i, &letter)| {
            if self.0 & (0x80 >> i) == 0 {
                '.'
            } else {
                char::from(letter)
            }
        });
        f.pad(&letters.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_round_trip_as_text() {
        for bits in 0..=u8::MAX {
            let flags = TcpFlags::from_bits(bits);
            assert_eq!(TcpFlags::parse(flags.to_string().as_bytes()), Some(flags));
            assert_eq!(TcpFlags::parse(bits.to_string().as_bytes()), Some(flags));
            assert_eq!(
                TcpFlags::parse(format!("{bits:#x}").as_bytes()),
                Some(flags)
            );
        }
        assert_eq!(TcpFlags::parse(b"...AP.SF").map(TcpFlags::bits), Some(0x1b));
        for text in ["x", "256", "0x100", "S F"] {
            assert_eq!(TcpFlags::parse(text.as_bytes()), None, "{text}");
        }
    }
}
