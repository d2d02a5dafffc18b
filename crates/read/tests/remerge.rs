//! Merging split flows beside a slow oracle.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use peerscope_flow::Handshake::{Complete, Failed, Unknown};
use peerscope_flow::{Endpoint, Flow, InitiatorEvidence, Span, Timestamp, Transport, Volume};
use peerscope_read::{Merging, Remerge};
use proptest::prelude::*;

const GAP: i64 = 600_000_000;

fn remerged(flows: Vec<Flow>, merging: Merging) -> Vec<Flow> {
    let flows = flows.into_iter().map(Ok::<_, std::io::Error>);
    sorted(
        Remerge::new(flows, merging)
            .collect::<Result<_, _>>()
            .unwrap(),
    )
}

fn sorted(mut flows: Vec<Flow>) -> Vec<Flow> {
    flows.sort_by_key(|flow| {
        (
            flow.span.start(),
            flow.span.end(),
            flow.key(),
            flow.fwd,
            flow.rev,
        )
    });
    flows
}

fn volume(packets: u64) -> Volume {
    Volume::new(packets, packets * 50)
}

/// Parts of two conversations, in both directions.
fn part() -> impl Strategy<Value = Flow> {
    let outcome = prop_oneof![Just(Complete), Just(Failed), Just(Unknown)];
    (
        (any::<bool>(), any::<bool>(), any::<bool>()),
        (0..5000_i64, 0..400_i64, 0..1000_i64),
        (0..4_u64, 0..4_u64, outcome),
        (prop::option::of(0..9_u64), any::<bool>()),
    )
        .prop_map(
            |(
                (tcp, turned, other),
                (start, length, micros),
                (fwd, rev, outcome),
                (payload, syn),
            )| {
                let a = Endpoint::new([10, 0, 0, 1].into(), if other { 1 } else { 2 });
                let b = Endpoint::new([10, 0, 0, 2].into(), 4672);
                let (src, dst) = if turned { (b, a) } else { (a, b) };
                let transport = if tcp { Transport::Tcp } else { Transport::Udp };
                let start = start * 1_000_000 + micros;
                let at = Timestamp::from_micros;
                let span = Span::new(at(start), at(start + length * 1_000_000)).unwrap();
                Flow {
                    handshake: tcp.then_some(outcome),
                    fwd: volume(fwd),
                    rev: volume(rev),
                    rev_payload_bytes: payload,
                    initiator: if syn {
                        InitiatorEvidence::SynSeen
                    } else {
                        InitiatorEvidence::Exporter
                    },
                    ..Flow::new(transport, src, dst, span)
                }
            },
        )
}

/// Looks for the last flow of the same two ends, part by part; sums at the end.
fn oracle(mut parts: Vec<Flow>) -> Vec<Vec<Flow>> {
    parts.sort_by_key(|part| {
        (
            (part.span.start(), part.span.end(), part.key()),
            (part.fwd, part.rev, part.handshake, part.initiator),
            part.rev_payload_bytes,
        )
    });
    let mut groups: Vec<Vec<Flow>> = Vec::new();
    for part in parts {
        let ends = [part.key(), part.key().reversed()];
        let group = groups
            .iter_mut()
            .rev()
            .find(|group| ends.contains(&group[0].key()));
        let joins = group.as_ref().is_some_and(|group| {
            let end = group.iter().map(|part| part.span.end()).max().unwrap();
            let near = part.span.start().micros_since(end) <= GAP;
            let own = part.transport == Transport::Tcp
                && (part.handshake != Some(Unknown)
                    || part.initiator == InitiatorEvidence::SynSeen);
            // An attempt, and nothing from the other end so far.
            let src = group[0].src;
            let answered = group.iter().any(|one| {
                let from_dst = if one.src == src { one.rev } else { one.fwd };
                from_dst.packets > 0
            });
            let pending = !answered
                && group[0].handshake == Some(Failed)
                && group.iter().all(|one| one.handshake != Some(Complete));
            near && (!own || pending)
        });
        match group {
            Some(group) if joins => group.push(part),
            _ => groups.push(vec![part]),
        }
    }
    groups
}

proptest! {
    #[test]
    fn merged_flows_are_those_of_the_oracle(parts in prop::collection::vec(part(), 0..30)) {
        let expected = oracle(parts.clone());
        let found = remerged(parts.clone(), Merging::new().with_lateness(10_000_000_000));
        let mut sums: Vec<_> = expected
            .iter()
            .map(|group| {
                let first = &group[0];
                let sent = |end: Endpoint| -> u64 {
                    let of = |part: &Flow| if part.src == end { part.fwd } else { part.rev };
                    group.iter().map(|part| of(part).packets).sum()
                };
                let end = group.iter().map(|part| part.span.end()).max().unwrap();
                let span = Span::new(first.span.start(), end).unwrap();
                (span.start(), span.end(), first.key(), volume(sent(first.src)), volume(sent(first.dst)))
            })
            .collect();
        sums.sort();
        let flows: Vec<_> = found
            .iter()
            .map(|flow| (flow.span.start(), flow.span.end(), flow.key(), flow.fwd, flow.rev))
            .collect();
        prop_assert_eq!(flows, sums);
        // Any order within the lateness gives the same.
        let mut turned = parts;
        turned.reverse();
        prop_assert_eq!(remerged(turned, Merging::new().with_lateness(10_000_000_000)), found);
    }

    #[test]
    fn flows_far_apart_stay_as_they_are(flows in prop::collection::vec(part(), 0..10)) {
        let mut apart = flows;
        for (i, flow) in apart.iter_mut().enumerate() {
            // A host of its own for each.
            flow.src.ip = [10, 0, 0, u8::try_from(i).unwrap()].into();
            flow.dst.ip = [10, 0, 1, 0].into();
        }
        prop_assert_eq!(remerged(apart.clone(), Merging::new()), sorted(apart));
    }
}

#[test]
fn parts_give_their_handshake_payload_and_label() {
    let ends = |i| Endpoint::new([10, 0, 0, i].into(), 4662);
    let at = |secs| Span::at(Timestamp::from_secs(secs));
    let part = |secs, outcome, rev, payload, app: Option<&str>| Flow {
        handshake: Some(outcome),
        fwd: volume(1),
        rev: volume(rev),
        rev_payload_bytes: payload,
        app: app.map(|app| app.parse().unwrap()),
        ..Flow::new(Transport::Tcp, ends(1), ends(2), at(secs))
    };
    // Attempts, the connection they lead to, and what a timeout cut off it; then a new connection.
    let flows = remerged(
        vec![
            part(0, Failed, 0, Some(0), None),
            part(3, Failed, 0, Some(0), None),
            part(9, Complete, 2, Some(10), None),
            part(400, Unknown, 2, Some(5), Some("emule")),
            part(900, Complete, 1, None, Some("http")),
        ],
        Merging::new(),
    );
    assert_eq!(flows.len(), 2);
    assert_eq!(flows[0].handshake, Some(Complete));
    assert_eq!(flows[0].rev_payload_bytes, Some(15));
    assert_eq!(flows[0].app, Some(peerscope_flow::Application::EMule));
    assert_eq!((flows[0].fwd, flows[0].rev), (volume(4), volume(4)));
    assert_eq!(flows[1].span, at(900));
    // What a part does not tell, the whole does not either; without its packets it need not.
    let flows = remerged(
        vec![
            part(0, Unknown, 1, Some(4), None),
            part(1, Unknown, 0, None, None),
            part(2, Unknown, 1, None, None),
        ],
        Merging::new(),
    );
    assert_eq!(flows[0].rev_payload_bytes, None);
}

#[test]
fn held_flows_are_bounded() {
    let flows = (0..50_000_u32).map(|i| {
        let [_, a, b, c] = i.to_be_bytes();
        let end = |net| Endpoint::new([net, a, b, c].into(), 1);
        Ok::<_, std::io::Error>(Flow::new(
            Transport::Udp,
            end(10),
            end(11),
            Span::at(Timestamp::from_micros(i.into())),
        ))
    });
    let mut remerge = Remerge::new(flows, Merging::new().with_max_flows(100));
    assert_eq!(remerge.by_ref().count(), 50_000);
    assert_eq!(remerge.report().forced, 49_900);
}
