//! Hosts that are interesting in a metric all the time.

use peerscope_flow::SlotIndex;

use crate::scene::Host;
use crate::{SampleRef, Scene};

/// In how many of a host's samples a metric has to be interesting, by a rule that explains it.
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
    /// The explained samples and the number of defined ones, if the former are enough; of those in
    /// the slots that count.
    pub(super) fn check(
        &self,
        scene: &Scene<'_>,
        host: &Host,
        metric: &str,
        counts: impl Fn(SlotIndex) -> bool,
    ) -> Option<(Vec<SampleRef>, usize)> {
        let length = scene.aggregation().slot_length();
        let defined = scene.values(host, metric);
        let defined = defined
            .iter()
            .filter(|(start, _)| counts(length.slot_of(*start)));
        let defined = defined.count();
        let mut samples = scene.explained(host, metric);
        samples.retain(|sample| counts(sample.slot));
        let enough = samples.len() >= self.min_samples.max(1)
            && samples.len() as f64 >= self.min_share * defined as f64;
        enough.then_some((samples, defined))
    }
}
