//! The frames of export packets: messages and the sets in them, by their lengths alone.

use super::fault::ExportFault;

/// A message, up to the last set (v5: record) that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) version: u16,
    /// Observation domain or source; 0 for v5.
    pub(super) domain: u32,
    pub(super) header: &'a [u8],
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The number and content of each set (v9, IPFIX).
    pub(super) fn sets(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut left = self.body;
        std::iter::from_fn(move || {
            let (id, length) = (u16_at(left, 0)?, usize::from(u16_at(left, 2)?));
            let set = left.get(SET_HEADER..length)?;
            left = &left[length..];
            Some((id, set))
        })
    }
}

const V5_HEADER: usize = 24;
pub(super) const V5_RECORD: usize = 48;
const V9_HEADER: usize = 20;
const IPFIX_HEADER: usize = 16;
const SET_HEADER: usize = 4;

/// The first message of a packet, what follows it, and a fault that ended it early.
pub(super) fn split(packet: &[u8]) -> (Option<Message<'_>>, &[u8], Option<ExportFault>) {
    let Some(version) = u16_at(packet, 0) else {
        return (None, &[], Some(cut(2, packet)));
    };
    match version {
        5 => v5(packet),
        9 => v9(packet),
        10 => ipfix(packet),
        version => (None, &[], Some(ExportFault::Version(version))),
    }
}

/// Whether a packet is one or more whole export messages and nothing else.
pub(super) fn recognise(mut packet: &[u8]) -> bool {
    // Nothing at all is no export.
    if packet.is_empty() {
        return false;
    }
    while !packet.is_empty() {
        match split(packet) {
            (Some(message), rest, None) if !message.body.is_empty() => packet = rest,
            _ => return false,
        }
    }
    true
}

fn v5(packet: &[u8]) -> (Option<Message<'_>>, &[u8], Option<ExportFault>) {
    let (Some(count), true) = (u16_at(packet, 2), packet.len() >= V5_HEADER) else {
        return (None, &[], Some(cut(V5_HEADER, packet)));
    };
    if !(1..=30).contains(&count) {
        return (None, &[], Some(ExportFault::Count(count)));
    }
    let needed = V5_HEADER + usize::from(count) * V5_RECORD;
    let whole = needed.min(packet.len() - (packet.len() - V5_HEADER) % V5_RECORD);
    let message = Message {
        version: 5,
        domain: 0,
        header: &packet[..V5_HEADER],
        body: &packet[V5_HEADER..whole],
    };
    if whole == needed {
        return (Some(message), &packet[needed..], None);
    }
    (Some(message), &[], Some(cut(needed, packet)))
}

fn v9(packet: &[u8]) -> (Option<Message<'_>>, &[u8], Option<ExportFault>) {
    let (Some(domain), Some(body)) = (u32_at(packet, 16), packet.get(V9_HEADER..)) else {
        return (None, &[], Some(cut(V9_HEADER, packet)));
    };
    let (length, fault) = whole_sets(body);
    let message = Message {
        version: 9,
        domain,
        header: &packet[..V9_HEADER],
        body: &body[..length],
    };
    (Some(message), &[], fault)
}

fn ipfix(packet: &[u8]) -> (Option<Message<'_>>, &[u8], Option<ExportFault>) {
    let (Some(length), Some(domain), true) = (
        u16_at(packet, 2),
        u32_at(packet, 12),
        packet.len() >= IPFIX_HEADER,
    ) else {
        return (None, &[], Some(cut(IPFIX_HEADER, packet)));
    };
    let needed = usize::from(length);
    if needed < IPFIX_HEADER {
        return (None, &[], Some(ExportFault::Length(length)));
    }
    let (own, rest) = packet.split_at(needed.min(packet.len()));
    let (header, body) = own.split_at(IPFIX_HEADER);
    let (whole, fault) = whole_sets(body);
    let fault = if needed > packet.len() {
        Some(cut(needed, packet))
    } else {
        fault
    };
    let message = Message {
        version: 10,
        domain,
        header,
        body: &body[..whole],
    };
    (Some(message), rest, fault)
}

/// Length of the sets that are whole, and what is wrong with the one after. Up to three bytes, and
/// any number of zeros, are padding.
fn whole_sets(body: &[u8]) -> (usize, Option<ExportFault>) {
    let mut at = 0;
    loop {
        let left = &body[at..];
        if left.len() < SET_HEADER || left.iter().all(|&byte| byte == 0) {
            return (at, None);
        }
        let length = u16_at(left, 2).unwrap_or(0);
        let needed = usize::from(length);
        if needed < SET_HEADER {
            return (at, Some(ExportFault::Length(length)));
        }
        if needed > left.len() {
            return (at, Some(cut(needed, left)));
        }
        at += needed;
    }
}

const fn cut(needed: usize, bytes: &[u8]) -> ExportFault {
    ExportFault::Cut {
        needed,
        found: bytes.len(),
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u16::from_be_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ipfix_message(sets: &[&[u8]]) -> Vec<u8> {
        let body: Vec<u8> = sets.concat();
        let mut bytes = vec![0, 10];
        bytes.extend(u16::try_from(16 + body.len()).unwrap().to_be_bytes());
        bytes.extend([0; 11]);
        bytes.push(7);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn sets_before_a_lie_are_kept() {
        let good = [1, 0, 0, 6, 1, 2];
        for (bad, fault) in [
            (
                [1, 0, 0, 99, 0, 0],
                ExportFault::Cut {
                    needed: 99,
                    found: 6,
                },
            ),
            ([1, 0, 0, 3, 0, 0], ExportFault::Length(3)),
        ] {
            let packet = ipfix_message(&[&good, &bad]);
            let (message, rest, found) = split(&packet);
            let message = message.unwrap();
            assert_eq!((message.domain, rest.len()), (7, 0));
            let sets: Vec<_> = message.sets().collect();
            assert_eq!(sets, [(256, &[1, 2][..])]);
            assert_eq!(found, Some(fault));
            assert!(!recognise(&packet));
        }
        assert!(recognise(
            &[ipfix_message(&[&good]), ipfix_message(&[&good])].concat()
        ));
        assert!(!recognise(b"\x12\x34\x01\x00\x00\x01\x00\x00"));
        assert!(!recognise(&ipfix_message(&[])));
        assert!(!recognise(&[]));
    }

    #[test]
    fn a_v5_packet_that_promises_too_much_keeps_its_whole_records() {
        let mut packet = vec![0, 5, 0, 30];
        packet.resize(24 + 2 * 48 + 47, 0);
        let (message, rest, fault) = split(&packet);
        assert_eq!(message.unwrap().body.len(), 2 * V5_RECORD);
        assert_eq!(
            (rest.len(), fault),
            (
                0,
                Some(ExportFault::Cut {
                    needed: 1464,
                    found: 167
                })
            )
        );
        packet[3] = 31;
        assert_eq!(split(&packet).2, Some(ExportFault::Count(31)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_split_into_less(mut packet: Vec<u8>, version in 0_u8..12) {
            if packet.len() > 1 {
                (packet[0], packet[1]) = (0, version);
            }
            let (message, rest, fault) = split(&packet);
            prop_assert!(rest.len() < packet.len().max(1));
            prop_assert!(message.is_some() || fault.is_some());
        }
    }
}
