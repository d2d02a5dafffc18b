//! Records of several sources, whose clocks differ, as those of one.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use peerscope_flow::{Endpoint, Flow, InitiatorEvidence, Span, Timestamp, Transport, Volume};
use peerscope_read::{Feed, Pair, Pairing, ReadError, Record, Sidedness, TcpFlags};
use proptest::prelude::*;

/// A record of a millisecond and of one packet, from the first end to the second.
fn record(source: u32, millis: i64, [src, dst]: [Endpoint; 2]) -> Record {
    let start = Timestamp::from_micros(millis * 1000);
    let end = Timestamp::from_micros(millis * 1000 + 1000);
    Record {
        fwd: Volume::new(1, 60),
        source,
        ..Record::new(Transport::Udp, src, dst, Span::new(start, end).unwrap())
    }
}

fn end(host: u8, port: u16) -> Endpoint {
    Endpoint::new([10, 0, 0, host].into(), port)
}

fn back([src, dst]: [Endpoint; 2]) -> [Endpoint; 2] {
    [dst, src]
}

fn paired(records: Vec<Record>) -> Pair<impl Iterator<Item = Result<Record, ReadError>>> {
    Pair::new(records.into_iter().map(Ok), Pairing::new())
}

fn flow(records: Vec<Record>) -> Flow {
    let mut flows: Vec<Flow> = paired(records).map(Result::unwrap).collect();
    assert_eq!(flows.len(), 1);
    flows.pop().unwrap()
}

#[test]
fn a_start_that_another_clock_tells_is_weak() {
    let ends = [end(9, 50_000), end(1, 4662)];
    // The answer seems to come 2 ms before the question.
    let [question, answer] = [10_000, 9_998];
    let one = flow(vec![
        record(0, question, ends),
        record(0, answer, back(ends)),
    ]);
    assert_eq!(
        (one.src, one.initiator),
        (ends[1], InitiatorEvidence::EarlierStart)
    );
    let two = [record(0, question, ends), record(1, answer, back(ends))];
    let flow_of_two = flow(two.to_vec());
    assert_eq!(
        (flow_of_two.src, flow_of_two.initiator),
        (ends[0], InitiatorEvidence::PortHeuristic)
    );
    // Beyond the tolerance it decides, and flags always do.
    let late = vec![
        record(0, question, ends),
        record(1, question - 1001, back(ends)),
    ];
    assert_eq!(flow(late).initiator, InitiatorEvidence::EarlierStart);
    let [mut question, mut answer] = two;
    question.fwd_flags = Some(TcpFlags::SYN);
    answer.fwd_flags = Some(TcpFlags::SYN.union(TcpFlags::ACK));
    for record in [&mut question, &mut answer] {
        record.transport = Transport::Tcp;
    }
    let tcp = flow(vec![question, answer]);
    assert_eq!(
        (tcp.src, tcp.initiator),
        (ends[0], InitiatorEvidence::SynSeen)
    );
    // Without any sign, the start it is, and the evidence says how little that means.
    let ends = [end(9, 50_000), end(1, 50_000)];
    let none = flow(vec![record(0, 5, ends), record(1, 7, back(ends))]);
    assert_eq!(
        (none.src, none.initiator),
        (ends[0], InitiatorEvidence::Unknown)
    );
}

#[test]
fn what_is_judged_apart_is_judged_together_too() {
    let records = |files: u32| -> Vec<Record> {
        let hosts = 0..190_u8;
        hosts
            .map(|host| {
                let ends = [end(host, 4672), Endpoint::new([192, 0, 2, 1].into(), 4672)];
                record(u32::from(host) % files, i64::from(host), ends)
            })
            .collect()
    };
    for files in [1, 10] {
        let mut pair = paired(records(files));
        assert_eq!(pair.by_ref().count(), 190);
        assert_eq!(pair.feed().sidedness(), Sidedness::One);
        assert_eq!(pair.feed().withheld().len(), 40);
        assert_eq!(pair.feeds().len(), files as usize);
        let sum = |count: fn(&Feed) -> u64| pair.feeds().values().map(count).sum::<u64>();
        assert_eq!(sum(|feed| feed.records), pair.feed().records);
        assert_eq!(sum(|feed| feed.begun), 190);
    }
}

#[test]
fn sources_may_have_any_number() {
    let ends = [end(9, 1), end(1, 2)];
    let mut pair = paired(vec![record(u32::MAX, 0, ends), record(7, 1, ends)]);
    assert_eq!(pair.by_ref().count(), 1);
    assert!(pair.feeds().keys().eq(&[7, u32::MAX]));
    assert_eq!(pair.feeds()[&u32::MAX].begun, 1);
}

proptest! {
    /// A conversation in parts, each of some source: all but the first of each side are joined.
    #[test]
    fn joined_records_count_once(parts in prop::collection::vec((0..12_u32, any::<bool>()), 1..40)) {
        let ends = [end(9, 50_000), end(1, 4662)];
        let records = parts.iter().zip((0..).step_by(1000)).map(|(&(source, up), millis)| {
            record(source, millis, if up { ends } else { back(ends) })
        });
        let mut pair = paired(records.collect());
        prop_assert_eq!(pair.by_ref().count(), 1);
        let sides = [true, false].map(|side| parts.iter().any(|&(_, up)| up == side));
        let joined = parts.len() - sides.iter().filter(|&&side| side).count();
        prop_assert_eq!(pair.feed().joined, joined as u64);
        let apart: u64 = pair.feeds().values().map(|feed| feed.joined).sum();
        prop_assert_eq!(apart, joined as u64);
    }

    /// Clocks off by up to half a second each: what is decided is right.
    #[test]
    fn no_clock_decides_wrongly(
        skews in [-500..=500_i64, -500..=500_i64],
        conversations in prop::collection::vec((0..4_i64, 0..300_i64, any::<bool>()), 1..20),
    ) {
        let mut records = Vec::new();
        for (host, &(pause, answered_after, swapped)) in (0..).zip(&conversations) {
            let ends = [end(host, 50_000), Endpoint::new([192, 0, 2, 1].into(), 50_000)];
            let ends = if swapped { back(ends) } else { ends };
            let time = i64::from(host) * 10_000 + pause * 500;
            records.push(record(0, 1_000_000 + time + skews[0], ends));
            records.push(record(1, 1_000_000 + time + answered_after + skews[1], back(ends)));
        }
        for flow in paired(records).map(Result::unwrap) {
            let end = if flow.src.ip == Endpoint::new([192, 0, 2, 1].into(), 0).ip { flow.dst } else { flow.src };
            let std::net::IpAddr::V4(ip) = end.ip else { unreachable!() };
            let (_, _, swapped) = conversations[usize::from(ip.octets()[3])];
            let right = (flow.src != end) == swapped;
            prop_assert!(right || flow.initiator != InitiatorEvidence::EarlierStart, "{:?}", flow);
        }
    }
}
