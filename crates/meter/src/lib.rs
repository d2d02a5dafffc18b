//! Packets to flows, with classification of peer-to-peer protocols.
//!
//! A [`Capture`] reads packets out of pcap and pcapng files, a [`Meter`] turns them into
//! [`Flow`](peerscope_flow::Flow)s by the rules of a [`MeterConfig`], and [`Classifiers`] name the
//! application of a flow by the first payloads of either side.
//!
//! ```
//! use peerscope_meter::{Capture, Meter, MeterConfig};
//!
//! # fn main() -> Result<(), peerscope_meter::CaptureError> {
//! let mut meter = Meter::new(MeterConfig::new());
//! # let header = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
//! let mut capture = Capture::from_reader("trace.pcap", std::io::Cursor::new(header))?;
//! meter.read(&mut capture)?;
//! let (flows, report) = meter.finish();
//! assert_eq!(flows.len() as u64, report.flows);
//! # Ok(())
//! # }
//! ```
//!
//! Link layers: Ethernet with VLAN tags (also stacked), `PPPoE` and MPLS labels; Linux cooked capture
//! 1 and 2; raw IP; BSD loopback; PPP; PPI. IPv4, and IPv6 with extension headers. Fragments count
//! to the flow of their first fragment. Whatever cannot be decoded is counted by its reason in the
//! [`MeterReport`].
//!
//! Not supported: 802.11 frames, and tunnels over UDP.

mod capture;
mod classify;
mod clock;
mod config;
mod continuation;
mod datagram;
mod decode;
mod duplicates;
mod fragments;
mod key;
mod live;
mod meter;
mod report;
mod table;
mod tcp;

pub use capture::{Capture, CaptureError, CaptureErrorKind, LinkType, Packet};
pub use classify::{
    BitTorrent, Classifier, Classifiers, DirectConnect, Direction, Dns, EDonkey, Http, Kad, Ntp,
    Payload, Tls, label_by_association,
};
pub use config::{
    ByteCount, CutPackets, FlowIdentity, Fragments, Initiator, MeterConfig, TcpClose, Tunnels,
};
pub use datagram::Datagram;
pub use meter::Meter;
pub use report::{MeterReport, SkipReason, Skipped};
