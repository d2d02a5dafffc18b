//! Flow records and the small vocabulary every other crate speaks: time, endpoints, transports,
//! application labels, zones of a network, and peer-to-peer families as data.
//!
//! A [`Flow`] is one bidirectional 5-tuple conversation. Its *initiator* sent the first packet;
//! [`InitiatorEvidence`] says how that is known. A [`Topology`] places addresses in a [`Zone`],
//! and a [`Family`] says which flows belong to a peer-to-peer system as users run it.
//!
//! ```
//! use peerscope_flow::{Endpoint, Family, Flow, Handshake, Span, Timestamp, Topology, Transport, Volume, Zone};
//!
//! let topology = Topology::new(["10.10.0.0/16".parse()?], ["10.0.0.0/8".parse()?]);
//! let flow = Flow {
//!     handshake: Some(Handshake::Failed),
//!     ..Flow::new(
//!         Transport::Tcp,
//!         Endpoint::new("10.10.0.1".parse()?, 50_000),
//!         Endpoint::new("192.0.2.7".parse()?, 4662),
//!         Span::new(Timestamp::from_secs(0), Timestamp::from_secs(9))?,
//!     )
//! };
//! assert_eq!(topology.zone(flow.src.ip), Zone::Monitored);
//! // An unlabelled TCP flow that failed on the family's default port is of interest.
//! assert!(Family::emule().interest(&flow).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate depends on nothing else of the workspace, opens no files and reads no clock.
//! Feature `serde` derives `Serialize` and `Deserialize` for the public data types.

mod address;
mod application;
mod endpoint;
mod family;
mod flow;
mod held;
mod port;
mod time;
mod watermark;
mod zone;

pub use address::AddressBits;
pub use application::{Application, CustomLabel, LabelError};
pub use endpoint::{Endpoint, FlowKey, Transport, TransportError, is_group_address};
pub use family::{Family, FamilyError, Interest, SystemId};
pub use flow::{Flow, Handshake, HandshakeError, InitiatorEvidence, Volume};
pub use held::Held;
pub use port::{PortRange, PortRangeError};
pub use time::{SlotIndex, SlotLength, SlotLengthError, Span, SpanError, Timestamp};
pub use watermark::{Arrival, Watermark};
pub use zone::{Topology, Zone};

// Part of the public interface of `Topology`.
pub use ipnet::IpNet;
