//! Kad and `KadU` over UDP.

use peerscope_flow::{Application, Transport};

use super::bytes::{is_zlib_header, le_u16};
use super::{Classifier, Payload};

/// Kad datagrams (first byte 0xE4, packed 0xE5) and `KadU` datagrams (0xA4, packed 0xA5).
///
/// The second byte is the opcode. A plain datagram must have the length, and where the message has
/// a count or a version also the fields, of one of the Kad1 or Kad2 messages; a packed one must
/// begin a zlib stream after the opcode. The layouts are those of the eMule family's public
/// clients (constants `KADEMLIA_*` and `KADEMLIA2_*`).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Kad;

const KAD: u8 = 0xE4;
const KAD_PACKED: u8 = 0xE5;
const KADU: u8 = 0xA4;
const KADU_PACKED: u8 = 0xA5;

/// Protocol byte and opcode.
const HEADER: usize = 2;
/// A contact: identifier, address, two ports, and version or type.
const CONTACT: usize = 25;
/// A result or published entry: identifier and the count of its tags.
const ENTRY: usize = 17;
/// Clients announce 0x01 to 0x0A; a little room is left for later ones.
const LAST_VERSION: u8 = 0x0F;
/// The shortest deflate stream that is worth packing.
const SHORTEST_PACKED: usize = 16;

impl Classifier for Kad {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        if payload.transport != Transport::Udp {
            return None;
        }
        let &[protocol, opcode, ..] = payload.bytes else {
            return None;
        };
        let layout = Layout::of(opcode)?;
        let (application, matches) = match protocol {
            KAD => (Application::Kad, layout.fits(payload)),
            KADU => (Application::KadU, layout.fits(payload)),
            KAD_PACKED => (Application::Kad, layout.fits_packed(payload)),
            KADU_PACKED => (Application::KadU, layout.fits_packed(payload)),
            _ => return None,
        };
        matches.then_some(application)
    }
}

/// What is known of the body of a message; lengths include the header.
#[derive(Clone, Copy)]
enum Layout {
    /// One of up to two lengths.
    Fixed(usize, usize),
    /// Contacts behind a prefix of this length that ends in their number, in one or two bytes.
    Contacts { prefix: usize, count_bytes: usize },
    /// Identifier, port, version and tags.
    Hello,
    /// Entries behind a prefix of this length that ends in their number, in two bytes.
    Entries { prefix: usize },
    /// Two identifiers and tags.
    Tagged,
    /// A lookup: the number of contacts wanted, and two identifiers.
    Request,
    /// A Kad1 search: an identifier, and whether a search expression follows.
    Search,
    /// A Kad2 keyword search: an identifier, and a position whose top bit announces an expression.
    KeywordSearch,
}

impl Layout {
    fn of(opcode: u8) -> Option<Self> {
        Some(match opcode {
            // Kad2 bootstrap request, publish acknowledgement, ping; Kad1 firewall acknowledgement.
            0x01 | 0x4C | 0x59 | 0x60 => Self::Fixed(2, 2),
            // Kad1 bootstrap request, hello request and answer.
            0x00 | 0x10 | 0x18 => Self::Fixed(27, 27),
            0x08 => Self::Contacts {
                prefix: 4,
                count_bytes: 2,
            },
            0x09 => Self::Contacts {
                prefix: 23,
                count_bytes: 2,
            },
            0x28 | 0x29 => Self::Contacts {
                prefix: 19,
                count_bytes: 1,
            },
            0x11 | 0x19 => Self::Hello,
            0x20 | 0x21 => Self::Request,
            0x22 => Self::Fixed(19, 19),
            0x30 => Self::Search,
            0x32 => Self::Fixed(34, 34),
            0x33 => Self::KeywordSearch,
            0x34 => Self::Fixed(28, 28),
            0x35 => Self::Fixed(26, 26),
            // Results and publications of keywords.
            0x38 | 0x3A | 0x40 | 0x43 => Self::Entries { prefix: 20 },
            0x3B => Self::Entries { prefix: 36 },
            // Publications of a source or a note.
            0x42 | 0x44 | 0x45 => Self::Tagged,
            0x48 | 0x4A => Self::Fixed(18, 19),
            0x4B => Self::Fixed(19, 20),
            // Firewall checks, buddies and callbacks.
            0x50 | 0x61 => Self::Fixed(4, 4),
            0x51 | 0x5A => Self::Fixed(36, 37),
            0x52 => Self::Fixed(36, 36),
            0x53 => Self::Fixed(21, 21),
            0x58 => Self::Fixed(6, 6),
            0x62 => Self::Fixed(5, 5),
            _ => return None,
        })
    }

    fn fits(self, payload: &Payload<'_>) -> bool {
        let (bytes, length) = (payload.bytes, payload.length);
        // A field that the snap length cut off cannot speak against the message.
        let byte = |at: usize, test: &dyn Fn(u8) -> bool| bytes.get(at).copied().is_none_or(test);
        match self {
            Self::Fixed(one, other) => length == one || length == other,
            Self::Contacts {
                prefix,
                count_bytes,
            } => {
                let Some(contacts) = length.checked_sub(prefix) else {
                    return false;
                };
                let count = match count_bytes {
                    1 => bytes.get(prefix - 1).copied().map(usize::from),
                    _ => le_u16(bytes, prefix - 2).map(usize::from),
                };
                contacts.is_multiple_of(CONTACT)
                    && count.is_none_or(|count| count == contacts / CONTACT)
            }
            Self::Hello => {
                let tags = bytes.get(21).copied().map(usize::from);
                length >= 22
                    && byte(20, &|version| (1..=LAST_VERSION).contains(&version))
                    && tags.is_none_or(|tags| {
                        tags <= 16 && (22 + 3 * tags..=22 + 32 * tags).contains(&length)
                    })
            }
            Self::Entries { prefix } => {
                length >= prefix + ENTRY
                    && le_u16(bytes, prefix - 2).is_none_or(|count| {
                        count > 0 && prefix + ENTRY * usize::from(count) <= length
                    })
            }
            Self::Tagged => {
                length > 35
                    && byte(34, &|tags| {
                        (1..=32).contains(&tags) && 35 + 3 * usize::from(tags) <= length
                    })
            }
            Self::Request => length == 35 && byte(2, &|wanted| (1..0x20).contains(&wanted)),
            Self::Search => match length {
                19 => byte(18, &|expression| expression <= 1),
                20.. => byte(18, &|expression| expression == 1),
                _ => false,
            },
            Self::KeywordSearch => {
                let expression = le_u16(bytes, 18).map(|position| position & 0x8000 != 0);
                length >= 20 && expression.is_none_or(|follows| follows == (length > 20))
            }
        }
    }

    /// Only messages of variable length grow large enough to be packed.
    fn fits_packed(self, payload: &Payload<'_>) -> bool {
        let fixed = matches!(self, Self::Fixed(..) | Self::Request);
        !fixed
            && payload.length >= HEADER + SHORTEST_PACKED
            && is_zlib_header(payload.bytes, HEADER)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{label, udp, udp_cut};
    use super::*;
    use proptest::prelude::*;

    fn kad(bytes: &[u8]) -> Option<Application> {
        label(&Kad, &udp(bytes))
    }

    /// Protocol byte, opcode, identifier of 16 bytes, then the rest.
    fn message(protocol: u8, opcode: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![protocol, opcode];
        bytes.extend(0x30..0x40);
        bytes.extend(rest);
        bytes
    }

    fn response(contacts: u8) -> Vec<u8> {
        let mut rest = vec![contacts];
        rest.extend(std::iter::repeat_n(7, usize::from(contacts) * CONTACT));
        message(KAD, 0x29, &rest)
    }

    #[test]
    fn messages_of_both_generations_are_known() {
        let hello = message(KAD, 0x11, &[0x36, 0x12, 8, 0]);
        assert_eq!(kad(&hello), Some(Application::Kad));
        let mut tagged = message(KAD, 0x19, &[0x36, 0x12, 8, 1]);
        tagged.extend([0x89, 1, 0, 0xFC, 3]);
        assert_eq!(kad(&tagged), Some(Application::Kad));
        assert_eq!(kad(&[KAD, 0x60]), Some(Application::Kad));
        assert_eq!(kad(&[KAD, 0x61, 0x40, 0x12]), Some(Application::Kad));
        let mut request = vec![KAD, 0x21, 2];
        request.extend([9; 32]);
        assert_eq!(kad(&request), Some(Application::Kad));
        request[0] = KADU;
        assert_eq!(kad(&request), Some(Application::KadU));
        request[1] = 0x20;
        assert_eq!(kad(&request), Some(Application::KadU));
        for contacts in [0, 1, 4, 11] {
            assert_eq!(kad(&response(contacts)), Some(Application::Kad));
        }
        let search = message(KAD, 0x33, &[0, 0]);
        assert_eq!(kad(&search), Some(Application::Kad));
        let mut hello1 = message(KADU, 0x10, &[]);
        hello1.extend([1; 9]);
        assert_eq!(kad(&hello1), Some(Application::KadU));
    }

    #[test]
    fn packed_messages_need_a_zlib_header() {
        let mut packed = vec![KAD_PACKED, 0x29, 0x78, 0x9C];
        packed.extend([5; 100]);
        assert_eq!(kad(&packed), Some(Application::Kad));
        packed[0] = KADU_PACKED;
        assert_eq!(kad(&packed), Some(Application::KadU));
        packed[3] = 0x9D;
        assert_eq!(kad(&packed), None);
    }

    #[test]
    fn wrong_lengths_counts_and_opcodes_are_refused() {
        let mut lying = response(3);
        lying[18] = 4;
        assert_eq!(kad(&lying), None);
        lying[18] = 3;
        lying.push(0);
        assert_eq!(kad(&lying), None);
        assert_eq!(kad(&[KAD, 0x60, 0]), None);
        assert_eq!(kad(&[KAD, 0x77]), None);
        assert_eq!(kad(&[KAD]), None);
        assert_eq!(kad(&message(KAD, 0x33, &[0, 0x80])), None);
        assert_eq!(kad(&message(KAD, 0x11, &[0, 0, 0xFF, 0])), None);
    }

    proptest! {
        #[test]
        fn a_cut_message_keeps_its_label(contacts in 0_u8..12, captured in 2_usize..300) {
            let bytes = response(contacts);
            let captured = captured.min(bytes.len());
            prop_assert_eq!(label(&Kad, &udp_cut(&bytes, captured)), Some(Application::Kad));
        }
    }
}
