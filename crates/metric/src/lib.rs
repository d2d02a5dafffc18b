//! The catalogue of 44 per-host traffic metrics, and the table of samples they give.
//!
//! A *sample* is one monitored host in one time slot. [`Metric`] names the 44 metrics of Table 2
//! of the SIGMETRICS 2009 paper on peer-to-peer traffic analysis; each maps a [`HostSlot`] to a
//! number or to `None` where it is undefined. A [`MetricSet`] adds metrics of your own, and
//! [`SampleTable::new`] evaluates a set over all aggregates of a trace.
//!
//! ```
//! use peerscope_flow::{Application, Endpoint, Family, Flow, Span, Timestamp, Topology, Transport};
//! use peerscope_metric::{MetricSet, SampleTable};
//! use peerscope_slot::{Aggregation, aggregate};
//!
//! let flow = Flow {
//!     app: Some(Application::Kad),
//!     ..Flow::new(
//!         Transport::Udp,
//!         Endpoint::new("10.0.0.1".parse()?, 4672),
//!         Endpoint::new("192.0.2.7".parse()?, 53),
//!         Span::at(Timestamp::from_secs(290)),
//!     )
//! };
//! let family = Family::emule();
//! let topology = Topology::new(["10.0.0.0/24".parse()?], []);
//! let host_slots = aggregate(&[flow], &Aggregation::new(family.clone(), topology));
//! let metrics = MetricSet::paper().with("unanswered-UDP", "flows", |host_slot, _| {
//!     host_slot.active("udp".parse().ok()?).map(|udp| f64::from(udp.inout.unanswered))
//! })?;
//! let samples = SampleTable::new(&host_slots, &family, &metrics);
//!
//! let value = |name: &str| samples.value(0, samples.metric_index(name)?);
//! assert_eq!(value("inout-1024-dest-ports-UDP"), Some(1.0));
//! assert_eq!(value("unanswered-UDP"), Some(1.0));
//! assert_eq!(value("live-conn-TCP"), None);
//!
//! let key = samples.key(0);
//! assert_eq!(samples.slot_start(&key), Timestamp::from_secs(0));
//! assert_eq!(samples.hosts().collect::<Vec<_>>(), [(key.host, 0..1)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`HostSlot`]: peerscope_slot::HostSlot
//!
//! Feature `serde` derives `Serialize` and `Deserialize` for keys and metric names; feature
//! `parquet` writes samples as Parquet.

mod catalogue;
mod columns;
mod csv;
mod evaluate;
mod keys;
#[cfg(feature = "parquet")]
mod parquet;
mod quantity;
mod set;
mod table;

pub use catalogue::{Metric, MetricError};
pub use quantity::{Quantity, Scale};
pub use set::{MetricSet, MetricSetError};
pub use table::{SampleKey, SampleTable};
