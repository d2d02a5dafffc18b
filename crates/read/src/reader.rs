//! A source read under a policy, with the account of what was read.

use std::io::Read;

use peerscope_flow::Flow;

use crate::account::{Accounted, Reading};
use crate::{
    ArgusReader, CsvReader, NfdumpReader, Pair, Pairing, ReadError, ReadReport, Record,
    SuricataReader, TstatReader, ZeekReader,
};

/// The flows of a source under a [`Policy`](crate::Policy), with the account of what was read.
///
/// Rows that are not IP ([`Fault::NotIp`](crate::Fault::NotIp)) are counted, never yielded.
/// Under [`Policy::Stop`](crate::Policy::Stop) the first error ends the iteration. Under
/// [`Policy::Skip`](crate::Policy::Skip) records that cannot be read are counted in the report;
/// only a fault of the source itself is yielded, last; in a Parquet file it ends no more than its
/// row group. Either way the flows before the fault have been delivered.
#[derive(Debug)]
pub struct FlowReader(Kind);

#[derive(Debug)]
enum Kind {
    Flows(Box<Accounted<Flow>>),
    Records(Box<Paired>),
}

/// Records on their way to flows.
#[derive(Debug)]
struct Paired {
    pair: Pair<RecordReader>,
    /// What ended the records; told when the flows they made are out.
    fault: Option<ReadError>,
    ended: bool,
}

impl FlowReader {
    pub(crate) fn of(flows: Accounted<Flow>) -> Self {
        Self(Kind::Flows(Box::new(flows)))
    }

    pub(crate) fn paired(records: RecordReader, pairing: Pairing) -> Self {
        Self(Kind::Records(Box::new(Paired {
            pair: Pair::new(records, pairing),
            fault: None,
            ended: false,
        })))
    }

    /// What was read so far.
    pub fn report(&self) -> &ReadReport {
        match &self.0 {
            Kind::Flows(flows) => flows.report(),
            Kind::Records(paired) => paired.pair.records().report(),
        }
    }

    /// The final account.
    pub fn into_report(self) -> ReadReport {
        match self.0 {
            Kind::Flows(flows) => flows.into_report(),
            Kind::Records(paired) => paired.pair.into_records().into_report(),
        }
    }
}

impl Iterator for FlowReader {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Kind::Flows(flows) => flows.next(),
            Kind::Records(paired) => paired.next(),
        }
    }
}

impl Iterator for Paired {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.pair.next() {
                Some(Ok(flow)) => {
                    self.pair.records_mut().0.report_mut().flows += 1;
                    return Some(Ok(flow));
                }
                Some(Err(error)) => self.fault = Some(error),
                None => {
                    self.ended = true;
                    let feed = self.pair.feed().clone();
                    self.pair.records_mut().0.report_mut().settle(feed);
                    return self.fault.take().map(Err);
                }
            }
        }
        None
    }
}

/// The records of a source under a [`Policy`](crate::Policy), before pairing; otherwise as
/// [`FlowReader`].
#[derive(Debug)]
pub struct RecordReader(pub(crate) Accounted<Record>);

impl RecordReader {
    /// What was read so far.
    pub const fn report(&self) -> &ReadReport {
        self.0.report()
    }

    /// The final account.
    pub fn into_report(self) -> ReadReport {
        self.0.into_report()
    }
}

impl Iterator for RecordReader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<R: Read> Reading<Flow> for CsvReader<R> {}

impl<R: Read> Reading<Flow> for ZeekReader<R> {}

impl<R: Read> Reading<Flow> for TstatReader<R> {}

#[cfg(feature = "parquet")]
impl Reading<Flow> for crate::ParquetReader {}

impl<R: Read> Reading<Record> for NfdumpReader<R> {}

impl<R: Read> Reading<Record> for ArgusReader<R> {}

impl<R: Read> Reading<Record> for SuricataReader<R> {}

#[cfg(feature = "netflow")]
impl Reading<Record> for crate::ExportReader {
    fn account(&self, report: &mut ReadReport) {
        report.exports = Some(self.report());
    }
}
