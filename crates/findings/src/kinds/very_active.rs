//! Very active hosts (SIGMETRICS 2009, section 8.4).

use std::collections::{BTreeMap, BTreeSet};

use peerscope_correlate::{HeavyHost, Severity};
use peerscope_flow::SystemId;
use rayon::prelude::*;

use super::{evidence, median};
use crate::host::Host;
use crate::{Finding, Kind, Scene};

/// A heavy host that is heavy by its activity.
///
/// Heavy hosts have a large part of the interesting samples of several metrics
/// ([`HeavyConfig`](peerscope_correlate::HeavyConfig): more than 10 % in at least 5). That can be a
/// server cycle too, or a host that left; so several of the metrics have to tell of activity, on their
/// high side, and the host's flows have to bear it out.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct VeryActive {
    /// At least so many of the metrics tell of activity: 3, as in the paper's example.
    pub min_metrics: usize,
    /// In a sample the host sends at least so many times the packets of the host in the middle: 3.
    /// Packets, because a meter joins what comes in quick succession into one flow.
    pub min_ratio: f64,
}

impl Default for VeryActive {
    fn default() -> Self {
        Self {
            min_metrics: 3,
            min_ratio: 3.0,
        }
    }
}

/// Metrics that are high where a host does much.
const ACTIVITY: [&str; 12] = [
    "live-conn-TCP",
    "live-conn-UDP",
    "bps-rcvd-TCP",
    "bps-rcvd-UDP",
    "bps-sent-TCP",
    "bps-sent-UDP",
    "inout-total-conn-attempts-TCP",
    "inout-total-conn-attempts-UDP",
    "inout-total-peers-TCP",
    "inout-total-peers-UDP",
    "inout-dest-ports-TCP",
    "inout-dest-ports-UDP",
];

impl VeryActive {
    /// Very active hosts.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        let heavy = &scene.correlation().heavy_hosts;
        let system_of = |heavy: &HeavyHost| scene.aggregation().family().system_id(&heavy.system);
        let systems: BTreeSet<SystemId> = heavy.iter().filter_map(system_of).collect();
        let medians = systems.into_iter().map(|id| (id, typical(scene, id)));
        let medians: BTreeMap<SystemId, f64> = medians.collect();
        heavy
            .par_iter()
            .filter_map(|heavy| {
                let host = scene.host(heavy.host)?;
                let typical = medians.get(&system_of(heavy)?)?;
                self.examine(scene, heavy, host, *typical)
            })
            .collect()
    }

    fn examine(
        &self,
        scene: &Scene<'_>,
        heavy: &HeavyHost,
        host: &Host,
        typical: f64,
    ) -> Option<Finding> {
        let high: Vec<&str> = heavy
            .metrics
            .iter()
            .map(|standout| standout.metric.as_str())
            .filter(|metric| ACTIVITY.contains(metric) && is_high(scene, heavy, host, metric))
            .collect();
        let rate = rate(host)?;
        if high.len() < self.min_metrics || rate < self.min_ratio * typical {
            return None;
        }
        let all: Vec<&str> = heavy
            .metrics
            .iter()
            .map(|metric| metric.metric.as_str())
            .collect();
        let mut numbers = evidence([
            ("metrics", heavy.metrics.len() as f64),
            ("metrics-of-activity", high.len() as f64),
            ("packets-sent-per-slot", rate),
            ("packets-sent-per-slot-of-median-host", typical),
        ]);
        for standout in &heavy.metrics {
            numbers.insert(format!("share-of-{}", standout.metric), standout.fraction);
        }
        Some(Finding {
            explanation: format!(
                "{} stands out in {} metrics, by its activity in {}; it sends {rate:.0} packets a slot, \
                 the host in the middle {typical:.0}",
                host.ip,
                all.len(),
                high.join(", "),
            ),
            system: heavy.system.clone(),
            severity: Severity::Info,
            evidence: numbers,
            samples: scene.samples(host, &all),
            ..scene.finding(Kind::VeryActive, host)
        })
    }
}

/// Whether half of the host's interesting values lie above the middle of its system's values.
fn is_high(scene: &Scene<'_>, heavy: &HeavyHost, host: &Host, metric: &str) -> bool {
    let table = scene.table();
    let (Some(column), Some(system)) = (
        table.metric_index(metric),
        scene.aggregation().family().system_id(&heavy.system),
    ) else {
        return false;
    };
    let mut all: Vec<f64> = table
        .column(system, column)
        .map(|(_, value)| value)
        .collect();
    all.sort_by(f64::total_cmp);
    let Some(middle) = all.get(all.len() / 2) else {
        return false;
    };
    let interesting = scene.interesting(host, metric);
    let of_slot: BTreeMap<_, f64> = scene.values(host, metric).into_iter().collect();
    let length = scene.aggregation().slot_length();
    let values = interesting
        .iter()
        .filter_map(|sample| of_slot.get(&length.start_of(sample.slot)));
    let above = values.filter(|value| *value > middle).count();
    2 * above > interesting.len()
}

/// Packets sent in a slot, over the slots in which the host has a sample.
fn rate(host: &Host) -> Option<f64> {
    let packets = host.facts().packets;
    let slots = host.samples();
    (slots > 0).then(|| packets as f64 / slots as f64)
}

/// The rate of the host in the middle of a system.
fn typical(scene: &Scene<'_>, system: SystemId) -> f64 {
    let hosts = scene.hosts().iter().filter(|host| host.system == system);
    // Rates are not negative, so that their bits order as they do.
    let rates = hosts.filter_map(rate).map(f64::to_bits);
    median(rates.collect()).map_or(0.0, f64::from_bits)
}
