//! Unidirectional records to bidirectional flows.

mod conversation;
mod feed;
mod ports;

use std::collections::{BTreeMap, VecDeque};
use std::iter::FusedIterator;

use peerscope_flow::{Flow, Timestamp};

use crate::gather::Gather;
use crate::{ReadError, Record};
use conversation::{Conversation, split};
pub use feed::{Feed, Sampling, Sidedness, Withheld, WithheldReason};
use ports::ServedPorts;

/// How records are paired.
///
/// ```
/// use peerscope_read::Pairing;
///
/// // Two exporters whose clocks differ by up to 50 ms.
/// let pairing = Pairing::new().with_clock_tolerance(50_000);
/// assert_eq!(pairing.gap(), 600_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pairing {
    gap: i64,
    tolerance: i64,
    source_tolerance: i64,
    lateness: i64,
    max_records: usize,
}

impl Pairing {
    /// Records up to 600 s apart are one flow (the P2P paper's timeout), one clock in each source
    /// and up to a second between those of two, records up to 31 minutes out of order (active
    /// timeouts are up to 30), at most 2^21 records held.
    pub const fn new() -> Self {
        Self {
            gap: 600 * Timestamp::MICROS_PER_SEC,
            tolerance: 0,
            source_tolerance: Timestamp::MICROS_PER_SEC,
            lateness: 31 * 60 * Timestamp::MICROS_PER_SEC,
            max_records: 1 << 21,
        }
    }

    /// The longest time in microseconds between two records of one flow.
    #[must_use]
    pub const fn with_gap(mut self, micros: u64) -> Self {
        self.gap = micros.cast_signed().saturating_abs();
        self
    }

    /// A start is earlier than another one if it is so by more than this many microseconds.
    ///
    /// 0 is right where one clock stamped both directions, as in one router or one meter.
    #[must_use]
    pub const fn with_clock_tolerance(mut self, micros: u64) -> Self {
        self.tolerance = micros.cast_signed().saturating_abs();
        self
    }

    /// The same between records of different sources ([`Record::source`]), whose clocks differ; at
    /// least [`Self::with_clock_tolerance`].
    ///
    /// A second is what `NetFlow` v9 leaves open, whose header tells the exporter's time in whole
    /// seconds (RFC 3954, 5.1).
    #[must_use]
    pub const fn with_source_tolerance(mut self, micros: u64) -> Self {
        self.source_tolerance = micros.cast_signed().saturating_abs();
        self
    }

    /// How much later than a record another one may come that starts as many microseconds earlier.
    ///
    /// The exporter's active timeout, and a little; 0 where records are sorted by their start.
    #[must_use]
    pub const fn with_lateness(mut self, micros: u64) -> Self {
        self.lateness = micros.cast_signed().saturating_abs();
        self
    }

    /// The most records held at a time. Beyond, the oldest conversations are given out before they
    /// are known to be complete, and counted in [`Feed::forced`].
    #[must_use]
    pub const fn with_max_records(mut self, records: usize) -> Self {
        self.max_records = records;
        self
    }

    /// The longest time in microseconds between two records of one flow.
    pub const fn gap(&self) -> i64 {
        self.gap
    }

    /// The clock tolerance in microseconds.
    pub const fn clock_tolerance(&self) -> i64 {
        self.tolerance
    }

    /// The clock tolerance between different sources in microseconds.
    pub const fn source_tolerance(&self) -> i64 {
        if self.source_tolerance > self.tolerance {
            self.source_tolerance
        } else {
            self.tolerance
        }
    }
}

impl Default for Pairing {
    fn default() -> Self {
        Self::new()
    }
}

/// Pairs records into flows: the flows of an iterator of [`Record`]s.
///
/// Records of one 5-tuple, in either direction, are one flow while the next starts no more than
/// [`Pairing::gap`] after the latest end so far. A TCP connection that was reset, or finished from
/// both sides, ends its flow: a SYN in a later record starts a new one. This also joins the records
/// that an exporter's timeouts cut.
///
/// The initiator, by the first of these that decides ([`peerscope_flow::InitiatorEvidence`]):
///
/// 1. the exporter says who began: `Exporter`;
/// 2. one side sent a SYN and in that record no ACK, or only one side sent a SYN and no later than
///    the other's first packet: `SynSeen`. A lone SYN-ACK implies the other side's SYN;
/// 3. one side's first record starts earlier by more than the clock tolerance (of their source, or
///    between their sources), or is the only one: `EarlierStart`;
/// 4. one side's port had [`Pair::SERVED`] and more distinct peers so far, the other's not:
///    `LearnedPort`;
/// 5. one side's port is below 1024 and the other's not, or below 32768 and the other's not:
///    `PortHeuristic`;
/// 6. else `Unknown`: the side that starts earlier stands first, within the tolerance, and of two
///    that start together the lower endpoint.
///
/// Only 4 depends on the order of the records; the other answers are the same in any order that
/// keeps within [`Pairing::with_lateness`].
///
/// The handshake is `Complete` if both sides sent a SYN and an ACK and the initiator two packets or
/// more (flags that are combined over packets suggest a handshake, they do not prove it); `Failed`
/// if the initiator's SYN was never answered by one; `Unknown` without a SYN or without flags, and
/// for an attempt in the last 60 s of the trace that may still succeed. The responder's payload is
/// estimated, for complete handshakes only: what exceeds headers with the usual options, 0 if there
/// is none and no PSH.
///
/// [`Pair::feed`] tells what the records can be trusted for.
#[derive(Debug)]
pub struct Pair<I> {
    records: I,
    pairing: Pairing,
    held: Gather<Record>,
    ports: ServedPorts,
    /// What is known of all records together.
    feed: Feed,
    /// What is known of each source, by its number.
    feeds: BTreeMap<u32, Feed>,
    ready: VecDeque<Flow>,
    /// The latest time in any record.
    latest: Timestamp,
    ended: bool,
}

impl<I: Iterator<Item = Result<Record, ReadError>>> Pair<I> {
    /// A port with so many distinct peers is one that serves.
    pub const SERVED: usize = ServedPorts::ENOUGH;

    /// Pairs `records`, which come in near-time order; errors are handed through.
    pub fn new(records: I, pairing: Pairing) -> Self {
        let reach = pairing.gap.saturating_add(pairing.lateness);
        Self {
            records,
            held: Gather::new(reach, pairing.max_records),
            ports: ServedPorts::default(),
            feed: Feed::default(),
            feeds: BTreeMap::new(),
            ready: VecDeque::new(),
            latest: Timestamp::MIN,
            ended: false,
            pairing,
        }
    }

    /// What is known of all records so far, of whatever source: as if they were of one.
    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// What is known of each source so far, by its number ([`Record::source`]).
    ///
    /// Conversations may have records of several sources: they count for each of them, so that
    /// answers that lie in another file are no missing ones.
    pub const fn feeds(&self) -> &BTreeMap<u32, Feed> {
        &self.feeds
    }

    /// Notes that the exporter samples one packet in `interval`.
    pub const fn set_sampling(&mut self, interval: u64) {
        self.feed.stated_sampling = Some(interval);
    }

    /// The records, for what their reader knows.
    pub const fn records(&self) -> &I {
        &self.records
    }

    pub(crate) const fn records_mut(&mut self) -> &mut I {
        &mut self.records
    }

    /// The same, once the pairing is done.
    pub fn into_records(self) -> I {
        self.records
    }

    fn take(&mut self, record: Record) {
        self.latest = self.latest.max(record.span.end());
        self.ports.observe(&record);
        let source = record.source;
        self.feed.count_record(&record);
        self.of_source(source).count_record(&record);
        let forced = self.held.forced;
        self.held.add(record.key(), record.span, record);
        while let Some(records) = self.held.ready() {
            self.resolve(records);
        }
        let forced = self.held.forced - forced;
        if forced > 0 {
            self.feed.forced += forced;
            self.of_source(source).forced += forced;
        }
    }

    fn of_source(&mut self, source: u32) -> &mut Feed {
        self.feeds.entry(source).or_default()
    }

    fn resolve(&mut self, records: Vec<Record>) {
        for records in split(records, self.pairing.gap) {
            let conversation = Conversation::of(&records);
            let flow = conversation.flow(&self.pairing, &self.ports, self.latest);
            self.feed.begun += 1;
            self.feed.count_flow(&conversation, &flow);
            self.of_source(records[0].source).begun += 1;
            for source in sources(&records) {
                self.of_source(source).count_flow(&conversation, &flow);
            }
            for source in conversation.joined() {
                self.feed.joined += 1;
                self.of_source(source).joined += 1;
            }
            self.ready.push_back(flow);
        }
    }
}

/// The sources of records, each once.
fn sources(records: &[Record]) -> impl Iterator<Item = u32> {
    let first = records[0].source;
    let all = records.iter().map(|record| record.source);
    let mut others: Vec<u32> = all.filter(|&other| other != first).collect();
    others.sort_unstable();
    others.dedup();
    std::iter::once(first).chain(others)
}

impl<I: Iterator<Item = Result<Record, ReadError>>> Iterator for Pair<I> {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(flow) = self.ready.pop_front() {
                return Some(Ok(flow));
            }
            if self.ended {
                let records = self.held.first()?;
                self.resolve(records);
                continue;
            }
            match self.records.next() {
                Some(Ok(record)) => self.take(record),
                Some(Err(error)) => return Some(Err(error)),
                None => self.ended = true,
            }
        }
    }
}

impl<I: Iterator<Item = Result<Record, ReadError>>> FusedIterator for Pair<I> {}
