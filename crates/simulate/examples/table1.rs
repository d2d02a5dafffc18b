//! Prints what a simulated trace is made of: Table 1 of the SIGMETRICS 2009 paper, samples of five
//! minutes with control traffic and their ports, and the planted kinds.
//!
//! `table1 [SCENARIO] [FLOWS] [SEED]`; without FLOWS the scenario's own number.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;

use peerscope_flow::{Family, Handshake, SlotLength, Transport, Zone};
use peerscope_simulate::{Scenario, Simulation};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or("minipop-2008".to_owned());
    let scenario = Scenario::preset(&name)?;
    let scenario = match arguments.next() {
        Some(flows) => scenario.with_flows(flows.parse()?)?,
        None => scenario,
    };
    let seed = arguments.next().map_or(Ok(1), |seed| seed.parse())?;

    let mut simulation = Simulation::new(&scenario, seed)?;
    let topology = simulation.topology();
    let families = [Family::emule(), Family::bittorrent(), Family::dcpp()];
    let mut pairs: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    let mut samples: HashMap<_, HashSet<u16>> = HashMap::new();
    let (expected, pending) = (simulation.expected_flows(), simulation.pending_events());
    for simulated in simulation.by_ref() {
        let flow = simulated.flow;
        let of_family = families
            .iter()
            .any(|family| family.interest(&flow).is_some());
        let zones = (topology.zone(flow.src.ip), topology.zone(flow.dst.ip));
        let outcome = match (flow.transport, flow.handshake) {
            (Transport::Tcp, Some(Handshake::Complete)) => "tcp complete",
            (Transport::Tcp, _) => "tcp failed",
            _ if flow.rev.packets == 0 => "udp unanswered",
            _ => "udp answered",
        };
        let row = pairs.entry((!of_family, zones, outcome)).or_default();
        row.0 += 1;
        row.1 += flow.fwd.bytes + flow.rev.bytes;
        if of_family && flow.transport == Transport::Udp {
            let outgoing = zones.0 == Zone::Monitored;
            let host = if outgoing { flow.src.ip } else { flow.dst.ip };
            let slot = SlotLength::PAPER.slot_of(flow.span.start());
            let ports = samples.entry((flow.app, host, slot)).or_default();
            ports.extend(outgoing.then_some(flow.dst.port));
        }
    }
    for ((other, (from, to), outcome), (flows, bytes)) in pairs {
        let family = if other { "other" } else { "p2p" };
        let zones = format!("{from:?} > {to:?}");
        println!("{family:6}{zones:24}{outcome:16}{flows:10} flows {bytes:16} bytes");
    }
    let mut ports: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for ((app, ..), distinct) in samples {
        ports.entry(app).or_default().push(distinct.len());
    }
    for (app, mut counts) in ports {
        let label = app.map_or(String::new(), |app| app.to_string());
        let samples = counts.len();
        counts.retain(|&count| count > 0);
        counts.sort_unstable();
        let median = counts.get(counts.len() / 2).copied().unwrap_or(0);
        let active = counts.len();
        println!(
            "{label:12}{samples:8} samples with UDP, {active} of them with outgoing flows: to {median} ports in the median"
        );
    }
    let truth = simulation.truth();
    let mut kinds: BTreeMap<_, (usize, usize, u64)> = BTreeMap::new();
    for planted in &truth.planted {
        let row = kinds
            .entry((planted.kind, planted.system.as_str()))
            .or_default();
        *row = (
            row.0 + 1,
            row.1 + planted.hosts.len(),
            row.2 + planted.flows,
        );
    }
    for ((kind, system), (entries, hosts, flows)) in kinds {
        println!("{kind:20}{system:12}{entries:4} entries {hosts:4} hosts {flows:8} flows");
    }
    let total = expected.total();
    println!(
        "{} flows, {total:.0} expected, {pending} pending events",
        truth.flows
    );
    Ok(())
}
