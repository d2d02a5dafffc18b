//! The row groups of a file, shared out among threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use peerscope_flow::Flow;
use rayon::prelude::*;

use super::batches::BATCH;
use super::columns::Columns;
use super::reader::{ParquetFile, Way};
use crate::{Compression, Format, ReadReport};

impl ParquetFile {
    /// Hands all flows to the sinks in batches, on the threads of the current rayon pool: each sink
    /// takes a row group, then the next one that nobody has taken.
    ///
    /// Which sink gets which flow is left to chance, so what is made of the sinks must not depend
    /// on it. Rows that cannot be read are skipped and counted. A damaged row group ends where the
    /// damage is, and the others are still read; the report names the first one. The
    /// report has neither size nor digest, which a [`Source`](crate::Source) knows.
    ///
    /// # Panics
    ///
    /// If there is no sink.
    pub fn share_out<S: Send>(
        &self,
        sinks: &mut [S],
        add: impl Fn(&mut S, &[Flow]) + Sync,
    ) -> ReadReport {
        assert!(!sinks.is_empty(), "flows need a sink");
        let next = AtomicUsize::new(0);
        let take = |sink: &mut S| {
            let mut flows = Vec::with_capacity(BATCH);
            let mut columns = None;
            let mut reports = Vec::new();
            loop {
                let group = next.fetch_add(1, Ordering::Relaxed);
                if group >= self.row_groups() {
                    return reports;
                }
                let report =
                    self.read_group(group, &mut columns, &mut flows, |flows| add(sink, flows));
                reports.push((group, report));
            }
        };
        let mut reports: Vec<(usize, ReadReport)> =
            sinks.par_iter_mut().flat_map_iter(take).collect();
        reports.sort_unstable_by_key(|(group, _)| *group);
        let mut whole = self.new_report();
        for (_, report) in reports {
            whole.append(report);
        }
        whole
    }

    fn read_group(
        &self,
        group: usize,
        columns: &mut Option<Columns>,
        flows: &mut Vec<Flow>,
        mut add: impl FnMut(&[Flow]),
    ) -> ReadReport {
        let mut report = self.new_report();
        let known = columns.take().map_or_else(|| self.columns(), Ok);
        let reader =
            known.and_then(|columns| self.reader(group..group + 1, columns, Way::Shortest));
        let mut reader = match reader {
            Ok(reader) => reader,
            Err(error) => {
                report.count_error(&error, true);
                return report;
            }
        };
        let mut more = true;
        while more {
            flows.clear();
            more = reader.next_batch(flows, |error| report.count_error(&error, error.is_fatal()));
            for flow in &*flows {
                report.count_flow(flow);
            }
            add(flows);
        }
        // What a fault left behind is not used.
        *columns = report.ended_by.is_none().then(|| reader.into_columns());
        report
    }

    fn new_report(&self) -> ReadReport {
        let name = self.name().to_owned();
        ReadReport::new(name, Format::Parquet, Compression::None, None)
    }
}
