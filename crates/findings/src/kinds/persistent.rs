//! Hosts that are interesting in a metric all the time.

use std::collections::BTreeSet;

use peerscope_flow::SlotIndex;

use crate::host::Host;
use crate::{SampleRef, Scene};

/// In how many of a host's samples a metric has to be at its bad end.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Persistence {
    /// In at least so many samples.
    pub min_samples: usize,
    /// In at least this share of the samples in which the metric is defined, and which count.
    pub min_share: f64,
}

impl Persistence {
    /// The explained samples, and the share of the defined ones that are bad: explained by the rule, or
    /// at most `low` where clusters lie otherwise or no rule speaks of the system. `None` if there are
    /// not enough of them. Only samples in the slots that count are looked at.
    pub(super) fn check(
        &self,
        scene: &Scene<'_>,
        host: &Host,
        metric: &str,
        low: f64,
        counts: impl Fn(SlotIndex) -> bool,
    ) -> Option<(Vec<SampleRef>, f64)> {
        let length = scene.aggregation().slot_length();
        let mut samples = scene.explained(host, metric);
        samples.retain(|sample| counts(sample.slot));
        let explained: BTreeSet<SlotIndex> = samples.iter().map(|sample| sample.slot).collect();
        let (mut defined, mut bad) = (0_u32, 0_usize);
        for (start, value) in scene.values(host, metric) {
            let slot = length.slot_of(start);
            if counts(slot) {
                defined += 1;
                bad += usize::from(value <= low || explained.contains(&slot));
            }
        }
        let share = bad as f64 / f64::from(defined);
        (bad >= self.min_samples.max(1) && share >= self.min_share).then_some((samples, share))
    }
}
