//! Many logs as one source, in order of time.

use std::fmt;
use std::path::{Path, PathBuf};

use peerscope_flow::{Flow, Timestamp};

use crate::account::Accounted;
use crate::{
    Compression, Fault, Feed, Format, InOrder, Pair, Pairing, ReadError, ReadOptions, ReadReport,
    Record, Source,
};

/// A source that is known, but not open: it waits for its turn.
pub struct Waiting {
    name: String,
    format: Format,
    compression: Compression,
    has_records: bool,
    size: Option<u64>,
    start: Timestamp,
    opening: Opening,
    options: ReadOptions,
}

enum Opening {
    File(PathBuf),
    /// What can be read only once stays open.
    Stream(Box<Source>),
}

impl Waiting {
    /// Looks where a source begins, by its first record ([`Source::first_start`]), and closes it
    /// again. A stream stays open; it begins at [`Timestamp::MIN`], as does a source without
    /// records that can be read, and a capture, for which see [`Self::with_start`].
    ///
    /// # Errors
    ///
    /// As [`Source::into_flows`].
    pub fn new(source: Source) -> Result<Self, ReadError> {
        let mut waiting = Self {
            name: source.name().to_owned(),
            format: source.format(),
            compression: source.compression(),
            has_records: source.has_records(),
            size: source.size(),
            start: Timestamp::MIN,
            opening: Opening::File(PathBuf::new()),
            options: source.options().clone(),
        };
        match source.path().map(ToOwned::to_owned) {
            Some(path) => {
                waiting.opening = Opening::File(path);
                waiting.start = source.first_start()?.unwrap_or(Timestamp::MIN);
            }
            None if source.format() == Format::Parquet => {
                return Err(source.refused(Fault::NeedsFile(Format::Parquet)));
            }
            None => waiting.opening = Opening::Stream(Box::new(source)),
        }
        Ok(waiting)
    }

    /// Says when the source begins.
    #[must_use]
    pub const fn with_start(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// The name in errors and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Whether it holds records of exporters, which are paired into flows.
    pub const fn has_records(&self) -> bool {
        self.has_records
    }

    /// The size of the file as stored; `None` for a stream.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// When it begins.
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// Where the file lies; `None` for a stream.
    pub fn path(&self) -> Option<&Path> {
        match &self.opening {
            Opening::File(path) => Some(path),
            Opening::Stream(_) => None,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// As [`Source::open`].
    pub fn open(self) -> Result<Source, ReadError> {
        match self.opening {
            Opening::File(path) => Source::open(path, &self.options),
            Opening::Stream(source) => Ok(*source),
        }
    }

    /// Its account as long as nothing of it was read.
    pub fn unread(&self) -> ReadReport {
        ReadReport::new(self.name.clone(), self.format, self.compression, self.size)
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("name", &self.name)
            .field("format", &self.format)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// A log that is opened when it is asked for its first item, and closed after its last.
struct Log<T> {
    state: State<T>,
    /// Its account once it has ended; before, one of nothing.
    report: ReadReport,
    open: fn(Source) -> Result<Accounted<T>, ReadError>,
}

enum State<T> {
    Waiting(Box<Waiting>),
    Open(Box<Accounted<T>>),
    Ended,
}

impl<T> Log<T> {
    fn into_report(self) -> ReadReport {
        match self.state {
            State::Open(reader) => reader.into_report(),
            State::Waiting(_) | State::Ended => self.report,
        }
    }
}

impl<T> Iterator for Log<T> {
    type Item = Result<T, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let State::Open(reader) = &mut self.state
                && let Some(item) = reader.next()
            {
                return Some(item);
            }
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Waiting(waiting) => match waiting.open().and_then(self.open) {
                    Ok(reader) => self.state = State::Open(Box::new(reader)),
                    Err(error) => {
                        self.report.count_error(&error, true);
                        return Some(Err(error));
                    }
                },
                State::Open(reader) => {
                    self.report = reader.into_report();
                    return None;
                }
                State::Ended => return None,
            }
        }
    }
}

/// The records of logs, in order of time, each with its source.
struct Records(InOrder<Log<Record>, Record>);

impl Iterator for Records {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (source, record) = self.0.next()?;
        Some(record.map(|record| Record {
            source: u32::try_from(source).unwrap_or(u32::MAX),
            ..record
        }))
    }
}

/// Many logs as one source: their flows in order of start, and an account of each.
///
/// Logs are opened when their first record has its turn and closed after the last: no more are open
/// than overlap, and where none do they are read one after the other. Flows that start together
/// come by the place of their log in the list given. A log that is not in order inside is read
/// whole, a flow that comes late has its turn at once ([`ReadReport::disordered`]).
///
/// Records of exporters are paired across all logs: the two directions of a conversation, or its
/// parts, may lie in different ones. Their flows come as [`Pair`] gives them out.
///
/// An error ends no more than the log it is in.
pub struct MergedLogs {
    flows: InOrder<Stream, Flow>,
    /// For each log, whether it has records, in the order given.
    has_records: Vec<bool>,
}

enum Stream {
    Flows(InOrder<Log<Flow>, Flow>),
    Paired(Box<Pair<Records>>),
}

impl Iterator for Stream {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Flows(flows) => flows.next().map(|(_, flow)| flow),
            Self::Paired(pair) => pair.next(),
        }
    }
}

impl MergedLogs {
    /// Reads these logs, each with its own options; records are paired with those of the first log
    /// that has any.
    pub fn new(logs: Vec<Waiting>) -> Self {
        let has_records = logs.iter().map(Waiting::has_records).collect();
        let (records, flows): (Vec<_>, Vec<_>) = logs.into_iter().partition(Waiting::has_records);
        let first = |logs: &[Waiting]| {
            let starts = logs.iter().map(Waiting::start);
            starts.min().unwrap_or(Timestamp::MIN)
        };
        let starts = [first(&flows), first(&records)];
        let pairing = records
            .first()
            .map_or_else(Pairing::new, |log| log.options.pairing());
        let flows = InOrder::new(
            flows
                .into_iter()
                .map(|log| waiting(log, Source::account_flows)),
            |flow: &Flow| flow.span.start(),
        );
        let records = InOrder::new(
            records
                .into_iter()
                .map(|log| waiting(log, Source::account_records)),
            |record: &Record| record.span.start(),
        );
        let paired = Pair::new(Records(records), pairing);
        let streams = [Stream::Flows(flows), Stream::Paired(Box::new(paired))];
        Self {
            flows: InOrder::new(starts.into_iter().zip(streams), |flow: &Flow| {
                flow.span.start()
            }),
            has_records,
        }
    }

    /// What is known of the records of all logs together: as if they were of one.
    pub fn feed(&self) -> Option<&Feed> {
        let streams = self.flows.sequences().iter();
        let mut feeds = streams.filter_map(|stream| match stream {
            Stream::Flows(_) => None,
            Stream::Paired(pair) => Some(pair.feed()),
        });
        feeds.next()
    }

    /// The account of each log, in the order given.
    pub fn into_reports(self) -> Vec<ReadReport> {
        let mut flows = Vec::new();
        let mut records = Vec::new();
        for stream in self.flows.into_sequences() {
            match stream {
                Stream::Flows(logs) => flows = reports(logs),
                Stream::Paired(pair) => {
                    let feeds = pair.feeds().clone();
                    records = reports(pair.into_records().0);
                    for (report, source) in records.iter_mut().zip(0..) {
                        // A log without any record has none.
                        report.settle(feeds.get(&source).cloned().unwrap_or_default());
                    }
                }
            }
        }
        let (mut flows, mut records) = (flows.into_iter(), records.into_iter());
        let next = |has_records: &bool| {
            if *has_records {
                records.next()
            } else {
                flows.next()
            }
        };
        self.has_records.iter().filter_map(next).collect()
    }
}

impl Iterator for MergedLogs {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.flows.next().map(|(_, flow)| flow)
    }
}

impl fmt::Debug for MergedLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergedLogs")
            .field("logs", &self.has_records.len())
            .finish_non_exhaustive()
    }
}

fn waiting<T>(
    log: Waiting,
    open: fn(Source) -> Result<Accounted<T>, ReadError>,
) -> (Timestamp, Log<T>) {
    let start = log.start;
    let report = log.unread();
    let state = State::Waiting(Box::new(log));
    (
        start,
        Log {
            state,
            report,
            open,
        },
    )
}

fn reports<T>(logs: InOrder<Log<T>, T>) -> Vec<ReadReport> {
    let logs = logs.into_sequences().into_iter();
    logs.map(Log::into_report).collect()
}
