//! Records made from packets, cut as exporters cut them, give the conversations back.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;

use peerscope_flow::{
    Endpoint, Flow, FlowKey, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};
use peerscope_read::{
    Feed, Pair, Pairing, ReadError, Record, Sampling, Sidedness, TcpFlags, WithheldReason,
};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000;
const GAP: i64 = 600 * SECOND;

/// One packet; `up` goes from the first endpoint to the second.
#[derive(Clone, Copy, Debug)]
struct Packet {
    time: i64,
    up: bool,
    flags: u8,
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;

#[derive(Clone, Debug)]
struct Conversation {
    transport: Transport,
    ends: [Endpoint; 2],
    packets: Vec<Packet>,
}

fn end(host: u8, port: u16) -> Endpoint {
    Endpoint::new([10, 0, 0, host].into(), port)
}

/// What an exporter with these timeouts makes of a conversation: one record for each direction, cut
/// after an active or an inactive timeout.
fn export(conversation: &Conversation, active: i64, inactive: i64) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut open: [Option<usize>; 2] = [None; 2];
    for packet in &conversation.packets {
        let side = usize::from(!packet.up);
        let time = Timestamp::from_micros(packet.time);
        let current = open[side].filter(|&at| {
            let span = records[at].span;
            time.micros_since(span.end()) <= inactive && time.micros_since(span.start()) <= active
        });
        let at = current.unwrap_or_else(|| {
            let (src, dst) = (conversation.ends[side], conversation.ends[1 - side]);
            records.push(Record::new(
                conversation.transport,
                src,
                dst,
                Span::at(time),
            ));
            records.len() - 1
        });
        open[side] = Some(at);
        let record = &mut records[at];
        record.span = record.span.including(time);
        record.fwd.packets += 1;
        record.fwd.bytes += 40;
        if conversation.transport == Transport::Tcp {
            let flags = record.fwd_flags.unwrap_or_default();
            record.fwd_flags = Some(flags.union(TcpFlags::from_bits(packet.flags)));
        }
    }
    records
}

fn pair(records: Vec<Record>, pairing: Pairing) -> (Vec<Flow>, Feed) {
    let mut pair = Pair::new(records.into_iter().map(Ok::<_, ReadError>), pairing);
    let flows = pair.by_ref().collect::<Result<_, _>>().unwrap();
    (flows, pair.feed().clone())
}

fn sorted(mut flows: Vec<Flow>) -> Vec<Flow> {
    flows.sort_by_key(|flow| (flow.span.start(), flow.span.end(), flow.key()));
    flows
}

/// A complete connection: handshake, `middle` packets of both sides 10 ms apart, and its end.
fn connection(ends: [Endpoint; 2], start: i64, middle: i64) -> Conversation {
    let mut packets = vec![(true, SYN), (false, SYN | ACK), (true, ACK)];
    packets.extend((0..middle).map(|i| (i % 2 == 0, ACK)));
    packets.extend([(true, FIN | ACK), (false, FIN | ACK), (true, ACK)]);
    let step = |i: usize| start + i64::try_from(i).unwrap() * 10_000;
    Conversation {
        transport: Transport::Tcp,
        ends,
        packets: packets
            .into_iter()
            .enumerate()
            .map(|(i, (up, flags))| Packet {
                time: step(i),
                up,
                flags,
            })
            .collect(),
    }
}

fn udp(ends: [Endpoint; 2], packets: &[(i64, bool)]) -> Conversation {
    let packets = packets
        .iter()
        .map(|&(time, up)| Packet { time, up, flags: 0 });
    Conversation {
        transport: Transport::Udp,
        ends,
        packets: packets.collect(),
    }
}

fn flows_of(conversations: &[Conversation]) -> Vec<Flow> {
    let records = conversations
        .iter()
        .flat_map(|one| export(one, 60 * SECOND, 15 * SECOND));
    sorted(pair(records.collect(), Pairing::new()).0)
}

#[test]
fn a_connection_cut_into_records_is_whole_again() {
    let made = connection([end(1, 50_000), end(2, 4662)], 0, 30_000);
    let records = export(&made, 60 * SECOND, 15 * SECOND);
    assert!(records.len() > 8);
    let flows = flows_of(&[made]);
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].handshake, Some(Handshake::Complete));
    assert_eq!(flows[0].initiator, InitiatorEvidence::EarlierStart);
    assert_eq!(flows[0].src, end(1, 50_000));
    assert_eq!(flows[0].fwd.packets + flows[0].rev.packets, 30_006);
    assert_eq!(flows[0].rev_payload_bytes, Some(0));
}

#[test]
fn flags_decide_before_times_and_ports() {
    // The SYN's record starts later, for the clocks of two exporters differ.
    let (client, server) = (end(1, 80), end(2, 50_000));
    let record = |src, dst, time, bits| Record {
        fwd: Volume::new(1, 40),
        fwd_flags: Some(TcpFlags::from_bits(bits)),
        ..Record::new(
            Transport::Tcp,
            src,
            dst,
            Span::at(Timestamp::from_micros(time)),
        )
    };
    let records = vec![
        record(server, client, 0, RST | ACK),
        record(client, server, 70 * SECOND, SYN),
        record(end(9, 9), end(8, 8), 200 * SECOND, SYN),
    ];
    let (flows, _) = pair(records, Pairing::new());
    let flow = flows.iter().find(|flow| flow.src == client).unwrap();
    assert_eq!(flow.initiator, InitiatorEvidence::SynSeen);
    assert_eq!(flow.handshake, Some(Handshake::Failed));
    // The last attempt may still succeed.
    let last = flows.iter().find(|flow| flow.src == end(9, 9)).unwrap();
    assert_eq!(last.handshake, Some(Handshake::Unknown));
}

#[test]
fn a_lone_answer_has_an_initiator() {
    let answer = Conversation {
        transport: Transport::Tcp,
        ends: [end(1, 4662), end(2, 50_000)],
        packets: vec![Packet {
            time: 0,
            up: true,
            flags: SYN | ACK,
        }],
    };
    let flows = flows_of(&[answer]);
    assert_eq!((flows[0].src, flows[0].fwd), (end(2, 50_000), Volume::ZERO));
    assert_eq!(flows[0].rev.packets, 1);
    assert_eq!(flows[0].handshake, Some(Handshake::Unknown));
}

#[test]
fn ties_go_to_ports_and_then_to_nobody() {
    let tie = [(0, true), (0, false)];
    let learned: Vec<_> = (10..18)
        .map(|host| udp([end(host, 60_000), end(2, 40_000)], &tie))
        .collect();
    let flows = flows_of(&learned);
    assert_eq!(flows.len(), 8);
    // All conversations are resolved at the end, when the port is known.
    for flow in &flows {
        assert_eq!(flow.initiator, InitiatorEvidence::LearnedPort);
        assert_eq!(flow.dst, end(2, 40_000));
    }
    let guessed = flows_of(&[udp([end(1, 53), end(2, 2000)], &tie)]);
    assert_eq!(guessed[0].initiator, InitiatorEvidence::PortHeuristic);
    assert_eq!(guessed[0].dst, end(1, 53));
    let unknown = flows_of(&[udp([end(3, 4672), end(2, 4672)], &tie)]);
    assert_eq!(unknown[0].initiator, InitiatorEvidence::Unknown);
    assert_eq!(unknown[0].src, end(2, 4672));
}

#[test]
fn a_start_within_the_tolerance_decides_nothing() {
    let made = udp([end(3, 4672), end(2, 4672)], &[(0, true), (50_000, false)]);
    let records = export(&made, 60 * SECOND, 15 * SECOND);
    let evidence = |tolerance| {
        let pairing = Pairing::new().with_clock_tolerance(tolerance);
        pair(records.clone(), pairing).0[0].initiator
    };
    assert_eq!(evidence(49_999), InitiatorEvidence::EarlierStart);
    assert_eq!(evidence(50_000), InitiatorEvidence::Unknown);
}

#[test]
fn a_refused_connection_tried_again_is_another_flow() {
    let ends = [end(1, 50_000), end(2, 4661)];
    let attempt = |start| Conversation {
        transport: Transport::Tcp,
        ends,
        packets: vec![
            Packet {
                time: start,
                up: true,
                flags: SYN,
            },
            Packet {
                time: start + 50,
                up: false,
                flags: RST | ACK,
            },
        ],
    };
    let flows = flows_of(&[
        attempt(0),
        attempt(20 * SECOND),
        connection(ends, 90 * SECOND, 4),
    ]);
    let outcomes: Vec<_> = flows.iter().map(|flow| flow.handshake).collect();
    let [failed, complete] = [Handshake::Failed, Handshake::Complete].map(Some);
    assert_eq!(outcomes, [failed, failed, complete]);
}

fn busy(count: u8) -> Vec<Conversation> {
    let mut all = Vec::new();
    for host in 1..=count {
        let start = i64::from(host) * SECOND;
        all.push(connection([end(host, 50_000), end(200, 4662)], start, 20));
        all.push(udp(
            [end(host, 4672), end(201, 4672)],
            &[(start, true), (start + 9, false)],
        ));
    }
    all
}

fn records(conversations: &[Conversation]) -> Vec<Record> {
    let mut records: Vec<_> = conversations
        .iter()
        .flat_map(|one| export(one, 60 * SECOND, 15 * SECOND))
        .collect();
    records.sort_by_key(|record| (record.span.end(), record.key()));
    records
}

#[test]
fn a_one_sided_feed_is_told_and_its_metrics_withheld() {
    let both = records(&busy(30));
    let (_, feed) = pair(both.clone(), Pairing::new());
    assert_eq!((feed.sidedness(), feed.sampling()), (Sidedness::Both, None));
    assert_eq!(feed.withheld(), []);

    let one = |record: &Record| record.src.ip == end(200, 0).ip || record.src.ip == end(201, 0).ip;
    let half: Vec<_> = both.iter().filter(|record| !one(record)).cloned().collect();
    let (_, feed) = pair(half, Pairing::new());
    assert_eq!(feed.sidedness(), Sidedness::One);
    assert_eq!(feed.halves, 30);
    let withheld = feed.withheld();
    let reason = |metric: &str| {
        withheld
            .iter()
            .find(|one| one.metric == metric)
            .map(|one| one.reason)
    };
    let no_answers = WithheldReason::NoAnswers {
        missing: 60,
        of: 60,
    };
    for metric in ["inout-failure-ratio-TCP", "outin-fract-unanswered-UDP"] {
        assert_eq!(reason(metric), Some(no_answers), "{metric}");
    }
    assert_eq!(reason("avg-duration-TCP"), None);
    assert!(no_answers.to_string().contains("60 of 60 flows"));

    // Routing that is asymmetric for some: a third of the hosts.
    let some = |record: &Record| one(record) && record.dst.ip < end(10, 0).ip;
    let partly: Vec<_> = both
        .iter()
        .filter(|record| !some(record))
        .cloned()
        .collect();
    let (_, feed) = pair(partly, Pairing::new());
    assert_eq!(feed.sidedness(), Sidedness::Partly);
}

#[test]
fn a_scan_that_nobody_answers_is_no_one_sided_feed() {
    let scan: Vec<_> = (1..=200)
        .map(|port| Conversation {
            transport: Transport::Tcp,
            ends: [end(1, 40_000), end(2, port)],
            packets: vec![Packet {
                time: i64::from(port),
                up: true,
                flags: SYN,
            }],
        })
        .collect();
    let (_, feed) = pair(records(&scan), Pairing::new());
    assert_eq!((feed.sidedness(), feed.attempts), (Sidedness::Both, 200));
}

#[test]
fn a_sampled_feed_is_told() {
    // One packet in 97 of each connection.
    let mut count = 0;
    let mut sampled = Vec::new();
    for host in 1..=100 {
        let mut made = connection(
            [end(host, 50_000), end(200, 4662)],
            i64::from(host) * SECOND,
            300,
        );
        made.packets.retain(|_| {
            count += 1;
            count % 97 == 0
        });
        if !made.packets.is_empty() {
            sampled.push(made);
        }
    }
    let (_, feed) = pair(records(&sampled), Pairing::new());
    assert_eq!(feed.sampling(), Some(Sampling::Apparent));
    let withheld = feed.withheld();
    assert!(withheld.iter().any(|one| one.metric == "avg-duration-TCP"));
    assert!(withheld.iter().all(|one| one.metric != "avg-pkt-size-TCP"
        || matches!(one.reason, WithheldReason::OneDirection)));

    // Counts multiplied by the interval.
    let mut scaled = records(&busy(30));
    for record in &mut scaled {
        record.fwd.packets *= 64;
    }
    let (_, feed) = pair(scaled, Pairing::new());
    assert!(matches!(feed.sampling(), Some(Sampling::Scaled(n)) if n % 64 == 0));
    let mut pair = Pair::new(
        std::iter::empty::<Result<Record, ReadError>>(),
        Pairing::new(),
    );
    pair.set_sampling(1000);
    assert_eq!(pair.feed().sampling(), Some(Sampling::Stated(1000)));
}

#[test]
fn no_more_records_are_held_than_asked_for() {
    let attempts = (0..100_000_u32).map(|i| {
        let [_, a, b, c] = i.to_be_bytes();
        let src = Endpoint::new([10, a, b, c].into(), 50_000);
        let span = Span::at(Timestamp::from_micros(i.into()));
        Ok::<_, ReadError>(Record {
            fwd: Volume::new(1, 40),
            fwd_flags: Some(TcpFlags::SYN),
            ..Record::new(Transport::Tcp, src, end(1, 4662), span)
        })
    });
    let mut pair = Pair::new(attempts, Pairing::new().with_max_records(1000));
    assert_eq!(pair.by_ref().flatten().count(), 100_000);
    assert_eq!(pair.feed().forced, 99_000);
}

/// Packets of a few conversations at times that leave gaps of every kind.
fn packets() -> impl Strategy<Value = Vec<Conversation>> {
    let step = prop_oneof![1..SECOND, SECOND..60 * SECOND, 550 * SECOND..650 * SECOND];
    let packet = (step, any::<bool>());
    let one = prop::collection::vec(packet, 1..12);
    prop::collection::vec(one, 1..4).prop_map(|all| {
        let host = |i: usize| u8::try_from(i).unwrap() + 1;
        let conversation = |(i, steps): (usize, Vec<(i64, bool)>)| {
            let mut time = 0;
            let packets: Vec<_> = steps
                .into_iter()
                .map(|(step, up)| {
                    time += step;
                    (time, up)
                })
                .collect();
            udp([end(host(i), 5000), end(100 + host(i), 6000)], &packets)
        };
        all.into_iter().enumerate().map(conversation).collect()
    })
}

/// The flows of the packets themselves: a pause of more than the gap ends one.
fn oracle(conversations: &[Conversation]) -> Vec<Flow> {
    let mut flows: Vec<Flow> = Vec::new();
    for one in conversations {
        let mut last = i64::MIN / 2;
        for packet in &one.packets {
            let side = usize::from(!packet.up);
            let time = Timestamp::from_micros(packet.time);
            if packet.time - last > GAP {
                let (src, dst) = (one.ends[side], one.ends[1 - side]);
                flows.push(Flow {
                    initiator: InitiatorEvidence::EarlierStart,
                    ..Flow::new(one.transport, src, dst, Span::at(time))
                });
            }
            last = packet.time;
            let flow = flows.last_mut().unwrap();
            flow.span = flow.span.including(time);
            let sent = if flow.src == one.ends[side] {
                &mut flow.fwd
            } else {
                &mut flow.rev
            };
            sent.packets += 1;
            sent.bytes += 40;
        }
    }
    sorted(flows)
}

proptest! {
    #[test]
    fn paired_records_are_the_flows_of_the_packets(
        conversations in packets(),
        active in 1..700 * SECOND,
        inactive in 1..590 * SECOND,
        seed: u64,
    ) {
        let mut records: Vec<_> = conversations
            .iter()
            .flat_map(|one| export(one, active, inactive))
            .collect();
        let expected = oracle(&conversations);
        let all = Pairing::new().with_lateness(u64::MAX / 4);
        prop_assert_eq!(&sorted(pair(records.clone(), all).0), &expected);
        // In the order of export, and in any.
        records.sort_by_key(|record| record.span.end());
        prop_assert_eq!(&sorted(pair(records.clone(), Pairing::new()).0), &expected);
        let mut state = seed | 1;
        records.sort_by_cached_key(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        });
        prop_assert_eq!(&sorted(pair(records, all).0), &expected);
    }

    #[test]
    fn any_records_keep_their_packets(records in prop::collection::vec(any_record(), 0..40)) {
        let mut sums = BTreeMap::<FlowKey, u64>::new();
        for record in &records {
            let (there, back) = (record.key(), record.key().reversed());
            *sums.entry(there).or_default() += record.fwd.packets;
            *sums.entry(back).or_default() += record.rev.map_or(0, |rev| rev.packets);
        }
        let (flows, feed) = pair(records.clone(), Pairing::new().with_max_records(7));
        let mut found = BTreeMap::<FlowKey, u64>::new();
        for flow in &flows {
            *found.entry(flow.key()).or_default() += flow.fwd.packets;
            *found.entry(flow.key().reversed()).or_default() += flow.rev.packets;
        }
        sums.retain(|_, packets| *packets > 0);
        found.retain(|_, packets| *packets > 0);
        prop_assert_eq!(sums, found);
        prop_assert_eq!(feed.records, records.len() as u64);
        prop_assert_eq!(feed.flows, flows.len() as u64);
        prop_assert_eq!(feed.flows, feed.one_sided + feed.two_sided);
        feed.withheld();
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let time = prop_oneof![-1000..1000_i64, any::<i64>()];
    let flags = || prop::option::of(any::<u8>().prop_map(TcpFlags::from_bits));
    (
        (any::<bool>(), 0..3_u8, 0..3_u8, 0..2_u16),
        (time.clone(), time),
        (0..100_u64, prop::option::of(0..100_u64)),
        (flags(), flags()),
    )
        .prop_map(|((tcp, a, b, port), (start, stop), (fwd, rev), flags)| {
            let transport = if tcp { Transport::Tcp } else { Transport::Udp };
            let at = Timestamp::from_micros;
            let span = Span::new(at(start.min(stop)), at(start.max(stop))).unwrap();
            Record {
                // Never from an endpoint to itself: there sides cannot be told apart.
                fwd: Volume::new(fwd, fwd * 40),
                rev: rev.map(|packets| Volume::new(packets, packets * 40)),
                fwd_flags: flags.0,
                rev_flags: flags.1,
                ..Record::new(transport, end(a, port), end(b + 10, 7), span)
            }
        })
}
