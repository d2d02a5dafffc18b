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
        let keys = table.keys();
        let rows: Vec<usize> = (0..keys.len())
            .filter(|&row| keys[row].system == id)
            .collect();
        let mut next = 0;
        let runs = rows.chunk_by(|&a, &b| keys[a].host == keys[b].host);
        let hosts = runs.map(|run| {
            let first = next;
            next += run.len();
            (keys[run[0]].host, first..next)
        });
        let hosts = hosts.collect();
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
