//! Hosts whose traffic leaves the provider's network (SIGMETRICS 2009, section 8.4).

use std::collections::{BTreeMap, BTreeSet};

use peerscope_correlate::Severity;
use peerscope_flow::{Transport, Zone};
use peerscope_slot::Direction;

use super::evidence;
use super::persistent::Persistence;
use crate::scene::Host;
use crate::{Finding, FlowSelection, Kind, PeerId, Scene};

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
    /// Hosts whose traffic leaves the provider's network.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        scene
            .hosts()
            .iter()
            .filter_map(|host| self.examine(scene, host))
            .collect()
    }

    fn examine(&self, scene: &Scene<'_>, host: &Host) -> Option<Finding> {
        let (samples, persistent) =
            self.persistence
                .check(scene, host, METRIC, f64::NEG_INFINITY, |_| true)?;
        let mut peers: BTreeSet<PeerId> = BTreeSet::new();
        let (mut sent, mut rcvd, mut connections) = (0_u64, 0_u64, 0_u64);
        let (mut first, mut last) = (None, None);
        for flow in host.of(Transport::Tcp).filter(|flow| flow.is_initiated()) {
            peers.insert(flow.peer);
            if scene.zone(flow.peer) == Zone::Internet {
                connections += 1;
                sent = sent.saturating_add(flow.sent.bytes);
                rcvd = rcvd.saturating_add(flow.rcvd.bytes);
                first = first.or(Some(flow.start));
                last = last.max(Some(flow.end));
            }
        }
        let inside = peers
            .iter()
            .filter(|&&peer| scene.zone(peer).is_inside_isp())
            .count();
        let inside_share = inside as f64 / peers.len() as f64;
        if peers.len() < self.min_peers || inside_share > self.max_inside {
            return None;
        }
        let selection = FlowSelection {
            transport: Some(Transport::Tcp),
            direction: Some(Direction::InOut),
            peer_zone: Some(Zone::Internet),
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.finding(Kind::InterIsp, host);
        Some(Finding {
            severity: Severity::Low,
            explanation: format!(
                "{} of the {} TCP peers that {} connects to are outside the provider's network",
                peers.len() - inside,
                peers.len(),
                host.ip,
            ),
            start: first.unwrap_or(finding.start),
            end: last.unwrap_or(finding.end),
            evidence: evidence([
                ("peers", peers.len() as f64),
                ("peers-inside-fraction", inside_share),
                ("connections-leaving", connections as f64),
                ("bytes-sent-leaving", sent as f64),
                ("bytes-received-leaving", rcvd as f64),
                ("samples-fraction", persistent),
            ]),
            samples: BTreeMap::from([(METRIC.to_owned(), samples)]),
            flows: scene.count(&selection),
            selection,
            ..finding
        })
    }
}
