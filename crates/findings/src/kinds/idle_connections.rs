//! Idle TCP connections (SIGMETRICS 2009, section 9).

use peerscope_correlate::Severity;
use peerscope_flow::{Handshake, Transport};
use peerscope_slot::Direction;

use super::{Part, evidence, median};
use crate::host::Host;
use crate::selection::Outcome;
use crate::{Finding, FlowSelection, HostFlow, Kind, Scene};

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
    /// The findings about a host, two at most: connections that are never answered, and some that are kept
    /// open for nothing. O(n log n), n being its flows.
    pub fn of_host(&self, scene: &Scene<'_>, host: &Host) -> Vec<Finding> {
        let found = [self.silent(scene, host), self.long(host, scene)];
        found.into_iter().flatten().collect()
    }

    /// Most connections never answered.
    fn silent(&self, scene: &Scene<'_>, host: &Host) -> Option<Finding> {
        if !scene.points_to(host, &[METRIC]) {
            return None;
        }
        let known = |flow: &&HostFlow| {
            flow.transport == Transport::Tcp
                && flow.is_initiated()
                && flow.is_complete()
                && flow.reply.is_some()
        };
        let counted = host
            .peers()
            .map(|(_, flows)| Part::of(flows.filter(known), HostFlow::is_silent));
        let shares: Vec<f64> = counted
            .filter(|part| part.all > 0)
            .map(|part| part.some as f64 / part.all as f64)
            .collect();
        let fraction = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        let silent_peers = shares.iter().filter(|&&share| share > 0.5).count();
        if silent_peers < self.min_silent || fraction < self.min_silent_share {
            return None;
        }
        let connections: Vec<&HostFlow> = host.flows.iter().filter(known).collect();
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
        let finding = scene.resting_on(Kind::IdleConnections, host, selection);
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
        let long = connections(host, idle);
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
            ..scene.resting_on(Kind::IdleConnections, host, selection)
        })
    }
}

/// The idle ones of the connections that a host set up. A flow seen from mid-stream on goes on with the
/// one before it on the same 5-tuple.
fn connections<'a>(
    host: &'a Host,
    is_idle: impl Fn(&Connection<'a>) -> bool,
) -> Vec<Connection<'a>> {
    let mut idle = Vec::new();
    let mut open = Connection { parts: Vec::new() };
    // Most are not kept, and need no memory of their own.
    let mut close = |open: &mut Connection<'a>| {
        if !open.parts.is_empty() && is_idle(open) {
            idle.push(Connection {
                parts: open.parts.clone(),
            });
        }
        open.parts.clear();
    };
    let ports = |flow: &&HostFlow| (flow.host_port, flow.peer_port);
    let mut own: Vec<&HostFlow> = Vec::new();
    for (_, flows) in host.peers() {
        own.clear();
        own.extend(flows.filter(|flow| flow.transport == Transport::Tcp && flow.is_initiated()));
        // Stable: each 5-tuple's flows stay in order of time.
        own.sort_by_key(ports);
        for of_tuple in own.chunk_by(|a, b| ports(a) == ports(b)) {
            for &flow in of_tuple {
                if flow.is_complete() {
                    close(&mut open);
                    open.parts.push(flow);
                } else if !open.parts.is_empty() && flow.handshake == Some(Handshake::Unknown) {
                    open.parts.push(flow);
                }
            }
            close(&mut open);
        }
    }
    idle
}
