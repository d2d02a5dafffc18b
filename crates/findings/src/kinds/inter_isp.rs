//! Hosts whose traffic leaves the provider's network (SIGMETRICS 2009, section 8.4).

use std::collections::BTreeMap;

use peerscope_correlate::Severity;
use peerscope_flow::{Transport, Zone};
use peerscope_slot::Direction;

use super::evidence;
use super::persistent::Persistence;
use crate::host::Host;
use crate::{Finding, FlowSelection, HostFlow, Kind, Scene};

/// A host of a system that is made to keep traffic within the provider's network, nearly all of whose
/// TCP peers are outside.
///
/// Which systems are so made is a matter of the rules: built in is KadU.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct InterIsp {
    /// In how many and which part of its samples: at least 2, and a half.
    pub persistence: Persistence,
    /// At least so many peers that it connects to: 10.
    pub min_peers: usize,
    /// Of these at most this share is inside the provider's network: 0.2. The paper found most
    /// interesting samples at 0.03 or less.
    pub max_inside: f64,
}

impl Default for InterIsp {
    fn default() -> Self {
        Self {
            persistence: Persistence {
                min_samples: 2,
                min_share: 0.5,
            },
            min_peers: 10,
            max_inside: 0.2,
        }
    }
}

const METRIC: &str = "inout-ISP-to-Internet-ratio-TCP";

impl InterIsp {
    /// The finding about a host, if its connections leave the provider's network. O(flows of the host).
    pub fn of_host(&self, scene: &Scene<'_>, host: &Host) -> Option<Finding> {
        let (samples, persistent) =
            self.persistence
                .check(scene, host, METRIC, f64::NEG_INFINITY, |_| true)?;
        let (mut peers, mut inside) = (0_usize, 0_usize);
        let mut leaving: Vec<&HostFlow> = Vec::new();
        for (peer, flows) in host.peers() {
            let mut connections =
                flows.filter(|flow| flow.transport == Transport::Tcp && flow.is_initiated());
            let Some(first) = connections.next() else {
                continue;
            };
            peers += 1;
            let zone = scene.zone(peer);
            inside += usize::from(zone.is_inside_isp());
            if zone == Zone::Internet {
                leaving.push(first);
                leaving.extend(connections);
            }
        }
        let inside_share = inside as f64 / peers as f64;
        if peers < self.min_peers || inside_share > self.max_inside {
            return None;
        }
        let leaving = || leaving.iter();
        let sum = |of: fn(&HostFlow) -> u64| {
            leaving().fold(0, |sum: u64, flow| sum.saturating_add(of(flow)))
        };
        let selection = FlowSelection {
            transport: Some(Transport::Tcp),
            direction: Some(Direction::InOut),
            peer_zone: Some(Zone::Internet),
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.resting_on(Kind::InterIsp, host, selection);
        Some(Finding {
            severity: Severity::Low,
            explanation: format!(
                "{} of the {} TCP peers that {} connects to are outside the provider's network",
                peers - inside,
                peers,
                host.ip,
            ),
            start: leaving()
                .map(|flow| flow.start)
                .min()
                .unwrap_or(finding.start),
            end: leaving().map(|flow| flow.end).max().unwrap_or(finding.end),
            evidence: evidence([
                ("peers", peers as f64),
                ("peers-inside-fraction", inside_share),
                ("connections-leaving", leaving().count() as f64),
                ("bytes-sent-leaving", sum(|flow| flow.sent.bytes) as f64),
                ("bytes-received-leaving", sum(|flow| flow.rcvd.bytes) as f64),
                ("samples-fraction", persistent),
            ]),
            samples: BTreeMap::from([(METRIC.to_owned(), samples)]),
            ..finding
        })
    }
}
