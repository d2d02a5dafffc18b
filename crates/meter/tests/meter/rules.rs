//! When flows start, end, succeed and fail.

use std::time::Duration;

use peerscope_flow::{Application, Flow, Handshake, InitiatorEvidence, Timestamp, Transport};
use peerscope_meter::{
    Classifier, Classifiers, Initiator, Meter, MeterConfig, Payload, SkipReason, TcpClose,
};

use crate::made::{From::A, From::B, Made, flows, metered, packets, tcp, udp};

fn handshakes(flows: &[Flow]) -> Vec<Handshake> {
    flows.iter().filter_map(|flow| flow.handshake).collect()
}

/// A packet of another conversation that lets time pass.
fn tick(secs: f64) -> Made {
    let mut other = udp(secs, A, b"");
    other.bytes[15] = 99;
    other
}

#[test]
fn a_handshake_is_complete_with_the_final_ack() {
    let connection = [
        tcp(0.0, A, "S", b""),
        tcp(0.1, B, "SA", b""),
        tcp(0.2, A, "A", b""),
        tcp(0.3, A, "A", b"hello"),
        tcp(0.4, B, "A", b"answer!"),
    ];
    let found = flows(&connection);
    assert_eq!(handshakes(&found), [Handshake::Complete]);
    assert_eq!(packets(&found), [(3, 2)]);
    assert_eq!((found[0].fwd.bytes, found[0].rev.bytes), (125, 87));
    assert_eq!(found[0].rev_payload_bytes, Some(7));
    assert_eq!(found[0].initiator, InitiatorEvidence::SynSeen);
    assert_eq!(found[0].span.micros(), 400_000);

    let ended = [&connection[..2], &[tick(700.0)]].concat();
    assert_eq!(handshakes(&flows(&ended)), [Handshake::Failed]);
}

#[test]
fn a_reset_after_the_syn_ack_is_a_failed_handshake() {
    for reset in ["R", "RA"] {
        let scan = [
            tcp(0.0, A, "S", b""),
            tcp(0.1, B, "SA", b""),
            tcp(0.2, A, reset, b""),
        ];
        assert_eq!(handshakes(&flows(&scan)), [Handshake::Failed]);
    }
    let refused = [tcp(0.0, A, "S", b""), tcp(0.1, B, "RA", b"")];
    assert_eq!(handshakes(&flows(&refused)), [Handshake::Failed]);
}

#[test]
fn repeated_syns_are_one_attempt() {
    let attempt = [0.0, 1.0, 3.0, 7.0, 15.0].map(|secs| tcp(secs, A, "S", b""));
    let found = flows(&[&attempt[..], &[tick(100.0)]].concat());
    assert_eq!(handshakes(&found), [Handshake::Failed]);
    assert_eq!(packets(&found)[0], (5, 0));
}

#[test]
fn a_handshake_pending_at_the_end_is_unknown_for_a_minute() {
    let syn = tcp(0.0, A, "S", b"");
    assert_eq!(
        handshakes(&flows(&[syn.clone(), tick(59.999_999)])),
        [Handshake::Unknown]
    );
    assert_eq!(
        handshakes(&flows(&[syn.clone(), tick(60.0)])),
        [Handshake::Failed]
    );
    let refused = [syn, tcp(1.0, B, "RA", b"")];
    assert_eq!(handshakes(&flows(&refused)), [Handshake::Failed]);
}

#[test]
fn a_simultaneous_open_completes_both_ways() {
    let with_syn_acks = [
        tcp(0.0, A, "S", b""),
        tcp(0.1, B, "S", b""),
        tcp(0.2, A, "SA", b""),
        tcp(0.2, B, "SA", b""),
    ];
    let found = flows(&with_syn_acks);
    assert_eq!(handshakes(&found), [Handshake::Complete]);
    assert_eq!(packets(&found), [(2, 2)]);
    assert_eq!(found[0].src.port, 1000);
    let half = [&with_syn_acks[..3], &[tick(700.0)]].concat();
    assert_eq!(handshakes(&flows(&half)), [Handshake::Failed]);
}

#[test]
fn a_flow_first_seen_with_a_syn_ack_was_initiated_by_its_receiver() {
    let late = [
        tcp(0.0, B, "SA", b""),
        tcp(0.1, A, "A", b""),
        tcp(0.2, B, "A", b"x"),
    ];
    let found = flows(&late);
    assert_eq!((found[0].src.port, packets(&found)[0]), (1000, (1, 2)));
    assert_eq!(found[0].initiator, InitiatorEvidence::SynSeen);
    // The SYN itself was not seen.
    assert_eq!(handshakes(&found), [Handshake::Unknown]);
    // Reordered by the capture, it was.
    let reordered = [
        tcp(0.1, B, "SA", b""),
        tcp(0.0, A, "S", b""),
        tcp(0.2, A, "A", b""),
    ];
    let found = flows(&reordered);
    assert_eq!(handshakes(&found), [Handshake::Complete]);
    assert_eq!(found[0].span.start().as_micros(), 0);

    let rule = MeterConfig::new().with_initiator(Initiator::FirstPacket);
    assert_eq!(metered(rule, &late).0[0].src.port, 4662);
}

#[test]
fn a_flow_first_seen_mid_stream_is_unknown() {
    let found = flows(&[
        tcp(0.0, B, "A", b"x"),
        tcp(0.1, A, "A", b"y"),
        tcp(900.0, A, "A", b""),
    ]);
    assert_eq!(handshakes(&found), [Handshake::Unknown, Handshake::Unknown]);
    assert_eq!(found[0].src.port, 4662);
    assert_eq!(found[0].initiator, InitiatorEvidence::Unknown);
}

#[test]
fn a_reset_closes_and_late_packets_linger_for_five_seconds() {
    let closed = [
        tcp(0.0, A, "S", b""),
        tcp(1.0, B, "RA", b""),
        tcp(6.0, A, "A", b""),
    ];
    assert_eq!(packets(&flows(&closed)), [(2, 1)]);
    let after = [&closed[..], &[tcp(6.000_001, A, "A", b"")]].concat();
    let found = flows(&after);
    assert_eq!(packets(&found), [(2, 1), (1, 0)]);
    assert_eq!(handshakes(&found), [Handshake::Failed, Handshake::Unknown]);
}

#[test]
fn a_new_syn_after_the_close_starts_a_flow_at_once() {
    let retried = [
        tcp(0.0, A, "S", b""),
        tcp(0.1, B, "RA", b""),
        tcp(0.2, A, "S", b""),
        tcp(0.3, B, "RA", b""),
    ];
    let found = flows(&retried);
    assert_eq!(packets(&found), [(1, 1), (1, 1)]);
    assert_eq!(handshakes(&found), [Handshake::Failed; 2]);
    let kept = MeterConfig::new().with_tcp_close(TcpClose::Ignored);
    assert_eq!(packets(&metered(kept, &retried).0), [(2, 2)]);
}

#[test]
fn a_fin_closes_from_both_sides_only() {
    let open = [
        tcp(0.0, A, "S", b""),
        tcp(0.1, B, "SA", b""),
        tcp(0.2, A, "A", b""),
    ];
    let half_closed = [
        &open[..],
        &[tcp(0.3, A, "FA", b""), tcp(100.0, B, "A", b"z")],
    ]
    .concat();
    assert_eq!(packets(&flows(&half_closed)), [(3, 2)]);
    let closed = [
        &half_closed[..],
        &[tcp(101.0, B, "FA", b""), tcp(101.1, A, "A", b"")],
    ]
    .concat();
    assert_eq!(packets(&flows(&closed)), [(4, 3)]);
    let reopened = [&closed[..], &[tcp(102.0, B, "S", b"")]].concat();
    let found = flows(&reopened);
    assert_eq!(packets(&found), [(4, 3), (1, 0)]);
    assert_eq!(found[1].src.port, 4662);
}

#[test]
fn a_udp_flow_ends_after_ten_minutes_without_packets() {
    let kept = [udp(0.0, A, b"q"), udp(600.0, B, b"a")];
    let found = flows(&kept);
    assert_eq!(packets(&found), [(1, 1)]);
    assert_eq!(
        (found[0].handshake, found[0].rev_payload_bytes),
        (None, Some(1))
    );
    assert_eq!(found[0].initiator, InitiatorEvidence::FirstPacket);
    let split = [udp(0.0, A, b"q"), udp(600.000_001, B, b"a")];
    assert_eq!(packets(&flows(&split)), [(1, 0), (1, 0)]);
    let never = MeterConfig::new().with_idle_timeout(Duration::MAX);
    assert_eq!(
        packets(&metered(never, &[udp(0.0, A, b""), udp(1e9, A, b"")]).0),
        [(2, 0)]
    );
}

#[test]
fn ended_flows_come_out_while_time_goes_on() {
    let mut meter = Meter::new(MeterConfig::new());
    let push = |meter: &mut Meter, made: &Made| {
        meter.push(&peerscope_meter::Packet {
            time: Timestamp::from_micros(made.micros),
            link: made.link,
            data: &made.bytes,
            original_length: made.original,
        });
    };
    push(&mut meter, &udp(0.0, A, b""));
    push(&mut meter, &tick(600.0));
    assert_eq!(meter.drain().count(), 0);
    push(&mut meter, &tick(601.0));
    assert_eq!(meter.drain().count(), 1);
    assert_eq!(meter.finish().0.len(), 1);
}

#[test]
fn a_little_disorder_belongs_to_the_flow_and_is_counted() {
    let (found, report) = metered(
        MeterConfig::new(),
        &[udp(5.0, A, b""), udp(4.0, B, b""), udp(6.0, A, b"")],
    );
    assert_eq!(packets(&found), [(2, 1)]);
    assert_eq!(found[0].span.micros(), 2_000_000);
    assert_eq!((report.out_of_order, report.clock_jumps), (1, 0));
}

#[test]
fn a_clock_that_jumps_back_a_day_starts_new_flows_that_expire() {
    let day = 86_400.0;
    let mut trace = vec![udp(day, A, b""), udp(day + 1.0, A, b"")];
    trace.extend([udp(0.0, A, b""), udp(1.0, B, b""), tick(602.0), tick(603.0)]);
    let (found, report) = metered(MeterConfig::new(), &trace);
    assert_eq!((report.out_of_order, report.clock_jumps), (1, 1));
    let a_day_apart: Vec<_> = found.iter().map(|flow| flow.span.micros()).collect();
    assert_eq!(a_day_apart, [1_000_000; 3]);

    // Flows after the jump still expire: with room for one flow, nothing is evicted.
    let one = MeterConfig::new().with_max_live_flows(1);
    let (_, report) = metered(one, &[udp(day, A, b""), udp(0.0, A, b""), tick(601.0)]);
    assert_eq!((report.flows, report.evicted), (3, 0));
}

#[test]
fn too_many_flows_end_the_oldest_early_and_are_counted() {
    let scan = |n: u8| {
        let mut syn = tcp(f64::from(n), A, "S", b"");
        syn.bytes[19] = n;
        syn
    };
    let (found, report) = metered(
        MeterConfig::new().with_max_live_flows(10),
        &(1..=100).map(scan).collect::<Vec<_>>(),
    );
    assert_eq!((found.len(), report.flows, report.evicted), (100, 100, 90));
    // Evicted ten seconds after its SYN, a handshake is not known to have failed.
    assert_eq!(found[0].handshake, Some(Handshake::Unknown));
}

/// SYNs that nobody answers, each of another host: flows that have ended come out oldest first.
fn flood(syns: u32, room: usize) {
    let mut syn = tcp(0.0, A, "S", b"");
    let mut meter = Meter::new(MeterConfig::new().with_max_live_flows(room));
    let (mut flows, mut latest) = (0, Timestamp::MIN);
    let mut in_order = |flow: Flow| {
        flows += 1;
        assert!(flow.span.start() > latest);
        latest = flow.span.start();
    };
    for host in 0..syns {
        syn.bytes[12..16].copy_from_slice(&host.to_be_bytes());
        syn.micros = i64::from(host) * 10;
        meter.push(&syn.packet());
        meter.drain().for_each(&mut in_order);
    }
    let (rest, report) = meter.finish();
    assert_eq!(rest.len(), room);
    rest.into_iter().for_each(in_order);
    assert_eq!(report.evicted, u64::from(syns) - room as u64);
    assert_eq!((flows, report.flows), (syns, syns.into()));
}

#[test]
fn a_flood_of_half_open_connections_is_bounded_and_counted() {
    flood(100_000, 10_000);
}

/// `cargo test --release -p peerscope-meter -- --ignored ten_million`: 4M live flows in 1.2 GB, with those
/// handed out.
#[test]
#[ignore = "ten million packets"]
fn ten_million_half_open_connections_are_bounded_and_counted() {
    flood(10_000_000, MeterConfig::MAX_LIVE_FLOWS);
}

#[test]
fn duplicates_of_a_mirror_port_are_left_out_on_request() {
    let first = udp(0.0, A, b"same");
    let mut routed = first.clone();
    (routed.micros, routed.bytes[8], routed.bytes[10]) = (1000, 63, 0xab);
    let mut other = first.clone();
    (other.micros, other.bytes[5]) = (1000, 7);
    let mut late = first.clone();
    late.micros = 20_000;
    let trace = [first, routed, other, late];
    let (all, _) = metered(MeterConfig::new(), &trace);
    assert_eq!(packets(&all), [(4, 0)]);
    let config = MeterConfig::new().with_duplicate_window(Duration::from_millis(10));
    let (some, report) = metered(config, &trace);
    assert_eq!(packets(&some), [(3, 0)]);
    assert_eq!(report.skipped.get(SkipReason::Duplicate), 1);
}

#[test]
fn icmp_is_a_flow_without_ports() {
    let ping = |secs: f64, src, dst, kind| {
        let mut bytes = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4(src, dst, 64);
        builder
            .icmpv4_raw(kind, 0, [0; 4])
            .write(&mut bytes, b"data")
            .unwrap();
        crate::made::raw(crate::made::micros(secs), bytes)
    };
    let (a, b) = (crate::made::A, crate::made::B);
    let found = flows(&[ping(0.0, b, a, 8), ping(0.1, a, b, 0)]);
    assert_eq!(packets(&found), [(1, 1)]);
    assert_eq!(found[0].key().to_string(), "icmp 192.0.2.2:0 > 10.0.0.1:0");
    assert_eq!(
        (found[0].transport, found[0].handshake),
        (Transport::ICMP, None)
    );
}

/// Labels what starts with its letter.
#[derive(Debug)]
struct Letter(u8);

impl Classifier for Letter {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        (payload.bytes.first() == Some(&self.0)).then_some(Application::Kad)
    }
}

#[test]
fn the_first_payloads_of_either_side_are_offered() {
    let label = |trace: &[Made]| {
        let config = MeterConfig::new()
            .with_classifiers(Classifiers::none().with(Letter(b'K')))
            .with_payloads_per_side(2);
        metered(config, trace).0[0].app.clone()
    };
    let (x, k) = (b"x".as_slice(), b"K".as_slice());
    assert_eq!(
        label(&[udp(0.0, A, x), udp(0.1, A, b""), udp(0.2, A, k)]),
        Some(Application::Kad)
    );
    assert_eq!(
        label(&[udp(0.0, A, x), udp(0.1, A, x), udp(0.2, A, k)]),
        None
    );
    let answered = [
        udp(0.0, A, x),
        udp(0.1, A, x),
        udp(0.2, A, x),
        udp(0.3, B, x),
        udp(0.4, B, k),
    ];
    assert_eq!(label(&answered), Some(Application::Kad));
}

#[test]
fn a_label_reaches_what_follows_a_timeout_but_not_the_next_connection() {
    let mut meter = Meter::new(MeterConfig::new());
    let mut labels = Vec::new();
    let packets = [
        tcp(0.0, A, "S", b""),
        tcp(0.1, B, "SA", b""),
        tcp(0.2, A, "A", b"GET / HTTP/1.1\r\n\r\n"),
        tcp(900.0, B, "A", b"\n"),
        tcp(1800.0, A, "A", b"\n"),
        tcp(2700.0, A, "S", b""),
        tcp(3600.0, A, "A", b"\n"),
    ];
    for packet in &packets {
        meter.push(&packet.packet());
        // Whoever drains early sees the same labels.
        labels.extend(meter.drain().map(|flow| flow.app));
    }
    labels.extend(meter.finish().0.into_iter().map(|flow| flow.app));
    let http = Some(Application::Http);
    assert_eq!(labels, [http.clone(), http.clone(), http, None, None]);
}
