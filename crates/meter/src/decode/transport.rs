//! TCP and UDP: ports, flags and payload.

use super::Decoded;
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

/// Reads the transport header of `ip`, the captured part of an IP packet without padding.
pub(super) fn decode<'a>(
    upper: &Upper,
    ip: &'a [u8],
    vlan: u16,
) -> Result<Decoded<'a>, SkipReason> {
    let mut decoded = Decoded {
        src: upper.src,
        dst: upper.dst,
        src_port: 0,
        dst_port: 0,
        protocol: upper.protocol,
        vlan,
        flags: TcpFlags::NONE,
        fragment: upper.fragment,
        ip_length: u32::try_from(upper.ip_length).unwrap_or(u32::MAX),
        payload_length: 0,
        payload: &[],
        ip,
        upper_start: upper.start,
    };
    let on_wire = upper.ip_length - upper.start;
    let header = match upper.protocol {
        TCP | UDP if matches!(upper.fragment, Fragment::Later { .. }) => 0,
        TCP if on_wire < TCP_HEADER => return Err(SkipReason::MalformedHeader),
        UDP if on_wire < UDP_HEADER => return Err(SkipReason::MalformedHeader),
        TCP => {
            let segment = after(ip, upper.start)?;
            decoded.src_port = u16_at(segment, 0)?;
            decoded.dst_port = u16_at(segment, 2)?;
            decoded.flags = TcpFlags(u8_at(segment, 13)?);
            // A data offset out of range leaves no payload, but the packet is still its flow's.
            match usize::from(segment[12] >> 4) * 4 {
                length if length < TCP_HEADER => on_wire,
                length => length.min(on_wire),
            }
        }
        UDP => {
            let datagram = after(ip, upper.start)?;
            decoded.src_port = u16_at(datagram, 0)?;
            decoded.dst_port = u16_at(datagram, 2)?;
            UDP_HEADER
        }
        _ => return Ok(decoded),
    };
    decoded.payload_length = u32::try_from(on_wire - header).unwrap_or(u32::MAX);
    decoded.payload = ip.get(upper.start + header..).unwrap_or_default();
    Ok(decoded)
}
