//! A peer that cannot keep its connection to its buddy (SIGMETRICS 2009, section 8.4).

use std::collections::BTreeSet;

use peerscope_correlate::Severity;
use peerscope_flow::{Transport, Zone};
use peerscope_slot::Direction;

use super::{evidence, is_beyond_slots, median};
use crate::host::Host;
use crate::{Finding, FlowSelection, HostFlow, Kind, PeerId, Scene};

/// One outside peer that opens very many TCP connections to a host, and speaks UDP with it too.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Buddy {
    /// At least so many TCP connections: 20; one is normal. The paper saw 825 in 25 hours.
    pub min_connections: usize,
    /// At least so many UDP packets to the host: 20. Packets, because a meter joins what comes in
    /// quick succession into one flow.
    pub min_packets: u64,
    /// Half of the connections at most so many seconds apart: 600. The paper saw 109 s on the average;
    /// clients that ask again for a file do so every half hour.
    pub max_interval_secs: f64,
    /// So many times the connections of the next busiest outside peer, if it is not another of the
    /// kind: 3.
    pub min_ratio: f64,
}

impl Default for Buddy {
    fn default() -> Self {
        Self {
            min_connections: 20,
            min_packets: 20,
            max_interval_secs: 600.0,
            min_ratio: 3.0,
        }
    }
}

const METRICS: [&str; 2] = ["outin-avg-conn-per-IP-TCP", "outin-total-conn-attempts-UDP"];

/// What one peer opened to a host.
#[derive(Default)]
struct Calls<'a> {
    tcp: Vec<&'a HostFlow>,
    udp: Vec<&'a HostFlow>,
}

impl<'a> Calls<'a> {
    fn of(flows: impl Iterator<Item = &'a HostFlow>) -> Self {
        let mut calls = Self::default();
        for flow in flows.filter(|flow| flow.direction == Direction::OutIn) {
            if flow.transport == Transport::Udp {
                calls.udp.push(flow);
            } else if flow.is_complete() {
                calls.tcp.push(flow);
            }
        }
        calls
    }

    fn packets(&self) -> u64 {
        self.udp.iter().map(|flow| flow.rcvd.packets).sum()
    }

    /// Median time from one connection to the next, microseconds.
    fn interval(&self) -> Option<i64> {
        median(
            self.tcp
                .windows(2)
                .map(|pair| pair[1].start.micros_since(pair[0].start))
                .collect(),
        )
    }
}

impl Buddy {
    /// The findings about peers that connect to a host again and again, one a peer. O(flows of the host).
    pub fn of_host(&self, scene: &Scene<'_>, host: &Host) -> Vec<Finding> {
        let mut callers = Vec::new();
        // Connections of the busiest peer that is none of the kind.
        let mut next = 0;
        for (peer, flows) in host.peers() {
            let matters = |calls: usize| calls > next || calls >= self.min_connections;
            if !matters(flows.len()) || scene.zone(peer) == Zone::Monitored {
                continue;
            }
            let connections = flows.clone().filter(|flow| is_incoming(flow)).count();
            if !matters(connections) {
                continue;
            }
            let calls = Calls::of(flows);
            if self.is_restless(&calls) {
                callers.push((peer, calls));
            } else {
                next = next.max(connections);
            }
        }
        let stands_out = |calls: &Calls<'_>| calls.tcp.len() as f64 >= self.min_ratio * next as f64;
        let beyond = |calls: &Calls<'_>| {
            let interval = calls.interval();
            interval.is_some_and(|interval| is_beyond_slots(scene, interval))
        };
        let is_pointed_to = |calls: &Calls<'_>| beyond(calls) || scene.points_to(host, &METRICS);
        callers
            .into_iter()
            .filter(|(_, calls)| stands_out(calls) && is_pointed_to(calls))
            .map(|(peer, calls)| finding(scene, host, peer, &calls, next))
            .collect()
    }

    fn is_restless(&self, calls: &Calls<'_>) -> bool {
        let quick = |interval: i64| interval as f64 <= self.max_interval_secs * 1e6;
        calls.tcp.len() >= self.min_connections
            && calls.packets() >= self.min_packets
            && calls.interval().is_some_and(quick)
    }
}

/// A TCP connection that the peer opened.
fn is_incoming(flow: &HostFlow) -> bool {
    flow.direction == Direction::OutIn && flow.transport == Transport::Tcp && flow.is_complete()
}

fn finding(
    scene: &Scene<'_>,
    host: &Host,
    peer: PeerId,
    calls: &Calls<'_>,
    next: usize,
) -> Finding {
    let ip = scene.peer(peer);
    let all = || calls.tcp.iter().chain(&calls.udp);
    let ports: BTreeSet<u16> = all().map(|flow| flow.host_port).collect();
    let interval = calls.interval().unwrap_or(0) as f64 / 1e6;
    let held: f64 = calls
        .tcp
        .iter()
        .map(|flow| flow.micros() as f64 / 1e6)
        .sum();
    let selection = FlowSelection {
        peers: BTreeSet::from([ip]),
        direction: Some(Direction::OutIn),
        ..FlowSelection::of_host(host.ip)
    };
    let finding = scene.resting_on(Kind::Buddy, host, selection);
    Finding {
        severity: Severity::Low,
        explanation: format!(
            "{ip} opens {} TCP connections and sends {} UDP packets to {}, a connection every \
             {interval:.0} s: a buddy whose NAT keeps closing the connection?",
            calls.tcp.len(),
            calls.packets(),
            host.ip,
        ),
        peers: vec![ip],
        ports: ports.into_iter().collect(),
        start: all().map(|flow| flow.start).min().unwrap_or(finding.start),
        end: all().map(|flow| flow.end).max().unwrap_or(finding.end),
        evidence: evidence([
            ("tcp-connections", calls.tcp.len() as f64),
            ("udp-flows", calls.udp.len() as f64),
            ("udp-packets", calls.packets() as f64),
            ("median-interval-s", interval),
            ("mean-duration-s", held / calls.tcp.len() as f64),
            ("tcp-connections-of-next-peer", next as f64),
        ]),
        samples: scene.samples(host, &METRICS),
        ..finding
    }
}
