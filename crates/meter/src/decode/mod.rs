//! Headers of one packet: from its link layer to the ports and flags.

mod bytes;
mod link;
mod network;
mod transport;
mod tunnel;

use crate::capture::Packet;
use crate::report::SkipReason;

pub(crate) use network::Fragment;
pub(crate) use transport::TcpFlags;

/// What the meter needs to know of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded<'a> {
    /// Source address; IPv4 as IPv4-mapped IPv6.
    pub(crate) src: u128,
    /// Destination address; IPv4 as IPv4-mapped IPv6.
    pub(crate) dst: u128,
    /// Ports, or 0.
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    /// Number of the protocol above IP and its extension headers.
    pub(crate) protocol: u8,
    /// Innermost VLAN identifier, or 0.
    pub(crate) vlan: u16,
    pub(crate) flags: TcpFlags,
    pub(crate) fragment: Fragment,
    /// Length of the IP packet on the wire, headers included.
    pub(crate) ip_length: u32,
    /// Length of the payload above TCP or UDP on the wire.
    pub(crate) payload_length: u32,
    /// That payload, as far as it was captured.
    pub(crate) payload: &'a [u8],
    /// The IP packet, as far as it was captured.
    pub(crate) ip: &'a [u8],
    /// Where in it the header above IP begins.
    upper_start: usize,
}

impl Decoded<'_> {
    /// Whether the snap length cut the IP packet.
    pub(crate) const fn is_cut(&self) -> bool {
        self.ip.len() < self.ip_length as usize
    }
}

/// An IP packet on its way through the decoder.
#[derive(Clone, Copy)]
struct Datagram<'a> {
    /// From the first byte of the IP header to the end of what was captured.
    bytes: &'a [u8],
    /// Bytes from there to the end of the frame on the wire.
    on_wire: u32,
    vlan: u16,
}

/// How far a decoder looks into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    Outer,
    Tunnels,
}

/// Decodes a packet up to its ports.
#[inline]
pub(crate) fn decode<'a>(packet: &Packet<'a>, depth: Depth) -> Result<Decoded<'a>, SkipReason> {
    let datagram = link::datagram(packet)?;
    let decoded = network::decode(datagram)?;
    match depth {
        Depth::Outer => Ok(decoded),
        Depth::Tunnels => Ok(tunnel::innermost(decoded)),
    }
}
