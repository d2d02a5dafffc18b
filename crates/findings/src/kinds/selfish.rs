//! Hosts that take and do not give (SIGMETRICS 2009, section 7.2).

use std::collections::BTreeSet;

use peerscope_correlate::Severity;
use peerscope_flow::{SlotIndex, Transport};

use rayon::prelude::*;

use super::persistent::Persistence;
use super::{Rarity, carries_data, evidence, is_peer_to_peer, named, rarities};
use crate::host::Host;
use crate::presence::share;
use crate::{Finding, FlowSelection, Kind, Scene};

/// A host that mostly receives over TCP in most of its samples with a transfer, and on the whole, and that gives so
/// rarely that it is no chance.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Selfish {
    /// In how many and which part of its samples: at least 2, and a half. Only slots in which a
    /// connection with data is open count: the others are balanced.
    pub persistence: Persistence,
    /// (sent - received) / (sent + received) over all its TCP flows is at most this: -0.62, the high
    /// end of the paper's interesting cluster (Table 4).
    pub max_balance: f64,
    /// So many hosts of the system would send more than they receive on as few of their connections
    /// with data, if all were alike: at most 0.5.
    pub max_expected: f64,
}

impl Default for Selfish {
    fn default() -> Self {
        Self {
            persistence: Persistence {
                min_samples: 2,
                min_share: 0.5,
            },
            max_balance: -0.62,
            max_expected: 0.5,
        }
    }
}

const METRIC: &str = "ratio-bytes-sent-to-rcvd-TCP";

impl Selfish {
    /// Hosts that take and do not give.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        if !is_peer_to_peer(scene) {
            return Vec::new();
        }
        rarities(scene, |facts| facts.giving)
            .into_par_iter()
            .filter_map(|(host, rarity)| self.examine(scene, host, rarity))
            .collect()
    }

    fn examine(&self, scene: &Scene<'_>, host: &Host, rarity: Rarity) -> Option<Finding> {
        if rarity.expected > self.max_expected {
            return None;
        }
        let transfers = with_transfer(scene, host);
        let counts = |slot| transfers.contains(&slot);
        let (samples, persistent) =
            self.persistence
                .check(scene, host, METRIC, self.max_balance, counts)?;
        let tcp = || host.of(Transport::Tcp);
        let sent: u128 = tcp().map(|flow| u128::from(flow.sent.bytes)).sum();
        let rcvd: u128 = tcp().map(|flow| u128::from(flow.rcvd.bytes)).sum();
        let (sent, rcvd) = (sent as f64, rcvd as f64);
        let balance = (sent - rcvd) / (sent + rcvd);
        if rcvd <= 0.0 || balance > self.max_balance {
            return None;
        }
        let selection = FlowSelection {
            transport: Some(Transport::Tcp),
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.resting_on(Kind::Selfish, host, selection);
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
                ("connections-with-data", rarity.own.all as f64),
                ("of-these-sending", rarity.own.some as f64),
                (
                    "sending-fraction-of-system",
                    share(rarity.system.some, rarity.system.all),
                ),
                ("expected-by-chance", rarity.expected),
                ("bytes-received", rcvd),
                ("bytes-sent", sent),
                ("ratio-bytes-sent-to-rcvd", balance),
                ("samples-fraction", persistent),
            ]),
            samples: named(METRIC, samples),
            ..finding
        })
    }
}

/// The slots in which a connection with data is open.
fn with_transfer(scene: &Scene<'_>, host: &Host) -> BTreeSet<SlotIndex> {
    let length = scene.aggregation().slot_length();
    let with_data = host.of(Transport::Tcp).filter(|flow| carries_data(flow));
    let slots =
        with_data.flat_map(|flow| length.slot_of(flow.start).0..=length.slot_of(flow.end).0);
    slots.map(SlotIndex).collect()
}
