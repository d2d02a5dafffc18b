//! Finds undesirable behaviour in peer-to-peer traffic from flow records alone.
//!
//! ```text
//! packets --meter--> flows --slot--> host slots --metric--> samples --cluster--> clusters
//! logs ----read---->                                                                |
//!                                heavy hosts, metric groups <--correlate-- interesting samples
//! ```
//!
//! This crate composes the others and holds no algorithm of its own. A [`Pipeline`] is the whole
//! way with its settings; a [`Session`] takes flows or files and ends in an [`Analysis`], which
//! serialises to JSON. Each step is a crate that can be used alone: [`flow`], [`read`], [`meter`],
//! [`slot`], [`metric`], [`cluster`], [`correlate`].
//!
//! ```
//! use peerscope::prelude::*;
//!
//! let topology = Topology::new(["10.0.0.0/24".parse()?], []);
//! let flows: Vec<Flow> = (0..200)
//!     .map(|i| Flow {
//!         app: Some(Application::Kad),
//!         ..Flow::new(
//!             Transport::Udp,
//!             Endpoint::new("10.0.0.1".parse().unwrap(), 4672),
//!             Endpoint::new("192.0.2.7".parse().unwrap(), if i % 10 == 0 { 53 } else { 4672 }),
//!             Span::at(Timestamp::from_secs(i * 300)),
//!         )
//!     })
//!     .collect();
//!
//! let pipeline = Pipeline::new(Family::emule(), topology);
//! let mut session = pipeline.session();
//! session.add(&flows);
//! let analysis = session.finish()?;
//! let kad = analysis.correlation.system("kad").unwrap();
//! let interesting = kad.metric("inout-1024-dest-ports-UDP").and_then(|m| m.interesting());
//! assert_eq!(interesting.map(|samples| samples.count), Some(20));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Live, samples come as soon as their slot is final:
//!
//! ```
//! use peerscope::flow::Watermark;
//! use peerscope::prelude::*;
//! use peerscope::slot::StreamingAggregator;
//!
//! let config = Aggregation::new(Family::any(), Topology::everything_monitored());
//! // An exporter sends flows when they end, but none later than 30 min after its start. Flows more
//! // than a day ahead of all others need to be confirmed.
//! let watermark = Watermark::new(1_800_000_000).with_max_jump(86_400_000_000);
//! let mut stream = StreamingAggregator::new(&config, watermark);
//! let metrics = MetricSet::paper();
//! let mut count = 0;
//! # let feed = (0..1000).map(|i| Flow::new(
//! #     Transport::Udp,
//! #     Endpoint::new("10.0.0.1".parse().unwrap(), 4672),
//! #     Endpoint::new("192.0.2.7".parse().unwrap(), 4672),
//! #     Span::at(Timestamp::from_secs(i * 30)),
//! # ));
//! for flow in feed {
//!     let samples = SampleTable::new(&stream.push(&[flow]), config.family(), &metrics);
//!     for (row, key) in samples.keys().enumerate() {
//!         let live = samples.metric_index("live-conn-UDP").and_then(|metric| samples.value(row, metric));
//!         println!("{} {}: {live:?}", key.host, samples.slot_start(&key));
//!         count += 1;
//!     }
//! }
//! // Of 100 slots, those of the last half hour are open.
//! assert_eq!(count, 2 * 93);
//! assert_eq!(stream.finish().len(), 2 * 7);
//! ```
//!
//! Feature `parquet` reads and writes canonical Parquet files, `report` draws figures and a page.

pub use peerscope_cluster as cluster;
pub use peerscope_correlate as correlate;
pub use peerscope_findings as findings;
pub use peerscope_flow as flow;
pub use peerscope_meter as meter;
pub use peerscope_metric as metric;
pub use peerscope_read as read;
#[cfg(feature = "report")]
pub use peerscope_report as report;
pub use peerscope_rules as rules;
pub use peerscope_simulate as simulate;
pub use peerscope_slot as slot;

mod analysis;
mod context;
mod input;
mod pipeline;
pub mod prelude;

pub use analysis::{
    Analysis, Changes, Experimental, InputSummary, Overview, SampleSummary, WithheldMetric,
};
pub use context::RuleContext;
pub use input::{
    CaptureReport, FlowFiles, InputError, InputReport, PairedReport, RepeatReport, SourceReport,
};
pub use pipeline::{FamilySetting, Pipeline, PipelineError, Session, Settings};
