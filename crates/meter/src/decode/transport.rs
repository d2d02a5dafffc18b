//! TCP and UDP: ports, flags and payload.

use super::bytes::{after, u8_at, u16_at};
use super::network::{Fragment, Upper};
use crate::report::SkipReason;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

/// The flags of a TCP segment; none for other protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpFlags(u8);

impl TcpFlags {
    pub(crate) const NONE: Self = Self(0);
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;

    pub(crate) const fn fin(self) -> bool {
        self.0 & Self::FIN != 0
    }

    pub(crate) const fn rst(self) -> bool {
        self.0 & Self::RST != 0
    }

    /// SYN, with or without ACK; a reset is none.
    pub(crate) const fn syn(self) -> bool {
        self.0 & (Self::SYN | Self::RST) == Self::SYN
    }

    /// ACK; a reset acknowledges nothing.
    pub(crate) const fn ack(self) -> bool {
        self.0 & (Self::ACK | Self::RST) == Self::ACK
    }
}

/// What the transport header says.
pub(super) struct Segment {
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) flags: TcpFlags,
    /// Length of the payload on the wire.
    pub(super) payload_length: usize,
    /// Where in the IP packet the payload begins; it may lie behind what was captured.
    pub(super) payload_start: usize,
}

impl Segment {
    /// No ports; the payload is not looked for.
    const fn opaque(upper: &Upper) -> Self {
        Self {
            src_port: 0,
            dst_port: 0,
            flags: TcpFlags::NONE,
            payload_length: 0,
            payload_start: upper.ip_length,
        }
    }
}

/// Reads the transport header of `ip`, the captured part of an IP packet without padding.
#[inline]
pub(super) fn decode(upper: &Upper, ip: &[u8]) -> Result<Segment, SkipReason> {
    let on_wire = upper.ip_length - upper.start;
    let mut segment = Segment::opaque(upper);
    let header = match upper.protocol {
        TCP | UDP if matches!(upper.fragment, Fragment::Later { .. }) => 0,
        TCP if on_wire < TCP_HEADER => return Err(SkipReason::MalformedHeader),
        UDP if on_wire < UDP_HEADER => return Err(SkipReason::MalformedHeader),
        TCP => {
            let bytes = after(ip, upper.start)?;
            segment.src_port = u16_at(bytes, 0)?;
            segment.dst_port = u16_at(bytes, 2)?;
            segment.flags = TcpFlags(u8_at(bytes, 13)?);
            // A data offset out of range leaves no payload, but the packet is still its flow's.
            match usize::from(bytes[12] >> 4) * 4 {
                length if length < TCP_HEADER => on_wire,
                length => length.min(on_wire),
            }
        }
        UDP => {
            let bytes = after(ip, upper.start)?;
            segment.src_port = u16_at(bytes, 0)?;
            segment.dst_port = u16_at(bytes, 2)?;
            UDP_HEADER
        }
        _ => return Ok(segment),
    };
    segment.payload_length = on_wire - header;
    segment.payload_start = upper.start + header;
    Ok(segment)
}
