//! uTP packets (BEP 29).

use super::super::Payload;
use super::super::bytes::{be_u16, be_u32};

const HEADER: usize = 20;
/// Beyond the receive windows that clients advertise.
const LARGEST_WINDOW: u32 = 1 << 25;

/// Whether the datagram is a uTP packet: version 1, one of the five types, a chain of known
/// extensions, a body only in data packets, and header fields that a live connection can have.
pub(super) fn is_packet(payload: &Payload<'_>) -> bool {
    let bytes = payload.bytes;
    let (Some(kind), Some(connection), Some(delay), Some(window), Some(acknowledged)) = (
        Kind::of(bytes),
        be_u16(bytes, 2),
        be_u32(bytes, 8),
        be_u32(bytes, 12),
        be_u16(bytes, 18),
    ) else {
        return false;
    };
    let Some(end) = end_of_extensions(payload) else {
        return false;
    };
    let fields = match kind {
        // Nothing was received yet that could be timed or acknowledged.
        Kind::Syn => delay == 0 && acknowledged == 0,
        Kind::Reset => true,
        Kind::Data | Kind::Fin | Kind::State => connection != 0,
    };
    let body = match kind {
        Kind::Data => payload.length > end,
        Kind::Fin | Kind::State | Kind::Reset | Kind::Syn => payload.length == end,
    };
    fields && body && window <= LARGEST_WINDOW
}

#[derive(Clone, Copy)]
enum Kind {
    Data,
    Fin,
    State,
    Reset,
    Syn,
}

impl Kind {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? {
            0x01 => Some(Self::Data),
            0x11 => Some(Self::Fin),
            0x21 => Some(Self::State),
            0x31 => Some(Self::Reset),
            0x41 => Some(Self::Syn),
            _ => None,
        }
    }
}

/// The offset behind the header and its extensions, if each of them has a length it may have.
fn end_of_extensions(payload: &Payload<'_>) -> Option<usize> {
    let mut extension = *payload.bytes.get(1)?;
    let mut at = HEADER;
    while extension != 0 {
        let &[next, length, ..] = payload.bytes.get(at..)? else {
            return None;
        };
        let plausible = match extension {
            // Selective acknowledgement: a bit mask in whole words.
            1 => length >= 4 && length.is_multiple_of(4),
            // Extension bits.
            2 => length == 8,
            // Reason for closing.
            3 => length == 4,
            _ => false,
        };
        if !plausible || next > 3 {
            return None;
        }
        extension = next;
        at += 2 + usize::from(length);
    }
    (at <= payload.length).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{udp, udp_cut};
    use super::*;

    fn packet(kind: u8, extension: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![(kind << 4) | 1, extension, 0x5A, 0x01];
        bytes.extend(0x1234_5678_u32.to_be_bytes());
        let (delay, acknowledged) = if kind == 4 { (0, 0) } else { (900, 17) };
        bytes.extend(u32::to_be_bytes(delay));
        bytes.extend(0x0010_0000_u32.to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(u16::to_be_bytes(acknowledged));
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn every_type_is_known() {
        for kind in 1..=4 {
            assert!(is_packet(&udp(&packet(kind, 0, &[]))), "type {kind}");
            assert!(
                !is_packet(&udp(&packet(kind, 0, &[1]))),
                "type {kind} with a body"
            );
        }
        assert!(is_packet(&udp(&packet(0, 0, b"data"))));
        assert!(!is_packet(&udp(&packet(0, 0, &[]))));
        assert!(!is_packet(&udp(&packet(5, 0, &[]))));
    }

    #[test]
    fn extensions_chain_to_the_end() {
        let bits = [0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(is_packet(&udp(&packet(4, 2, &bits))));
        assert!(!is_packet(&udp(&packet(4, 2, &bits[..9]))));
        assert!(!is_packet(&udp(&packet(4, 7, &bits))));
        let chain = [2, 4, 1, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(is_packet(&udp(&packet(2, 1, &chain))));
        assert!(!is_packet(&udp(&packet(2, 1, &[1, 0, 0, 0]))));
    }

    #[test]
    fn a_first_packet_cannot_acknowledge() {
        let mut syn = packet(4, 0, &[]);
        syn[19] = 1;
        assert!(!is_packet(&udp(&syn)));
    }

    #[test]
    fn the_header_is_enough() {
        let data = packet(0, 0, &[9; 1_300]);
        assert!(is_packet(&udp_cut(&data, HEADER)));
        assert!(!is_packet(&udp_cut(&data, HEADER - 1)));
    }
}
