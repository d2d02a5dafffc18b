//! From clusters to meaning: which samples are interesting, which hosts make them, and which
//! metrics are interesting together.
//!
//! [`correlate`] takes the table of samples of one family and, for every system whose samples are
//! clustered,
//!
//! 1. clusters each metric by the parameter search of [`peerscope_cluster`];
//! 2. reads the clusters by [`Rules`], domain knowledge that is data: the regions of interest
//!    ([`Interesting`]) with an explanation, or as outliers without one;
//! 3. counts the hosts that make nearly all interesting samples ([`Dominance`]): few point to a
//!    property of those hosts, many to a general behaviour;
//! 4. tests which metrics are interesting in the same samples ([`MetricPair`]), and groups those
//!    that are as candidates for a common cause ([`MetricGroup`]);
//! 5. names the hosts that stand out in several metrics ([`HeavyHost`]).
//!
//! [`percentiles`] and [`split_half`] are overviews of the table: how the values lie, and whether
//! both halves of the trace tell the same. [`shifts_in_time`] and [`shifts_between`] say which metrics
//! changed from one period, or network, to another, and [`change_points`] when the series of a host
//! jumps. [`propose`] is experimental: what clusters without a rule may mean.
//!
//! ```
//! use peerscope_correlate::{CorrelateConfig, MetricOutcome, Rules, correlate};
//! use peerscope_flow::{Application, Endpoint, Family, Flow, Span, Timestamp, Topology, Transport};
//! use peerscope_metric::{MetricSet, SampleTable};
//! use peerscope_slot::{Aggregation, aggregate};
//!
//! // Sixty hosts send a Kad flow each; twelve of them to the reserved port 53.
//! let flows: Vec<Flow> = (1..=60)
//!     .map(|host| Flow {
//!         app: Some(Application::Kad),
//!         ..Flow::new(
//!             Transport::Udp,
//!             Endpoint::new([10, 0, 0, host].into(), 4672),
//!             Endpoint::new([192, 0, 2, 7].into(), if host <= 12 { 53 } else { 4672 }),
//!             Span::at(Timestamp::from_secs(0)),
//!         )
//!     })
//!     .collect();
//! let family = Family::emule();
//! let topology = Topology::new(["10.0.0.0/24".parse()?], []);
//! let host_slots = aggregate(&flows, &Aggregation::new(family.clone(), topology));
//! let samples = SampleTable::new(&host_slots, &family, &MetricSet::paper());
//!
//! let config = CorrelateConfig::default();
//! let correlation = correlate(&samples, family.name(), &Rules::built_in(), &config)?;
//! let kad = correlation.system("kad").ok_or("clustered")?;
//! let ports = kad.metric("inout-1024-dest-ports-UDP").ok_or("of the catalogue")?;
//! let interesting = ports.interesting().ok_or("settled by a rule")?;
//! assert_eq!(interesting.rule.as_deref(), Some("reserved-ports"));
//! assert_eq!((interesting.count, interesting.fraction), (12, 0.2));
//! assert_eq!(ports.dominance().map(|dominance| dominance.hosts), Some(11));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Interesting regions
//!
//! | clusters | with a rule | without |
//! |---|---|---|
//! | several | what the rule selects; noise it does not select is not interesting | [`NeedsRule`] |
//! | one | all noise: explained on the rule's sides, outliers elsewhere | all noise, as outliers |
//! | none | values in a range that the rule's sides name | nothing |
//!
//! A rule without a selection leaves a metric with several clusters as [`NeedsRule`] too. That the
//! denial-of-service reading of reserved ports sets a family's own default ports aside is a matter
//! of the flows behind the samples, not of this crate.
//!
//! # Coincidence of metrics
//!
//! Two metrics are compared over the samples of a system in which both are defined. Fisher's exact
//! test takes samples for independent, but the slots of one host are not: a host that is away
//! stays away. So the default null hypothesis keeps each host's series as they are and shifts one
//! against the other circularly in time, every shift as likely as any other, each host on its own.
//! A host's series are its slots in which both metrics are defined, in time order, gaps closed up.
//! The p-value is the chance of as many samples interesting in both, or more.
//!
//! It is computed, not sampled: a host with m slots has only m shifts, so the distribution of its
//! overlap is a table, and the distribution of the sum over hosts is the convolution of these
//! tables. Sampled p-values end at 1 / (1 + permutations), which the adjustment for several
//! hundred pairs makes worthless; exact ones do not. Only one side of the observed overlap is
//! convolved, in additions of positive numbers. A pair whose convolution would take more than
//! [`exact_work`] steps is tested by drawing shifts, `p = (1 + reached) / (1 + permutations)`, from
//! a counter-based generator, so that seed and pair alone decide.
//!
//! On 2,000 pairs of unrelated series of 20 hosts with 100 slots, whose states last 20 slots on
//! the average, these shares are called significant (a test of this crate holds them to bounds):
//!
//! | at level | 0.05 | 0.01 | 0.001 |
//! |---|---|---|---|
//! | circular shifts | 0.050 | 0.009 | 0.000 |
//! | Fisher's test | 0.282 | 0.217 | 0.149 |
//!
//! What the shift test cannot see: that the same hosts are interesting in both metrics all the
//! time. Where every host's set is all or nothing, no shift changes anything and there is no test;
//! [`Dominance`] and [`HeavyHost`] speak of that. Nor can the slots of a single host give a p-value
//! below 1 / m. The ends of a shifted series meet, which no real ones do; in long series it hardly
//! matters.
//!
//! A pair counts as tested, and is adjusted for by Benjamini and Hochberg, if its test can have
//! more than one outcome given what is kept fixed: for shifts, if some shift changes the overlap;
//! for Fisher's test, if both metrics have interesting and other samples. Neither condition looks
//! at the overlap, so leaving the others out biases nothing.
//!
//! # References
//!
//! - The paper on undesirable behaviour from P2P traffic, SIGMETRICS 2009: sections 6.2 and 6.3,
//!   Tables 4 and 5, Figures 6 and 7, section 8.4. The significance of coincidence is not in it.
//! - Shifts as a null for autocorrelated series, there without wrapping round: K. D. Harris. A shift
//!   test for independence in generic time series. 2020.
//!
//! The crate opens no files and reads no clock. Results depend on neither threads nor the order of
//! input. Feature `serde` derives `Serialize` for results and `Deserialize` for the configuration;
//! [`Rules`] are read from text with or without it.
//!
//! [`NeedsRule`]: MetricOutcome::NeedsRule
//! [`exact_work`]: CrossMetricConfig::exact_work

mod adjust;
mod change_point;
mod circular;
mod config;
mod correlation;
mod cross_metric;
mod dominance;
mod fisher;
mod graph;
mod halves;
mod heavy;
mod interesting;
mod interpret;
mod percentiles;
mod rule;
mod rules;
mod shifts;
mod system;
mod two_sample;

pub use adjust::benjamini_hochberg;
pub use change_point::{ChangePoint, ChangePointConfig, HostChange, change_points, host_changes};
pub use config::{CorrelateConfig, CrossMetricConfig, HeavyConfig};
pub use correlation::{
    CorrelateError, Correlation, DominancePoint, Interesting, MetricCorrelation, MetricOutcome,
    SystemCorrelation, correlate,
};
pub use cross_metric::{MetricPair, PairTest};
pub use dominance::{Dominance, HostCount};
pub use graph::{MetricGroup, metric_graph};
pub use halves::{MetricStability, SplitHalf, split_half};
pub use heavy::{HeavyHost, Standout};
pub use interesting::{Reading, Region, RegionKind};
pub use interpret::{Proposal, RankedCluster, Reason, propose};
pub use percentiles::{MetricPercentiles, SystemPercentiles, percentiles};
pub use rule::{
    MetricPattern, MetricPatternError, Rule, Selection, Severity, Side, ValueRange, ValueRangeError,
};
pub use rules::{RuleProblem, Rules, RulesError};
pub use shifts::{MetricShift, ShiftConfig, shifts_between, shifts_in_time};
pub use two_sample::TwoSample;

// Part of the public interface of `metric_graph`.
pub use petgraph::graph::UnGraph;
