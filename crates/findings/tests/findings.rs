//! What is planted is found, and nothing depends on order, parts, the origin of time, or addresses.

#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "helpers of tests"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use common::{CALLED, DEPARTED, FAKED, GONE_AT, NATTED, Plot, Rng, SLOT, aggregation, analyse};
use common::{findings, host, peer, tcp, trace, udp};
use peerscope_findings::{
    Detectors, Finding, Findings, FindingsConfig, FlowLog, FlowSelection, Kind, SampleRef, Scene,
};
use peerscope_flow::{
    Application, Endpoint, Family, Flow, SlotIndex, Span, Timestamp, Transport, Zone,
};
use peerscope_slot::{Aggregation, Direction, aggregate};
use proptest::prelude::*;

fn all(flows: &[Flow]) -> Findings {
    findings(&[flows], &FindingsConfig::default())
}

fn hosts(findings: &Findings, kind: &Kind) -> BTreeSet<IpAddr> {
    let of_kind = findings
        .active
        .iter()
        .filter(|finding| finding.kind == *kind);
    of_kind
        .flat_map(|finding| finding.hosts.iter().copied())
        .collect()
}

#[test]
fn what_is_planted_is_found_where_it_is() {
    for seed in 0..5 {
        let found = all(&trace(seed, Plot::All));
        let is = |kind: &Kind, numbers: &[u8]| {
            let planted: BTreeSet<_> = numbers.iter().map(|&number| host(number)).collect();
            assert_eq!(hosts(&found, kind), planted, "{kind}, seed {seed}");
        };
        is(&Kind::DepartedHosts, &DEPARTED);
        is(&Kind::NattedHosts, &NATTED);
        is(&Kind::FakeServer, &FAKED);
        is(&Kind::Buddy, &[CALLED]);
        let attackers: Vec<u8> = (1..=common::HOSTS)
            .filter(|number| number % 4 == 0)
            .collect();
        is(&Kind::DdosReservedPort, &attackers);

        let attack = &found.active[0];
        assert_eq!(
            (attack.kind.clone(), &attack.ports),
            (Kind::DdosReservedPort, &vec![53])
        );
        let victims: BTreeSet<_> = attack.peers.iter().copied().collect();
        assert_eq!(victims, (1_000..1_003).map(peer).collect());
        for finding in found
            .active
            .iter()
            .filter(|finding| finding.kind == Kind::DepartedHosts)
        {
            let left = finding.start.as_micros() / 1_000_000;
            assert!((GONE_AT - 2 * SLOT..=GONE_AT).contains(&left), "{left}");
        }
    }
}

/// Attacks on UDP port 53 by hosts of two systems, in a day: each of 12 Kad and 12 `KadU` hosts of 60 sends
/// so many flows to each of some victims.
fn attack(flows_to: impl Fn(u8) -> Vec<(u64, i64)>) -> Findings {
    let mut flows = Vec::new();
    for (system, app) in [(0, Application::Kad), (60, Application::KadU)] {
        for number in 1..=60_u8 {
            let second = i64::from(number) * 1440;
            let own = Endpoint::new(host(system + number), 4672);
            let flow = |dst: Endpoint, second: i64, answered: bool| Flow {
                app: Some(app.clone()),
                ..udp(own, dst, second, answered)
            };
            let others = (1..=10).map(|other| Endpoint::new(peer(other), 4672));
            flows.extend(others.map(|other| flow(other, second, true)));
            let victims = if number % 5 == 0 {
                flows_to(number)
            } else {
                Vec::new()
            };
            for (victim, count) in victims {
                let victim = Endpoint::new(peer(victim), 53);
                flows.extend((0..count).map(|i| flow(victim, second + i % 200, false)));
            }
        }
    }
    all(&flows)
}

fn set_aside(attack: &Finding) -> String {
    attack.evidence["flows-to-other-silent-destinations"].to_string()
}

#[test]
fn an_attack_has_the_flows_of_its_own_hosts() {
    let found = attack(|_| vec![(1000, 6), (1001, 3)]);
    let attacks: Vec<&Finding> = found
        .active
        .iter()
        .filter(|finding| finding.kind == Kind::DdosReservedPort)
        .collect();
    assert_eq!(attacks.len(), 2);
    for attack in attacks {
        assert_eq!((attack.hosts.len(), attack.flows), (12, 108));
        assert_eq!(
            attack.selection.hosts,
            attack.hosts.iter().copied().collect()
        );
        assert!(
            attack.explanation.contains("send 108 "),
            "{}",
            attack.explanation
        );
        assert_eq!(set_aside(attack), "0");
    }
}

#[test]
fn few_hosts_with_most_flows_do_not_hide_an_attack() {
    let found = attack(|number| match number {
        5 | 10 => vec![(1000, 1), (1001, 300)],
        _ => vec![(1000, 1)],
    });
    let attack = &found.active[0];
    assert_eq!(
        (attack.kind.clone(), attack.hosts.len()),
        (Kind::DdosReservedPort, 12)
    );
    // What is not told of is counted.
    assert_eq!(set_aside(attack), "600");
}

#[test]
fn nothing_planted_nothing_found() {
    for seed in 0..5 {
        let found = all(&trace(seed, Plot::Nothing));
        assert_eq!(found.active, [], "seed {seed}");
    }
}

#[test]
fn shares_of_unanswered_flows_add_up() {
    let flows = trace(1, Plot::All);
    let found = all(&flows);
    let [kad] = found.unanswered.as_slice() else {
        panic!("one system")
    };
    let monitored: BTreeSet<_> = (1..=common::HOSTS).map(host).collect();
    let incoming = |flow: &&Flow| monitored.contains(&flow.dst.ip);
    let in_vain = flows
        .iter()
        .filter(incoming)
        .filter(|flow| flow.app.is_some());
    let in_vain = in_vain.filter(|flow| flow.rev.packets == 0).count();
    assert_eq!(kad.udp.in_vain(), in_vain as u64);
    let shares = kad.udp.departed_share + kad.udp.nat_share + kad.udp.undecided_share;
    assert!((shares - 1.0).abs() < 1e-9);
    // Two hosts left for 30 slots, with two flows to each a slot; all of TCP to them fails.
    assert!(
        (110..=130).contains(&kad.udp.departed),
        "{}",
        kad.udp.departed
    );
}

#[test]
fn a_host_that_comes_back_or_left_too_late_has_not_departed() {
    let flows = trace(2, Plot::All);
    let gone = host(DEPARTED[0]);
    let found = all(&flows);
    assert!(hosts(&found, &Kind::DepartedHosts).contains(&gone));
    let mut back = flows.clone();
    let last = Endpoint::new(gone, 4672);
    back.push(udp(last, Endpoint::new(peer(1), 4672), 49 * SLOT, true));
    let found = all(&back);
    assert!(!hosts(&found, &Kind::DepartedHosts).contains(&gone));
    // Nor is it behind a NAT: it was away.
    assert!(!hosts(&found, &Kind::NattedHosts).contains(&gone));
    let short: Vec<Flow> = flows
        .into_iter()
        .filter(|flow| flow.span.start() < Timestamp::from_secs(30 * SLOT))
        .collect();
    let found = all(&short);
    assert!(
        hosts(&found, &Kind::DepartedHosts).is_empty(),
        "ten slots are too few to tell"
    );
    assert!(found.unanswered[0].udp.undecided > 0);
}

#[test]
fn a_server_tried_less_than_once_a_slot_is_found_by_its_flows() {
    let mut flows = trace(6, Plot::Nothing);
    let bad = Endpoint::new(peer(1_010), 4661);
    // Every 80 s, in slots of 60 s: never two connections in one.
    let times = (0..30_u16).map(|turn| (51_000 + turn, 80 * i64::from(turn)));
    flows.extend(times.map(|(port, secs)| tcp(Endpoint::new(host(7), port), bad, secs, 10, 0)));
    let found = all(&flows);
    assert_eq!(hosts(&found, &Kind::FakeServer), [host(7)].into());
}

#[test]
fn who_takes_from_peers_is_selfish_and_who_takes_from_anybody_is_not() {
    let mut flows = trace(7, Plot::Nothing);
    // Nobody fetches from one host.
    flows.retain(|flow| flow.transport == Transport::Udp || flow.dst.ip != host(10));
    let own = aggregation();
    let nets = own.topology().clone();
    let any = Aggregation::new(Family::any(), nets).with_slot_length(own.slot_length());
    for (aggregation, expected) in [(own, BTreeSet::from([host(10)])), (any, BTreeSet::new())] {
        let analysed = analyse(&flows, &aggregation);
        let mut log = FlowLog::new(&aggregation);
        log.add(&flows);
        let scene = Scene::new(log, &analysed.table, &analysed.correlation);
        let found = Detectors::built_in(&FindingsConfig::default()).run(&scene);
        assert_eq!(hosts(&found, &Kind::Selfish), expected);
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_known_benign_finding_is_muted_and_counted() {
    let flows = trace(3, Plot::All);
    let config: FindingsConfig = toml::from_str(
        r#"
        [[benign]]
        kinds = ["ddos-reserved-port"]
        ports = [53]
        reason = "a test of ours"
        [[benign]]
        hosts = ["10.0.0.3/32"]
        reason = "left with notice"
        [[benign]]
        reason = "says nothing, mutes nothing"
        "#,
    )
    .unwrap();
    assert_eq!(config.benign.len(), 3);
    let (loud, quiet) = (all(&flows), findings(&[&flows], &config));
    assert_eq!(loud.active.len(), quiet.active.len() + quiet.muted.len());
    let muted: Vec<_> = quiet
        .muted
        .iter()
        .map(|muted| muted.reason.as_str())
        .collect();
    assert_eq!(muted, ["a test of ours", "left with notice"]);
    let covers = |entry: &peerscope_findings::Benign| {
        loud.active
            .iter()
            .filter(|finding| entry.covers(finding))
            .count()
    };
    assert_eq!(
        config.benign.iter().map(covers).collect::<Vec<_>>(),
        [1, 1, 0]
    );
}

#[test]
fn kinds_of_ones_own_are_found_beside_the_others() {
    let flows = trace(4, Plot::Nothing);
    let aggregation = aggregation();
    let analysed = analyse(&flows, &aggregation);
    let mut log = FlowLog::new(&aggregation);
    log.add(&flows);
    let scene = Scene::new(log, &analysed.table, &analysed.correlation);
    let built_in = Detectors::built_in(&FindingsConfig::default());
    let own = built_in.clone().with(|scene| {
        scene
            .hosts()
            .iter()
            .take(2)
            .map(|host| scene.finding("mine", host))
            .collect()
    });
    let found = own.run(&scene).active;
    let first = scene.hosts()[0].ip;
    let each = built_in.with_each(move |scene, host| {
        let mine = host.ip <= first || host.ip == scene.hosts()[1].ip;
        mine.then(|| scene.finding("mine", host))
    });
    assert_eq!(each.run(&scene).active, found);
    assert_eq!(found.len(), 2);
    assert!(
        found
            .iter()
            .all(|finding| finding.kind == Kind::Custom("mine".to_owned()))
    );
    let mine = &found[0];
    assert_eq!(
        mine.flows_in(&flows, &aggregation).count() as u64,
        mine.flows
    );
}

#[cfg(feature = "serde")]
#[test]
fn findings_read_back_from_json() {
    let found = all(&trace(5, Plot::All)).active;
    let text = serde_json::to_string(&found).unwrap();
    let back: Vec<Finding> = serde_json::from_str(&text).unwrap();
    assert_eq!(back.len(), found.len());
    for (a, b) in found.iter().zip(&back) {
        assert_eq!(
            (&a.kind, &a.hosts, &a.selection),
            (&b.kind, &b.hosts, &b.selection)
        );
    }
}

#[cfg(feature = "serde")]
#[test]
fn thresholds_of_a_file_are_checked_for_names() {
    let config: FindingsConfig = toml::from_str("buddy.min_connections = 7").unwrap();
    assert_eq!(config.buddy.min_connections, 7);
    assert_eq!(config.selfish, FindingsConfig::default().selfish);
    assert!(toml::from_str::<FindingsConfig>("buddy.min_conections = 7").is_err());
}

/// A finding moved in time by a number of slots.
fn moved(mut finding: Finding, slots: i64) -> Finding {
    let micros = slots * SLOT * 1_000_000;
    let time = |time: Timestamp| time.saturating_add_micros(micros);
    (finding.start, finding.end) = (time(finding.start), time(finding.end));
    finding.selection.from = finding.selection.from.map(time);
    finding.selection.to = finding.selection.to.map(time);
    for sample in finding.samples.values_mut().flatten() {
        sample.slot = SlotIndex(sample.slot.0 + slots);
    }
    finding
}

/// A finding under other addresses, without its text, and free of the order of addresses.
fn renamed(mut finding: Finding, names: &BTreeMap<IpAddr, IpAddr>) -> Finding {
    let name = |ip: &IpAddr| *names.get(ip).unwrap_or(ip);
    finding.explanation.clear();
    finding.hosts = finding.hosts.iter().map(name).collect();
    finding.peers = finding.peers.iter().map(name).collect();
    finding.hosts.sort_unstable();
    finding.peers.sort_unstable();
    finding.selection.hosts = finding.selection.hosts.iter().map(name).collect();
    finding.selection.peers = finding.selection.peers.iter().map(name).collect();
    for samples in finding.samples.values_mut() {
        let moved = samples.iter().map(|s| SampleRef {
            host: name(&s.host),
            slot: s.slot,
        });
        *samples = moved.collect();
        samples.sort_unstable();
    }
    finding
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| {
        (
            finding.kind.clone(),
            finding.hosts.clone(),
            finding.peers.clone(),
        )
    });
    findings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn order_and_parts_do_not_matter(seed in 0_u64..1000, cut in 0.0..1.0_f64) {
        let flows = trace(seed, Plot::All);
        let whole = all(&flows);
        let mut mixed = flows;
        let mut rng = Rng(seed);
        for i in (1..mixed.len()).rev() {
            mixed.swap(i, usize::try_from(rng.below(i as u64 + 1)).unwrap());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction")]
        let (left, right) = mixed.split_at((cut * mixed.len() as f64) as usize);
        let config = FindingsConfig::default();
        prop_assert_eq!(&whole, &findings(&[left, right], &config));
        prop_assert_eq!(&whole, &findings(&[right, left], &config));
    }

    #[test]
    fn the_origin_of_time_does_not_matter(seed in 0_u64..1000, slots in -30_000_000_i64..30_000_000) {
        let flows = trace(seed, Plot::All);
        let micros = slots * SLOT * 1_000_000;
        let later: Vec<Flow> = flows
            .iter()
            .map(|flow| {
                let (start, end) = (flow.span.start(), flow.span.end());
                let span = Span::new(start.saturating_add_micros(micros), end.saturating_add_micros(micros));
                Flow { span: span.unwrap(), ..flow.clone() }
            })
            .collect();
        let expected: Vec<_> = all(&flows).active.into_iter().map(|f| moved(f, slots)).collect();
        prop_assert_eq!(all(&later).active, expected);
    }

    #[test]
    fn addresses_do_not_matter(seed in 0_u64..1000) {
        let flows = trace(seed, Plot::All);
        let mut rng = Rng(seed ^ 7);
        let mut shuffled = |mut ips: Vec<IpAddr>| {
            let old = ips.clone();
            for i in (1..ips.len()).rev() {
                ips.swap(i, usize::try_from(rng.below(i as u64 + 1)).unwrap());
            }
            old.into_iter().zip(ips)
        };
        let mut names: BTreeMap<IpAddr, IpAddr> =
            shuffled((1..=common::HOSTS).map(host).collect()).collect();
        names.extend(shuffled((0..1_100).map(peer).collect()));
        let name = |end: Endpoint| Endpoint::new(names[&end.ip], end.port);
        let other: Vec<Flow> = flows
            .iter()
            .map(|flow| Flow { src: name(flow.src), dst: name(flow.dst), ..flow.clone() })
            .collect();
        let expected = all(&flows).active.into_iter().map(|finding| renamed(finding, &names));
        let got = all(&other).active.into_iter().map(|finding| renamed(finding, &BTreeMap::new()));
        prop_assert_eq!(sorted(got.collect()), sorted(expected.collect()));
    }

    #[test]
    fn a_finding_leads_back_to_its_flows(seed in 0_u64..1000) {
        let flows = trace(seed, Plot::All);
        let aggregation = aggregation();
        let found = all(&flows);
        prop_assert!(found.active.len() >= 7);
        for finding in &found.active {
            let back: Vec<&Flow> = finding.flows_in(&flows, &aggregation).collect();
            prop_assert_eq!(back.len() as u64, finding.flows, "{}", finding.kind);
            prop_assert!(!back.is_empty());
            for flow in back {
                let ends = [flow.src.ip, flow.dst.ip];
                prop_assert!(finding.hosts.iter().any(|host| ends.contains(host)));
            }
        }
    }

    #[test]
    fn a_selection_holds_for_the_same_flows_by_peer_and_one_by_one(seed in 0_u64..1000) {
        let mut flows = trace(seed, Plot::All);
        let mut rng = Rng(seed);
        let v6 = |number: u64| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number as u16]);
        for flow in &mut flows {
            match rng.below(8) {
                0 => flow.dst.ip = host(9),
                1 => flow.src.ip = host(10),
                2 => flow.dst.ip = v6(rng.below(40)),
                _ => {}
            }
        }
        let aggregation = aggregation();
        let analysed = analyse(&flows, &aggregation);
        let mut log = FlowLog::new(&aggregation);
        log.add(&flows);
        let scene = Scene::new(log, &analysed.table, &analysed.correlation);
        for _ in 0..60 {
            // Few peers, and more of them than most hosts have; some that nobody knows.
            let peers = [0, 1, 5, 2_000][rng.below(4) as usize];
            let peers = (0..peers).map(|_| match rng.below(3) {
                0 => v6(rng.below(60)),
                1 => host(rng.below(20) as u8),
                _ => peer(rng.below(1_200)),
            });
            let selection = FlowSelection {
                peers: peers.collect(),
                hosts: (0..rng.below(3)).map(|_| host(rng.below(70) as u8)).collect(),
                direction: [None, Some(Direction::InOut), Some(Direction::OutIn)][rng.below(3) as usize],
                peer_zone: [None, None, Some(Zone::Internet), Some(Zone::Monitored)][rng.below(4) as usize],
                transport: [None, Some(Transport::Udp)][rng.below(2) as usize],
                ..FlowSelection::default()
            };
            let finding = Finding { selection, ..scene.finding("mine", &scene.hosts()[0]) };
            let one_by_one = finding.flows_in(&flows, &aggregation).count() as u64;
            prop_assert_eq!(scene.count(&finding.selection), one_by_one, "{:?}", finding.selection);
            let of_hosts = scene.select(&finding.selection).map(|(host, flow)| (host.ip, flow.start));
            prop_assert!(of_hosts.is_sorted());
        }
    }

    #[test]
    fn a_flow_is_logged_if_it_is_aggregated(seed in 0_u64..1000) {
        let mut flows = trace(seed, Plot::All);
        let mut rng = Rng(seed);
        // Some of no interest, some between monitored hosts, some to groups.
        for flow in &mut flows {
            match rng.below(10) {
                0 => flow.app = None,
                1 => flow.dst.ip = host(9),
                2 => flow.src.ip = host(10),
                3 => flow.dst.ip = [239, 0, 0, 1].into(),
                _ => {}
            }
        }
        for aggregation in [
            aggregation(),
            aggregation().without_internal_flows(),
            aggregation().with_group_peers().with_hosts(["10.0.0.0/28".parse().unwrap()]),
            aggregation().with_from(Timestamp::from_secs(700)).with_to(Timestamp::from_secs(900)),
        ] {
            let entered = flows.iter().filter(|flow| aggregation.enters(flow).contains(&true)).count();
            prop_assert_eq!(entered as u64, aggregate(&flows, &aggregation).of_interest());
        }
    }
}
