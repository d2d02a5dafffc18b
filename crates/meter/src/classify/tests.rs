//! What the classifiers do together: no panic, no confusion, few false alarms.

use peerscope_flow::{Application, Transport};
use proptest::prelude::*;

use super::testing::{payload, udp, udp_cut};
use super::{Classifiers, dns};

fn is_p2p(label: Option<&Application>) -> bool {
    matches!(
        label,
        Some(
            Application::EMule
                | Application::Kad
                | Application::KadU
                | Application::BitTorrent
                | Application::Dcpp
        )
    )
}

/// Bytes that no protocol made: the generator of Vigna's splitmix64, seeded.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.flatten().take(length).collect()
    }
}

#[test]
fn no_identifier_turns_a_dns_message_into_p2p() {
    let classifiers = Classifiers::built_in();
    for id in 0..=u16::MAX {
        for message in [dns::tests::query(id), dns::tests::response(id)] {
            let label = classifiers.classify(&udp(&message));
            assert_eq!(label, Some(Application::Dns), "id {id:#06x}");
        }
    }
}

/// Of the identifiers that begin like a Kad or eD2k datagram, with names of every length, so that
/// each fixed length of those protocols occurs.
#[test]
fn no_length_of_name_turns_a_dns_query_into_p2p() {
    let classifiers = Classifiers::built_in();
    for first in [0xE3_u8, 0xE4, 0xE5, 0xC5, 0xA4, 0xA5] {
        for opcode in 0..=u8::MAX {
            for length in 1..=63 {
                let mut message = vec![first, opcode, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
                message.push(length);
                message.extend(std::iter::repeat_n(b'a', usize::from(length)));
                message.extend([0, 0, 1, 0, 1]);
                let label = classifiers.classify(&udp(&message));
                assert_eq!(
                    label,
                    Some(Application::Dns),
                    "{first:#x} {opcode:#x} {length}"
                );
            }
        }
    }
}

/// The other way round: requests and hellos with random identifiers, as many as a host sends in
/// weeks, and bootstrap answers of 48 bytes, the length of an NTP packet.
#[test]
fn no_identifier_turns_a_kad_datagram_into_something_else() {
    let classifiers = Classifiers::built_in();
    let mut noise = Noise(0xCAD);
    for _ in 0..100_000 {
        let request = [&[0xE4, 0x21, 2], &noise.bytes(32)[..]].concat();
        let hello = [&[0xE4, 0x11], &noise.bytes(18)[..], &[8, 0]].concat();
        let bootstrap = [
            &[0xE4, 0x09],
            &noise.bytes(19)[..],
            &[1, 0],
            &noise.bytes(25)[..],
        ]
        .concat();
        for datagram in [request, hello, bootstrap] {
            let label = classifiers.classify(&udp(&datagram));
            assert_eq!(label, Some(Application::Kad), "{}", datagram.escape_ascii());
        }
    }
}

/// Random payloads of every length from 1 to 400 bytes. Each label that random bytes can get is
/// bound by its signature's width, 2^-16 for the shortest ones.
#[test]
fn random_payloads_are_rarely_p2p() {
    const ROUNDS: u32 = 1_000;
    let classifiers = Classifiers::built_in();
    let mut noise = Noise(0x5EED);
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut wrong = 0;
        for length in 1..=400 {
            for _ in 0..ROUNDS {
                let bytes = noise.bytes(length);
                let label = classifiers.classify(&payload(transport, &bytes, length));
                wrong += u32::from(is_p2p(label.as_ref()));
            }
        }
        let per_million = f64::from(wrong) / (400.0 * f64::from(ROUNDS)) * 1e6;
        let bound = if transport == Transport::Udp {
            50.0
        } else {
            1.0
        };
        assert!(
            per_million <= bound,
            "{transport}: {per_million} in a million"
        );
    }
}

fn ntp() -> impl Strategy<Value = Vec<u8>> {
    let header = (
        0_u8..4,
        1_u8..=4,
        1_u8..=5,
        0_u8..=16,
        3_u8..=17,
        0xE0_u8..=0xFF,
    );
    let delays = (0_u32..1 << 20, 0_u32..1 << 20);
    (
        header,
        delays,
        prop::collection::vec(any::<u8>(), 36),
        // No authentication, or a key's number and its digest.
        prop::sample::select(vec![0_usize, 20, 24]),
    )
        .prop_map(
            |((leap, version, mode, stratum, poll, precision), (delay, dispersion), rest, key)| {
                let mut bytes = vec![
                    (leap << 6) | (version << 3) | mode,
                    stratum,
                    poll,
                    precision,
                ];
                bytes.extend(delay.to_be_bytes());
                bytes.extend(dispersion.to_be_bytes());
                bytes.extend(rest);
                bytes.extend(std::iter::repeat_n(7, key));
                bytes
            },
        )
}

/// A name, the type and class of a question, and a response's records.
fn dns_message() -> impl Strategy<Value = Vec<u8>> {
    let labels = prop::collection::vec(prop::collection::vec(b'-'..=b'z', 1..=20), 0..=5);
    let kinds = prop::sample::select(vec![1_u8, 2, 5, 12, 15, 16, 28, 33, 65]);
    (any::<u16>(), labels, kinds, 0_u8..4, any::<bool>()).prop_map(
        |(id, labels, kind, answers, options)| {
            let mut bytes = id.to_be_bytes().to_vec();
            bytes.extend(if answers > 0 { [0x81, 0x80] } else { [1, 0] });
            bytes.extend([0, 1, 0, answers, 0, 0, 0, u8::from(options)]);
            for label in labels {
                bytes.push(u8::try_from(label.len()).unwrap());
                bytes.extend(label);
            }
            bytes.extend([0, 0, kind, 0, 1]);
            for _ in 0..answers {
                bytes.extend([0xC0, 12, 0, kind, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
            }
            if options {
                bytes.extend([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn dns_messages_are_dns(bytes in dns_message(), first in any::<bool>()) {
        let mut bytes = bytes;
        if first {
            bytes[0] = 0xE4;
        }
        prop_assert_eq!(Classifiers::built_in().classify(&udp(&bytes)), Some(Application::Dns));
    }

    #[test]
    fn cut_dns_messages_are_not_p2p(bytes in dns_message(), captured in 12_usize..200) {
        let captured = captured.min(bytes.len());
        let label = Classifiers::built_in().classify(&udp_cut(&bytes, captured));
        prop_assert_eq!(label, Some(Application::Dns));
    }

    #[test]
    fn ntp_packets_are_not_p2p(bytes in ntp()) {
        prop_assert!(!is_p2p(Classifiers::built_in().classify(&udp(&bytes)).as_ref()));
    }

    #[test]
    fn any_bytes_at_any_snap_length(
        first in prop::option::of(prop::sample::select(vec![0xE3_u8, 0xE4, 0xE5, 0xC5, 0xD4, 0xA4, 0xA5, b'd', b'$', 0x21, 22])),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        beyond in 0_usize..100_000,
        tcp in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if let (Some(first), Some(byte)) = (first, bytes.first_mut()) {
            *byte = first;
        }
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let classifiers = Classifiers::built_in();
        for captured in 0..=bytes.len() {
            // The second length is a lie: shorter than what was captured.
            for length in [bytes.len() + beyond, captured / 2] {
                classifiers.classify(&payload(transport, &bytes[..captured], length));
            }
        }
    }
}
