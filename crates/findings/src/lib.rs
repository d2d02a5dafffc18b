//! From interesting samples back to flows: findings that a network operator can act on.
//!
//! [`correlate`](peerscope_correlate::correlate) says which samples stand out. The drill-downs of
//! this crate go back from them to the flows of the hosts, and say what happened: who attacks whom,
//! who left, which server is of no use (SIGMETRICS 2009, sections 7 to 9).
//!
//! A [`FlowLog`] keeps, beside the aggregation, what is needed of the flows of interest. With the
//! samples and what is interesting of them it makes a [`Scene`], which [`Detectors`] search for ten
//! kinds of findings and for kinds of one's own. [`find`] does it all for flows in memory.
//!
//! ```
//! use peerscope_correlate::{CorrelateConfig, Rules, correlate};
//! use peerscope_findings::{FindingsConfig, Kind, find};
//! use peerscope_flow::{
//!     Application, Endpoint, Family, Flow, Span, Timestamp, Topology, Transport, Volume,
//! };
//! use peerscope_metric::{MetricSet, SampleTable};
//! use peerscope_slot::{Aggregation, aggregate};
//!
//! // Sixty hosts speak with ten Kad peers that answer; every fifth host with three name servers too,
//! // which do not.
//! let flow = |host, peer: u8, port, answers: u64| Flow {
//!     app: Some(Application::Kad),
//!     fwd: Volume::new(1, 63),
//!     rev: Volume::new(answers, 63 * answers),
//!     ..Flow::new(
//!         Transport::Udp,
//!         Endpoint::new([10, 0, 0, host].into(), 4672),
//!         Endpoint::new([192, 0, 2, peer].into(), port),
//!         Span::at(Timestamp::from_secs(60)),
//!     )
//! };
//! let mut flows = Vec::new();
//! for host in 1..=60 {
//!     flows.extend((1..=10).map(|peer| flow(host, peer, 4672, 1)));
//!     if host % 5 == 0 {
//!         flows.extend((53..=55).map(|peer| flow(host, peer, 53, 0)));
//!     }
//! }
//! let family = Family::emule();
//! let topology = Topology::new(["10.0.0.0/24".parse()?], []);
//! let aggregation = Aggregation::new(family.clone(), topology);
//! let samples = SampleTable::new(&aggregate(&flows, &aggregation), &family, &MetricSet::paper());
//! let rules = Rules::built_in();
//! let correlation = correlate(&samples, family.name(), &rules, &CorrelateConfig::default())?;
//!
//! let findings = find(&flows, &samples, &correlation, &aggregation, &FindingsConfig::default());
//! let attack = &findings[0];
//! assert_eq!(attack.kind, Kind::DdosReservedPort);
//! assert_eq!((attack.hosts.len(), attack.peers.len(), &attack.ports), (12, 3, &vec![53]));
//! assert_eq!(attack.flows_in(&flows, &aggregation).count(), 36);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Traffic`] is what goes on around them: who exchanges how much with whom, and when.
//!
//! Results depend on neither the order of the flows, nor on threads, nor on where time begins. The
//! crate opens no files and reads no clock. Feature `serde` derives `Serialize` for findings, and
//! `Deserialize` for the configuration too.

mod basis;
mod benign;
mod config;
mod evidence;
mod exhibit;
mod find;
mod finding;
mod host;
mod host_flow;
mod kind;
pub mod kinds;
mod log;
mod presence;
mod scene;
mod selection;
mod shares;
mod sheets;
mod traffic;

pub use basis::WithheldKind;
pub use benign::{Benign, Muted};
pub use config::FindingsConfig;
pub use evidence::{Activity, Contact, Evidence, Exhibit, FlowRow, PartyCount, PortCount};
pub use find::{Detectors, Findings, find};
pub use finding::{Finding, SampleRef};
pub use host::Host;
pub use host_flow::{HostFlow, PeerId};
pub use kind::Kind;
pub use log::FlowLog;
pub use presence::{Cause, Departure, Presence};
pub use scene::Scene;
pub use selection::{FlowSelection, Outcome};
pub use shares::{CauseCounts, UnansweredShares};
pub use traffic::{FlowCounts, Period, Traffic, TrafficClass, TrafficLog, ZonePair};
