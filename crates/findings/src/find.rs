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
use crate::shares::cause_counts;
use crate::{
    Benign, Evidence, Finding, FindingsConfig, FlowLog, Host, Kind, Muted, Scene, UnansweredShares,
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

/// Looks for one kind.
#[derive(Clone)]
struct Detector {
    /// If it is built in.
    kind: Option<Kind>,
    look: Look,
}

/// What makes findings, of the whole scene or of one host at a time.
#[derive(Clone)]
enum Look {
    AtAll(Arc<LookAtAll>),
    AtEach(Arc<LookAtEach>),
}

type LookAtAll = dyn Fn(&Scene<'_>) -> Vec<Finding> + Send + Sync;
type LookAtEach = dyn Fn(&Scene<'_>, &Host) -> Vec<Finding> + Send + Sync;

impl Look {
    fn at_all(look: impl Fn(&Scene<'_>) -> Vec<Finding> + Send + Sync + 'static) -> Self {
        Self::AtAll(Arc::new(look))
    }

    fn at_each<F: IntoIterator<Item = Finding>>(
        look: impl Fn(&Scene<'_>, &Host) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::AtEach(Arc::new(move |scene, host| {
            look(scene, host).into_iter().collect()
        }))
    }
}

/// The kinds of findings to look for.
///
/// ```
/// use peerscope_findings::{Detectors, FindingsConfig};
///
/// // One more kind: hosts with very many flows.
/// let detectors = Detectors::built_in(&FindingsConfig::default()).with_each(|scene, host| {
///     let crowded = host.flows.len() > 1_000_000;
///     crowded.then(|| scene.finding("crowded", host))
/// });
/// # let _ = detectors;
/// ```
#[derive(Clone)]
pub struct Detectors {
    detectors: Vec<Detector>,
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
        let kinds = config.clone();
        // Kinds about the whole trace run in parallel, those about one host together, host by host.
        let built_in = [
            (
                Kind::DdosReservedPort,
                Look::at_all(move |scene| kinds.ddos_reserved_port.find(scene)),
            ),
            (
                Kind::DepartedHosts,
                Look::at_each(move |scene, host| kinds.departed_hosts.of_host(scene, host)),
            ),
            (
                Kind::NattedHosts,
                Look::at_each(move |scene, host| kinds.natted_hosts.of_host(scene, host)),
            ),
            (
                Kind::FakeServer,
                Look::at_all(move |scene| kinds.fake_server.find(scene)),
            ),
            (
                Kind::Buddy,
                Look::at_each(move |scene, host| kinds.buddy.of_host(scene, host)),
            ),
            (
                Kind::InterIsp,
                Look::at_each(move |scene, host| kinds.inter_isp.of_host(scene, host)),
            ),
            (
                Kind::VeryActive,
                Look::at_all(move |scene| kinds.very_active.find(scene)),
            ),
            (
                Kind::IdleConnections,
                Look::at_each(move |scene, host| kinds.idle_connections.of_host(scene, host)),
            ),
            (
                Kind::ControlOnly,
                Look::at_all(move |scene| kinds.control_only.find(scene)),
            ),
            (
                Kind::Selfish,
                Look::at_all(move |scene| kinds.selfish.find(scene)),
            ),
        ];
        let detectors = built_in.into_iter().map(|(kind, look)| Detector {
            kind: Some(kind),
            look,
        });
        Self {
            detectors: detectors.collect(),
            config: config.clone(),
        }
    }

    /// Adds a kind of one's own that looks at the whole scene. [`Scene::finding`] gives its findings
    /// their outer form. It is always run: whether a metric is withheld is told by
    /// [`SampleTable::withheld`].
    #[must_use]
    pub fn with(
        self,
        detector: impl Fn(&Scene<'_>) -> Vec<Finding> + Send + Sync + 'static,
    ) -> Self {
        self.own(Look::at_all(detector))
    }

    /// Adds a kind of one's own that looks at one host at a time, as [`with`](Self::with) does at all;
    /// on all threads, while the host's flows are in cache.
    #[must_use]
    pub fn with_each<F: IntoIterator<Item = Finding>>(
        self,
        detector: impl Fn(&Scene<'_>, &Host) -> F + Send + Sync + 'static,
    ) -> Self {
        self.own(Look::at_each(detector))
    }

    fn own(mut self, look: Look) -> Self {
        self.detectors.push(Detector { kind: None, look });
        self
    }

    /// The settings.
    pub fn config(&self) -> &FindingsConfig {
        &self.config
    }

    /// Looks for every kind, on the threads of the current rayon pool; not for built-in kinds that
    /// rest on a withheld metric.
    pub fn run(&self, scene: &Scene<'_>) -> Findings {
        let mut not_looked_for = Vec::new();
        let (mut at_all, mut at_each) = (Vec::new(), Vec::new());
        for Detector { kind, look } in &self.detectors {
            match (kind.as_ref().and_then(|kind| withheld(scene, kind)), look) {
                (Some(withheld), _) => not_looked_for.push(withheld),
                (None, Look::AtAll(look)) => at_all.push(look),
                (None, Look::AtEach(look)) => at_each.push(look),
            }
        }
        let mut active: Vec<Finding> = at_all
            .into_par_iter()
            .flat_map_iter(|look| look(scene))
            .collect();
        // Causes tell departed hosts from those behind a NAT.
        let telling = withheld(scene, &Kind::DepartedHosts).is_none();
        // All that is about one host while its flows are in cache; hosts one by one, as in the scene.
        let hosts = scene.hosts().par_iter().with_max_len(1);
        let hosts = hosts.map(|host| {
            let found = at_each.iter().flat_map(|look| look(scene, host));
            let causes = telling.then(|| cause_counts(scene, host, self.config.departure));
            (found.collect::<Vec<Finding>>(), causes)
        });
        let (found, causes): (Vec<Vec<Finding>>, Vec<Option<_>>) = hosts.unzip();
        active.extend(found.into_iter().flatten());
        let unanswered = UnansweredShares::of(scene, causes);
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
            unanswered,
            withheld: not_looked_for,
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
