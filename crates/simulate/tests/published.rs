//! The inputs of the preset `minipop-2008` against the published figures (methodology of the
//! SIGMETRICS 2009 paper: Table 1, sections 3.3, 4.2, 8.1 to 8.4).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use peerscope_flow::{
    Application, Family, Flow, Handshake, SlotIndex, SlotLength, Transport, Zone,
};
use peerscope_simulate::{Activity, Protocol, Scenario, SimulatedFlow, Simulation};

/// The preset at a tenth of its flows, and the factor to the full count.
const FLOWS: u64 = 1_190_000;

struct Trace {
    simulation: Simulation,
    flows: Vec<SimulatedFlow>,
    scale: f64,
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn trace() -> Trace {
    let full = Scenario::preset("minipop-2008").unwrap();
    let scaled = full.clone().with_flows(FLOWS).unwrap();
    let scale = full.traffic / scaled.traffic;
    let mut simulation = Simulation::new(&scaled, 11).unwrap();
    let flows = simulation.by_ref().collect();
    Trace {
        simulation,
        flows,
        scale,
    }
}

#[track_caller]
fn close(what: &str, actual: f64, published: f64, tolerance: f64) {
    let off = actual / published - 1.0;
    assert!(
        off.abs() <= tolerance,
        "{what}: {actual:.0} against {published:.0} ({off:+.3})"
    );
}

#[test]
fn inputs_are_those_published() {
    let Trace {
        simulation,
        flows,
        scale,
    } = trace();
    table_1(&simulation, &flows, scale);
    hosts(&simulation, &flows);
    failures(&simulation, &flows, scale);
    let (simulation, flows) = (&simulation, &flows);
    assert_eq!(median_of_ports(simulation, flows, &Application::KadU), 1);
}

/// Flows within 6 %, TCP bytes within 15 %, UDP bytes within 30 %.
fn table_1(simulation: &Simulation, flows: &[SimulatedFlow], scale: f64) {
    let (family, topology) = (Family::emule(), simulation.topology());
    let mut rows: BTreeMap<(Zone, Zone, bool), (f64, f64)> = BTreeMap::new();
    for SimulatedFlow { flow, .. } in flows {
        let tcp = flow.transport == Transport::Tcp;
        let counts = !tcp || flow.handshake == Some(Handshake::Complete);
        if counts && family.interest(flow).is_some() {
            let zones = (topology.zone(flow.src.ip), topology.zone(flow.dst.ip));
            let row = rows.entry((zones.0, zones.1, tcp)).or_default();
            row.0 += scale;
            row.1 += scale * (flow.fwd.bytes + flow.rev.bytes) as f64;
        }
    }
    let (internet, monitored, provider) = (Zone::Internet, Zone::Monitored, Zone::Provider);
    for (from, to, tcp, count, bytes) in [
        (monitored, provider, true, 264e3, 512e9),
        (monitored, internet, true, 377e3, 80e9),
        (provider, monitored, true, 174e3, 341e9),
        (monitored, provider, false, 4.7e6, 820e6),
        (monitored, internet, false, 412.7e3, 58e6),
        (provider, monitored, false, 3.8e6, 735e6),
        (internet, monitored, false, 208e3, 35e6),
    ] {
        let what = format!("{from:?} to {to:?}, tcp {tcp}");
        let row = rows[&(from, to, tcp)];
        // Behaviours that do not scale weigh ten times at a tenth of the flows.
        close(
            &format!("{what}, flows"),
            row.0,
            count,
            if tcp { 0.13 } else { 0.06 },
        );
        close(
            &format!("{what}, bytes"),
            row.1,
            bytes,
            if tcp { 0.15 } else { 0.3 },
        );
    }
    assert!(!rows.contains_key(&(internet, monitored, true)));
}

fn hosts(simulation: &Simulation, flows: &[SimulatedFlow]) {
    let truth = simulation.truth();
    let of = |system: &str| {
        let hosts = truth
            .hosts
            .iter()
            .filter(|host| host.system.as_deref() == Some(system));
        hosts.map(|host| host.ip).collect::<HashSet<_>>()
    };
    let (kadu, kad) = (of("kadu"), of("kad"));
    assert_eq!(
        (kadu.len(), kad.len(), of("emule-only").len()),
        (478, 136, 4)
    );
    assert_eq!(truth.hosts.len(), 2_200);
    // Hosts seen with control traffic: nearly all of them even at a tenth of the flows.
    let seen = |label: Application| {
        let labelled = flows.iter().filter(|s| s.flow.app.as_ref() == Some(&label));
        let ends = labelled.flat_map(|s| [s.flow.src.ip, s.flow.dst.ip]);
        ends.collect::<HashSet<_>>()
    };
    assert!(seen(Application::KadU).intersection(&kadu).count() > 470);
    assert!(seen(Application::Kad).intersection(&kad).count() > 130);
}

/// Section 8.2, within 3 points for shares: unanswered UDP, failed TCP and what departure explains.
fn failures(simulation: &Simulation, flows: &[SimulatedFlow], scale: f64) {
    let topology = simulation.topology();
    let incoming = |s: &&SimulatedFlow| topology.zone(s.flow.dst.ip) == Zone::Monitored;
    let count = |test: &dyn Fn(&SimulatedFlow) -> bool| {
        flows.iter().filter(incoming).filter(|s| test(s)).count() as f64
    };
    let share = |what: &str, part: f64, whole: f64, published: f64| {
        let share = part / whole;
        assert!(
            (share - published).abs() < 0.03,
            "{what}: {share} against {published}"
        );
    };
    let udp = |s: &SimulatedFlow| s.flow.transport == Transport::Udp;
    let unanswered = |s: &SimulatedFlow| udp(s) && s.flow.rev.packets == 0;
    let label = |s: &SimulatedFlow, app: Application| s.flow.app == Some(app);
    share("unanswered UDP", count(&unanswered), count(&udp), 0.28);
    let kads = |s: &SimulatedFlow| unanswered(s) && s.flow.app.is_some();
    share("of it Kad and KadU", count(&kads), count(&unanswered), 0.65);
    for (app, departed) in [(Application::Kad, 0.41), (Application::KadU, 0.48)] {
        let all = |s: &SimulatedFlow| {
            let known = matches!(s.cause.activity, Activity::Stale | Activity::Natted);
            unanswered(s) && label(s, app.clone()) && known
        };
        let stale = |s: &SimulatedFlow| all(s) && s.cause.activity == Activity::Stale;
        share(app.as_str(), count(&stale), count(&all), departed);
    }
    let tcp = |s: &SimulatedFlow| s.flow.transport == Transport::Tcp;
    let failed = |s: &SimulatedFlow| tcp(s) && s.flow.handshake == Some(Handshake::Failed);
    share("failed TCP", count(&failed), count(&tcp), 0.30);
    close("failed TCP", count(&failed) * scale, 116e3, 0.08);
    let kadu = |s: &SimulatedFlow| failed(s) && s.cause.activity != Activity::Background;
    share("of it KadU", count(&kadu), count(&failed), 0.5);
    let stale = |s: &SimulatedFlow| failed(s) && s.cause.activity == Activity::Stale;
    let natted = |s: &SimulatedFlow| failed(s) && s.cause.activity == Activity::Natted;
    share(
        "of it departed",
        count(&stale),
        count(&stale) + count(&natted),
        0.75,
    );
}

/// Sections 7.1 and 8.1, for Kad alone at its full traffic.
#[test]
fn kad_ports_are_those_published() {
    let mut scenario = Scenario::preset("minipop-2008").unwrap();
    scenario
        .systems
        .retain(|system| system.protocol == Protocol::Kad);
    scenario
        .planted
        .retain(|planted| planted.system == Protocol::Kad);
    scenario.background = None;
    let mut simulation = Simulation::new(&scenario, 4).unwrap();
    let flows: Vec<SimulatedFlow> = simulation.by_ref().collect();
    let median = median_of_ports(&simulation, &flows, &Application::Kad);
    assert!((22..=50).contains(&median), "{median} ports against 33");

    let mut ports: BTreeMap<u16, u32> = BTreeMap::new();
    let (mut unanswered, mut sources) = (0, BTreeSet::new());
    let kad = flows
        .iter()
        .filter(|s| s.flow.app == Some(Application::Kad));
    for SimulatedFlow { flow, .. } in kad.filter(|s| s.flow.dst.port <= 1_024) {
        *ports.entry(flow.dst.port).or_default() += 1;
        if flow.dst.port == 53 {
            unanswered += u32::from(flow.rev.packets == 0);
            sources.insert(flow.src.ip);
        }
    }
    close("port 53", f64::from(ports[&53]), 1_711.0, 0.2);
    close(
        "reserved ports",
        f64::from(ports.values().sum::<u32>()),
        3_087.0,
        0.15,
    );
    assert!(
        ports
            .iter()
            .all(|(port, flows)| *port == 53 || *flows <= 175)
    );
    assert!(f64::from(unanswered) > 0.9 * f64::from(ports[&53]));
    let share = sources.len() as f64 / 136.0;
    assert!((0.2..=0.26).contains(&share), "{share} of the Kad hosts");
}

/// Distinct destination ports of the UDP flows that a host initiates in a slot: the median.
fn median_of_ports(simulation: &Simulation, flows: &[SimulatedFlow], app: &Application) -> usize {
    let topology = simulation.topology();
    let mut ports: HashMap<(IpAddr, SlotIndex), HashSet<u16>> = HashMap::new();
    let of = |flow: &Flow| {
        flow.app.as_ref() == Some(app) && topology.zone(flow.src.ip) == Zone::Monitored
    };
    for SimulatedFlow { flow, .. } in flows.iter().filter(|s| of(&s.flow)) {
        let slot = SlotLength::PAPER.slot_of(flow.span.start());
        ports
            .entry((flow.src.ip, slot))
            .or_default()
            .insert(flow.dst.port);
    }
    let mut counts: Vec<usize> = ports.values().map(HashSet::len).collect();
    counts.sort_unstable();
    counts[counts.len() / 2]
}
