//! Hosts that take and do not give (SIGMETRICS 2009, section 7.2).

use std::collections::BTreeMap;

use peerscope_correlate::Severity;
use peerscope_flow::Transport;

use super::evidence;
use super::persistent::Persistence;
use crate::scene::Host;
use crate::{Finding, FlowSelection, Kind, Scene};

/// A host that mostly receives over TCP in all its samples, and on the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Selfish {
    /// In how many and which part of its samples: at least 3, and nine in ten.
    pub persistence: Persistence,
    /// (sent - received) / (sent + received) over all its TCP flows is at most this: -0.62, the high
    /// end of the paper's interesting cluster (Table 4).
    pub max_balance: f64,
    /// It received at least so many bytes: 1,000,000. Less is no download.
    pub min_received: u64,
}

impl Default for Selfish {
    fn default() -> Self {
        Self {
            persistence: Persistence {
                min_samples: 3,
                min_share: 0.9,
            },
            max_balance: -0.62,
            min_received: 1_000_000,
        }
    }
}

const METRIC: &str = "ratio-bytes-sent-to-rcvd-TCP";

impl Selfish {
    /// Hosts that take and do not give.
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
        let sent: u128 = tcp().map(|flow| u128::from(flow.sent.bytes)).sum();
        let rcvd: u128 = tcp().map(|flow| u128::from(flow.rcvd.bytes)).sum();
        let (sent, rcvd) = (sent as f64, rcvd as f64);
        let balance = (sent - rcvd) / (sent + rcvd);
        if rcvd < self.min_received as f64 || balance > self.max_balance {
            return None;
        }
        let selection = FlowSelection {
            transport: Some(Transport::Tcp),
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.finding(Kind::Selfish, host);
        Some(Finding {
            severity: Severity::Info,
            explanation: format!(
                "{} receives {:.1} MB over TCP and sends {:.1} MB: it does not share",
                host.ip,
                rcvd / 1e6,
                sent / 1e6,
            ),
            start: tcp().map(|flow| flow.start).min().unwrap_or(finding.start),
            end: tcp().map(|flow| flow.end).max().unwrap_or(finding.end),
            evidence: evidence([
                ("bytes-received", rcvd),
                ("bytes-sent", sent),
                ("ratio-bytes-sent-to-rcvd", balance),
                ("samples-fraction", samples.len() as f64 / of_samples as f64),
            ]),
            samples: BTreeMap::from([(METRIC.to_owned(), samples)]),
            flows: scene.count(&selection),
            selection,
            ..finding
        })
    }
}
