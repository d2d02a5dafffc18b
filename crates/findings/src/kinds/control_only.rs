//! Hosts that exchange nothing but control messages (SIGMETRICS 2009, section 7.2).

use peerscope_correlate::Severity;
use peerscope_flow::Transport;

use rayon::prelude::*;

use super::persistent::Persistence;
use super::{Rarity, evidence, is_peer_to_peer, named, rarities};
use crate::host::Host;
use crate::presence::share;
use crate::{Finding, FlowSelection, Kind, Scene};

/// A host whose TCP packets are small in all its samples, and on the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct ControlOnly {
    /// In how many and which part of its samples: at least 3, and nine in ten.
    pub persistence: Persistence,
    /// The mean packet over all its TCP flows has at most so many bytes: 250, the high end of the
    /// paper's interesting cluster (Table 4).
    pub max_packet_bytes: f64,
    /// So many hosts of the system would have as few connections with data, if all were alike: at
    /// most 0.05, so that chance calls a host a bot in one trace of twenty. A host with few connections
    /// can be without data.
    pub max_expected: f64,
}

impl Default for ControlOnly {
    fn default() -> Self {
        Self {
            persistence: Persistence {
                min_samples: 3,
                min_share: 0.9,
            },
            max_packet_bytes: 250.0,
            max_expected: 0.05,
        }
    }
}

const METRIC: &str = "avg-pkt-size-TCP";

impl ControlOnly {
    /// Hosts that exchange control messages only.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        if !is_peer_to_peer(scene) {
            return Vec::new();
        }
        rarities(scene, |facts| facts.with_data)
            .into_par_iter()
            .filter_map(|(host, rarity)| self.examine(scene, host, rarity))
            .collect()
    }

    fn examine(&self, scene: &Scene<'_>, host: &Host, rarity: Rarity) -> Option<Finding> {
        if rarity.expected > self.max_expected {
            return None;
        }
        let (samples, persistent) =
            self.persistence
                .check(scene, host, METRIC, self.max_packet_bytes, |_| true)?;
        let tcp = || host.of(Transport::Tcp);
        let connections = tcp().filter(|flow| flow.is_complete()).count();
        let bytes: u128 = tcp()
            .map(|flow| u128::from(flow.sent.bytes) + u128::from(flow.rcvd.bytes))
            .sum();
        let packets: u128 = tcp()
            .map(|flow| u128::from(flow.sent.packets) + u128::from(flow.rcvd.packets))
            .sum();
        let size = bytes as f64 / packets as f64;
        if packets == 0 || size > self.max_packet_bytes {
            return None;
        }
        let selection = FlowSelection {
            transport: Some(Transport::Tcp),
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.resting_on(Kind::ControlOnly, host, selection);
        Some(Finding {
            severity: Severity::Low,
            explanation: format!(
                "{} exchanges control messages only: {connections} TCP connections with packets of \
                 {size:.0} bytes; an idle client, or a member of a botnet",
                host.ip,
            ),
            start: tcp().map(|flow| flow.start).min().unwrap_or(finding.start),
            end: tcp().map(|flow| flow.end).max().unwrap_or(finding.end),
            evidence: evidence([
                ("connections", connections as f64),
                ("connections-with-data", rarity.own.some as f64),
                (
                    "connections-with-data-fraction-of-system",
                    share(rarity.system.some, rarity.system.all),
                ),
                ("expected-by-chance", rarity.expected),
                ("mean-packet-bytes", size),
                ("bytes", bytes as f64),
                ("samples-fraction", persistent),
            ]),
            samples: named(METRIC, samples),
            ..finding
        })
    }
}
