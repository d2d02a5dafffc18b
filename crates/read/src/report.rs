//! What was read from a source, and what was not.

use std::collections::BTreeMap;

use peerscope_flow::{Flow, Span, Timestamp};

use crate::{Compression, Digest, FaultKind, Feed, Format, ReadError, Record};

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
    /// Size in bytes as stored, at the end of the reading: a file that grows meanwhile is read to the
    /// end it has then. `None` for a stream.
    pub size: Option<u64>,
    /// Digest of the whole content as stored; `None` before the end, if reading failed, and for a
    /// stream that ended in a fault.
    pub digest: Option<Digest>,
    /// Records seen: flows and skipped ones. Where records are paired, the paired and the skipped
    /// ones.
    pub records: u64,
    /// Flows delivered. Where records of several sources are paired, those that begin in this one.
    pub flows: u64,
    /// Records not delivered, by the kind of fault.
    pub skipped: BTreeMap<FaultKind, u64>,
    /// The first few errors of skipped records as text.
    pub first_errors: Vec<String>,
    /// The error that ended the source before its end, if one did.
    pub ended_by: Option<String>,
    /// Records that start before the one right before them: usual in logs that are written when
    /// flows end, and a sign of a clock set back where they should be in order.
    pub disordered: u64,
    /// The earliest start of a record.
    pub first: Option<Timestamp>,
    /// The latest end of a record.
    pub last: Option<Timestamp>,
    /// The starts of the first and of the latest record.
    #[cfg_attr(feature = "serde", serde(skip))]
    ends: Option<(Timestamp, Timestamp)>,
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
            disordered: 0,
            first: None,
            last: None,
            ends: None,
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
    pub(crate) fn settle(&mut self, mut feed: Feed) {
        #[cfg(feature = "netflow")]
        if let Some(exports) = &self.exports {
            feed.stated_sampling = exports.sampled_one_in;
        }
        self.flows = feed.begun;
        self.feed = Some(feed);
    }

    pub(crate) fn count_flow(&mut self, flow: &Flow) {
        self.count(flow.span);
        self.flows += 1;
    }

    pub(crate) fn count_record(&mut self, record: &Record) {
        self.count(record.span);
    }

    fn count(&mut self, span: Span) {
        let (start, end) = (span.start(), span.end());
        self.records += 1;
        let (opening, before) = self.ends.unwrap_or((start, start));
        self.disordered += u64::from(start < before);
        self.ends = Some((opening, start));
        self.first = Some(self.first.map_or(start, |first| first.min(start)));
        self.last = Some(self.last.map_or(end, |last| last.max(end)));
    }

    /// Adds the account of a later part of the same source.
    #[cfg(feature = "parquet")]
    pub(crate) fn append(&mut self, later: Self) {
        self.records += later.records;
        self.flows += later.flows;
        self.disordered += later.disordered;
        self.ends = match (self.ends, later.ends) {
            (Some((opening, before)), Some((after, last))) => {
                self.disordered += u64::from(after < before);
                Some((opening, last))
            }
            (own, other) => own.or(other),
        };
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
