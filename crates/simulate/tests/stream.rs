//! The stream of flows: order, sameness, memory, and a meter's view of single flows.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use peerscope_flow::{FlowKey, Handshake, Transport, Zone};
use peerscope_simulate::{CauseWriter, Scenario, SimulatedFlow, Simulation};
use proptest::prelude::*;

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn hash(scenario: &Scenario, seed: u64) -> u64 {
    let mut hash = DefaultHasher::new();
    for SimulatedFlow { flow, cause } in Simulation::new(scenario, seed).unwrap() {
        (flow.key(), flow.span, flow.fwd, flow.rev, flow.handshake).hash(&mut hash);
        (flow.rev_payload_bytes, flow.app, cause).hash(&mut hash);
    }
    hash.finish()
}

#[test]
fn a_seed_gives_the_same_flows_again_and_another_gives_others() {
    let scenario = Scenario::preset("tiny").unwrap();
    assert_eq!(hash(&scenario, 1), hash(&scenario, 1));
    assert_ne!(hash(&scenario, 1), hash(&scenario, 2));
}

#[test]
fn pending_events_do_not_depend_on_the_number_of_flows() {
    let scenario = Scenario::preset("minipop-2008").unwrap();
    let pending = |flows| {
        let scenario = scenario.clone().with_flows(flows).unwrap();
        Simulation::new(&scenario, 3).unwrap().pending_events()
    };
    let (few, many) = (pending(100_000), pending(50_000_000));
    // At a low rate an activity may have no moment at all; it then never waits.
    assert!(few <= many);
    let hosts = 478 + 136 + 4 + 1582;
    assert!(many <= 12 * hosts, "{many}");

    let mut simulation = Simulation::new(&scenario.with_flows(100_000).unwrap(), 3).unwrap();
    let mut last = simulation.pending_events();
    while simulation.next().is_some() {
        assert!(simulation.pending_events() <= last);
        last = simulation.pending_events();
    }
    assert_eq!(last, 0);
}

#[test]
fn the_number_of_flows_is_about_the_one_asked_for() {
    for (name, flows) in [
        ("minipop-2008", 100_000),
        ("minipop-2008", 1_000_000),
        ("quiet", 50_000),
        ("bittorrent-week", 100_000),
        ("dcpp-week", 100_000),
        ("tiny", 10_000),
    ] {
        let scenario = Scenario::preset(name).unwrap().with_flows(flows).unwrap();
        let actual = Simulation::new(&scenario, 5).unwrap().count() as f64;
        assert!(
            (actual / flows as f64 - 1.0).abs() < 0.05,
            "{name}: {actual} of {flows}"
        );
    }
}

#[test]
fn no_udp_conversation_is_resumed_within_ten_minutes() {
    // A meter would have joined such flows.
    let scenario = Scenario::preset("minipop-2008").unwrap();
    let scenario = scenario.with_flows(400_000).unwrap();
    let mut ends: HashMap<FlowKey, i64> = HashMap::new();
    let mut resumed = 0;
    for SimulatedFlow { flow, .. } in Simulation::new(&scenario, 2).unwrap() {
        if flow.transport == Transport::Udp {
            let key = flow.key().min(flow.key().reversed());
            let end = flow.span.end().as_micros();
            let start = flow.span.start().as_micros();
            if ends
                .insert(key, end)
                .is_some_and(|last| start - last < 600_000_000)
            {
                resumed += 1;
            }
        }
    }
    // Only the buddy and background callers draw ports at random, so that two may meet.
    assert!(resumed <= 20, "{resumed}");
}

#[test]
fn udp_comes_in_from_the_internet_only_after_the_host_sent_there() {
    let scenario = Scenario::preset("minipop-2008")
        .unwrap()
        .with_flows(200_000)
        .unwrap();
    let mut simulation = Simulation::new(&scenario, 8).unwrap();
    let topology = simulation.topology();
    let (mut opened, mut came_in) = (HashSet::new(), 0);
    for SimulatedFlow { flow, .. } in simulation.by_ref() {
        if flow.transport != Transport::Udp {
            continue;
        }
        if topology.zone(flow.dst.ip) == Zone::Internet {
            opened.insert(flow.src.ip);
        } else if topology.zone(flow.src.ip) == Zone::Internet {
            assert!(opened.contains(&flow.dst.ip));
            came_in += 1;
        }
    }
    assert!(came_in > 1_000);
}

/// FNV-1a of all flows as text. The value says nothing but that the flows are those of other
/// machines and earlier versions: whoever changes the simulation knowingly changes it too.
#[test]
fn flows_are_the_same_on_every_machine() {
    let scenario = Scenario::preset("tiny").unwrap();
    let hash = Simulation::new(&scenario, 1)
        .unwrap()
        .fold(0xcbf2_9ce4_8422_2325, |hash, s| {
            let text = format!("{:?}", (s.flow, s.cause));
            text.bytes().fold(hash, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
        });
    assert_eq!(format!("{hash:016x}"), "131a6249ab27f14d");
}

#[test]
fn runs_of_causes_cover_every_flow_once() {
    let mut causes = Vec::new();
    let mut writer = CauseWriter::new(Vec::new()).unwrap();
    for simulated in Simulation::new(&Scenario::preset("tiny").unwrap(), 4).unwrap() {
        writer.write(simulated.cause).unwrap();
        causes.push(simulated.cause);
    }
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    let mut next = 0;
    for line in text.lines().skip(1) {
        let [first, last, activity, planted] =
            line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(first, next);
        for cause in &causes[first..=last] {
            assert_eq!(cause.activity.as_str(), activity);
            assert_eq!(
                cause.planted.map_or(String::new(), |id| id.0.to_string()),
                planted
            );
        }
        next = last + 1;
    }
    assert_eq!(next, causes.len());
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn check_stream(scenario: &Scenario, seed: u64) -> Result<(), TestCaseError> {
    let simulation = Simulation::new(scenario, seed).unwrap();
    let topology = simulation.topology();
    let truth = simulation.truth();
    let mut last = truth.start_us;
    for SimulatedFlow { flow, cause } in simulation {
        prop_assert!(flow.span.start() >= last, "out of order");
        prop_assert!(flow.span.start() < truth.end_us && flow.span.end() <= truth.end_us);
        last = flow.span.start();
        let zones = [flow.src.ip, flow.dst.ip].map(|ip| topology.zone(ip));
        prop_assert_eq!(
            zones
                .iter()
                .filter(|zone| **zone == Zone::Monitored)
                .count(),
            1
        );
        if zones[0] == Zone::Internet {
            prop_assert_eq!(
                flow.transport,
                Transport::Udp,
                "the provider's NAT lets no TCP in"
            );
        }
        let header = if flow.transport == Transport::Tcp {
            40
        } else {
            28
        };
        let payload = flow.rev_payload_bytes.unwrap();
        prop_assert!(flow.rev.bytes >= payload + header * flow.rev.packets);
        prop_assert!(flow.fwd.packets > 0 && flow.fwd.bytes >= header * flow.fwd.packets);
        prop_assert!(flow.fwd.bytes <= 1_500 * flow.fwd.packets);
        match (flow.transport, flow.handshake) {
            (Transport::Tcp, Some(Handshake::Complete)) => prop_assert!(flow.rev.packets > 0),
            (Transport::Tcp, Some(_)) => prop_assert!(flow.app.is_none() && payload == 0),
            (_, handshake) => prop_assert_eq!(handshake, None),
        }
        if let Some(id) = cause.planted {
            let entry = scenario.planted.len();
            prop_assert!(entry > 0, "nothing planted, but {:?}", id);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn flows_are_in_order_and_possible(
        seed: u64,
        preset in prop::sample::select(&["tiny", "dcpp-week", "minipop-2008"]),
        hours in 1.9_f64..30.0,
        start_secs in -1_000_000_i64..2_000_000_000,
    ) {
        let mut scenario = Scenario::preset(preset).unwrap().with_flows(20_000).unwrap();
        if preset == "tiny" {
            scenario.start_secs = start_secs;
            scenario.hours = hours.max(2.0);
        }
        check_stream(&scenario, seed)?;
    }
}
