//! Flows to one exact aggregate per host and time slot.
//!
//! An [`Aggregator`] takes flows in batches of any size and order and keeps, for every monitored
//! host and slot, integer and fixed-point sums and the keys it needs to count distinct peers and
//! ports. Partial aggregates [merge](Aggregator::merge): two halves of a trace merged equal the
//! whole bit for bit, whatever the order of the flows and the number of threads.
//!
//! ```
//! use peerscope_flow::{Application, Endpoint, Family, Flow, Span, Timestamp, Topology, Transport, Volume};
//! use peerscope_slot::{Aggregation, aggregate};
//!
//! let topology = Topology::new(["10.0.0.0/24".parse()?], []);
//! let flow = Flow {
//!     fwd: Volume::new(2, 120),
//!     app: Some(Application::Kad),
//!     ..Flow::new(
//!         Transport::Udp,
//!         Endpoint::new("10.0.0.1".parse()?, 4672),
//!         Endpoint::new("192.0.2.7".parse()?, 53),
//!         Span::new(Timestamp::from_secs(290), Timestamp::from_secs(310))?,
//!     )
//! };
//! let host_slots = aggregate(&[flow], &Aggregation::new(Family::emule(), topology));
//! let [first, second] = [host_slots.row(0), host_slots.row(1)];
//! assert_eq!(first.udp.sent.to_f64(), 60.0); // bytes are apportioned by overlap
//! assert_eq!(first.udp.inout.reserved_ports, 1);
//! assert_eq!((second.udp.live, second.udp.inout.started), (1, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`StreamingAggregator`] gives each host slot as soon as no flow in time can change it, and holds
//! open slots only. A [`SpillingAggregator`] takes more flows than fit into memory, in any order.
//!
//! [`aggregate`] uses the threads of the current rayon pool. Feature `serde` derives `Serialize`
//! and `Deserialize` for plain data: [`HostSlot`] and what it is made of, [`SkippedFlows`], [`Precision`].

mod admission;
mod aggregator;
mod amount;
mod carried;
mod close;
mod closed_slot;
mod config;
mod distinct;
mod host_slot;
mod host_slots;
mod hosts;
mod open_slot;
mod places;
mod rows;
mod settled;
mod sketch;
mod spill;
mod started;
mod streaming;
mod sums;

pub use admission::FlowScope;
pub use aggregator::{Aggregator, MergeError, ParallelAggregator, aggregate};
pub use amount::{Amount, Share};
pub use config::{Aggregation, PrefixLengthError};
pub use host_slot::{Direction, DirectionSlot, HostSlot, SkippedFlows, TransportSlot};
pub use host_slots::HostSlots;
pub use sketch::{Precision, PrecisionError};
pub use spill::{SpillError, SpillingAggregator, SpillingPart};
pub use streaming::StreamingAggregator;
