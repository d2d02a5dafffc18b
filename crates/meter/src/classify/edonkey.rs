//! eD2k and eMule over TCP, and their server and client datagrams.

use peerscope_flow::{Application, Transport};

use super::bytes::{is_zlib_header, le_u16, le_u32};
use super::{Classifier, Payload};

/// eD2k and eMule: TCP messages of protocols 0xE3, 0xC5 and 0xD4, and datagrams of 0xE3 (servers)
/// and 0xC5 (clients).
///
/// A TCP message is a protocol byte, a little-endian u32 length, and an opcode, which the length
/// counts. Every message that begins in the captured part of the segment must have a known opcode
/// and a body length that this opcode can have. Source: Kulbak & Bickson 2005, "The eMule Protocol
/// Specification", and the opcode tables of the public clients.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EDonkey;

const EDONKEY: u8 = 0xE3;
const EMULE: u8 = 0xC5;
const PACKED: u8 = 0xD4;

/// Protocol byte, length and opcode of a TCP message.
const HEADER: usize = 6;
/// Clients drop the connection on anything longer.
const LONGEST: usize = 2_000_000;

impl Classifier for EDonkey {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        let matches = match payload.transport {
            Transport::Tcp => is_message_sequence(payload),
            Transport::Udp => is_datagram(payload),
            Transport::Other(_) => false,
        };
        matches.then_some(Application::EMule)
    }
}

/// Whether the segment is a sequence of messages; the last one may end in a later segment.
fn is_message_sequence(payload: &Payload<'_>) -> bool {
    let mut at = 0;
    loop {
        let message = &payload.bytes[at..];
        let (Some(&protocol), Some(length), Some(&opcode)) =
            (message.first(), le_u32(message, 1), message.get(5))
        else {
            // Cut within a header: the messages before it decide, if there are any.
            return at > 0 && message.first().is_some_and(|&byte| is_protocol(byte));
        };
        let Some(body) = usize::try_from(length)
            .ok()
            .filter(|&length| length <= LONGEST)
            .and_then(|length| length.checked_sub(1))
        else {
            return false;
        };
        let plausible = match protocol {
            EDONKEY => is_plausible(EDONKEY_BODIES, opcode, body),
            EMULE => is_plausible(EMULE_BODIES, opcode, body),
            PACKED => {
                (is_known(EDONKEY_BODIES, opcode) || is_known(EMULE_BODIES, opcode))
                    && body > 2
                    && (message.len() < HEADER + 2 || is_zlib_header(message, HEADER))
            }
            _ => false,
        };
        if !plausible {
            return false;
        }
        at += HEADER + body;
        if at >= payload.bytes.len() {
            return true;
        }
    }
}

fn is_protocol(byte: u8) -> bool {
    matches!(byte, EDONKEY | EMULE | PACKED)
}

/// An opcode, and the shortest and longest body that can follow it, in bytes.
type Body = (u8, usize, usize);

/// Bodies of protocol 0xE3, to and from servers and between clients.
const EDONKEY_BODIES: &[Body] = &[
    (0x01, 26, 2_000),            // login, hello: identity, address and tags
    (0x05, 0, 0),                 // reject
    (0x14, 0, 0),                 // get list of servers
    (0x15, 4, LONGEST),           // offer files
    (0x16, 2, 10_000),            // search
    (0x18, 0, 0),                 // disconnect
    (0x19, 16, 28),               // get sources: hash, size in 0, 4 or 12 bytes
    (0x1A, 2, 10_000),            // search for users
    (0x1C, 4, 4),                 // ask for a callback
    (0x21, 0, 0),                 // more results
    (0x23, 16, 28),               // get sources, obfuscated
    (0x32, 1, 1 + 255 * 6),       // list of servers
    (0x33, 4, LONGEST),           // results
    (0x34, 8, 8),                 // numbers of users and files
    (0x35, 6, 23),                // callback asked for
    (0x36, 0, 0),                 // callback failed
    (0x38, 2, 65_537),            // server's message
    (0x40, 4, 20),                // identifier given
    (0x41, 26, 70_000),           // server's identity
    (0x42, 17, 17 + 255 * 6),     // found sources
    (0x43, 4, LONGEST),           // list of users
    (0x44, 17, 17 + 255 * 23),    // found sources, obfuscated
    (0x46, 25, 200_000),          // data: hash, range, bytes
    (0x47, 40, 40),               // request for parts: hash and three ranges
    (0x48, 16, 16),               // no such file
    (0x49, 16, 16),               // end of download
    (0x4A, 0, 0),                 // ask for shared files
    (0x4B, 4, LONGEST),           // shared files
    (0x4C, 25, 2_000),            // answer to hello
    (0x4D, 8, 16),                // change of identifier
    (0x4E, 2, 65_537),            // chat
    (0x4F, 16, 16),               // file asked about
    (0x50, 18, 9_000),            // part map
    (0x51, 16, 16),               // ask for part hashes
    (0x52, 18, 18 + 16 * 65_535), // part hashes
    (0x54, 0, 16),                // ask for an upload
    (0x55, 0, 0),                 // upload accepted
    (0x56, 0, 0),                 // transfer cancelled
    (0x57, 0, 0),                 // out of parts
    (0x58, 16, 9_000),            // ask for a file name
    (0x59, 18, 18 + 65_535),      // file name
    (0x5B, 0, 65_537),            // change of slot
    (0x5C, 4, 4),                 // queue rank
    (0x5D, 0, 0),                 // ask for shared directories
    (0x5E, 2, 65_537),            // ask for the files of one
    (0x5F, 4, LONGEST),           // shared directories
    (0x60, 4, LONGEST),           // files of a shared directory
    (0x61, 0, 0),                 // shared files denied
];

/// Bodies of protocol 0xC5, the eMule extensions.
const EMULE_BODIES: &[Body] = &[
    (0x01, 6, 2_000),          // client information: versions and tags
    (0x02, 6, 2_000),          // its answer
    (0x40, 25, 200_000),       // compressed data: hash, offset, length, bytes
    (0x60, 12, 12),            // queue rank
    (0x61, 5, 65_541),         // file description
    (0x81, 16, 16),            // ask for sources
    (0x82, 18, 18 + 500 * 29), // sources
    (0x83, 19, 19),            // ask for sources, second form
    (0x84, 19, 19 + 500 * 29), // sources, second form
    (0x85, 2, 128),            // public key
    (0x86, 2, 128),            // signature
    (0x87, 5, 5),              // state of identification: state and challenge
    (0x90, 16, 16),            // ask for a preview
    (0x91, 17, LONGEST),       // preview
    (0x92, 17, 70_000),        // bundle of requests for a file
    (0x93, 17, 70_000),        // bundle of answers
    (0x97, 0, 0),              // ask for the public address
    (0x98, 4, 4),              // public address
    (0x99, 32, 64),            // callback by way of a buddy
    (0x9A, 22, 9_000),         // queue check by way of a buddy
    (0x9B, 18, 40),            // ask for a hash tree
    (0x9C, 16, 70_000),        // hash tree
    (0x9D, 36, 36),            // root hash
    (0x9E, 16, 16),            // ask for a root hash
    (0x9F, 0, 0),              // buddy: ping
    (0xA0, 0, 0),              // buddy: pong
    (0xA1, 29, 200_000),       // compressed data, large files
    (0xA2, 33, 200_000),       // data, large files
    (0xA3, 64, 64),            // request for parts, large files
    (0xA4, 25, 70_000),        // bundle of requests, large files
    (0xA5, 2, LONGEST),        // captcha
    (0xA6, 1, 2_000),          // its answer
    (0xA7, 8, 8),              // ask for a firewall check over UDP
    (0xA8, 0, 0),              // firewall check over TCP done
    (0xA9, 2, 140_000),        // bundle of requests, second form
    (0xB0, 2, 140_000),        // bundle of answers, second form
    (0xB1, 17, 64),            // ask for hashes
    (0xB2, 17, LONGEST),       // hashes
];

fn is_known(bodies: &[Body], opcode: u8) -> bool {
    bodies.iter().any(|&(known, ..)| known == opcode)
}

fn is_plausible(bodies: &[Body], opcode: u8, length: usize) -> bool {
    bodies.iter().any(|&(known, shortest, longest)| {
        known == opcode && (shortest..=longest).contains(&length)
    })
}

fn is_datagram(payload: &Payload<'_>) -> bool {
    match *payload.bytes {
        [EDONKEY, opcode, ..] => is_server_datagram(opcode, payload),
        [EMULE, opcode, ..] => is_client_datagram(opcode, payload),
        _ => false,
    }
}

/// Global searches and status, between clients and servers. Lengths include the two-byte header.
fn is_server_datagram(opcode: u8, payload: &Payload<'_>) -> bool {
    let (bytes, length) = (payload.bytes, payload.length);
    let count = |at: usize| bytes.get(at).copied().map(usize::from);
    match opcode {
        // Status request with a challenge, or the old one without.
        0x96 => matches!(length, 2 | 6),
        // Users, files and more such numbers.
        0x97 => (10..=64).contains(&length) && (length - 2).is_multiple_of(2),
        // Search with tags in front; plain searches begin with a node of the expression.
        0x90 => length >= 8 && le_u32(bytes, 2).is_none_or(|tags| tags <= 8),
        0x92 | 0x98 => length >= 5 && bytes.get(2).is_none_or(|&node| is_search_node(node)),
        // Hash, address, port, number of tags.
        0x99 => length >= 28 && le_u32(bytes, 24).is_none_or(|tags| (1..=64).contains(&tags)),
        // Hashes, with their sizes in the second form.
        0x9A => length >= 18 && (length - 2).is_multiple_of(16) && length <= 2 + 16 * 64,
        0x94 => (22..=2 + 28 * 64).contains(&length) && (length - 2).is_multiple_of(4),
        // Hash, number of sources, sources; several answers may follow each other.
        0x9B => {
            length >= 25
                && count(18).is_none_or(|sources| sources > 0 && 19 + 6 * sources <= length)
        }
        0x9C => length == 12,
        0x9E => length == 6,
        0xA0 => matches!(length, 2 | 8),
        0xA1 => length >= 9 && count(2).is_none_or(|servers| length == 3 + 6 * servers),
        0xA2 => matches!(length, 2 | 6),
        // Name and description, or challenge and tags.
        0xA3 => {
            let name = le_u16(bytes, 2).map(|name| 6 + usize::from(name) <= length);
            let tags = le_u32(bytes, 6).map(|tags| (1..=16).contains(&tags));
            length >= 6 && (name.unwrap_or(true) || tags.unwrap_or(true))
        }
        0xA4 => length == 2,
        _ => false,
    }
}

/// An operator, a string, or a restriction by name, number or large number.
fn is_search_node(kind: u8) -> bool {
    matches!(kind, 0 | 1 | 2 | 3 | 8)
}

/// Queue checks between clients. Lengths include the two-byte header.
fn is_client_datagram(opcode: u8, payload: &Payload<'_>) -> bool {
    let (bytes, length) = (payload.bytes, payload.length);
    // A part map is its number of bits, then the bits.
    let map_end =
        |at: usize| le_u16(bytes, at).map(|parts| at + 2 + usize::from(parts).div_ceil(8));
    match opcode {
        // Hash, then perhaps a part map, then perhaps the number of complete sources.
        0x90 => match length {
            18 | 20 => true,
            21.. => map_end(18).is_none_or(|end| length == end || length == end + 2),
            _ => false,
        },
        // A queue rank, with a part map in front in later versions.
        0x91 => match length {
            4 => true,
            6.. => map_end(2).is_none_or(|end| length == end + 2),
            _ => false,
        },
        // Not found; queue full.
        0x92 | 0x93 => length == 2,
        // Buddy, file, then as in a queue check.
        0x94 => match length {
            34 | 36 => true,
            37.. => map_end(34).is_none_or(|end| length == end || length == end + 2),
            _ => false,
        },
        // Port, user and options.
        0x95 => length == 21,
        0xFE => length == 3,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{label, tcp, tcp_cut, udp};
    use super::*;
    use proptest::prelude::*;

    fn message(protocol: u8, opcode: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 1).unwrap();
        let mut bytes = vec![protocol];
        bytes.extend(length.to_le_bytes());
        bytes.push(opcode);
        bytes.extend(body);
        bytes
    }

    fn is_tcp(bytes: &[u8]) -> bool {
        label(&EDonkey, &tcp(bytes)) == Some(Application::EMule)
    }

    fn is_udp(bytes: &[u8]) -> bool {
        label(&EDonkey, &udp(bytes)) == Some(Application::EMule)
    }

    #[test]
    fn segments_may_hold_several_messages_and_the_head_of_another() {
        let mut segment = message(EDONKEY, 0x4F, &[1; 16]);
        assert!(is_tcp(&segment));
        segment.extend(message(EMULE, 0x9F, &[]));
        assert!(is_tcp(&segment));
        segment.extend(message(EDONKEY, 0x46, &[2; 10_000]));
        assert!(is_tcp(&segment));
        for end in HEADER..segment.len() {
            assert!(is_tcp(&segment[..end]), "first {end} bytes");
        }
    }

    #[test]
    fn the_smallest_messages_are_enough() {
        assert!(is_tcp(&message(EDONKEY, 0x05, &[])));
        assert!(is_tcp(&message(EMULE, 0xA0, &[])));
    }

    #[test]
    fn lying_lengths_and_unknown_opcodes_are_refused() {
        let mut short = message(EDONKEY, 0x4F, &[1; 16]);
        short[1] = 16;
        assert!(!is_tcp(&short));
        assert!(!is_tcp(&message(EDONKEY, 0x05, &[0])));
        assert!(!is_tcp(&message(EDONKEY, 0xFF, &[])));
        assert!(!is_tcp(&[EDONKEY, 0, 0, 0, 0, 0x01]));
        assert!(!is_tcp(&[EDONKEY, 0xFF, 0xFF, 0xFF, 0xFF, 0x46]));
        let mut segment = message(EDONKEY, 0x55, &[]);
        segment.extend(b"GET / HTTP/1.1\r\n");
        assert!(!is_tcp(&segment));
        assert!(!is_tcp(&[EDONKEY, 1, 0, 0, 0]));
    }

    #[test]
    fn packed_messages_need_a_zlib_header() {
        assert!(is_tcp(&message(PACKED, 0x33, &[0x78, 0xDA, 1, 2, 3])));
        assert!(!is_tcp(&message(PACKED, 0x33, &[0x78, 0xDB, 1, 2, 3])));
    }

    #[test]
    fn datagrams_of_servers_and_clients() {
        assert!(is_udp(&[EDONKEY, 0x96, 1, 2, 3, 4]));
        assert!(!is_udp(&[EDONKEY, 0x96, 1, 2, 3]));
        let mut found = vec![EDONKEY, 0x9B];
        found.extend([1; 16]);
        found.push(2);
        found.extend([3; 12]);
        assert!(is_udp(&found));
        found.pop();
        assert!(!is_udp(&found));
        assert!(is_udp(&[EMULE, 0x93]));
        assert!(is_udp(&[EMULE, 0x91, 10, 0]));
        assert!(is_udp(&[EMULE, 0x91, 10, 0, 0xFF, 3, 10, 0]));
        assert!(!is_udp(&[EMULE, 0x91, 10, 0, 0xFF, 3, 10]));
        let mut ask = vec![EMULE, 0x90];
        ask.extend([4; 16]);
        assert!(is_udp(&ask));
    }

    #[test]
    fn the_tables_are_sorted_and_their_ranges_not_empty() {
        for bodies in [EDONKEY_BODIES, EMULE_BODIES] {
            assert!(bodies.is_sorted_by_key(|&(opcode, ..)| opcode));
            assert!(
                bodies
                    .iter()
                    .all(|&(_, shortest, longest)| shortest <= longest)
            );
        }
    }

    proptest! {
        #[test]
        fn a_cut_segment_keeps_its_label(body in 25_usize..3_000, captured in HEADER..1_500) {
            let bytes = message(EMULE, 0x40, &vec![0xE3; body]);
            let captured = captured.min(bytes.len());
            prop_assert_eq!(
                label(&EDonkey, &tcp_cut(&bytes, captured)),
                Some(Application::EMule)
            );
        }
    }
}
