//! Runs the drill-downs.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use peerscope_correlate::Correlation;
use peerscope_flow::Flow;
use peerscope_metric::SampleTable;
use peerscope_slot::Aggregation;
use rayon::prelude::*;

use crate::basis::withheld;
use crate::{
    Benign, Evidence, Finding, FindingsConfig, FlowLog, Kind, Muted, Scene, UnansweredShares,
    WithheldKind,
};

/// What was found in a trace.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Findings {
    /// What an operator should see: the most severe first, then by kind, time and host.
    pub active: Vec<Finding>,
    /// What is known to be harmless.
    pub muted: Vec<Muted>,
    /// Why flows to monitored hosts stayed unanswered, by system.
    pub unanswered: Vec<UnansweredShares>,
    /// Kinds that were not looked for, because the input cannot tell them.
    pub withheld: Vec<WithheldKind>,
    /// What stands behind the active ones. Not serialised with them: it is much larger.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub evidence: Evidence,
}

/// A function from a scene to findings.
type Detector = dyn Fn(&Scene<'_>) -> Vec<Finding> + Send + Sync;

/// The kinds of findings to look for.
///
/// ```
/// use peerscope_findings::{Detectors, FindingsConfig};
///
/// // One more kind: hosts with flows to very many peers.
/// let detectors = Detectors::built_in(&FindingsConfig::default()).with(|scene| {
///     let crowded = scene.hosts().iter().filter(|host| host.flows.len() > 1_000_000);
///     crowded.map(|host| scene.finding("crowded", host)).collect()
/// });
/// # let _ = detectors;
/// ```
#[derive(Clone)]
pub struct Detectors {
    /// Those of built-in kinds with their kind.
    detectors: Vec<(Option<Kind>, Arc<Detector>)>,
    config: FindingsConfig,
}

/// Finds what is of the built-in kinds; see [`Detectors`] for kinds of one's own.
///
/// `table` and `correlation` have to be made from the same flows by the same aggregation.
///
/// # Complexity
///
/// O(n log n) time for n flows of interest, and memory as for [`FlowLog`].
pub fn find(
    flows: &[Flow],
    table: &SampleTable,
    correlation: &Correlation,
    aggregation: &Aggregation,
    config: &FindingsConfig,
) -> Vec<Finding> {
    let mut log = FlowLog::new(aggregation);
    log.add(flows);
    let scene = Scene::new(log, table, correlation);
    Detectors::built_in(config).run(&scene).active
}

impl Detectors {
    /// The ten kinds of the paper.
    pub fn built_in(config: &FindingsConfig) -> Self {
        let none = Self {
            detectors: Vec::new(),
            config: config.clone(),
        };
        let kinds = config.clone();
        // One after the other here, in parallel when run.
        none.with_kind(Kind::DdosReservedPort, {
            let kind = kinds.ddos_reserved_port;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::DepartedHosts, {
            let kind = kinds.departed_hosts;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::NattedHosts, {
            let kind = kinds.natted_hosts;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::FakeServer, {
            let kind = kinds.fake_server;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::Buddy, {
            let kind = kinds.buddy;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::InterIsp, {
            let kind = kinds.inter_isp;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::VeryActive, {
            let kind = kinds.very_active;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::IdleConnections, {
            let kind = kinds.idle_connections;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::ControlOnly, {
            let kind = kinds.control_only;
            move |scene| kind.find(scene)
        })
        .with_kind(Kind::Selfish, {
            let kind = kinds.selfish;
            move |scene| kind.find(scene)
        })
    }

    /// Adds a kind of one's own. [`Scene::finding`] gives its findings their outer form. It is
    /// always run: whether a metric is withheld is told by [`SampleTable::withheld`].
    #[must_use]
    pub fn with(
        mut self,
        detector: impl Fn(&Scene<'_>) -> Vec<Finding> + Send + Sync + 'static,
    ) -> Self {
        self.detectors.push((None, Arc::new(detector)));
        self
    }

    fn with_kind(
        mut self,
        kind: Kind,
        detector: impl Fn(&Scene<'_>) -> Vec<Finding> + Send + Sync + 'static,
    ) -> Self {
        self.detectors.push((Some(kind), Arc::new(detector)));
        self
    }

    /// The settings.
    pub fn config(&self) -> &FindingsConfig {
        &self.config
    }

    /// Looks for every kind, on the threads of the current rayon pool; not for built-in kinds that
    /// rest on a withheld metric.
    pub fn run(&self, scene: &Scene<'_>) -> Findings {
        let of_kind = |kind: &Option<Kind>| kind.as_ref().and_then(|kind| withheld(scene, kind));
        let found: Vec<Vec<Finding>> = self
            .detectors
            .par_iter()
            .filter(|(kind, _)| of_kind(kind).is_none())
            .map(|(_, detector)| detector(scene))
            .collect();
        let mut active: Vec<Finding> = found.into_iter().flatten().collect();
        active.sort_by(|a, b| order(a).cmp(&order(b)));
        let (quiet, active): (Vec<Finding>, Vec<Finding>) = active
            .into_iter()
            .partition(|finding| self.reason(finding).is_some());
        let muted = quiet.into_iter().map(|finding| Muted {
            reason: self
                .reason(&finding)
                .map_or_else(String::new, |entry| entry.reason.clone()),
            finding,
        });
        Findings {
            evidence: Evidence::of(scene, &active),
            active,
            muted: muted.collect(),
            // They tell departed hosts from those behind a NAT.
            unanswered: match withheld(scene, &Kind::DepartedHosts) {
                None => UnansweredShares::of(scene, &self.config.departure),
                Some(_) => Vec::new(),
            },
            withheld: self
                .detectors
                .iter()
                .filter_map(|(kind, _)| of_kind(kind))
                .collect(),
        }
    }

    fn reason(&self, finding: &Finding) -> Option<&Benign> {
        self.config
            .benign
            .iter()
            .find(|entry| entry.covers(finding))
    }
}

impl fmt::Debug for Detectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detectors")
            .field("detectors", &self.detectors.len())
            .field("config", &self.config)
            .finish()
    }
}

fn order(finding: &Finding) -> impl Ord + '_ {
    (
        Reverse(finding.severity),
        &finding.kind,
        finding.start,
        &finding.hosts,
        &finding.peers,
        &finding.ports,
    )
}
