//! The table of samples.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use ndarray::{Array2, ShapeBuilder};
use peerscope_flow::{Family, SlotIndex, SlotLength, SystemId, Timestamp};
use peerscope_slot::{HostSlots, Precision};

use crate::MetricSet;
use crate::columns::Columns;
use crate::keys::Keys;

/// Every sample of a trace: one row a host and slot, one column a metric.
///
/// Rows are sorted by host address (IPv4 first), then slot.
#[derive(Clone, Debug)]
pub struct SampleTable {
    keys: Keys,
    columns: Columns,
    metrics: Vec<String>,
    units: Vec<String>,
    systems: Vec<String>,
    clustered: Vec<bool>,
    slot_length: SlotLength,
    approximate: Option<Precision>,
    /// Why a column has no values, if that is so.
    withheld: BTreeMap<usize, String>,
}

/// Which sample a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SampleKey {
    /// The monitored host.
    pub host: IpAddr,
    /// The time slot.
    pub slot: SlotIndex,
    /// The system the sample is labelled with.
    pub system: SystemId,
    /// Whether the slot is the first or last of the trace, hence partly covered: rates are low.
    pub edge: bool,
}

impl SampleTable {
    /// Evaluates the metrics for every aggregate, on the threads of the current rayon pool.
    ///
    /// # Complexity
    ///
    /// O(samples x metrics) time and memory: 1 to 8 bytes a value, none for metrics of a transport without
    /// active flows, and some 15 bytes a sample.
    pub fn new(host_slots: &HostSlots, family: &Family, metrics: &MetricSet) -> Self {
        let ids = (0..=u8::MAX).map(SystemId).take(family.systems().len());
        Self {
            keys: Keys::new(host_slots),
            columns: Columns::new(host_slots, metrics),
            metrics: metrics.names().collect(),
            units: metrics.units().collect(),
            systems: family.systems().to_vec(),
            clustered: ids.map(|id| family.is_clustered(id)).collect(),
            slot_length: host_slots.slot_length(),
            approximate: host_slots.approximate(),
            withheld: BTreeMap::new(),
        }
    }

    /// Takes the values of a metric away because the input makes them wrong; the first reason
    /// stays. A metric that the table does not have is passed over.
    pub fn withhold(&mut self, metric: &str, reason: &str) {
        let Some(column) = self.metric_index(metric) else {
            return;
        };
        self.columns.clear(column);
        let reason = || reason.to_owned();
        self.withheld.entry(column).or_insert_with(reason);
    }

    /// Why a metric has no values, if it is withheld.
    pub fn withheld(&self, metric: usize) -> Option<&str> {
        self.withheld.get(&metric).map(String::as_str)
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no sample at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples' keys, in row order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = SampleKey> + DoubleEndedIterator + '_ {
        (0..self.len()).map(|row| self.key(row))
    }

    /// Which sample a row is.
    ///
    /// # Panics
    ///
    /// If there are no more than `row`.
    pub fn key(&self, row: usize) -> SampleKey {
        self.keys.get(row)
    }

    /// Each host with the rows of its samples, in order.
    pub fn hosts(&self) -> impl Iterator<Item = (IpAddr, Range<usize>)> + '_ {
        self.keys.hosts()
    }

    /// The rows of a host's samples; none of a host that has no samples. O(log samples).
    pub fn rows_of(&self, host: IpAddr) -> Range<usize> {
        self.keys.rows_of(host)
    }

    /// The metrics' names, in column order.
    pub fn metrics(&self) -> &[String] {
        &self.metrics
    }

    /// The metrics' units, in column order; empty for plain ratios.
    pub fn units(&self) -> &[String] {
        &self.units
    }

    /// The column of a metric.
    pub fn metric_index(&self, name: &str) -> Option<usize> {
        self.metrics.iter().position(|metric| metric == name)
    }

    /// The systems' names, indexed by [`SystemId`].
    pub fn systems(&self) -> &[String] {
        &self.systems
    }

    /// The name of a system of this table.
    ///
    /// # Panics
    ///
    /// If the id is of another family with more systems.
    pub fn system_name(&self, id: SystemId) -> &str {
        &self.systems[usize::from(id.0)]
    }

    /// The systems whose samples are clustered; mixed and control-less ones are only counted.
    pub fn clustered_systems(&self) -> impl Iterator<Item = SystemId> + '_ {
        let ids = (0..=u8::MAX).map(SystemId).zip(&self.clustered);
        ids.filter(|(_, clustered)| **clustered).map(|(id, _)| id)
    }

    /// Number of samples of a system.
    pub fn count(&self, system: SystemId) -> usize {
        let systems = self.keys.systems().iter();
        systems.filter(|&&other| other == system).count()
    }

    /// The length of a slot.
    pub fn slot_length(&self) -> SlotLength {
        self.slot_length
    }

    /// How precisely the peers of giant hosts were counted; `None` if exactly, as all others are. See
    /// [`Aggregation::with_approximate_peers`](peerscope_slot::Aggregation::with_approximate_peers).
    pub fn approximate(&self) -> Option<Precision> {
        self.approximate
    }

    /// The first instant of a sample's slot.
    pub fn slot_start(&self, key: &SampleKey) -> Timestamp {
        self.slot_length.start_of(key.slot)
    }

    /// One value; `None` if undefined.
    ///
    /// # Panics
    ///
    /// If `row` or `metric` is out of range.
    #[inline]
    pub fn value(&self, row: usize, metric: usize) -> Option<f64> {
        self.columns.get(row, metric)
    }

    /// The defined values of a metric for one system, with their rows, in row order.
    ///
    /// # Panics
    ///
    /// If `metric` is out of range.
    pub fn column(
        &self,
        system: SystemId,
        metric: usize,
    ) -> impl Iterator<Item = (usize, f64)> + '_ {
        assert!(metric < self.columns.len(), "no metric {metric}");
        let systems = self.keys.systems().iter().enumerate();
        let of_system = systems.filter(move |&(_, &other)| other == system);
        of_system.filter_map(move |(row, _)| Some((row, self.value(row, metric)?)))
    }

    /// The values as a new matrix of samples by metrics, each metric one piece of memory. NaN marks an
    /// undefined value.
    pub fn matrix(&self) -> Array2<f64> {
        let shape = (self.len(), self.columns.len());
        Array2::from_shape_fn(shape.f(), |(row, metric)| {
            self.value(row, metric).unwrap_or(f64::NAN)
        })
    }
}
