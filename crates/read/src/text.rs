//! What the readers of text logs share: the loop over lines, columns by name, civil time.

mod civil;
mod columns;
mod link;
mod reader;

pub(crate) use civil::micros as time;
pub(crate) use columns::{Columns, Row};
pub(crate) use link::ip_bytes;
pub(crate) use reader::{ParseLine, TextReader};

use crate::Problem;
use peerscope_flow::Transport;

/// A transport by its name or number, as logs write them.
pub(crate) fn transport(text: &[u8]) -> Result<Transport, Problem> {
    const NAMES: [(&str, u8); 19] = [
        ("igmp", 2),
        ("ipip", 4),
        ("ipnip", 4),
        ("ipv6", 41),
        ("rsvp", 46),
        ("gre", 47),
        ("esp", 50),
        ("ah", 51),
        ("icmp6", 58),
        ("ipv6-icmp", 58),
        ("eigrp", 88),
        ("ospf", 89),
        ("pim", 103),
        ("vrrp", 112),
        ("sctp", 132),
        ("udplite", 136),
        // Argus names these by what it takes the payload for; they are UDP.
        ("rtp", 17),
        ("rtcp", 17),
        ("udt", 17),
    ];
    let text = std::str::from_utf8(text).map_err(|_| Problem::NotATransport)?;
    if let Ok(transport) = text.parse() {
        return Ok(transport);
    }
    NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|&(_, number)| Transport::from_number(number))
        .ok_or(Problem::NotATransport)
}
