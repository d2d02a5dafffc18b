//! Link layers: from the first captured byte to the IP header.

use super::Datagram;
use super::bytes::{after, u8_at, u16_at};
use crate::capture::{LinkType, Packet};
use crate::report::SkipReason;

/// Ethernet types (IEEE registry).
mod ether_type {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    pub(super) const VLAN: u16 = 0x8100;
    pub(super) const PROVIDER_VLAN: u16 = 0x88a8;
    /// Stacked tags from before 802.1ad.
    pub(super) const OLD_QINQ: [u16; 3] = [0x9100, 0x9200, 0x9300];
    pub(super) const MPLS: u16 = 0x8847;
    pub(super) const MPLS_MULTICAST: u16 = 0x8848;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    /// Smaller numbers are lengths of IEEE 802.3 frames.
    pub(super) const MIN: u16 = 0x0600;
}

/// PPP protocol numbers (RFC 1661).
mod ppp {
    pub(super) const IPV4: u16 = 0x0021;
    pub(super) const IPV6: u16 = 0x0057;
    pub(super) const MPLS: u16 = 0x0281;
    pub(super) const MPLS_MULTICAST: u16 = 0x0283;
}

/// IP packet within a captured packet.
#[inline]
pub(super) fn datagram<'a>(packet: &Packet<'a>) -> Result<Datagram<'a>, SkipReason> {
    let (bytes, vlan) = network_layer(packet.link, packet.data)?;
    let before = packet.data.len() - bytes.len();
    // A frame is never shorter than what was captured of it, whatever the file says.
    let frame = (packet.original_length as usize).max(packet.data.len());
    Ok(Datagram {
        bytes,
        on_wire: u32::try_from(frame - before).unwrap_or(u32::MAX),
        vlan,
    })
}

/// Bytes from the IP header on, and the innermost VLAN identifier.
#[inline]
fn network_layer(link: LinkType, data: &[u8]) -> Result<(&[u8], u16), SkipReason> {
    match link {
        LinkType::ETHERNET => ethernet(data),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => Ok((data, 0)),
        LinkType::NULL | LinkType::LOOP => loopback(data),
        LinkType::LINUX_SLL => tagged(after(data, 16)?, u16_at(data, 14)?),
        LinkType::LINUX_SLL2 => tagged(after(data, 20)?, u16_at(data, 0)?),
        LinkType::PPP | LinkType::PPP_HDLC => point_to_point(data),
        LinkType::PPP_ETHER => pppoe(data),
        LinkType::PPI => per_packet_information(data),
        _ => Err(SkipReason::UnsupportedLink),
    }
    .and_then(|(bytes, vlan)| match bytes.first() {
        Some(first) if matches!(first >> 4, 4 | 6) => Ok((bytes, vlan)),
        Some(_) => Err(SkipReason::NotIp),
        None => Err(SkipReason::TruncatedHeader),
    })
}

pub(super) fn ethernet(data: &[u8]) -> Result<(&[u8], u16), SkipReason> {
    tagged(after(data, 14)?, u16_at(data, 12)?)
}

/// What follows an Ethernet type: tags and labels up to the IP header.
fn tagged(mut bytes: &[u8], mut kind: u16) -> Result<(&[u8], u16), SkipReason> {
    let mut vlan = 0;
    loop {
        match kind {
            ether_type::IPV4 | ether_type::IPV6 => return Ok((bytes, vlan)),
            ether_type::VLAN | ether_type::PROVIDER_VLAN => {
                vlan = u16_at(bytes, 0)? & 0x0fff;
                kind = u16_at(bytes, 2)?;
                bytes = after(bytes, 4)?;
            }
            old if ether_type::OLD_QINQ.contains(&old) => {
                vlan = u16_at(bytes, 0)? & 0x0fff;
                kind = u16_at(bytes, 2)?;
                bytes = after(bytes, 4)?;
            }
            ether_type::PPPOE_SESSION => return Ok((pppoe(bytes)?.0, vlan)),
            ether_type::MPLS | ether_type::MPLS_MULTICAST => return Ok((mpls(bytes)?, vlan)),
            length if length < ether_type::MIN => {
                kind = snap(bytes)?;
                bytes = after(bytes, 8)?;
            }
            _ => return Err(SkipReason::NotIp),
        }
    }
}

/// The Ethernet type in an 802.2 SNAP header (RFC 1042), the only 802.3 frames that carry IP.
fn snap(bytes: &[u8]) -> Result<u16, SkipReason> {
    match bytes.first_chunk::<6>() {
        Some([0xaa, 0xaa, 3, 0, 0, 0]) => match u16_at(bytes, 6)? {
            length if length < ether_type::MIN => Err(SkipReason::NotIp),
            kind => Ok(kind),
        },
        Some(_) => Err(SkipReason::NotIp),
        None => Err(SkipReason::TruncatedHeader),
    }
}

/// The bytes below a stack of MPLS labels (RFC 3032); the labels do not say what they carry.
fn mpls(mut bytes: &[u8]) -> Result<&[u8], SkipReason> {
    loop {
        let bottom_of_stack = u8_at(bytes, 2)? & 1 == 1;
        bytes = after(bytes, 4)?;
        if bottom_of_stack {
            return Ok(bytes);
        }
    }
}

/// A `PPPoE` session packet (RFC 2516).
fn pppoe(bytes: &[u8]) -> Result<(&[u8], u16), SkipReason> {
    if u16_at(bytes, 0)? != 0x1100 {
        // Version and type are 1, the code of session data is 0.
        return Err(SkipReason::NotIp);
    }
    point_to_point(after(bytes, 6)?)
}

/// A PPP frame (RFC 1661), with or without HDLC's address and control bytes (RFC 1662).
pub(super) fn point_to_point(mut bytes: &[u8]) -> Result<(&[u8], u16), SkipReason> {
    if bytes.first_chunk() == Some(&[0xff, 0x03]) {
        bytes = &bytes[2..];
    }
    // An odd first byte is a protocol number compressed to one byte.
    let first = u8_at(bytes, 0)?;
    let (protocol, bytes) = if first & 1 == 1 {
        (first.into(), &bytes[1..])
    } else {
        (u16_at(bytes, 0)?, after(bytes, 2)?)
    };
    match protocol {
        ppp::IPV4 | ppp::IPV6 => Ok((bytes, 0)),
        ppp::MPLS | ppp::MPLS_MULTICAST => Ok((mpls(bytes)?, 0)),
        _ => Err(SkipReason::NotIp),
    }
}

/// BSD loopback: an address family in either byte order.
fn loopback(data: &[u8]) -> Result<(&[u8], u16), SkipReason> {
    let Some(&family) = data.first_chunk::<4>() else {
        return Err(SkipReason::TruncatedHeader);
    };
    let family = u32::from_be_bytes(family).min(u32::from_le_bytes(family));
    match family {
        // AF_INET, and AF_INET6 of the BSDs, macOS, Linux and Windows.
        2 | 10 | 23 | 24 | 28 | 30 => Ok((&data[4..], 0)),
        _ => Err(SkipReason::NotIp),
    }
}

/// The PPI header: version, flags, length and link type, both little-endian.
fn per_packet_information(data: &[u8]) -> Result<(&[u8], u16), SkipReason> {
    let Some(&[_, _, low, high, a, b, c, d]) = data.first_chunk::<8>() else {
        return Err(SkipReason::TruncatedHeader);
    };
    let length = usize::from(u16::from_le_bytes([low, high]));
    match LinkType(u32::from_le_bytes([a, b, c, d])) {
        LinkType::PPI => Err(SkipReason::UnsupportedLink),
        _ if length < 8 => Err(SkipReason::MalformedHeader),
        inner => network_layer(inner, after(data, length)?),
    }
}
