//! IP bytes out of frame lengths.

use std::net::IpAddr;

use peerscope_flow::{Transport, Volume};

/// The IP bytes of packets of which the log gives frame lengths: without the link's header, but no
/// less than the smallest headers, and no more than the frames.
pub(crate) fn ip_bytes(frames: Volume, link: u32, transport: Transport, ip: IpAddr) -> Volume {
    let header = if ip.is_ipv4() { 20 } else { 40 };
    let smallest = header
        + match transport {
            Transport::Tcp => 20,
            Transport::Udp => 8,
            Transport::Other(_) => 0,
        };
    let Volume { packets, bytes } = frames;
    let without = bytes.saturating_sub(packets.saturating_mul(link.into()));
    let least = packets.saturating_mul(smallest);
    Volume::new(packets, without.max(least).min(bytes))
}
