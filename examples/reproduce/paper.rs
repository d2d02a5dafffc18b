//! What is looked up in the analysis of the network like the paper's.

use peerscope::correlate::{MetricOutcome, MetricPercentiles, SystemCorrelation};
use peerscope::findings::{Finding, Kind};
use peerscope::prelude::*;

/// The analysis of the network like the paper's.
pub(crate) struct Paper<'a> {
    pub(crate) analysis: &'a Analysis,
}

impl Paper<'_> {
    pub(crate) fn system(&self, name: &str) -> Option<&SystemCorrelation> {
        self.analysis.correlation.system(name)
    }

    pub(crate) fn outcome(&self, system: &str, metric: &str) -> Option<&MetricOutcome> {
        self.system(system)?.metric(metric)
    }

    pub(crate) fn metric(&self, system: &str, metric: &str) -> Option<&MetricPercentiles> {
        let mut systems = self.analysis.overview.percentiles.iter();
        let of = systems.find(|of| of.system == system)?;
        of.metrics.iter().find(|of| of.metric == metric)
    }

    pub(crate) fn findings(&self, kind: &Kind, system: &str) -> Vec<&Finding> {
        let all = self.analysis.findings.active.iter();
        all.filter(|finding| finding.kind == *kind && finding.system == system)
            .collect()
    }

    /// The share of the interesting samples that the leading hosts make.
    pub(crate) fn leading(&self, system: &str, metric: &str, hosts: usize) -> Option<f64> {
        let interesting = self.outcome(system, metric)?.interesting()?;
        let lead: usize = interesting
            .by_host
            .iter()
            .take(hosts)
            .map(|host| host.count)
            .sum();
        (interesting.count > 0).then(|| lead as f64 / interesting.count as f64)
    }
}
