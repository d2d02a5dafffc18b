//! What can be wrong with an export packet.

use thiserror::Error;

/// A fault of an export packet; the records before the fault are read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExportFault {
    /// It is no export packet, or of a version that is not read.
    #[error("version {0} is none of NetFlow 5, 9 and IPFIX (10)")]
    Version(u16),
    /// The packet ends before what its lengths promise.
    #[error("cut: {needed} bytes are promised, {found} are there")]
    Cut {
        /// Bytes that the header or a set promises.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// A message or a set that is shorter than its own header.
    #[error("length {0} is less than that of a header")]
    Length(u16),
    /// A NetFlow v5 packet of no records, or of more than the 30 there may be.
    #[error("{0} records in a NetFlow v5 packet, which holds 1 to 30")]
    Count(u16),
    /// A set that does not fit its template, or a bad template.
    #[error("not understood: {0}")]
    Content(String),
    /// At the end: no packet was an export packet.
    #[error("no NetFlow 5, 9 or IPFIX packet in a UDP datagram of this capture")]
    None,
    /// At the end: sets whose template never came, or came when they were no longer held.
    #[error("{sets} sets of records have no template")]
    NoTemplate {
        /// How many.
        sets: u64,
    },
}
