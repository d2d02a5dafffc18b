//! Made export packets: formats, templates before and after their data, and lies.
#![cfg(feature = "netflow")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "common/exports.rs"]
mod exports;

use std::net::UdpSocket;
use std::time::Duration;

use peerscope_flow::{Span, Timestamp, Transport, Volume};
use peerscope_read::{
    ExportDecoder, ExportReader, ExportSocket, FaultKind, Format, Policy, ReadOptions, Source,
    StatedInitiator, TcpFlags, Until,
};
use proptest::prelude::*;

use exports::{Field, decode, decode_from, exporter, ipfix, pcap, set, template, v9};

/// Addresses, ports, protocol, flags, packets, bytes, first and last uptime.
const BASIC: [Field; 10] = [
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
];

fn basic(port: u16, flags: u8, packets: u32, bytes: u32, first: u32, last: u32) -> Vec<u8> {
    let mut record = vec![10, 0, 0, 1, 192, 0, 2, 7];
    record.extend([port.to_be_bytes(), 4662_u16.to_be_bytes()].concat());
    record.extend([6, flags]);
    for n in [packets, bytes, first, last] {
        record.extend(n.to_be_bytes());
    }
    record
}

fn span_ms(start: i64, end: i64) -> Span {
    Span::new(
        Timestamp::from_micros(start * 1000),
        Timestamp::from_micros(end * 1000),
    )
    .unwrap()
}

fn v5(count: u16, records: usize) -> Vec<u8> {
    let mut packet = [5_u16.to_be_bytes(), count.to_be_bytes()].concat();
    // Uptime 1000 ms, just after a wrap; time 1,700,000,000.25 s; sampled, one in 100, mode 1.
    for n in [1000_u32, 1_700_000_000, 250_000_000, 7] {
        packet.extend(n.to_be_bytes());
    }
    packet.extend([0, 0, 0x40, 100]);
    for _ in 0..records {
        packet.extend([10, 0, 0, 1, 192, 0, 2, 7, 0, 0, 0, 0, 0, 1, 0, 2]);
        for n in [3_u32, 180, u32::MAX - 3999, 500] {
            packet.extend(n.to_be_bytes());
        }
        packet.extend([0xc3, 0x50, 0x12, 0x36, 0, 0x1b, 6, 0]);
        packet.extend([0; 8]);
    }
    packet
}

#[test]
fn v5_counts_back_across_a_wrap_and_tells_its_sampling() {
    let mut decoder = ExportDecoder::new();
    let (records, faults) = decode(&mut decoder, &v5(2, 2));
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(records.len(), 2);
    let record = &records[0];
    assert_eq!(
        record.key().to_string(),
        "tcp 10.0.0.1:50000 > 192.0.2.7:4662"
    );
    assert_eq!(record.fwd, Volume::new(3, 180));
    assert_eq!(record.fwd_flags.map(TcpFlags::bits), Some(0x1b));
    // 5 s and 0.5 s before the export.
    assert_eq!(record.span, span_ms(1_699_999_995_250, 1_699_999_999_750));
    assert_eq!(decoder.report().sampled_one_in, Some(100));
}

#[test]
fn v5_that_promises_more_records_than_it_holds() {
    let mut decoder = ExportDecoder::new();
    let (records, faults) = decode(&mut decoder, &v5(30, 3));
    assert_eq!(records.len(), 3);
    let message = faults[0].to_string();
    assert!(
        message.contains("1464") && message.contains("168"),
        "{message}"
    );
    for count in [0, 31, u16::MAX] {
        let (records, faults) = decode(&mut decoder, &v5(count, 3));
        assert!(records.is_empty());
        assert!(
            faults[0].to_string().contains(&count.to_string()),
            "{faults:?}"
        );
    }
}

#[test]
fn a_v9_template_may_come_before_or_after_its_data() {
    let define = set(0, &template(256, &BASIC));
    let data = |port| set(256, &basic(port, 2, 1, 60, 400_000, 401_000));
    let mut decoder = ExportDecoder::new();
    assert_eq!(
        decode(&mut decoder, &v9(500_000, 1000, 1, &[data(1)]))
            .0
            .len(),
        0
    );
    assert_eq!(decoder.report().unread_sets, 1);
    // The template comes, and with it the waiting record; of another source nothing.
    assert_eq!(
        decode(&mut decoder, &v9(500_000, 1000, 2, &[data(2)]))
            .0
            .len(),
        0
    );
    let (records, faults) = decode(&mut decoder, &v9(500_000, 1000, 1, &[define, data(3)]));
    assert!(faults.is_empty(), "{faults:?}");
    let mut ports: Vec<u16> = records.iter().map(|record| record.src.port).collect();
    ports.sort_unstable();
    assert_eq!(ports, [1, 3]);
    assert_eq!(records[0].span, span_ms(900_000, 901_000));
    let report = decoder.report();
    assert_eq!(
        (report.late_sets, report.unread_sets, report.records),
        (1, 1, 2)
    );
}

#[test]
fn records_of_one_v9_exporter_keep_their_order_within_a_second() {
    let define = set(0, &template(256, &BASIC));
    let mut decoder = ExportDecoder::new();
    // The counter started at 0.999 s: the second header's cut-off second is off by 999 ms.
    let request = set(256, &basic(1, 2, 1, 60, 5000, 5000));
    let (first, _) = decode(&mut decoder, &v9(9001, 10, 1, &[define, request]));
    let answer = set(256, &basic(2, 18, 1, 60, 5100, 5100));
    let (second, _) = decode(&mut decoder, &v9(9000, 9, 1, &[answer]));
    let apart = second[0].span.start().micros_since(first[0].span.start());
    assert_eq!(apart, 100_000);
}

#[test]
fn v9_sampling_is_told_by_options() {
    // Scope: system; options: interval and algorithm.
    let options = [
        &256_u16.to_be_bytes()[..],
        &[0, 4, 0, 8, 0, 1, 0, 4, 0, 34, 0, 4, 0, 35, 0, 1, 0, 0],
    ]
    .concat();
    let mut values = vec![0, 0, 0, 1];
    values.extend(1000_u32.to_be_bytes());
    values.push(2);
    let packet = v9(0, 0, 0, &[set(1, &options), set(256, &values)]);
    let mut decoder = ExportDecoder::new();
    let (records, faults) = decode(&mut decoder, &packet);
    assert!(records.is_empty() && faults.is_empty(), "{faults:?}");
    assert_eq!(decoder.report().sampled_one_in, Some(1000));
}

/// Both addresses, ports, protocol, then what a test adds.
fn biflow(extra: &[Field], values: &[u8]) -> Vec<Vec<u8>> {
    let fields = [&[(8, 4), (12, 4), (7, 2), (11, 2), (4, 1)][..], extra].concat();
    let record = [
        &[10, 0, 0, 1, 192, 0, 2, 7, 0xc3, 0x50, 0, 80, 17][..],
        values,
    ]
    .concat();
    vec![set(2, &template(300, &fields)), set(300, &record)]
}

fn longs(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

#[test]
fn ipfix_biflows_state_or_show_the_initiator() {
    const REVERSE: u16 = 0x8000;
    let volumes = [
        (1, 8),
        (2, 8),
        (REVERSE + 1, 8),
        (REVERSE + 2, 8),
        (152, 8),
        (153, 8),
    ];
    let values = longs(&[100, 2, 700, 3, 5_000_000, 6_000_000]);
    let direction = |direction: u8| {
        let fields = [&volumes[..], &[(239, 1)]].concat();
        let packet = ipfix(
            9000,
            0,
            &biflow(&fields, &[&values[..], &[direction]].concat()),
        );
        decode(&mut ExportDecoder::new(), &packet).0
    };
    for (number, initiator) in [
        (0, StatedInitiator::Unstated),
        (1, StatedInitiator::Src),
        (2, StatedInitiator::Dst),
        (3, StatedInitiator::Unstated),
    ] {
        let records = direction(number);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].initiator, initiator);
        assert_eq!(records[0].fwd, Volume::new(2, 100));
        assert_eq!(records[0].rev, Some(Volume::new(3, 700)));
        assert_eq!(records[0].span, span_ms(5_000_000, 6_000_000));
    }
    // With times of either direction there are two records, and pairing finds who began.
    let fields = [&volumes[..], &[(REVERSE + 152, 8), (REVERSE + 153, 8)]].concat();
    let values = [values, longs(&[4_999_000, 6_500_000])].concat();
    let (records, _) = decode(
        &mut ExportDecoder::new(),
        &ipfix(9000, 0, &biflow(&fields, &values)),
    );
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].key(), records[0].key().reversed());
    assert_eq!(records[1].span, span_ms(4_999_000, 6_500_000));
    assert_eq!(
        (records[0].rev, records[1].fwd),
        (None, Volume::new(3, 700))
    );
}

#[test]
fn initiator_octets_count_payload_and_state_the_initiator() {
    let fields = [(231, 4), (232, 4), (298, 4), (299, 4), (323, 8)];
    let mut values: Vec<u8> = [500_u32, 900, 2, 3]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    values.extend(5_000_123_u64.to_be_bytes());
    let mut decoder = ExportDecoder::new();
    let (records, _) = decode(&mut decoder, &ipfix(9000, 0, &biflow(&fields, &values)));
    // 28 bytes of headers for each packet of UDP over IPv4.
    assert_eq!(records[0].fwd, Volume::new(2, 556));
    assert_eq!(records[0].rev, Some(Volume::new(3, 984)));
    assert_eq!(records[0].initiator, StatedInitiator::Src);
    assert_eq!(records[0].span, span_ms(5_000_123, 5_000_123));
    assert_eq!(decoder.report().estimated, 1);
}

#[test]
fn ipfix_times_of_every_unit_agree() {
    let counts = longs(&[40, 1]);
    let ntp = |millis: u64| {
        let (secs, rest) = (millis / 1000 + 2_208_988_800, millis % 1000);
        secs << 32 | ((rest << 32) / 1000)
    };
    let (start, end) = (1_700_000_000_000_u64, 1_700_000_007_250);
    for (fields, times, expected) in [
        (
            [(150, 8), (161, 8)],
            longs(&[start / 1000, 7250]),
            (start, end),
        ),
        ([(152, 8), (153, 8)], longs(&[start, end]), (start, end)),
        (
            [(154, 8), (155, 8)],
            longs(&[ntp(start), ntp(end)]),
            (start, end),
        ),
        (
            [(156, 8), (157, 8)],
            longs(&[ntp(start), ntp(end)]),
            (start, end),
        ),
        (
            [(158, 8), (159, 8)],
            longs(&[10_000_000, 2_750_000]),
            (start, end),
        ),
        // Uptimes alone: the end is at the export, to the second; the duration is exact.
        (
            [(22, 8), (21, 8)],
            longs(&[1000, 8250]),
            (start + 3749, start + 10_999),
        ),
    ] {
        let fields = [&[(1, 8), (2, 8)][..], &fields].concat();
        let packet = ipfix(
            1_700_000_010,
            0,
            &biflow(&fields, &[counts.clone(), times].concat()),
        );
        let (records, faults) = decode(&mut ExportDecoder::new(), &packet);
        assert!(faults.is_empty(), "{faults:?}");
        let (start, end) = (expected.0.cast_signed(), expected.1.cast_signed());
        assert_eq!(records[0].span, span_ms(start, end), "{fields:?}");
    }
}

#[test]
fn what_cannot_be_a_record_is_a_fault_with_its_reason() {
    for (extra, values, kind) in [
        // No volume, no traffic, an end before the start.
        (vec![(152, 8)], longs(&[5]), FaultKind::Unset),
        (vec![(1, 8), (2, 8)], longs(&[0, 0]), FaultKind::NoTraffic),
        (
            vec![(1, 8), (152, 8), (153, 8)],
            longs(&[9, 7, 6]),
            FaultKind::Order,
        ),
    ] {
        let packet = ipfix(9000, 0, &biflow(&extra, &values));
        let (records, faults) = decode(&mut ExportDecoder::new(), &packet);
        assert!(records.is_empty());
        assert_eq!(faults[0].kind(), kind, "{faults:?}");
    }
}

#[test]
fn sets_before_a_lying_length_are_read() {
    let define = set(0, &template(256, &BASIC));
    let data = set(256, &basic(1, 2, 1, 60, 1, 2));
    for lie in [0_u16, 3, 40, u16::MAX] {
        let mut bad = data.clone();
        bad[2..4].copy_from_slice(&lie.to_be_bytes());
        let packet = v9(500, 1000, 1, &[define.clone(), data.clone(), bad]);
        let (records, faults) = decode(&mut ExportDecoder::new(), &packet);
        assert_eq!((records.len(), faults.len()), (1, 1), "length {lie}");
        assert_eq!(faults[0].kind(), FaultKind::Packet);
    }
    // A template that promises more fields than there are, and one of no length.
    for body in [[1, 0, 0xff, 0xff, 0, 8, 0, 4], [1, 0, 0, 1, 0, 8, 0, 0]] {
        let mut decoder = ExportDecoder::new();
        let (records, _) = decode(
            &mut decoder,
            &v9(500, 1000, 1, &[set(0, &body), data.clone()]),
        );
        assert!(records.is_empty());
    }
}

/// Templates without end: the ones in use stay, memory does not grow, and it is told.
#[test]
fn a_flood_of_templates_and_exporters_is_bounded_and_counted() {
    let mut decoder = ExportDecoder::new();
    let define = set(0, &template(256, &BASIC));
    let data = set(256, &basic(1, 2, 1, 60, 1, 2));
    decode(&mut decoder, &v9(500, 1000, 1, &[define]));
    let wide: Vec<Field> = (0..200).map(|n| (1 + n % 90, 4)).collect();
    for id in 257..4000 {
        decode(
            &mut decoder,
            &v9(500, 1000, 1, &[set(0, &template(id, &wide))]),
        );
        // A template in use is not the least recently used one.
        assert_eq!(
            decode(&mut decoder, &v9(500, 1000, 1, std::slice::from_ref(&data)))
                .0
                .len(),
            1,
            "{id}"
        );
    }
    let kept = ExportDecoder::TEMPLATES as u64;
    assert_eq!(decoder.report().forgotten, 1 + (4000 - 257) - kept);
    // Sources, each with data that will never have a template.
    for source in 0..5000 {
        decode(
            &mut decoder,
            &v9(500, 1000, source + 10, std::slice::from_ref(&data)),
        );
    }
    let report = decoder.report();
    assert!(
        report.forgotten >= 5001 - ExportDecoder::EXPORTERS as u64,
        "{report:?}"
    );
    assert_eq!(report.unread_sets, 5000);
}

#[test]
fn clocks_that_jump_give_times_by_their_headers() {
    let define = set(0, &template(256, &BASIC));
    let data = || set(256, &basic(1, 2, 1, 60, 1000, 2000));
    let mut decoder = ExportDecoder::new();
    let start = |packet: &[u8], decoder: &mut ExportDecoder| {
        decode(decoder, packet).0[0].span.start().as_micros() / 1_000_000
    };
    assert_eq!(
        start(&v9(2000, 1_000_000, 1, &[define, data()]), &mut decoder),
        999_999
    );
    let day = 86_400;
    assert_eq!(
        start(&v9(2000, 1_000_000 - day, 1, &[data()]), &mut decoder),
        913_599
    );
    assert_eq!(start(&v9(2000, 0, 1, &[data()]), &mut decoder), -1);
    assert_eq!(
        start(&v9(2000, u32::MAX, 1, &[data()]), &mut decoder),
        4_294_967_294
    );
}

#[test]
fn a_capture_of_exports_is_recognised_and_paired() {
    let there = basic(50_000, 0x1b, 5, 400, 1000, 3000);
    let mut back = basic(0, 0x1b, 4, 900, 1100, 3000);
    back[..12].copy_from_slice(&[192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x36, 0xc3, 0x50]);
    let file = pcap(&[
        v9(
            5000,
            1000,
            1,
            &[
                set(0, &template(256, &BASIC)),
                set(256, &[there, back].concat()),
            ],
        ),
        v9(5000, 1000, 1, &[set(400, &[1, 2, 3, 4])]),
    ]);
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let source = Source::from_reader("exports.pcap", std::io::Cursor::new(file), &options).unwrap();
    assert_eq!(source.format(), Format::Netflow);
    let mut reader = source.into_flows().unwrap();
    let flows: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(flows.len(), 1);
    assert_eq!(
        flows[0].key().to_string(),
        "tcp 10.0.0.1:50000 > 192.0.2.7:4662"
    );
    assert_eq!(
        (flows[0].fwd, flows[0].rev),
        (Volume::new(5, 400), Volume::new(4, 900))
    );
    let report = reader.into_report();
    assert_eq!(report.skipped.get(&FaultKind::Template), Some(&1));
    assert!(
        report.first_errors[0].contains("exports.pcap"),
        "{:?}",
        report.first_errors
    );
    assert_eq!(report.exports.unwrap().records, 2);
    assert_eq!(report.feed.unwrap().two_sided, 1);
    assert!(report.digest.is_some());

    // Other traffic beside: a capture to be metered, unless it is asked for as exports.
    let mixed = pcap(&[v5(1, 1), b"\x12\x34\x01\x00\x00\x01".to_vec()]);
    let detected = Source::from_reader("x", std::io::Cursor::new(mixed.clone()), &options).unwrap();
    assert_eq!(detected.format(), Format::Pcap);
    let records: Vec<_> = ExportReader::new("x", std::io::Cursor::new(mixed))
        .unwrap()
        .collect();
    assert!(records.len() == 1 && records[0].is_ok(), "{records:?}");
    let none = pcap(&[b"\x12\x34\x01\x00\x00\x01".to_vec()]);
    let records: Vec<_> = ExportReader::new("x", std::io::Cursor::new(none))
        .unwrap()
        .collect();
    assert!(records.len() == 1 && records[0].is_err(), "{records:?}");
}

#[test]
fn an_ipfix_file_is_read_up_to_where_it_breaks() {
    let volumes = [(1, 8), (2, 8), (152, 8), (153, 8)];
    let message = ipfix(9000, 0, &biflow(&volumes, &longs(&[100, 2, 5, 6])));
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let read = |content: Vec<u8>| {
        let source =
            Source::from_reader("flows.ipfix", std::io::Cursor::new(content), &options).unwrap();
        assert_eq!(source.format(), Format::Netflow);
        let mut reader = source.into_flows().unwrap();
        let records = reader.by_ref().flatten().count();
        (records, reader.into_report())
    };
    let (flows, report) = read(message.repeat(3));
    // One 5-tuple, milliseconds apart: one flow.
    assert_eq!(
        (flows, report.exports.unwrap().records, report.ended_by),
        (1, 3, None)
    );
    let (_, report) = read([message.repeat(2), vec![0, 10, 0, 3, 0]].concat());
    assert_eq!(report.exports.unwrap().records, 2);
    assert!(report.ended_by.unwrap().contains("length 3"));
    let (_, report) = read([message.clone(), message[..50].to_vec()].concat());
    assert_eq!(report.exports.unwrap().records, 1);
    assert_eq!(report.skipped.get(&FaultKind::Packet), Some(&1));
}

#[test]
fn a_socket_is_read_until_packets_silence_or_a_flag() {
    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    for until in [
        Until::new().with_packets(3),
        Until::new().with_silence(Duration::from_millis(400)),
        Until::new().with_flag(std::sync::Arc::clone(&flag)),
    ] {
        flag.store(false, std::sync::atomic::Ordering::Relaxed);
        let mut socket = ExportSocket::bind("127.0.0.1:0", until).unwrap();
        let to = socket.local_addr().unwrap();
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            from.send_to(&v5(2, 2), to).unwrap();
        }
        let six: Vec<_> = socket.by_ref().take(6).map(Result::unwrap).collect();
        assert_eq!(six.len(), 6);
        assert_eq!(six[0].transport, Transport::Tcp);
        flag.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(socket.next().is_none());
        assert_eq!(socket.report().packets, 3);
    }
}

proptest! {
    /// Damage gives fewer records or faults, never a panic.
    #[test]
    fn damaged_packets_do_not_panic(
        version in 0_usize..3,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let volumes = [(1, 8), (2, 8), (0x8001, 8), (152, 8), (153, 8), (0x8098, 8)];
        let mut packet = match version {
            0 => v5(3, 3),
            1 => v9(500, 1000, 1, &[set(0, &template(256, &BASIC)), set(256, &basic(1, 2, 1, 60, 1, 2))]),
            _ => ipfix(9000, 0, &biflow(&volumes, &longs(&[1, 2, 3, 4, 5, 6]))),
        };
        for (at, byte) in damage {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        packet.truncate(1 + cut.index(packet.len()));
        let mut decoder = ExportDecoder::new();
        for _ in 0..2 {
            let (records, _) = decode(&mut decoder, &packet);
            prop_assert!(records.len() < 64);
        }
    }

    #[test]
    fn every_volume_and_flag_of_v9_comes_through(
        rows in prop::collection::vec((any::<u16>(), any::<u8>(), 1_u32.., any::<u32>(), 0_u32..1000), 1..20),
    ) {
        let body: Vec<u8> = rows.iter().flat_map(|&(port, flags, packets, bytes, lasts)| {
            basic(port, flags, packets, bytes, 1000, 1000 + lasts)
        }).collect();
        let packet = v9(5000, 100, 1, &[set(0, &template(256, &BASIC)), set(256, &body)]);
        let (records, faults) = decode(&mut ExportDecoder::new(), &packet);
        prop_assert!(faults.is_empty());
        let read: Vec<_> = records.iter().map(|record| {
            let flags = record.fwd_flags.map_or(0, TcpFlags::bits);
            (record.src.port, flags, record.fwd.packets, record.fwd.bytes, record.span.micros() / 1000)
        }).collect();
        let given: Vec<_> = rows.iter().map(|&(port, flags, packets, bytes, lasts)| {
            (port, flags, u64::from(packets), u64::from(bytes), u64::from(lasts))
        }).collect();
        prop_assert_eq!(read, given);
    }
}

#[test]
fn exporters_with_one_source_number_do_not_share_templates() {
    let mut decoder = ExportDecoder::new();
    let data = set(256, &basic(1, 2, 1, 60, 1, 2));
    let packet = v9(
        500,
        1000,
        1,
        &[set(0, &template(256, &BASIC)), data.clone()],
    );
    assert_eq!(decode_from(&mut decoder, exporter(1), &packet).0.len(), 1);
    assert_eq!(
        decode_from(&mut decoder, exporter(2), &v9(500, 1000, 1, &[data]))
            .0
            .len(),
        0
    );
}
