//! Planted hosts do what the truth says.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use peerscope_flow::{Flow, Handshake, Transport, Volume};
use peerscope_simulate::{
    Activity, PlantedId, PlantedKind, Scenario, SimulatedFlow, Simulation, TruePlanted, Truth,
};

struct Run {
    truth: Truth,
    flows: Vec<SimulatedFlow>,
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
impl Run {
    fn of(scenario: &Scenario, seed: u64) -> Self {
        let mut simulation = Simulation::new(scenario, seed).unwrap();
        let flows = simulation.by_ref().collect();
        Self {
            truth: simulation.truth(),
            flows,
        }
    }

    fn tiny() -> Self {
        Self::of(&Scenario::preset("tiny").unwrap(), 21)
    }

    fn planted(&self, kind: PlantedKind) -> impl Iterator<Item = &TruePlanted> {
        let mut planted = self
            .truth
            .planted
            .iter()
            .filter(move |p| p.kind == kind)
            .peekable();
        assert!(planted.peek().is_some(), "no {kind} came out");
        planted
    }

    fn of_planted(&self, id: PlantedId) -> impl Iterator<Item = &Flow> {
        let flows = self
            .flows
            .iter()
            .filter(move |s| s.cause.planted == Some(id));
        flows.map(|s| &s.flow)
    }

    fn of_host(&self, ip: IpAddr) -> impl Iterator<Item = &SimulatedFlow> {
        self.flows
            .iter()
            .filter(move |s| s.flow.src.ip == ip || s.flow.dst.ip == ip)
    }
}

fn fails(flow: &Flow) -> bool {
    match flow.transport {
        Transport::Tcp => flow.handshake != Some(Handshake::Complete),
        _ => flow.rev == Volume::ZERO,
    }
}

#[test]
fn every_kind_comes_out_and_the_truth_counts_its_flows_hosts_and_times() {
    let run = Run::tiny();
    let mut counts: HashMap<PlantedId, u64> = HashMap::new();
    for SimulatedFlow { flow, cause } in &run.flows {
        let Some(id) = cause.planted else { continue };
        *counts.entry(id).or_default() += 1;
        let planted = run
            .truth
            .planted
            .iter()
            .find(|planted| planted.id == id)
            .unwrap();
        assert!(
            planted
                .hosts
                .iter()
                .any(|ip| [flow.src.ip, flow.dst.ip].contains(ip))
        );
        assert!(planted.start_us <= flow.span.start() && flow.span.end() <= planted.end_us);
    }
    for kind in PlantedKind::ALL {
        for planted in run.planted(kind) {
            assert_eq!(counts.remove(&planted.id), Some(planted.flows), "{kind}");
        }
    }
    assert!(counts.is_empty());
    assert_eq!(run.truth.flows, run.flows.len() as u64);
}

#[test]
fn hosts_are_silent_while_offline() {
    let run = Run::tiny();
    let hosts: HashMap<IpAddr, _> = run.truth.hosts.iter().map(|host| (host.ip, host)).collect();
    for SimulatedFlow { flow, cause } in &run.flows {
        let offline = matches!(cause.activity, Activity::Stale | Activity::Away);
        let host = hosts.get(&flow.src.ip).or(hosts.get(&flow.dst.ip)).unwrap();
        let inside = host.sessions.iter().any(|session| {
            session.start_us <= flow.span.start() && flow.span.end() <= session.end_us
        });
        assert_eq!(inside, !offline, "{flow:?} {cause:?}");
    }
}

#[test]
fn departed_hosts_initiate_nothing_and_answer_nothing_after_their_departure() {
    let run = Run::tiny();
    for planted in run.planted(PlantedKind::DepartedHosts) {
        let [ip] = planted.hosts[..] else {
            panic!("one host each")
        };
        assert_eq!(planted.end_us, run.truth.end_us);
        let (before, after): (Vec<_>, Vec<_>) = run
            .of_host(ip)
            .partition(|s| s.flow.span.start() < planted.start_us);
        assert!(before.iter().any(|s| s.flow.src.ip == ip));
        assert!(before.iter().all(|s| s.flow.span.end() <= planted.start_us));
        assert!(after.iter().all(|s| s.flow.dst.ip == ip && fails(&s.flow)));
        assert_eq!(after.len() as u64, planted.flows);
        // Fig 9: most of it comes in the first hours, the rest trickles.
        let early = planted.start_us.saturating_add_micros(1_800_000_000);
        let plateau = after.iter().filter(|s| s.flow.span.start() < early).count();
        assert!(
            plateau * 10 > after.len() * 8,
            "{plateau} of {}",
            after.len()
        );
    }
    let away = run
        .flows
        .iter()
        .filter(|s| s.cause.activity == Activity::Away);
    assert!(away.clone().count() > 0, "the host that comes back");
    assert!(
        away.clone()
            .all(|s| s.cause.planted.is_none() && fails(&s.flow))
    );
}

#[test]
fn natted_hosts_answer_nothing_from_outside() {
    let run = Run::tiny();
    for planted in run.planted(PlantedKind::NattedHosts) {
        let [ip] = planted.hosts[..] else {
            panic!("one host each")
        };
        assert!(
            run.of_host(ip)
                .any(|s| s.flow.src.ip == ip && !fails(&s.flow))
        );
        let family = |s: &&SimulatedFlow| s.cause.activity != Activity::Background;
        assert!(
            run.of_host(ip)
                .filter(family)
                .all(|s| s.flow.src.ip == ip || fails(&s.flow))
        );
    }
}

#[test]
fn fake_servers_are_tried_at_their_intervals() {
    let run = Run::tiny();
    for planted in run.planted(PlantedKind::FakeServer) {
        for (&server, (period, hold)) in planted.peers.iter().zip([(51.0, 15.0), (63.0, 8.0)]) {
            let flows: Vec<&Flow> = run
                .of_planted(planted.id)
                .filter(|flow| flow.dst.ip == server)
                .collect();
            assert!(flows.iter().all(|flow| flow.dst.port == 4661));
            let starts: Vec<i64> = flows.iter().map(|f| f.span.start().as_micros()).collect();
            let mut gaps: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
            gaps.sort_unstable();
            let median = gaps[gaps.len() / 2] as f64 / 1e6;
            assert!(
                (median / period - 1.0).abs() < 0.05,
                "{median} s against {period} s"
            );
            let durations: u64 = flows.iter().map(|flow| flow.span.micros()).sum();
            let mean = durations as f64 / 1e6 / flows.len() as f64;
            assert!((mean / hold - 1.0).abs() < 0.1, "{mean} s against {hold} s");
        }
    }
}

#[test]
fn the_buddy_peer_opens_as_many_flows_as_published() {
    let run = Run::of(
        &Scenario::preset("minipop-2008")
            .unwrap()
            .with_flows(30_000)
            .unwrap(),
        1,
    );
    let planted = run.planted(PlantedKind::Buddy).next().unwrap();
    let mut counts: BTreeMap<Transport, f64> = BTreeMap::new();
    for flow in run.of_planted(planted.id) {
        assert_eq!(
            (flow.src.ip, flow.dst.ip),
            (planted.peers[0], planted.hosts[0])
        );
        *counts.entry(flow.transport).or_default() += 1.0;
    }
    // Poisson counts: four standard deviations.
    assert!((counts[&Transport::Tcp] - 825.0).abs() < 4.0 * 825.0_f64.sqrt());
    assert!((counts[&Transport::Udp] - 1_678.0).abs() < 4.0 * 1_678.0_f64.sqrt());
}

#[test]
fn traits_show_in_the_traffic_of_their_hosts() {
    let mut scenario = Scenario::preset("tiny").unwrap();
    scenario.traffic = 20.0;
    let run = Run::of(&scenario, 6);
    let bytes = |ip: IpAddr| {
        let tcp = run.of_host(ip).filter(|s| {
            let name = s.flow.app.as_ref().map(|app| app.as_str().to_owned());
            name.as_deref() == Some("emule") && s.flow.transport == Transport::Tcp
        });
        tcp.fold((0.0, 0.0), |(sent, received), s| {
            let (fwd, rev) = (s.flow.fwd.bytes as f64, s.flow.rev.bytes as f64);
            if s.flow.src.ip == ip {
                (sent + fwd, received + rev)
            } else {
                (sent + rev, received + fwd)
            }
        })
    };
    for planted in run.planted(PlantedKind::Selfish) {
        let (sent, received) = bytes(planted.hosts[0]);
        assert!(
            sent < 0.1 * received,
            "selfish: {sent} sent, {received} received"
        );
    }
    for planted in run.planted(PlantedKind::ControlOnly) {
        let flows: Vec<&Flow> = run.of_planted(planted.id).collect();
        assert!(
            flows
                .iter()
                .all(|flow| flow.fwd.bytes + flow.rev.bytes < 2_000)
        );
    }
    for planted in run.planted(PlantedKind::IdleConnections) {
        let flows: Vec<&Flow> = run.of_planted(planted.id).collect();
        assert!(
            flows
                .iter()
                .all(|flow| flow.rev_payload_bytes == Some(0) && !fails(flow))
        );
        let opened = run.of_host(planted.hosts[0]).filter(|s| {
            s.flow.src.ip == planted.hosts[0]
                && s.flow
                    .app
                    .as_ref()
                    .is_some_and(|app| app.as_str() == "bittorrent")
                && s.flow.transport == Transport::Tcp
        });
        let share = flows.len() as f64 / opened.count() as f64;
        assert!((share - 0.8).abs() < 0.1, "{share} idle");
        let brief = flows
            .iter()
            .filter(|flow| flow.span.micros() < 30_000_000)
            .count();
        assert!(brief * 10 >= flows.len() * 8, "{brief} of {}", flows.len());
    }
    for planted in run.planted(PlantedKind::InterIsp) {
        let ip = planted.hosts[0];
        let out = run.of_host(ip).filter(|s| {
            s.flow.src.ip == ip
                && matches!(s.cause.activity, Activity::Download | Activity::Control)
        });
        let (inside, all) = out.fold((0, 0), |(inside, all), s| {
            let is_inside = s.flow.dst.ip.to_string().starts_with("10.");
            (inside + u32::from(is_inside), all + 1)
        });
        assert!(inside * 5 < all, "{inside} of {all} stay inside");
    }
}

#[test]
fn without_planted_behaviour_nothing_is_planted() {
    let quiet = Scenario::preset("quiet")
        .unwrap()
        .with_flows(50_000)
        .unwrap();
    let run = Run::of(&quiet, 1);
    assert!(run.truth.planted.is_empty());
    assert!(
        run.flows
            .iter()
            .all(|s| s.cause.planted.is_none() && s.flow.dst.port != 53
                || s.cause.activity == Activity::Dns)
    );
    let zero = PlantedKind::ALL
        .into_iter()
        .fold(Scenario::preset("tiny").unwrap(), |s, kind| {
            s.with_intensity(kind, 0.0)
        });
    let run = Run::of(&zero, 1);
    assert!(run.truth.planted.is_empty() && run.truth.hosts.iter().all(|h| h.role.is_none()));
}

#[test]
fn intensity_scales_the_planted_flows() {
    let count = |kind, intensity| {
        let scenario = Scenario::preset("tiny")
            .unwrap()
            .with_intensity(kind, intensity);
        let run = Run::of(&scenario, 3);
        run.planted(kind)
            .map(|planted| planted.flows as f64)
            .sum::<f64>()
    };
    for kind in [
        PlantedKind::DepartedHosts,
        PlantedKind::NattedHosts,
        PlantedKind::FakeServer,
        PlantedKind::Buddy,
        PlantedKind::InterIsp,
    ] {
        let ratio = count(kind, 1.0) / count(kind, 0.5);
        assert!((ratio / 2.0 - 1.0).abs() < 0.25, "{kind}: {ratio}");
    }
}

#[test]
fn the_truth_round_trips_as_json() {
    let truth = Run::tiny().truth;
    let text = serde_json::to_string(&truth).unwrap();
    assert_eq!(serde_json::from_str::<Truth>(&text).unwrap(), truth);
    assert!(text.starts_with(r#"{"schema":"peerscope-truth-1","scenario":"tiny","seed":21,"#));
}
