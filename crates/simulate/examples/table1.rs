//! Prints what a simulated trace is made of: Table 1 of the SIGMETRICS 2009 paper, the planted kinds,
//! and a hash of all flows.
//!
//! `table1 [SCENARIO] [FLOWS] [SEED]`; without FLOWS the scenario's own number.

use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};

use peerscope_flow::{Family, Handshake, Transport};
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
    let mut hash = DefaultHasher::new();
    let (expected, pending) = (simulation.expected_flows(), simulation.pending_events());
    for simulated in simulation.by_ref() {
        let flow = simulated.flow;
        (flow.key(), flow.span, flow.fwd, flow.rev).hash(&mut hash);
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
    }
    for ((other, (from, to), outcome), (flows, bytes)) in pairs {
        let family = if other { "other" } else { "p2p" };
        let zones = format!("{from:?} > {to:?}");
        println!("{family:6}{zones:24}{outcome:16}{flows:10} flows {bytes:16} bytes");
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
    println!("hash {:016x}", hash.finish());
    Ok(())
}
