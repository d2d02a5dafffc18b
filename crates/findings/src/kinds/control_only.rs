//! Hosts that exchange nothing but control messages (SIGMETRICS 2009, section 7.2).

use std::collections::BTreeMap;

use peerscope_correlate::Severity;
use peerscope_flow::Transport;

use super::evidence;
use super::persistent::Persistence;
use crate::scene::Host;
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
    /// At least so many connections were set up: 10.
    pub min_connections: usize,
}

impl Default for ControlOnly {
    fn default() -> Self {
        Self {
            persistence: Persistence {
                min_samples: 3,
                min_share: 0.9,
            },
            max_packet_bytes: 250.0,
            min_connections: 10,
        }
    }
}

const METRIC: &str = "avg-pkt-size-TCP";

impl ControlOnly {
    /// Hosts that exchange control messages only.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        scene
            .hosts()
            .iter()
            .filter_map(|host| self.examine(scene, host))
            .collect()
    }

    fn examine(&self, scene: &Scene<'_>, host: &Host) -> Option<Finding> {
        let (samples, of_samples) = self.persistence.check(scene, host, METRIC)?;
        let tcp = || host.of(Transport::Tcp);
        let connections = tcp().filter(|flow| flow.is_complete()).count();
        let bytes: u128 = tcp()
            .map(|flow| u128::from(flow.sent.bytes) + u128::from(flow.rcvd.bytes))
            .sum();
        let packets: u128 = tcp()
            .map(|flow| u128::from(flow.sent.packets) + u128::from(flow.rcvd.packets))
            .sum();
        let size = bytes as f64 / packets as f64;
        if connections < self.min_connections || packets == 0 || size > self.max_packet_bytes {
            return None;
        }
        let selection = FlowSelection {
            transport: Some(Transport::Tcp),
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.finding(Kind::ControlOnly, host);
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
                ("mean-packet-bytes", size),
                ("bytes", bytes as f64),
                ("samples-fraction", samples.len() as f64 / of_samples as f64),
            ]),
            samples: BTreeMap::from([(METRIC.to_owned(), samples)]),
            flows: scene.count(&selection),
            selection,
            ..finding
        })
    }
}
