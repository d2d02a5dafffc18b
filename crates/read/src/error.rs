//! What can be wrong with a source: where, in which field, and with which value.

use std::fmt;
use std::io;
use std::sync::Arc;

use peerscope_flow::SpanError;
use thiserror::Error;

/// A fault in a source, with its name and position.
///
/// After a fault of one record the reader goes on with the next one if it is asked to; after one
/// of the source itself ([`ReadError::is_fatal`]) it yields nothing more.
#[derive(Debug, Error)]
#[error("{name}{position}: {fault}")]
#[non_exhaustive]
pub struct ReadError {
    /// The name of the source, usually a path.
    pub name: Arc<str>,
    /// Where in the source.
    pub position: Position,
    /// What is wrong there.
    pub fault: Fault,
}

impl ReadError {
    pub(crate) const fn new(name: Arc<str>, position: Position, fault: Fault) -> Self {
        Self {
            name,
            position,
            fault,
        }
    }

    /// Whether it is no fault of the source at all, but a row about something else than IP.
    pub(crate) const fn is_passed_over(&self) -> bool {
        matches!(self.fault.kind(), FaultKind::NotIp)
    }

    /// Whether the source cannot be read further: an I/O fault, or a layout that is not understood.
    pub const fn is_fatal(&self) -> bool {
        matches!(self.fault.kind(), FaultKind::Input | FaultKind::Layout)
    }
}

/// A place in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Position {
    /// The source as a whole.
    Source,
    /// A line of a text file, counted from 1.
    Line(u64),
    /// A record of a binary file, counted from 1.
    Record(u64),
    /// A packet of a capture or a socket, counted from 1.
    Packet(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => Ok(()),
            Self::Line(line) => write!(f, ":{line}"),
            Self::Record(record) => write!(f, ": record {record}"),
            Self::Packet(packet) => write!(f, ": packet {packet}"),
        }
    }
}

/// What is wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file cannot be opened, read or decompressed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file holds nothing at all.
    #[error("the file is empty")]
    Empty,
    /// The content is none of the known formats; holds its first bytes as text.
    #[error("the format is not recognised; the content begins with {0:?}")]
    UnknownFormat(String),
    /// The content is compressed once more.
    #[error("compressed twice: {0} remains after one decompression")]
    CompressedTwice(crate::Compression),
    /// Text in UTF-16.
    #[error("the text is UTF-16, not UTF-8")]
    Utf16,
    /// The format is known but not one of flows, or the crate was built without it.
    #[error("{0} files are not read as flows here")]
    NotFlows(crate::Format),
    /// A format that is read by position, from a stream or from a compressed file.
    #[error("a {0} file is read by position: not from a stream, nor compressed as a whole")]
    NeedsFile(crate::Format),
    /// Decompression passes the limit of [`crate::ReadOptions::with_max_expansion`].
    #[error("decompresses to more than {limit} times its size, the limit")]
    Expansion {
        /// The limit, decompressed bytes per compressed byte.
        limit: u32,
    },
    /// Data before a header that names the columns.
    #[error("no header names the columns before the first record")]
    NoHeader,
    /// A header that itself cannot be read.
    #[error("bad header line {0:?}")]
    BadHeader(String),
    /// A needed column is not in the header.
    #[error("column {0:?} is missing")]
    MissingColumn(&'static str),
    /// The header names a column that the format does not have.
    #[error("unknown column {0:?}")]
    UnknownColumn(String),
    /// The header names a column twice.
    #[error("column {0:?} occurs twice")]
    DuplicateColumn(String),
    /// A column of a binary file has a type that cannot hold its values.
    #[error("column {column:?} has type {found}")]
    ColumnType {
        /// The column.
        column: &'static str,
        /// The type found.
        found: String,
    },
    /// A line longer than the limit of [`crate::ReadOptions::with_max_line`].
    #[error("line longer than {limit} bytes, the limit")]
    LineLength {
        /// The limit in bytes.
        limit: usize,
    },
    /// Too few or too many fields.
    #[error("{found} fields where the header has {expected}")]
    FieldCount {
        /// Fields of the header.
        expected: usize,
        /// Fields of the record.
        found: usize,
    },
    /// A field whose quotes do not match.
    #[error("unmatched quote in {0:?}")]
    Quote(String),
    /// A line that is not valid JSON, or whose values have the wrong type.
    #[error("bad JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON that is not made of objects; holds its beginning.
    #[error("no JSON object where one should be: {0:?}")]
    JsonText(String),
    /// A field whose value cannot be understood.
    #[error("column {column:?}: {value:?} {problem}")]
    Value {
        /// The column.
        column: &'static str,
        /// The value, shortened if it is very long.
        value: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A field that must have a value has none.
    #[error("column {0:?} has no value")]
    Unset(&'static str),
    /// A row about something that is not IP; holds what it is. No fault of the log: such rows are
    /// counted, and do not end the reading.
    #[error("{0:?} is not an IP protocol")]
    NotIp(String),
    /// The flow ends before it starts.
    #[error("{0}")]
    Order(#[from] SpanError),
    /// A record of no packets and no bytes: an event, not traffic.
    #[error("no packets and no bytes")]
    NoTraffic,
    /// An export packet is damaged or cannot be read.
    #[cfg(feature = "netflow")]
    #[error("export packet: {0}")]
    Export(#[from] crate::ExportFault),
    /// The Parquet file is damaged.
    #[cfg(feature = "parquet")]
    #[error("{0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}

impl Fault {
    pub(crate) fn value(column: &'static str, value: &[u8], problem: Problem) -> Self {
        Self::Value {
            column,
            value: excerpt(value),
            problem,
        }
    }

    /// The kind of fault, for counting.
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Io(_) | Self::Expansion { .. } => FaultKind::Input,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => FaultKind::Input,
            Self::Empty
            | Self::UnknownFormat(_)
            | Self::CompressedTwice(_)
            | Self::Utf16
            | Self::NotFlows(_)
            | Self::NeedsFile(_)
            | Self::NoHeader
            | Self::BadHeader(_)
            | Self::MissingColumn(_)
            | Self::UnknownColumn(_)
            | Self::DuplicateColumn(_)
            | Self::ColumnType { .. } => FaultKind::Layout,
            Self::LineLength { .. } => FaultKind::LineLength,
            Self::FieldCount { .. } => FaultKind::FieldCount,
            Self::Quote(_) | Self::Json(_) | Self::JsonText(_) => FaultKind::Syntax,
            Self::Value { .. } => FaultKind::Value,
            Self::Unset(_) => FaultKind::Unset,
            Self::NotIp(_) => FaultKind::NotIp,
            Self::Order(_) => FaultKind::Order,
            Self::NoTraffic => FaultKind::NoTraffic,
            #[cfg(feature = "netflow")]
            Self::Export(crate::ExportFault::NoTemplate { .. }) => FaultKind::Template,
            #[cfg(feature = "netflow")]
            Self::Export(crate::ExportFault::None) => FaultKind::Layout,
            #[cfg(feature = "netflow")]
            Self::Export(_) => FaultKind::Packet,
        }
    }
}

/// The beginning of a value as text, short enough for a message.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const LONGEST: usize = 64;
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]).into_owned();
    if bytes.len() > LONGEST {
        text.push('…');
    }
    text
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// Not a whole number.
    NotAnInteger,
    /// Below zero.
    Negative,
    /// Above 2^53, where a double is no longer exact.
    TooLarge,
    /// Not a decimal number of seconds.
    NotSeconds,
    /// Not an ISO 8601 time.
    NotATime,
    /// Neither an IPv4 nor an IPv6 address.
    NotAnAddress,
    /// Above 65,535, or not a whole number.
    NotAPort,
    /// No transport's name or number.
    NotATransport,
    /// No outcome of a handshake.
    NotAHandshake,
    /// An outcome of a handshake where the transport has none.
    HandshakeWithoutTcp,
    /// Not a state of a connection.
    NotAState,
    /// A label that is blank, or not UTF-8.
    NotALabel,
    /// No TCP flags.
    NotFlags,
    /// Not a direction as Argus writes it.
    NotADirection,
    /// More than the total of both sides.
    AboveTotal,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnInteger => "is not a whole number",
            Self::Negative => "is negative",
            Self::TooLarge => "is above 2^53",
            Self::NotSeconds => "is not a number of seconds",
            Self::NotATime => "is not an ISO 8601 time",
            Self::NotAnAddress => "is not an IP address",
            Self::NotAPort => "is not a port",
            Self::NotATransport => "is not a transport",
            Self::NotAHandshake => "is not complete, failed or unknown",
            Self::HandshakeWithoutTcp => "is the outcome of a handshake, but the flow is not TCP",
            Self::NotAState => "is not a connection state",
            Self::NotALabel => "is not a label",
            Self::NotFlags => "is not a set of TCP flags",
            Self::NotADirection => "is not a direction",
            Self::AboveTotal => "is more than both sides together",
        })
    }
}

/// The kinds of fault by which skipped records are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum FaultKind {
    /// Reading or decompressing failed; ends the source.
    Input,
    /// The file's layout is not understood; ends the source.
    Layout,
    /// A line too long to be a record.
    LineLength,
    /// Too few or too many fields.
    FieldCount,
    /// Quotes or JSON that do not parse.
    Syntax,
    /// A value that cannot be understood.
    Value,
    /// A needed value that is not there.
    Unset,
    /// Rows about something that is not IP.
    NotIp,
    /// A flow that ends before it starts.
    Order,
    /// A record of no packets and no bytes.
    NoTraffic,
    /// An export packet that is damaged or not understood.
    Packet,
    /// Records whose template never came.
    Template,
}

impl FaultKind {
    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Layout => "layout",
            Self::LineLength => "line-length",
            Self::FieldCount => "field-count",
            Self::Syntax => "syntax",
            Self::Value => "value",
            Self::Unset => "unset",
            Self::NotIp => "not-ip",
            Self::Order => "order",
            Self::NoTraffic => "no-traffic",
            Self::Packet => "packet",
            Self::Template => "template",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
