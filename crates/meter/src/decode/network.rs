//! IPv4 and IPv6 with extension headers.

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::bytes::{u8_at, u16_at};
use super::transport::{TCP, UDP};
use super::{Datagram, Decoded, transport};
use crate::capture::saturating_u32;
use crate::report::SkipReason;

/// Whether a packet is a fragment, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// The packet is whole.
    None,
    /// The first fragment: it has the ports.
    First { id: u32 },
    /// A later fragment: it has no ports.
    Later { id: u32 },
}

impl Fragment {
    const fn new(offset: u16, more: bool, id: u32) -> Self {
        match (offset, more) {
            (0, false) => Self::None,
            (0, true) => Self::First { id },
            _ => Self::Later { id },
        }
    }
}

/// IPv6 extension headers (RFC 8200, 4302, 6275, 7401, 5533).
mod extension {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const AUTHENTICATION: u8 = 51;
    pub(super) const DESTINATION: u8 = 60;
    pub(super) const MOBILITY: u8 = 135;
    pub(super) const HOST_IDENTITY: u8 = 139;
    pub(super) const SHIM6: u8 = 140;
}

/// The upper layer of an IP packet.
pub(super) struct Upper {
    pub(super) src: u128,
    pub(super) dst: u128,
    pub(super) protocol: u8,
    pub(super) fragment: Fragment,
    /// Length of the IP packet on the wire.
    pub(super) ip_length: usize,
    /// Where the upper layer's header begins.
    pub(super) start: usize,
}

#[inline]
pub(super) fn decode(datagram: Datagram<'_>) -> Result<Decoded<'_>, SkipReason> {
    let upper = match u8_at(datagram.bytes, 0)? >> 4 {
        4 => ipv4(datagram)?,
        6 => ipv6(datagram)?,
        _ => return Err(SkipReason::NotIp),
    };
    // Link-layer padding is not part of the packet.
    let captured = datagram.bytes.len().min(upper.ip_length);
    let ip = &datagram.bytes[..captured];
    let segment = transport::decode(&upper, ip)?;
    // Put together once, at the end: copying what was just written stalls the processor.
    Ok(Decoded {
        src: upper.src,
        dst: upper.dst,
        src_port: segment.src_port,
        dst_port: segment.dst_port,
        protocol: upper.protocol,
        vlan: datagram.vlan,
        flags: segment.flags,
        fragment: upper.fragment,
        ip_length: saturating_u32(upper.ip_length),
        payload_length: saturating_u32(segment.payload_length),
        payload: ip.get(segment.payload_start..).unwrap_or_default(),
        ip,
        upper_start: upper.start,
    })
}

#[inline]
fn ipv4(datagram: Datagram<'_>) -> Result<Upper, SkipReason> {
    let header = Ipv4HeaderSlice::from_slice(datagram.bytes).map_err(|error| match error {
        etherparse::err::ipv4::HeaderSliceError::Len(_) => SkipReason::TruncatedHeader,
        etherparse::err::ipv4::HeaderSliceError::Content(_) => SkipReason::MalformedHeader,
    })?;
    let start = header.slice().len();
    let ip_length = match usize::from(header.total_len()) {
        // Left empty for the network card to fill in (segmentation offload).
        0 => datagram.on_wire as usize,
        length if length < start => return Err(SkipReason::MalformedHeader),
        length => length,
    };
    Ok(Upper {
        src: header.source_addr().to_ipv6_mapped().to_bits(),
        dst: header.destination_addr().to_ipv6_mapped().to_bits(),
        protocol: header.protocol().0,
        fragment: Fragment::new(
            header.fragments_offset().value(),
            header.more_fragments(),
            header.identification().into(),
        ),
        ip_length,
        start,
    })
}

#[inline]
fn ipv6(datagram: Datagram<'_>) -> Result<Upper, SkipReason> {
    let header =
        Ipv6HeaderSlice::from_slice(datagram.bytes).map_err(|_| SkipReason::TruncatedHeader)?;
    let header_length = header.slice().len();
    let ip_length = match usize::from(header.payload_length()) {
        // A jumbogram (RFC 2675) or segmentation offload; with any other next header it is empty.
        0 if matches!(header.next_header().0, extension::HOP_BY_HOP | TCP | UDP) => {
            datagram.on_wire as usize
        }
        length => header_length + length,
    };
    let mut upper = Upper {
        src: header.source_addr().to_bits(),
        dst: header.destination_addr().to_bits(),
        protocol: header.next_header().0,
        fragment: Fragment::None,
        ip_length,
        start: header_length,
    };
    upper.skip_extensions(datagram.bytes)?;
    Ok(upper)
}

impl Upper {
    /// Walks over extension headers to the upper layer, or to the end of a later fragment.
    fn skip_extensions(&mut self, bytes: &[u8]) -> Result<(), SkipReason> {
        loop {
            let units = |at: usize| u8_at(bytes, at).map(usize::from);
            let length = match self.protocol {
                extension::HOP_BY_HOP
                | extension::ROUTING
                | extension::DESTINATION
                | extension::MOBILITY
                | extension::HOST_IDENTITY
                | extension::SHIM6 => (units(self.start + 1)? + 1) * 8,
                extension::AUTHENTICATION => (units(self.start + 1)? + 2) * 4,
                extension::FRAGMENT => {
                    let field = u16_at(bytes, self.start + 2)?;
                    let high = u16_at(bytes, self.start + 4)?;
                    let low = u16_at(bytes, self.start + 6)?;
                    let id = u32::from(high) << 16 | u32::from(low);
                    self.fragment = Fragment::new(field >> 3, field & 1 == 1, id);
                    8
                }
                _ => return Ok(()),
            };
            self.protocol = u8_at(bytes, self.start)?;
            self.start += length;
            if self.start > self.ip_length {
                return Err(SkipReason::MalformedHeader);
            }
            if matches!(self.fragment, Fragment::Later { .. }) {
                return Ok(());
            }
        }
    }
}
