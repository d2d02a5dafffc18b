//! How to read.

use crate::{Format, Pairing};

/// What to do with a record that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Policy {
    /// End with the error.
    #[default]
    Stop,
    /// Count it in the report and go on. Faults of the source itself still end it.
    Skip,
}

/// Options for reading, the same for every format.
///
/// Memory is bounded whatever a file holds: a line is at most [`ReadOptions::max_line`] bytes
/// long, and a compressed file may expand to 64 MiB, and beyond them to
/// [`ReadOptions::max_expansion`] times the bytes read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    format: Format,
    policy: Policy,
    max_line: usize,
    max_expansion: u32,
    utc_offset: i32,
    link_header: u32,
    pairing: Pairing,
}

impl ReadOptions {
    /// The format by content, stop at the first bad record, lines up to 1 MiB, expansion up to
    /// 200 times (flow logs compress about ten times), civil times in UTC, Ethernet.
    pub const fn new() -> Self {
        Self {
            format: Format::Auto,
            policy: Policy::Stop,
            max_line: 1 << 20,
            max_expansion: 200,
            utc_offset: 0,
            link_header: 14,
            pairing: Pairing::new(),
        }
    }

    /// Takes the source to be of this format, whatever its content looks like.
    #[must_use]
    pub const fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// What to do with a record that cannot be read.
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The longest line in bytes.
    #[must_use]
    pub const fn with_max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes;
        self
    }

    /// The most bytes that may come out of a compressed file for each one that went in.
    #[must_use]
    pub const fn with_max_expansion(mut self, times: u32) -> Self {
        self.max_expansion = times;
        self
    }

    /// How many seconds the times of a log without zones are ahead of UTC, 3600 for CET.
    #[must_use]
    pub const fn with_utc_offset(mut self, seconds: i32) -> Self {
        self.utc_offset = seconds;
        self
    }

    /// The bytes of a frame before its IP header, for logs that count frames: 14 for Ethernet, 0
    /// for tunnels.
    #[must_use]
    pub const fn with_link_header(mut self, bytes: u32) -> Self {
        self.link_header = bytes;
        self
    }

    /// How the records of exporters are paired into flows.
    #[must_use]
    pub const fn with_pairing(mut self, pairing: Pairing) -> Self {
        self.pairing = pairing;
        self
    }

    /// The format to read.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// What to do with a bad record.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// The longest line in bytes.
    pub const fn max_line(&self) -> usize {
        self.max_line
    }

    /// How many seconds times without a zone are ahead of UTC.
    pub const fn utc_offset(&self) -> i32 {
        self.utc_offset
    }

    /// The bytes of a frame before its IP header.
    pub const fn link_header(&self) -> u32 {
        self.link_header
    }

    /// How records are paired.
    pub const fn pairing(&self) -> Pairing {
        self.pairing
    }

    /// The limit on expansion.
    pub const fn max_expansion(&self) -> u32 {
        self.max_expansion
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self::new()
    }
}
