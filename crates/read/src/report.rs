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
    #[cfg_attr(feature = "serde", serde(skip))]
    ends: Ends,
    /// What records that had to be paired can be trusted for.
    pub feed: Option<Feed>,
    /// What exporters told beside their records.
    #[cfg(feature = "netflow")]
    pub exports: Option<crate::ExportReport>,
}

/// The starts of the first and of the latest record, known while reading. Two reports that say the
/// same are equal whatever these are.
#[derive(Clone, Copy, Debug, Default)]
struct Ends(Option<(Timestamp, Timestamp)>);

impl PartialEq for Ends {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Ends {}

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
            ends: Ends(None),
            feed: None,
            #[cfg(feature = "netflow")]
            exports: None,
        }
    }

    /// The account of a source that gave nothing but this error.
    pub fn of_fault(error: &ReadError, format: Format, size: Option<u64>) -> Self {
        let mut report = Self::new(error.name.to_string(), format, Compression::None, size);
        report.count_error(error, true);
        report
    }

    /// The number of records skipped for any reason.
    pub fn skipped_records(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Takes over what the pairing knows at its end.
    pub(crate) fn settle(&mut self, feed: Feed) {
        self.flows = feed.begun;
        self.feed = Some(feed);
        #[cfg(feature = "netflow")]
        if let (Some(exports), Some(feed)) = (&self.exports, &mut self.feed) {
            feed.stated_sampling = exports.sampled_one_in;
        }
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
        let (opening, before) = self.ends.0.unwrap_or((start, start));
        self.disordered += u64::from(start < before);
        self.ends = Ends(Some((opening, start)));
        self.first = Some(self.first.map_or(start, |first| first.min(start)));
        self.last = Some(self.last.map_or(end, |last| last.max(end)));
    }

    /// Adds the account of a later part of the same source.
    #[cfg(feature = "parquet")]
    pub(crate) fn append(&mut self, later: Self) {
        self.records += later.records;
        self.flows += later.flows;
        self.disordered += later.disordered;
        self.ends.0 = match (self.ends.0, later.ends.0) {
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

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;
    use crate::{Policy, ReadOptions, Source};

    #[test]
    fn a_report_is_itself_again_after_json() {
        let rows = "1,2,udp,10.0.0.1,1,10.0.0.2,2,1,60,0,0,,,\n".repeat(2);
        let log = format!("{}\n{rows}bad\n", crate::HEADER);
        let options = ReadOptions::new().with_policy(Policy::Skip);
        let input = std::io::Cursor::new(log);
        let source = Source::from_reader("log", input, &options).unwrap();
        let mut flows = source.into_flows().unwrap();
        assert_eq!(flows.by_ref().flatten().count(), 2);
        let report = flows.into_report();
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<ReadReport>(&json).unwrap(), report);
    }
}
