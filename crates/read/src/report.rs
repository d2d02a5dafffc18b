//! What was read from a source, and what was not.

use std::collections::BTreeMap;

use peerscope_flow::{Flow, Timestamp};

use crate::{Compression, Digest, FaultKind, Feed, Format, ReadError};

/// The account of one source: every record is a flow or is skipped for a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ReadReport {
    /// The name of the source, usually a path.
    pub name: String,
    /// The format it was read as.
    pub format: Format,
    /// How it was compressed.
    pub compression: Compression,
    /// Size in bytes as stored; `None` for a stream.
    pub size: Option<u64>,
    /// Digest of the whole content as stored; `None` before the end, if reading failed, and for a
    /// stream that ended in a fault.
    pub digest: Option<Digest>,
    /// Records seen: flows and skipped ones. Where records are paired, the paired and the skipped
    /// ones, once the reading has ended.
    pub records: u64,
    /// Flows delivered.
    pub flows: u64,
    /// Records not delivered, by the kind of fault.
    pub skipped: BTreeMap<FaultKind, u64>,
    /// The first few errors of skipped records as text.
    pub first_errors: Vec<String>,
    /// The error that ended the source before its end, if one did.
    pub ended_by: Option<String>,
    /// The earliest start of a flow.
    pub first: Option<Timestamp>,
    /// The latest end of a flow.
    pub last: Option<Timestamp>,
    /// What records that had to be paired can be trusted for.
    pub feed: Option<Feed>,
    /// What exporters told beside their records.
    #[cfg(feature = "netflow")]
    pub exports: Option<crate::ExportReport>,
}

impl ReadReport {
    /// The number of errors kept in [`ReadReport::first_errors`].
    pub const ERRORS_KEPT: usize = 5;

    pub(crate) const fn new(
        name: String,
        format: Format,
        compression: Compression,
        size: Option<u64>,
    ) -> Self {
        Self {
            name,
            format,
            compression,
            size,
            digest: None,
            records: 0,
            flows: 0,
            skipped: BTreeMap::new(),
            first_errors: Vec::new(),
            ended_by: None,
            first: None,
            last: None,
            feed: None,
            #[cfg(feature = "netflow")]
            exports: None,
        }
    }

    /// The number of records skipped for any reason.
    pub fn skipped_records(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Takes over what the pairing knows at its end.
    pub(crate) fn set_feed(&mut self, feed: Feed) {
        self.records = feed.records + self.skipped_records();
        self.feed = Some(feed);
    }

    pub(crate) fn count_flow(&mut self, flow: &Flow) {
        let (start, end) = (flow.span.start(), flow.span.end());
        self.records += 1;
        self.flows += 1;
        self.first = Some(self.first.map_or(start, |first| first.min(start)));
        self.last = Some(self.last.map_or(end, |last| last.max(end)));
    }

    /// Adds the account of a later part of the same source.
    #[cfg(feature = "parquet")]
    pub(crate) fn append(&mut self, later: Self) {
        self.records += later.records;
        self.flows += later.flows;
        for (kind, count) in later.skipped {
            *self.skipped.entry(kind).or_default() += count;
        }
        let room = Self::ERRORS_KEPT - self.first_errors.len();
        self.first_errors
            .extend(later.first_errors.into_iter().take(room));
        self.ended_by = self.ended_by.take().or(later.ended_by);
        self.first = self.first.into_iter().chain(later.first).min();
        self.last = self.last.into_iter().chain(later.last).max();
    }

    /// Counts an error of a record, and one that ends the source.
    pub(crate) fn count_error(&mut self, error: &ReadError, ends: bool) {
        if !error.is_fatal() {
            self.records += 1;
            *self.skipped.entry(error.fault.kind()).or_default() += 1;
            if self.first_errors.len() < Self::ERRORS_KEPT && !error.is_passed_over() {
                self.first_errors.push(error.to_string());
            }
        }
        if ends {
            self.ended_by = Some(error.to_string());
        }
    }
}
