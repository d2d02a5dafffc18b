//! What was read, source by source.

use peerscope_flow::Volume;
use peerscope_meter::MeterReport;
use peerscope_read::{Digest, Feed, ReadReport};
use serde::{Deserialize, Serialize};

/// The account of everything read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputReport {
    /// Each source, in the order read.
    pub sources: Vec<SourceReport>,
    /// What the meter saw, if a source was a capture.
    pub meter: Option<MeterReport>,
    /// What records that were paired across sources can be trusted for, each time several were read
    /// together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paired: Vec<PairedReport>,
}

/// What the records of several sources can be trusted for, judged as if they were of one: sources
/// may each be too small to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PairedReport {
    /// How many sources these are.
    pub sources: usize,
    /// Of all their records.
    pub feed: Feed,
}

impl InputReport {
    /// Why sources ended before their end, if any did.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter_map(|source| match source {
            SourceReport::Log(report) => report.ended_by.as_deref(),
            SourceReport::Capture(report) => report.ended_by.as_deref(),
            SourceReport::Repeat(_) => None,
        })
    }
}

/// The account of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum SourceReport {
    /// A file of flow records.
    Log(Box<ReadReport>),
    /// A file of packets.
    Capture(CaptureReport),
    /// The content of an earlier source again: not read.
    Repeat(RepeatReport),
}

impl SourceReport {
    /// The name of the source, usually a path.
    pub fn name(&self) -> &str {
        match self {
            Self::Log(report) => &report.name,
            Self::Capture(report) => &report.name,
            Self::Repeat(report) => &report.name,
        }
    }

    /// Size in bytes as stored; `None` for a stream.
    pub const fn size(&self) -> Option<u64> {
        match self {
            Self::Log(report) => report.size,
            Self::Capture(report) => report.size,
            Self::Repeat(report) => Some(report.size),
        }
    }

    /// The digest of the content as stored, if it could be read as a whole.
    pub const fn digest(&self) -> Option<Digest> {
        match self {
            Self::Log(report) => report.digest,
            Self::Capture(report) => report.digest,
            Self::Repeat(report) => Some(report.digest),
        }
    }
}

/// The account of a source whose content was read before, under whatever name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepeatReport {
    /// The name of the source, usually a path.
    pub name: String,
    /// Size in bytes as stored.
    pub size: u64,
    /// Digest of the content as stored.
    pub digest: Digest,
    /// The source that was read.
    pub of: String,
}

/// The account of one capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaptureReport {
    /// The name of the source, usually a path.
    pub name: String,
    /// Size in bytes as stored; `None` for a stream.
    pub size: Option<u64>,
    /// Digest of the whole content as stored; `None` if reading failed.
    pub digest: Option<Digest>,
    /// Packets, and their frame bytes on the wire.
    pub offered: Volume,
    /// The error that ended the capture before its end, if one did.
    pub ended_by: Option<String>,
}
