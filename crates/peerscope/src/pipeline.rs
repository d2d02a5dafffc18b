//! The whole way from flows to an analysis.

use std::path::{Path, PathBuf};

use peerscope_correlate::{
    CorrelateConfig, CorrelateError, Rules, RulesError, correlate, host_changes, percentiles,
    propose, shifts_in_time, split_half,
};
use peerscope_findings::{Detectors, Findings, FindingsConfig, FlowLog, Scene, TrafficLog};
use peerscope_flow::{Family, Flow, SlotLength, Topology};
use peerscope_meter::MeterConfig;
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_read::ReadOptions;
use peerscope_slot::{Aggregation, Precision, SpillError, SpillingAggregator, SpillingPart};
use serde::Deserialize;
use thiserror::Error;

use crate::analysis::{Changes, Experimental, InputSummary, Overview, SampleSummary};
use crate::input::spread;
use crate::{Analysis, FlowFiles, InputError, SourceReport, WithheldMetric};

/// The settings of every step. Whatever is not set has the paper's value.
#[derive(Clone, Debug)]
pub struct Pipeline {
    aggregation: Aggregation,
    metrics: MetricSet,
    rules: Rules,
    correlate: CorrelateConfig,
    findings: Option<Detectors>,
    read: ReadOptions,
    meter: MeterConfig,
    spill_above: usize,
    spill_folder: Option<PathBuf>,
}

/// Settings as they stand in a TOML file; see [`Pipeline::from_toml`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// A built-in family by name, or the definition of one.
    pub family: FamilySetting,
    /// The network; without one every address is monitored.
    pub topology: Option<Topology>,
    /// The length of a slot, seconds.
    #[serde(default)]
    pub slot: SlotLength,
    /// Counts the peers of giant hosts approximately, with 2 to the power of this registers; see
    /// [`Aggregation::with_approximate_peers`]. Exactly without it.
    pub approximate_peers: Option<Precision>,
    /// Clustering, dominance, coincidence and heavy hosts.
    #[serde(default)]
    pub correlate: CorrelateConfig,
    /// Findings are looked for if this is there, with these thresholds.
    pub findings: Option<FindingsConfig>,
    /// Rules beside the built-in ones; they replace those with the same key.
    #[serde(flatten)]
    pub rules: Option<Rules>,
}

/// How a settings file names a family.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum FamilySetting {
    /// The name of a built-in family.
    Name(String),
    /// A family of the user's own.
    Definition(Family),
}

/// Why a pipeline cannot be set up or run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The settings are not valid TOML or hold something unknown.
    #[error("settings: {0}")]
    Settings(#[from] Box<toml::de::Error>),
    /// No built-in family has the name.
    #[error("{0:?} is not one of the families emule, bittorrent, dcpp, any")]
    UnknownFamily(String),
    /// A rule speaks of no metric of the pipeline.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The samples cannot be clustered as asked.
    #[error(transparent)]
    Correlate(#[from] CorrelateError),
    /// There were more flows than fit into memory, and no place for temporary files.
    #[error(transparent)]
    Spill(#[from] SpillError),
}

impl Pipeline {
    /// Default of [`with_spill_above`](Self::with_spill_above): 512 MiB, for some 40 million flows.
    pub const SPILL_ABOVE: usize = 512 << 20;

    /// The paper's way for a family on a network: slots of 300 s, 44 metrics, built-in rules.
    pub fn new(family: Family, topology: Topology) -> Self {
        Self {
            aggregation: Aggregation::new(family, topology),
            metrics: MetricSet::paper(),
            rules: Rules::built_in(),
            correlate: CorrelateConfig::default(),
            findings: None,
            read: ReadOptions::new().with_policy(peerscope_read::Policy::Skip),
            meter: MeterConfig::new(),
            spill_above: Self::SPILL_ABOVE,
            spill_folder: None,
        }
    }

    /// A pipeline from a TOML file.
    ///
    /// ```
    /// let pipeline = peerscope::Pipeline::from_toml(r#"
    ///     family = "bittorrent"                  # or a table, see Family
    ///     slot = 60                              # seconds
    ///     topology = { monitored = ["10.0.0.0/16"], provider = ["10.0.0.0/8"] }
    ///
    ///     [correlate.heavy]
    ///     min_metrics = 3
    ///
    ///     [[rule]]
    ///     name = "uploads"
    ///     metric = "bps-sent-TCP"
    ///     sides = ["high"]
    ///     explanation = "Sends much more than others"
    /// "#)?;
    /// assert_eq!(pipeline.aggregation().slot_length().as_secs(), 60.0);
    /// # Ok::<(), peerscope::PipelineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// With line and column if the text is not valid TOML or holds an unknown or bad setting; if no
    /// built-in family has the name; if a rule speaks of no metric of the catalogue.
    pub fn from_toml(text: &str) -> Result<Self, PipelineError> {
        let settings: Settings = toml::from_str(text).map_err(Box::new)?;
        let family = match settings.family {
            FamilySetting::Definition(family) => family,
            FamilySetting::Name(name) => built_in(&name)?,
        };
        let topology = settings
            .topology
            .unwrap_or_else(Topology::everything_monitored);
        let mut pipeline = Self::new(family, topology);
        pipeline.aggregation = pipeline.aggregation.with_slot_length(settings.slot);
        if let Some(precision) = settings.approximate_peers {
            pipeline.aggregation = pipeline.aggregation.with_approximate_peers(precision);
        }
        pipeline.correlate = settings.correlate;
        pipeline.findings = settings.findings.as_ref().map(Detectors::built_in);
        if let Some(rules) = settings.rules {
            rules.check(&pipeline.metrics.names().collect::<Vec<_>>())?;
            pipeline.rules = pipeline.rules.extended(rules);
        }
        Ok(pipeline)
    }

    /// Replaces how flows are aggregated: family, network, slots, hosts and time range.
    #[must_use]
    pub fn with_aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }

    /// Replaces the metrics.
    #[must_use]
    pub fn with_metrics(mut self, metrics: MetricSet) -> Self {
        self.metrics = metrics;
        self
    }

    /// Replaces the rules of interpretation.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Replaces the settings of clustering and correlation.
    #[must_use]
    pub fn with_correlate(mut self, correlate: CorrelateConfig) -> Self {
        self.correlate = correlate;
        self
    }

    /// Looks for findings too, which takes some 120 bytes of memory for each flow of interest.
    #[must_use]
    pub fn with_findings(mut self, detectors: Detectors) -> Self {
        self.findings = Some(detectors);
        self
    }

    /// Replaces how logs are read.
    #[must_use]
    pub fn with_read(mut self, read: ReadOptions) -> Self {
        self.read = read;
        self
    }

    /// Replaces how packets are metered.
    #[must_use]
    pub fn with_meter(mut self, meter: MeterConfig) -> Self {
        self.meter = meter;
        self
    }

    /// Sets how many bytes of memory may hold what is kept of the flows until they are all there: 12
    /// bytes for each monitored end of a flow of interest. What is more goes to temporary files in
    /// the system's folder for these or [another](Self::with_spill_folder), and results stay the same. Samples stay in memory, and so do
    /// the flows of interest where [findings](Self::with_findings) are looked for.
    #[must_use]
    pub fn with_spill_above(mut self, bytes: usize) -> Self {
        self.spill_above = bytes;
        self
    }

    /// Sets the folder of temporary files; it must be on a disk, not in memory, to be of use.
    #[must_use]
    pub fn with_spill_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spill_folder = Some(folder.into());
        self
    }

    /// How flows are aggregated.
    pub fn aggregation(&self) -> &Aggregation {
        &self.aggregation
    }

    /// The rules of interpretation.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Starts an analysis on the threads of the current rayon pool.
    pub fn session(&self) -> Session<'_> {
        let threads = rayon::current_num_threads();
        let log = self
            .findings
            .as_ref()
            .map(|_| FlowLog::new(&self.aggregation));
        let folder = self.spill_folder.clone();
        let open = move || match &folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        };
        Session {
            pipeline: self,
            files: FlowFiles::new(self.read.clone(), self.meter.clone()),
            logs: Logs {
                aggregator: SpillingAggregator::new(&self.aggregation, self.spill_above, open),
                traffic: vec![TrafficLog::new(&self.aggregation); threads],
                flows: vec![log; threads],
            },
        }
    }
}

fn built_in(name: &str) -> Result<Family, PipelineError> {
    let mut families = Family::built_in().into_iter();
    let family = families.find(|family| family.name() == name);
    family.ok_or_else(|| PipelineError::UnknownFamily(name.to_owned()))
}

/// Flows that are gone through for all purposes while they are in a processor's cache.
const BLOCK: usize = 2048;

/// An analysis under way: takes flows and files, in any order and number.
#[derive(Debug)]
pub struct Session<'a> {
    pipeline: &'a Pipeline,
    files: FlowFiles,
    logs: Logs<'a>,
}

/// What is made of the flows while they come, for each thread.
#[derive(Debug)]
struct Logs<'a> {
    aggregator: SpillingAggregator<'a>,
    traffic: Vec<TrafficLog<'a>>,
    /// Kept if findings are looked for.
    flows: Vec<Option<FlowLog<'a>>>,
}

/// The [`Logs`] of one thread.
#[derive(Debug)]
struct Part<'s, 'a> {
    aggregator: &'s mut SpillingPart<'a>,
    traffic: &'s mut TrafficLog<'a>,
    flows: &'s mut Option<FlowLog<'a>>,
}

impl<'a> Logs<'a> {
    fn parts(&mut self) -> Vec<Part<'_, 'a>> {
        let aggregators = self.aggregator.parts_mut().iter_mut();
        let logs = self.traffic.iter_mut().zip(&mut self.flows);
        let part = |(aggregator, (traffic, flows))| Part {
            aggregator,
            traffic,
            flows,
        };
        aggregators.zip(logs).map(part).collect()
    }
}

impl Part<'_, '_> {
    fn add(&mut self, flows: &[Flow]) {
        let mut scopes = Vec::with_capacity(BLOCK.min(flows.len()));
        for block in flows.chunks(BLOCK) {
            scopes.clear();
            self.aggregator.add_and_scope(block, &mut scopes);
            let scoped = block.iter().zip(&scopes);
            let scoped = scoped.filter_map(|(flow, scope)| Some((flow, (*scope)?)));
            self.traffic.add_within(scoped.clone());
            if let Some(log) = self.flows {
                log.add_within(scoped);
            }
        }
    }
}

impl Session<'_> {
    /// Adds flows, on the threads of the current rayon pool; tens of thousands at a time keep all
    /// of them busy.
    pub fn add(&mut self, flows: &[Flow]) {
        spread(flows, &mut self.logs.parts(), Part::add);
    }

    /// Adds the flows of a file of any known format.
    ///
    /// A fault inside the file ends it; what was read before is kept, and the fault stands in the
    /// report returned and in the analysis.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or its format is not known.
    pub fn add_file(&mut self, path: impl AsRef<Path>) -> Result<&SourceReport, InputError> {
        self.files
            .read_shared(path, &mut self.logs.parts(), Part::add)
    }

    /// Adds the flows of files of any known formats as of one source, whatever the order they are
    /// named in: packets of captures that overlap are metered in order of time, and records of
    /// exporters are paired across files (see [`FlowFiles::read_all`]).
    ///
    /// A fault inside a file, or one that vanishes meanwhile, ends no more than itself: what was read
    /// before is kept, and the fault stands in the analysis.
    ///
    /// # Errors
    ///
    /// As [`FlowFiles::read_all`]; nothing has been added then.
    pub fn add_files<P: AsRef<Path>>(
        &mut self,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<(), InputError> {
        self.files
            .read_all_shared(paths, &mut self.logs.parts(), Part::add)
    }

    /// Bytes that were written to temporary files so far, see
    /// [`Pipeline::with_spill_above`].
    pub fn spilled(&self) -> u64 {
        self.logs.aggregator.spilled()
    }

    /// Makes samples, clusters them, correlates what is interesting, and goes back to the flows for
    /// findings where these are asked for.
    ///
    /// Metrics of the catalogue that a source makes wrong (one-sided and sampled feeds, see
    /// [`Feed::withheld`](peerscope_read::Feed::withheld)) are withheld, and so are findings that
    /// rest on them. A user's own metrics never are.
    ///
    /// # Errors
    ///
    /// If the samples cannot be clustered on the scale asked for, or a temporary file fails.
    pub fn finish(self) -> Result<Analysis, PipelineError> {
        self.finish_with(|_, _| ())
    }

    /// The same, with a look at findings and the flows behind them while these are there: an
    /// analysis does not keep its flows. `look` is not called if no findings were asked for.
    ///
    /// ```
    /// # use peerscope::prelude::*;
    /// # use peerscope::findings::{Detectors, FindingsConfig};
    /// let detectors = Detectors::built_in(&FindingsConfig::default());
    /// let pipeline = Pipeline::new(Family::emule(), Topology::everything_monitored())
    ///     .with_findings(detectors);
    /// let mut flows: Vec<u8> = Vec::new();
    /// let analysis = pipeline.session().finish_with(|scene, findings| {
    ///     // Writing into memory cannot fail.
    ///     let _ = findings.write_flows(scene, &mut flows);
    /// })?;
    /// assert!(flows.starts_with(b"finding,start_us,"));
    /// # Ok::<(), peerscope::PipelineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub fn finish_with(
        self,
        look: impl FnOnce(&Scene<'_>, &Findings),
    ) -> Result<Analysis, PipelineError> {
        let Self {
            pipeline,
            files,
            mut logs,
        } = self;
        let report = files.finish(|flows| spread(flows, &mut logs.parts(), Part::add));
        let Logs {
            aggregator,
            traffic,
            flows,
            ..
        } = logs;
        let mut log = None;
        for more in flows.into_iter().flatten() {
            match &mut log {
                None => log = Some(more),
                Some(log) => log.merge(more),
            }
        }
        let mut whole = TrafficLog::new(&pipeline.aggregation);
        for more in traffic {
            whole.merge(more);
        }
        let family = pipeline.aggregation.family();
        let host_slots = aggregator.finish()?;
        let mut table = SampleTable::new(&host_slots, family, &pipeline.metrics);
        let withheld = WithheldMetric::all(&report);
        let input = InputSummary::new(&host_slots, report);
        // Of very many hosts they take more than half of what the table does.
        drop(host_slots);
        for WithheldMetric { metric, reason, .. } in &withheld {
            table.withhold(metric, reason);
        }
        let config = &pipeline.correlate;
        let correlation = correlate(&table, family.name(), &pipeline.rules, config)?;
        let stability = split_half(&table, &correlation, config);
        let findings = match (&pipeline.findings, log) {
            (Some(detectors), Some(log)) => {
                let scene = Scene::new(log, &table, &correlation);
                let findings = detectors.run(&scene);
                look(&scene, &findings);
                findings
            }
            _ => Findings::default(),
        };
        Ok(Analysis {
            family: family.name().to_owned(),
            slot_seconds: table.slot_length().as_secs(),
            input,
            withheld,
            samples: SampleSummary::new(&table),
            changes: Changes {
                halves: stability
                    .split
                    .map(|split| shifts_in_time(&table, split, &config.shifts))
                    .unwrap_or_default(),
                hosts: host_changes(&table, &config.change_points),
            },
            experimental: Experimental {
                proposals: propose(&table, &correlation, config),
            },
            overview: Overview {
                traffic: whole.finish(),
                percentiles: percentiles(&table),
                stability,
            },
            correlation,
            findings,
            table,
        })
    }
}
