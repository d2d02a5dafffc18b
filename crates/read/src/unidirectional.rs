//! Records of one direction, as routers export them.

use peerscope_flow::{Endpoint, Span, Transport, Volume};

/// A record of the packets from `src` to `dst`; a biflow (RFC 5103) holds the reverse way too.
///
/// Which end initiated the conversation is not known from one record alone, unless the exporter
/// says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct UniRecord {
    /// Protocol above IP.
    pub transport: Transport,
    /// Where the packets came from.
    pub src: Endpoint,
    /// Where they went.
    pub dst: Endpoint,
    /// First and last packet; of a biflow, of both directions.
    pub span: Span,
    /// From `src` to `dst`.
    pub volume: Volume,
    /// The union of the TCP flags from `src` to `dst`; `None` where the source cannot tell.
    pub tcp_flags: Option<u8>,
    /// From `dst` to `src`, if the record is a biflow.
    pub reverse: Option<Volume>,
    /// The union of the TCP flags from `dst` to `src`, if the record is a biflow that holds it.
    pub reverse_tcp_flags: Option<u8>,
    /// The initiator, if the exporter states it.
    pub initiator: Option<Side>,
}

/// An end of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(clippy::exhaustive_enums, reason = "a record has two ends")]
pub enum Side {
    /// The end in `src`.
    Source,
    /// The end in `dst`.
    Destination,
}

impl UniRecord {
    /// A record with no traffic yet and nothing else known.
    pub const fn new(transport: Transport, src: Endpoint, dst: Endpoint, span: Span) -> Self {
        Self {
            transport,
            src,
            dst,
            span,
            volume: Volume::ZERO,
            tcp_flags: None,
            reverse: None,
            reverse_tcp_flags: None,
            initiator: None,
        }
    }
}
