//! What can be wrong with a capture file.

use std::io;

use thiserror::Error;

/// A capture that cannot be read further; every packet before it has been delivered.
#[derive(Debug, Error)]
#[error("{file}: byte {offset}: {kind}")]
#[non_exhaustive]
pub struct CaptureError {
    /// Name of the file, as given.
    pub file: String,
    /// Where the damaged header, record or block begins; in a compressed file the position in the
    /// decompressed stream.
    pub offset: u64,
    /// What is wrong there.
    #[source]
    pub kind: CaptureErrorKind,
}

/// What is wrong with a capture.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaptureErrorKind {
    /// The file could not be opened, read or decompressed.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first bytes are those of neither format.
    #[error("{0:#010x} is neither a pcap nor a pcapng magic number")]
    Magic(u32),
    /// The file ends within a header, record or block.
    #[error("truncated: {needed} bytes are needed, {available} are left")]
    #[non_exhaustive]
    Truncated {
        /// Length of the header, record or block.
        needed: u64,
        /// Bytes left in the file.
        available: u64,
    },
    /// A record or block claims an impossible length.
    #[error("length {length} is not in {min}..={max}")]
    #[non_exhaustive]
    Length {
        /// The claimed length.
        length: u64,
        /// The least possible.
        min: u64,
        /// The limit.
        max: u64,
    },
    /// The length at the end of a pcapng block differs from that at its beginning.
    #[error("block length {head} at its beginning, {tail} at its end")]
    #[non_exhaustive]
    Trailer {
        /// Length in the block's header.
        head: u32,
        /// Length in the block's trailer.
        tail: u32,
    },
    /// A pcapng block whose content does not fit its type.
    #[error("malformed pcapng block of type {0:#010x}")]
    Block(u32),
    /// A packet of an interface that no block describes.
    #[error("packet of interface {interface}, {described} are described")]
    #[non_exhaustive]
    Interface {
        /// The packet's interface.
        interface: u32,
        /// Number of interfaces described before it.
        described: usize,
    },
    /// More interfaces than a capture can have.
    #[error("more than {0} interfaces in one section")]
    TooManyInterfaces(usize),
    /// A time resolution finer than 64 bits can count.
    #[error("time resolution {0:#04x} is out of range")]
    Resolution(u8),
    /// A time outside the representable range.
    #[error("time of {ticks} ticks of 1/{per_second} s is out of range")]
    #[non_exhaustive]
    Time {
        /// Ticks since the epoch.
        ticks: u64,
        /// Ticks in a second.
        per_second: u64,
    },
}
