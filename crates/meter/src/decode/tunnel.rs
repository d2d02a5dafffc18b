//! IP within IP, and IP, Ethernet or PPP within GRE.

use super::bytes::{after, u8_at, u16_at};
use super::network::Fragment;
use super::{Datagram, Decoded, link, network};
use crate::report::SkipReason;

const IPV4_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;

/// Tunnels within tunnels are followed this far.
const MAX_DEPTH: usize = 8;

/// The innermost packet that can be decoded.
pub(super) fn innermost(mut decoded: Decoded<'_>) -> Decoded<'_> {
    for _ in 0..MAX_DEPTH {
        match inner(&decoded) {
            Ok(Some(next)) => decoded = next,
            // What cannot be decoded stays a flow of the tunnel's own protocol.
            Ok(None) | Err(_) => break,
        }
    }
    decoded
}

/// The packet one tunnel further in, if `decoded` is a tunnel's.
fn inner<'a>(decoded: &Decoded<'a>) -> Result<Option<Decoded<'a>>, SkipReason> {
    if decoded.fragment != Fragment::None {
        return Ok(None);
    }
    let start = decoded.upper_start;
    let bytes = match decoded.protocol {
        IPV4_IN_IP | IPV6_IN_IP => after(decoded.ip, start)?,
        GRE => gre(after(decoded.ip, start)?)?,
        _ => return Ok(None),
    };
    let before = decoded.ip.len() - bytes.len();
    network::decode(Datagram {
        bytes,
        on_wire: decoded
            .ip_length
            .saturating_sub(u32::try_from(before).unwrap_or(u32::MAX)),
        vlan: decoded.vlan,
    })
    .map(Some)
}

/// What a GRE packet carries: version 0 (RFC 2784, 2890), or 1 with PPP (RFC 2637).
fn gre(bytes: &[u8]) -> Result<&[u8], SkipReason> {
    let flags = u16_at(bytes, 0)?;
    let (checksum, routing, key, sequence, acknowledgement) =
        (0x8000, 0x4000, 0x2000, 0x1000, 0x0080);
    let optional = match flags & 7 {
        0 if flags & routing == 0 => [checksum, key, sequence],
        1 => [key, sequence, acknowledgement],
        _ => return Err(SkipReason::NotIp),
    };
    let words = optional.iter().filter(|&bit| flags & bit != 0).count();
    let payload = after(bytes, 4 + 4 * words)?;
    let datagram = match u16_at(bytes, 2)? {
        0x0800 | 0x86dd => payload,
        // Transparent Ethernet bridging.
        0x6558 => link::ethernet(payload)?.0,
        0x880b => link::point_to_point(payload)?.0,
        _ => return Err(SkipReason::NotIp),
    };
    match u8_at(datagram, 0)? >> 4 {
        4 | 6 => Ok(datagram),
        _ => Err(SkipReason::NotIp),
    }
}
