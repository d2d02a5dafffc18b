//! Capture files, whole and damaged.

use std::io::Cursor;

use peerscope_flow::Timestamp;
use peerscope_meter::{Capture, CaptureError, CaptureErrorKind, LinkType};

/// Little- or big-endian numbers.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

fn numbers(order: Order, numbers: &[u32]) -> Vec<u8> {
    let bytes = numbers.iter().flat_map(|&number| match order {
        Order::Little => number.to_le_bytes(),
        Order::Big => number.to_be_bytes(),
    });
    bytes.collect()
}

fn pcap(order: Order, magic: u32, records: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
    let version = match order {
        Order::Little => 0x0004_0002,
        Order::Big => 0x0002_0004,
    };
    let mut file = numbers(order, &[magic, version, 0, 0, 65_535, 1]);
    for &(secs, fraction, data, original) in records {
        let captured = u32::try_from(data.len()).unwrap();
        file.extend(numbers(order, &[secs, fraction, captured, original]));
        file.extend(data);
    }
    file
}

/// A pcapng block around its body.
fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap();
    [
        numbers(order, &[kind, length]),
        body.to_vec(),
        numbers(order, &[length]),
    ]
    .concat()
}

fn section(order: Order) -> Vec<u8> {
    block(
        order,
        0x0a0d_0d0a,
        &numbers(order, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]),
    )
}

/// An interface of a link type with a time resolution.
fn interface(order: Order, link: u16, resolution: u8) -> Vec<u8> {
    let half = |number: u16| match order {
        Order::Little => number.to_le_bytes(),
        Order::Big => number.to_be_bytes(),
    };
    let mut body = [half(link), half(0)].concat();
    body.extend(numbers(order, &[0]));
    body.extend([half(9), half(1)].concat());
    body.extend([resolution, 0, 0, 0, 0, 0, 0, 0]);
    block(order, 1, &body)
}

fn enhanced(order: Order, interface: u32, ticks: u64, data: &[u8], original: u32) -> Vec<u8> {
    let captured = u32::try_from(data.len()).unwrap();
    let (high, low) = (u32::try_from(ticks >> 32).unwrap(), ticks & 0xffff_ffff);
    let low = u32::try_from(low).unwrap();
    let mut body = numbers(order, &[interface, high, low, captured, original]);
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
    block(order, 6, &body)
}

/// Time, link type, bytes and original length of every packet, then the error.
type Read = (Vec<(i64, u32, Vec<u8>, u32)>, Option<CaptureError>);

fn read(file: Vec<u8>) -> Read {
    let mut packets = Vec::new();
    let mut capture = match Capture::from_reader("made", Cursor::new(file)) {
        Ok(capture) => capture,
        Err(error) => return (packets, Some(error)),
    };
    loop {
        match capture.next_packet() {
            Ok(Some(packet)) => packets.push((
                packet.time.as_micros(),
                packet.link.0,
                packet.data.to_vec(),
                packet.original_length,
            )),
            Ok(None) => return (packets, None),
            Err(error) => {
                assert!(matches!(capture.next_packet(), Ok(None)));
                return (packets, Some(error));
            }
        }
    }
}

#[test]
fn both_byte_orders_and_resolutions_of_pcap() {
    for order in [Order::Little, Order::Big] {
        for (magic, fraction) in [(0xa1b2_c3d4, 5), (0xa1b2_3c4d, 5999)] {
            let file = pcap(order, magic, &[(7, fraction, b"abc", 90), (8, 0, b"", 0)]);
            let (packets, error) = read(file);
            assert!(error.is_none());
            let first = (7_000_005, 1, b"abc".to_vec(), 90);
            assert_eq!(packets, [first, (8_000_000, 1, vec![], 0)]);
        }
    }
}

#[test]
fn both_byte_orders_and_every_resolution_of_pcapng() {
    for order in [Order::Little, Order::Big] {
        let file = [
            section(order),
            interface(order, 101, 6),
            interface(order, 113, 9),
            interface(order, 1, 0x8a),
            enhanced(order, 0, 1_000_001, b"12345", 60),
            block(order, 0x0bad, b"1234"),
            enhanced(order, 1, 1_000_001_999, b"", 0),
            enhanced(order, 2, 1536, b"1234", 4),
            section(order),
            interface(order, 228, 0),
            enhanced(order, 0, 3, b"x", 1),
        ]
        .concat();
        let (packets, error) = read(file);
        assert!(error.is_none(), "{error:?}");
        let expected = [
            (1_000_001, 101, b"12345".to_vec(), 60),
            (1_000_001, 113, vec![], 0),
            (1_500_000, 1, b"1234".to_vec(), 4),
            (3_000_000, 228, b"x".to_vec(), 1),
        ];
        assert_eq!(packets, expected);
    }
}

#[test]
fn simple_and_obsolete_packets_of_pcapng() {
    let order = Order::Little;
    let simple = [numbers(order, &[3]), b"abc\0".to_vec()].concat();
    let obsolete = [numbers(order, &[0, 0, 9, 2, 50]), b"xy\0\0".to_vec()].concat();
    let file = [
        section(order),
        interface(order, 1, 6),
        block(order, 3, &simple),
        block(order, 2, &obsolete),
    ]
    .concat();
    let (packets, error) = read(file);
    assert!(error.is_none());
    assert_eq!(
        packets,
        [(0, 1, b"abc".to_vec(), 3), (9, 1, b"xy".to_vec(), 50)]
    );
}

#[test]
fn every_truncation_delivers_what_came_before_it_and_says_where() {
    let order = Order::Big;
    let record = 16 + 4;
    let classic = pcap(order, 0xa1b2_c3d4, &[(1, 0, b"1234".as_slice(), 4); 3]);
    let next_generation = [
        section(order),
        interface(order, 1, 6),
        enhanced(order, 0, 1, b"1234", 4),
        enhanced(order, 0, 2, b"1234", 4),
    ]
    .concat();
    let (head, packet) = (28 + 32, 36);
    for (file, head, packet) in [(classic, 24, record), (next_generation, head, packet)] {
        for length in 0..file.len() {
            let (packets, error) = read(file[..length].to_vec());
            assert_eq!(packets.len(), length.saturating_sub(head) / packet);
            let at_boundary = length >= head && (length - head).is_multiple_of(packet);
            match error {
                None => assert!(at_boundary || length == 28, "{length}"),
                Some(error) => {
                    let message = error.to_string();
                    assert!(
                        matches!(error.kind, CaptureErrorKind::Truncated { .. }),
                        "{message}"
                    );
                    assert!(message.starts_with("made: byte "), "{message}");
                    assert!(error.offset <= length as u64);
                }
            }
        }
    }
}

#[test]
fn damage_is_named_with_its_place_and_value() {
    let order = Order::Little;
    let good = pcap(order, 0xa1b2_c3d4, &[(1, 0, b"1234", 4)]);
    let absurd = [good, numbers(order, &[1, 0, 0xffff_0000, 4])].concat();
    let interfaces = [section(order), interface(order, 1, 6)].concat();
    let mut trailer = [interfaces.clone(), enhanced(order, 0, 1, b"1234", 4)].concat();
    let last = trailer.len() - 4;
    trailer[last] = 40;
    let with = |block: Vec<u8>| [interfaces.clone(), block].concat();
    let cases = [
        (
            b"GIF89a".to_vec(),
            "made: byte 0: 0x47494638 is neither a pcap nor a pcapng magic number",
        ),
        (
            absurd,
            "made: byte 44: length 4294901760 is not in 0..=262144",
        ),
        (
            trailer,
            "made: byte 60: block length 36 at its beginning, 40 at its end",
        ),
        (
            with(numbers(order, &[6, 0xffff_fff0, 0])),
            "made: byte 60: length 4294967280 is not in 12..=16777216",
        ),
        (
            with(enhanced(order, 4, 1, b"", 0)),
            "made: byte 60: packet of interface 4, 1 are described",
        ),
        (
            with(block(order, 6, &numbers(order, &[0, 0, 0, 400, 400]))),
            "made: byte 60: malformed pcapng block of type 0x00000006",
        ),
        (
            with(interface(order, 1, 20)),
            "made: byte 60: time resolution 0x14 is out of range",
        ),
        (
            [
                section(order),
                interface(order, 1, 0),
                enhanced(order, 0, u64::MAX, b"", 0),
            ]
            .concat(),
            "made: byte 60: time of 18446744073709551615 ticks of 1/1 s is out of range",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(
            read(file).1.map(|error| error.to_string()).as_deref(),
            Some(expected)
        );
    }
    let missing = Capture::open("no/such/file.pcap").unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("no/such/file.pcap: byte 0: cannot be read: ")
    );
}

#[test]
fn compression_is_told_by_content() {
    use std::io::Write;
    let plain = pcap(Order::Little, 0xa1b2_c3d4, &[(1, 2, b"1234", 4)]);
    let formats = [
        niffler::compression::Format::Gzip,
        niffler::compression::Format::Zstd,
        niffler::compression::Format::Lzma,
    ];
    for format in formats {
        let mut file = Vec::new();
        let mut writer =
            niffler::basic::get_writer(Box::new(&mut file), format, niffler::Level::One).unwrap();
        writer.write_all(&plain).unwrap();
        drop(writer);
        let mut capture = Capture::from_reader("packed", Cursor::new(file.clone())).unwrap();
        let packet = capture.next_packet().unwrap().unwrap();
        assert_eq!(packet.time, Timestamp::from_micros(1_000_002));
        assert_eq!(
            (packet.link, packet.data),
            (LinkType::ETHERNET, &b"1234"[..])
        );
        file.truncate(file.len() - 12);
        assert!(read(file).1.is_some(), "{format:?}");
    }
}
