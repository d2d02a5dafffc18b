//! Idle TCP connections (SIGMETRICS 2009, section 9).

use std::collections::BTreeMap;

use peerscope_correlate::Severity;
use peerscope_flow::{Handshake, Transport};
use peerscope_slot::Direction;

use super::{evidence, median};
use crate::scene::Host;
use crate::selection::Outcome;
use crate::{Finding, FlowSelection, HostFlow, Kind, PeerId, Scene};

/// A host many of whose TCP connections the peer never answers, or that keeps connections open for long
/// on which the peer hardly ever says anything.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct IdleConnections {
    /// Of the peers that accept, at least so many never say anything: 10.
    pub min_silent: usize,
    /// At least this share of its connections, every peer counted once: 0.6, the low end of the
    /// paper's interesting range.
    pub min_silent_share: f64,
    /// A connection is kept open for long from so many seconds on: 600.
    pub long_secs: f64,
    /// On such a one the peer hardly ever says anything at up to so many bytes of payload a second:
    /// 0.1.
    pub max_reply_per_sec: f64,
    /// And both ends together send at most so many bytes a second, headers included: 5, an empty
    /// packet every ten seconds. Else the host uploads.
    pub max_bytes_per_sec: f64,
}

impl Default for IdleConnections {
    fn default() -> Self {
        Self {
            min_silent: 10,
            min_silent_share: 0.6,
            long_secs: 600.0,
            max_reply_per_sec: 0.1,
            max_bytes_per_sec: 5.0,
        }
    }
}

const METRIC: &str = "inout-fract-unanswered-appl-TCP";

/// A TCP connection, put together from the flows that an idle timeout cut it into.
struct Connection<'a> {
    parts: Vec<&'a HostFlow>,
}

impl Connection<'_> {
    fn secs(&self) -> f64 {
        let end = self.parts.iter().map(|flow| flow.end).max();
        end.map_or(0.0, |end| {
            end.micros_since(self.parts[0].start) as f64 / 1e6
        })
    }

    fn reply(&self) -> f64 {
        self.parts
            .iter()
            .map(|flow| flow.reply_bytes() as f64)
            .sum()
    }

    fn bytes(&self) -> f64 {
        let parts = self.parts.iter();
        parts
            .map(|flow| flow.sent.bytes as f64 + flow.rcvd.bytes as f64)
            .sum()
    }
}

impl IdleConnections {
    /// Hosts with idle connections.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        let hosts = scene.hosts().iter();
        hosts
            .flat_map(|host| [self.silent(scene, host), self.long(host, scene)])
            .flatten()
            .collect()
    }

    /// Most connections never answered.
    fn silent(&self, scene: &Scene<'_>, host: &Host) -> Option<Finding> {
        let mut peers: BTreeMap<PeerId, (u64, u64)> = BTreeMap::new();
        let known =
            |flow: &&HostFlow| flow.is_initiated() && flow.is_complete() && flow.reply.is_some();
        let connections: Vec<&HostFlow> = host.of(Transport::Tcp).filter(known).collect();
        for flow in &connections {
            let (all, silent) = peers.entry(flow.peer).or_default();
            *all += 1;
            *silent += u64::from(flow.is_silent());
        }
        let share = |&(all, silent): &(u64, u64)| silent as f64 / all as f64;
        let fraction = peers.values().map(share).sum::<f64>() / peers.len().max(1) as f64;
        let silent_peers = peers.values().filter(|counts| share(counts) > 0.5).count();
        if silent_peers < self.min_silent
            || fraction < self.min_silent_share
            || !scene.points_to(host, &[METRIC])
        {
            return None;
        }
        let silent: Vec<&&HostFlow> = connections.iter().filter(|flow| flow.is_silent()).collect();
        let secs = median(silent.iter().map(|flow| flow.micros()).collect())? as f64 / 1e6;
        let brief = silent
            .iter()
            .filter(|flow| flow.micros() < 30_000_000)
            .count();
        let selection = FlowSelection {
            transport: Some(Transport::Tcp),
            direction: Some(Direction::InOut),
            outcome: Outcome::Silent,
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.finding(Kind::IdleConnections, host);
        Some(Finding {
            severity: Severity::Low,
            explanation: format!(
                "the peer says nothing on {} of the {} TCP connections that {} sets up: stale information \
                 about who shares what",
                silent.len(),
                connections.len(),
                host.ip,
            ),
            start: silent.first().map_or(finding.start, |flow| flow.start),
            end: silent
                .iter()
                .map(|flow| flow.end)
                .max()
                .unwrap_or(finding.end),
            evidence: evidence([
                ("connections", connections.len() as f64),
                ("silent-connections", silent.len() as f64),
                ("silent-fraction-by-peer", fraction),
                ("silent-peers", silent_peers as f64),
                ("median-lifetime-s", secs),
                (
                    "shorter-than-30-s-fraction",
                    brief as f64 / silent.len() as f64,
                ),
            ]),
            samples: scene.samples(host, &[METRIC]),
            flows: scene.count(&selection),
            selection,
            ..finding
        })
    }

    /// Connections kept open for nothing.
    fn long(&self, host: &Host, scene: &Scene<'_>) -> Option<Finding> {
        let idle = |connection: &Connection<'_>| {
            let secs = connection.secs();
            secs >= self.long_secs
                && connection.reply() <= self.max_reply_per_sec * secs
                && connection.bytes() <= self.max_bytes_per_sec * secs
        };
        let long: Vec<Connection<'_>> = connections(host).into_iter().filter(idle).collect();
        let parts = || long.iter().flat_map(|connection| connection.parts.iter());
        let selection = FlowSelection {
            transport: Some(Transport::Tcp),
            direction: Some(Direction::InOut),
            peers: parts().map(|flow| scene.peer(flow.peer)).collect(),
            ports: parts().map(|flow| flow.peer_port).collect(),
            from: Some(parts().map(|flow| flow.start).min()?),
            to: parts().map(|flow| flow.start).max(),
            ..FlowSelection::of_host(host.ip)
        };
        let longest = long.iter().map(Connection::secs).fold(0.0, f64::max);
        let reply: f64 = long.iter().map(Connection::reply).sum();
        let packets: u64 = parts()
            .map(|flow| flow.sent.packets + flow.rcvd.packets)
            .sum();
        Some(Finding {
            severity: Severity::Info,
            explanation: format!(
                "{} keeps {} TCP connection(s) open on which the peer hardly ever says anything, one for \
                 {longest:.0} s",
                host.ip,
                long.len(),
            ),
            peers: selection.peers.iter().copied().collect(),
            ports: selection.ports.iter().copied().collect(),
            start: parts().map(|flow| flow.start).min()?,
            end: parts().map(|flow| flow.end).max()?,
            evidence: evidence([
                ("long-connections", long.len() as f64),
                ("longest-lifetime-s", longest),
                ("reply-bytes", reply),
                ("packets", packets as f64),
            ]),
            samples: scene.samples(host, &[METRIC]),
            flows: scene.count(&selection),
            selection,
            ..scene.finding(Kind::IdleConnections, host)
        })
    }
}

/// The connections that a host set up. A flow seen from mid-stream on goes on with the one before it on
/// the same 5-tuple.
fn connections(host: &Host) -> Vec<Connection<'_>> {
    let mut by_tuple: BTreeMap<(PeerId, u16, u16), Vec<Connection<'_>>> = BTreeMap::new();
    for flow in host.of(Transport::Tcp).filter(|flow| flow.is_initiated()) {
        let tuple = (flow.peer, flow.host_port, flow.peer_port);
        let of_tuple = by_tuple.entry(tuple).or_default();
        match of_tuple.last_mut() {
            Some(open) if flow.handshake == Some(Handshake::Unknown) => open.parts.push(flow),
            _ if flow.is_complete() => of_tuple.push(Connection { parts: vec![flow] }),
            _ => {}
        }
    }
    by_tuple.into_values().flatten().collect()
}
