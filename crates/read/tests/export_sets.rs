//! Every record of a set of an export packet is read, or said to be missing.
#![cfg(feature = "netflow")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "common/exports.rs"]
mod exports;

use std::io::Cursor;

use peerscope_read::{ExportDecoder, FaultKind, Policy, ReadOptions, Source};
use proptest::prelude::*;

use exports::{Field, be16, decode, ipfix, pcap, set, template, v9};

/// Of RFC 7011: the length stands before the value.
const VARIABLE: u16 = u16::MAX;

/// Both addresses, source port, protocol, octets, packets.
const FLOW: [Field; 6] = [(8, 4), (12, 4), (7, 2), (4, 1), (1, 4), (2, 4)];

fn flow(port: u16) -> Vec<u8> {
    let mut record = vec![10, 0, 0, 1, 192, 0, 2, 7];
    record.extend(port.to_be_bytes());
    record.push(17);
    record.extend([0, 0, 1, 0, 0, 0, 0, 2]);
    record
}

/// The flow, and behind it a value of variable length.
fn with_value(port: u16, length: usize, long_form: bool) -> Vec<u8> {
    let mut record = flow(port);
    if long_form || length > 254 {
        record.push(255);
        record.extend(be16(length));
    } else {
        record.push(u8::try_from(length).unwrap());
    }
    record.resize(record.len() + length, b'x');
    record
}

fn ports(decoder: &mut ExportDecoder, packet: &[u8]) -> (Vec<u16>, usize) {
    let (records, faults) = decode(decoder, packet);
    let ports = records.iter().map(|record| record.src.port).collect();
    (ports, faults.len())
}

#[test]
fn empty_values_of_variable_length_hide_no_record() {
    let fields = [&FLOW[..], &[(96, VARIABLE)]].concat();
    let records = [
        with_value(1, 3, false),
        with_value(2, 0, false),
        with_value(3, 0, true),
        with_value(4, 254, false),
        with_value(5, 255, true),
        with_value(6, 1000, true),
    ];
    let packet = ipfix(
        9000,
        0,
        &[set(2, &template(300, &fields)), set(300, &records.concat())],
    );
    for content in [pcap(std::slice::from_ref(&packet)), packet] {
        let options = ReadOptions::new().with_policy(Policy::Skip);
        let source = Source::from_reader("x", Cursor::new(content), &options).unwrap();
        let mut reader = source.into_flows().unwrap();
        let mut ports: Vec<u16> = reader.by_ref().map(|flow| flow.unwrap().src.port).collect();
        ports.sort_unstable();
        assert_eq!(ports, [1, 2, 3, 4, 5, 6]);
        let report = reader.into_report();
        assert_eq!((report.records, report.skipped_records()), (6, 0));
    }
}

#[test]
fn a_record_cut_by_the_end_of_its_set_is_a_fault() {
    let fields = [&FLOW[..], &[(96, VARIABLE)]].concat();
    for cut in 1..10 {
        let mut body = [with_value(1, 3, false), with_value(2, 9, false)].concat();
        body.truncate(body.len() - cut);
        let sets = [set(2, &template(300, &fields)), set(300, &body)];
        let found = ports(&mut ExportDecoder::new(), &ipfix(9000, 0, &sets));
        assert_eq!(found, (vec![1], 1), "{cut} bytes cut");
    }
}

#[test]
fn what_is_no_padding_is_told() {
    for (rest, faults) in [
        (vec![0; 3], 0),
        (vec![7; 3], 0),
        (vec![0; 18], 0),
        ([vec![0; 17], vec![1]].concat(), 1),
    ] {
        let body = [flow(1), rest.clone()].concat();
        for packet in [
            v9(1, 1, 1, &[set(0, &template(300, &FLOW)), set(300, &body)]),
            ipfix(1, 1, &[set(2, &template(300, &FLOW)), set(300, &body)]),
        ] {
            let found = ports(&mut ExportDecoder::new(), &packet);
            assert_eq!(found, (vec![1], faults), "{rest:?}");
        }
    }
}

/// One value of a length that its element cannot have is one record less, not a set less.
#[test]
fn a_value_of_a_wrong_length_is_missing_in_its_record_only() {
    let mut fields = FLOW;
    fields[0] = (8, 3);
    let body = [&flow(1)[1..], &flow(2)[1..]].concat();
    let sets = [set(2, &template(300, &fields)), set(300, &body)];
    let (records, faults) = decode(&mut ExportDecoder::new(), &ipfix(1, 1, &sets));
    assert!(records.is_empty());
    let kinds: Vec<_> = faults.iter().map(peerscope_read::Fault::kind).collect();
    assert_eq!(kinds, [FaultKind::Unset; 2]);
}

#[test]
fn templates_are_withdrawn_and_defined_anew() {
    let mut decoder = ExportDecoder::new();
    let data = |id| set(id, &flow(id));
    let define = [
        set(2, &[template(300, &FLOW), template(301, &FLOW)].concat()),
        data(300),
        data(301),
    ];
    let all = (vec![300, 301], 0);
    assert_eq!(ports(&mut decoder, &ipfix(1, 1, &define)), all);
    // One, then all.
    let one = [set(2, &[1, 44, 0, 0]), data(300), data(301)];
    assert_eq!(ports(&mut decoder, &ipfix(1, 1, &one)), (vec![301], 0));
    assert_eq!(decoder.report().unread_sets, 1);
    // Options templates are not templates of flows.
    let options = [set(3, &[0, 3, 0, 0]), data(301)];
    assert_eq!(ports(&mut decoder, &ipfix(1, 1, &options)), (vec![301], 0));
    let every = [set(2, &[0, 2, 0, 0]), data(301)];
    assert_eq!(ports(&mut decoder, &ipfix(1, 1, &every)), (vec![], 0));
    assert_eq!(decoder.report().unread_sets, 2);
    // With another layout: what waited is read by it.
    let mut fields = FLOW;
    fields.swap(4, 5);
    let (records, faults) = decode(
        &mut decoder,
        &ipfix(1, 1, &[set(2, &template(301, &fields)), data(301)]),
    );
    assert!(faults.is_empty());
    let packets: Vec<u64> = records.iter().map(|record| record.fwd.packets).collect();
    assert_eq!(packets, [256, 256]);
    let report = decoder.report();
    assert_eq!((report.unread_sets, report.late_sets), (1, 1));
}

#[test]
fn a_number_may_pass_from_flows_to_options_and_back() {
    let mut decoder = ExportDecoder::new();
    let flows = [set(2, &template(300, &FLOW)), set(300, &flow(1))];
    assert_eq!(ports(&mut decoder, &ipfix(1, 1, &flows)), (vec![1], 0));
    // Scope: exporting process; samplingPacketInterval and samplingPacketSpace.
    let options = [1, 44, 0, 3, 0, 1, 0, 144, 0, 4, 1, 49, 0, 4, 1, 50, 0, 4];
    let values = [0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 99];
    let options = [set(3, &options), set(300, &values)];
    assert_eq!(ports(&mut decoder, &ipfix(1, 1, &options)), (vec![], 0));
    assert_eq!(decoder.report().sampled_one_in, Some(100));
    assert_eq!(ports(&mut decoder, &ipfix(1, 1, &flows)), (vec![1], 0));
    assert_eq!(decoder.report().options, 1);
}

/// Among them the templates of v9 in an IPFIX message.
#[test]
fn sets_and_templates_of_no_known_kind_are_faults() {
    let good = [set(2, &template(300, &FLOW)), set(300, &flow(1))].concat();
    let wide: Vec<Field> = vec![(1, 1); 257];
    for bad in [
        set(0, &template(300, &FLOW)),
        set(1, &[0; 8]),
        set(77, &flow(2)),
        set(2, &template(255, &FLOW)),
        set(2, &template(301, &wide)),
        set(2, &template(301, &[(96, 0), (8, 0)])),
        set(2, &template(301, &FLOW)[..20]),
        set(3, &[1, 45, 0, 1, 0]),
    ] {
        let found = ports(
            &mut ExportDecoder::new(),
            &ipfix(1, 1, &[good.clone(), bad]),
        );
        assert_eq!(found, (vec![1], 1));
    }
    // A template that cannot be used does not keep the next one from being read.
    let both = [template(301, &wide), template(300, &FLOW)].concat();
    let sets = [set(2, &both), set(300, &flow(1))];
    let found = ports(&mut ExportDecoder::new(), &ipfix(1, 1, &sets));
    assert_eq!(found, (vec![1], 1));
}

#[test]
fn sets_that_wait_are_bounded_and_the_oldest_give_way() {
    let mut decoder = ExportDecoder::new();
    for port in 0..400 {
        let body = flow(port).repeat(100);
        decode(&mut decoder, &v9(1, 1, 1, &[set(300, &body)]));
    }
    assert_eq!(decoder.report().unread_sets, 400);
    let (read, faults) = ports(&mut decoder, &v9(1, 1, 1, &[set(0, &template(300, &FLOW))]));
    let report = decoder.report();
    let sets = read.len() / 100;
    assert!((100..256 * 1024 / 1900).contains(&sets), "{sets} sets");
    assert_eq!(read.last(), Some(&399));
    assert_eq!(
        (report.late_sets, report.unread_sets),
        (sets as u64, 400 - sets as u64)
    );
    assert_eq!(faults, 0);
}

/// Elements that nobody reads, IANA's and an enterprise's.
fn unread() -> impl Strategy<Value = (Field, bool)> {
    let length = prop_oneof![0_u16..9, Just(VARIABLE)];
    (any::<bool>(), length).prop_map(|(enterprise, length)| {
        let number = if enterprise { 0x8000 + 4000 } else { 96 };
        ((number, length), length == VARIABLE)
    })
}

proptest! {
    /// Any layout, values of any length, any number of sets, before or after their template, with
    /// any padding: the records are those that were put in, in order.
    #[test]
    fn every_record_of_every_set_is_read(
        extra in prop::collection::vec(unread(), 0..6),
        sets in prop::collection::vec(
            prop::collection::vec((any::<u16>(), prop::collection::vec(prop_oneof![Just(0), 0_usize..300], 6), any::<bool>()), 1..12),
            1..5,
        ),
        padding in 0_usize..4,
        before in any::<bool>(),
        as_v9 in any::<bool>(),
    ) {
        // v9 has neither variable lengths nor enterprises.
        let extra: Vec<Field> = extra
            .into_iter()
            .filter(|&((number, _), variable)| !as_v9 || !variable && number < 0x8000)
            .map(|(field, _)| field)
            .collect();
        let fields = [&extra[..], &FLOW].concat();
        let mut expected = Vec::new();
        let mut data = Vec::new();
        for records in &sets {
            let mut body = Vec::new();
            for (port, lengths, long_form) in records {
                for (&(_, length), &given) in extra.iter().zip(lengths) {
                    if length == VARIABLE {
                        body.extend_from_slice(&with_value(0, given, *long_form)[flow(0).len()..]);
                    } else {
                        body.resize(body.len() + usize::from(length), 0xaa);
                    }
                }
                body.extend(flow(*port));
                expected.push(*port);
            }
            body.resize(body.len() + padding, 0);
            data.push(set(300, &body));
        }
        let message = |sets: &[Vec<u8>]| if as_v9 { v9(1, 1, 1, sets) } else { ipfix(1, 1, sets) };
        let define = set(if as_v9 { 0 } else { 2 }, &template(300, &fields));
        let mut decoder = ExportDecoder::new();
        let mut found = Vec::new();
        if !before {
            found.push(ports(&mut decoder, &message(std::slice::from_ref(&define))));
        }
        for set in data {
            found.push(ports(&mut decoder, &message(&[set])));
        }
        if before {
            found.push(ports(&mut decoder, &message(&[define])));
        }
        let faults: usize = found.iter().map(|(_, faults)| faults).sum();
        let read: Vec<u16> = found.into_iter().flat_map(|(ports, _)| ports).collect();
        prop_assert_eq!((read, faults), (expected, 0));
        let report = decoder.report();
        prop_assert_eq!(report.late_sets, if before { sets.len() as u64 } else { 0 });
        prop_assert_eq!(report.unread_sets, 0);
    }
}
