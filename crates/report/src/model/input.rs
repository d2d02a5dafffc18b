//! What was read, and what of it was withheld.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What was read and what of it was withheld.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Input {
    /// Flows read.
    pub flows: u64,
    /// Flows that entered samples.
    pub of_interest: u64,
    /// Flows that did not, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Records that could not be read, by the kind of fault.
    pub records_skipped: BTreeMap<String, u64>,
    /// The account of every source.
    pub sources: Vec<Source>,
    /// What the meter saw, if a source was a capture.
    pub meter: Option<Meter>,
}

/// The account of one source.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Source {
    /// `log`, `capture` or `repeat`.
    pub kind: String,
    /// Its name, usually a path.
    pub name: String,
    /// Size in bytes as stored.
    pub size: Option<u64>,
    /// Of a capture: its packets.
    pub offered: Option<Volume>,
    /// Of a log: the flows it gave.
    pub flows: Option<u64>,
    /// Of a repeat: the source that was read.
    pub of: Option<String>,
    /// The error that ended it before its end.
    pub ended_by: Option<String>,
}

/// The account of the meter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Meter {
    /// Packets offered.
    pub offered: Volume,
    /// Packets that entered flows.
    pub metered: Volume,
    /// Packets that did not, by reason.
    pub skipped: BTreeMap<String, serde_json::Value>,
    /// Flows closed for want of memory.
    pub evicted: u64,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Numbers of samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SampleNumbers {
    /// All samples.
    pub total: u64,
    /// Samples in the first and last slot.
    pub edge: u64,
    /// Monitored hosts with a sample.
    pub hosts: u64,
    /// Samples of each system.
    pub by_system: BTreeMap<String, u64>,
}

/// A metric without values, because the input makes them wrong.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Withheld {
    /// Its name.
    pub metric: String,
    /// The source that makes it wrong.
    pub source: String,
    /// Why.
    pub reason: String,
}
