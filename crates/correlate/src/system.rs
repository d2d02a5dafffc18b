//! The samples of one system.

use std::net::IpAddr;
use std::ops::Range;

use peerscope_flow::SystemId;
use peerscope_metric::SampleTable;

/// The rows of one system, host by host and in time order within each.
pub(crate) struct SystemRows<'a> {
    pub(crate) table: &'a SampleTable,
    pub(crate) id: SystemId,
    /// Rows of the table, ascending.
    pub(crate) rows: Vec<usize>,
    /// Which of `rows` belong to each host.
    pub(crate) hosts: Vec<(IpAddr, Range<usize>)>,
}

impl<'a> SystemRows<'a> {
    pub(crate) fn new(table: &'a SampleTable, id: SystemId) -> Self {
        let mut rows = Vec::new();
        let mut hosts = Vec::new();
        for (host, of_host) in table.hosts() {
            let first = rows.len();
            rows.extend(of_host.filter(|&row| table.key(row).system == id));
            if first < rows.len() {
                hosts.push((host, first..rows.len()));
            }
        }
        Self {
            table,
            id,
            rows,
            hosts,
        }
    }

    /// What each sample of the system is for a metric with these interesting rows.
    pub(crate) fn states(&self, metric: usize, interesting: &[usize]) -> Vec<State> {
        let mut interesting = interesting.iter().copied().peekable();
        let states = self.rows.iter().map(|&row| {
            if interesting.next_if_eq(&row).is_some() {
                State::Interesting
            } else if self.table.value(row, metric).is_some() {
                State::Normal
            } else {
                State::Undefined
            }
        });
        states.collect()
    }
}

/// What a sample is for one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Undefined,
    Normal,
    Interesting,
}
