//! Fake and full servers (SIGMETRICS 2009, section 8.3 and Figure 10).

use std::collections::{BTreeMap, BTreeSet};

use peerscope_correlate::Severity;
use peerscope_flow::{SystemId, Timestamp, Transport};
use peerscope_slot::Direction;
use rayon::prelude::*;

use super::{evidence, is_beyond_slots, median};
use crate::host::Host;
use crate::selection::Outcome;
use crate::{Finding, FlowSelection, HostFlow, Kind, PeerId, Scene};

/// A destination that hosts connect to again and again, briefly and for next to nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct FakeServer {
    /// At least so many connections of one host: 10.
    pub min_connections: usize,
    /// Half of them at most so many seconds apart: 300, the paper's slot, within which one connection
    /// is normal. The paper saw 51 s and 63 s.
    pub max_interval_secs: f64,
    /// The destination answers with at most so many bytes of payload on the average: 100. A refusal
    /// takes some 50, a login several times that.
    pub max_reply_bytes: f64,
    /// A connection lasts at most this part of the time to the next: 1, it is closed before.
    pub max_duty: f64,
}

impl Default for FakeServer {
    fn default() -> Self {
        Self {
            min_connections: 10,
            max_interval_secs: 300.0,
            max_reply_bytes: 100.0,
            max_duty: 1.0,
        }
    }
}

const METRIC: &str = "inout-avg-conn-per-IP-TCP";

/// The connections of one host to one destination.
struct Cycle<'a> {
    host: &'a Host,
    connections: Vec<&'a HostFlow>,
    /// Median time from one to the next, microseconds.
    interval: i64,
}

impl FakeServer {
    /// Servers that are of no use, each with the hosts that try it.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        let cycles: Vec<_> = scene
            .hosts()
            .par_iter()
            .flat_map_iter(|host| self.cycles(scene, host))
            .collect();
        let mut servers: BTreeMap<(PeerId, u16), Vec<Cycle<'_>>> = BTreeMap::new();
        for (server, cycle) in cycles {
            servers.entry(server).or_default().push(cycle);
        }
        let found = servers.into_iter();
        found
            .map(|((peer, port), cycles)| finding(scene, peer, port, &cycles))
            .collect()
    }

    /// What one host tries in vain.
    fn cycles<'a>(&self, scene: &Scene<'_>, host: &'a Host) -> Vec<((PeerId, u16), Cycle<'a>)> {
        let mut cycles = Vec::new();
        for (peer, flows) in host.peers() {
            if flows.len() < self.min_connections {
                continue;
            }
            let mut connections: Vec<&HostFlow> = flows
                .filter(|flow| {
                    flow.transport == Transport::Tcp && flow.is_initiated() && flow.is_complete()
                })
                .collect();
            if connections.len() < self.min_connections {
                continue;
            }
            // Stable: each port's connections stay in order of time.
            connections.sort_by_key(|flow| flow.peer_port);
            for of_port in connections.chunk_by(|a, b| a.peer_port == b.peer_port) {
                let cycle = self.cycle(host, of_port.to_vec());
                let pointed = |cycle: &Cycle<'_>| {
                    is_beyond_slots(scene, cycle.interval) || scene.points_to(host, &[METRIC])
                };
                let server = (peer, of_port[0].peer_port);
                cycles.extend(cycle.filter(pointed).map(|cycle| (server, cycle)));
            }
        }
        cycles
    }

    fn cycle<'a>(&self, host: &'a Host, connections: Vec<&'a HostFlow>) -> Option<Cycle<'a>> {
        if connections.len() < self.min_connections {
            return None;
        }
        let gaps = connections
            .windows(2)
            .map(|pair| pair[1].start.micros_since(pair[0].start));
        let interval = median(gaps.collect())?;
        let number = connections.len() as f64;
        let reply: f64 = connections
            .iter()
            .map(|flow| flow.reply_bytes() as f64)
            .sum();
        let held: f64 = connections.iter().map(|flow| flow.micros() as f64).sum();
        let is_bad = interval as f64 <= self.max_interval_secs * 1e6
            && reply / number <= self.max_reply_bytes
            && held / number <= self.max_duty * interval as f64;
        is_bad.then_some(Cycle {
            host,
            connections,
            interval,
        })
    }
}

fn finding(scene: &Scene<'_>, peer: PeerId, port: u16, cycles: &[Cycle<'_>]) -> Finding {
    let all = || {
        cycles
            .iter()
            .flat_map(|cycle| cycle.connections.iter().copied())
    };
    let number = all().count() as f64;
    let mean = |of: fn(&HostFlow) -> f64| all().map(of).sum::<f64>() / number;
    let silent = all().filter(|flow| flow.reply_bytes() == 0).count() as f64 / number;
    let interval = median(cycles.iter().map(|cycle| cycle.interval).collect()).unwrap_or(0);
    let interval = interval as f64 / 1e6;
    let hosts: BTreeSet<_> = cycles.iter().map(|cycle| cycle.host.ip).collect();
    let mut samples = Vec::new();
    for cycle in cycles {
        samples.extend(scene.interesting(cycle.host, METRIC));
    }
    // All interesting samples of the hosts' system, to say how much of them this server explains.
    let system = cycles
        .first()
        .map_or(SystemId(0), |cycle| cycle.host.system);
    let of_system = scene
        .of_system(system)
        .and_then(|of| of.metric(METRIC)?.interesting())
        .map_or(0, |interesting| interesting.count);
    let part = if of_system == 0 {
        0.0
    } else {
        (samples.len() as f64 / of_system as f64).min(1.0)
    };
    let says = if silent > 0.5 {
        "which never says anything: a fake server".to_owned()
    } else {
        format!(
            "which says {:.0} bytes and is left: a full server?",
            mean(|flow| flow.reply_bytes() as f64)
        )
    };
    let selection = FlowSelection {
        hosts: hosts.clone(),
        peers: BTreeSet::from([scene.peer(peer)]),
        ports: BTreeSet::from([port]),
        transport: Some(Transport::Tcp),
        direction: Some(Direction::InOut),
        outcome: Outcome::Complete,
        ..FlowSelection::default()
    };
    Finding {
        kind: Kind::FakeServer,
        severity: Severity::Medium,
        explanation: format!(
            "{} host(s) connect to {} port {port} {number} times, every {interval:.0} s, {says}",
            hosts.len(),
            scene.peer(peer),
        ),
        system: scene.system_name(system).to_owned(),
        hosts: hosts.into_iter().collect(),
        peers: vec![scene.peer(peer)],
        ports: vec![port],
        start: all().map(|flow| flow.start).min().unwrap_or(Timestamp::MIN),
        end: all().map(|flow| flow.end).max().unwrap_or(Timestamp::MIN),
        evidence: evidence([
            ("connections", number),
            ("median-interval-s", interval),
            ("mean-duration-s", mean(|flow| flow.micros() as f64 / 1e6)),
            ("mean-reply-bytes", mean(|flow| flow.reply_bytes() as f64)),
            ("silent-fraction", silent),
            ("share-of-interesting-samples", part),
        ]),
        samples: BTreeMap::from([(METRIC.to_owned(), samples)]),
        flows: scene.count(&selection),
        selection,
    }
}
