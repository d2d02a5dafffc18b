//! The table of samples.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ndarray::{Array2, ArrayView2, Axis, ShapeBuilder};
use peerscope_flow::{Family, SlotIndex, SlotLength, SystemId, Timestamp};
use peerscope_slot::{HostSlot, HostSlots, Precision};
use rayon::prelude::*;

use crate::MetricSet;

/// Every sample of a trace: one row a host and slot, one column a metric.
///
/// Rows are sorted by host address (IPv4 first), then slot.
#[derive(Clone, Debug)]
pub struct SampleTable {
    keys: Vec<SampleKey>,
    /// NaN where undefined; never handed out as a number. Metric by metric in memory, as they are asked for.
    values: Array2<f64>,
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

impl SampleKey {
    /// Before the key of a sample is known.
    const NONE: Self = Self {
        host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        slot: SlotIndex(0),
        system: SystemId(0),
        edge: false,
    };
}

/// Samples that one thread evaluates at a time: a page of each metric.
const BLOCK: usize = 512;

impl SampleTable {
    /// Evaluates the metrics for every aggregate, on the threads of the current rayon pool.
    ///
    /// # Complexity
    ///
    /// O(samples x metrics) time and memory (8 bytes a value).
    pub fn new(host_slots: &HostSlots, family: &Family, metrics: &MetricSet) -> Self {
        let slot_length = host_slots.slot_length();
        let edges = host_slots.edge_slots();
        let is_edge = |slot| edges.is_some_and(|(first, last)| slot == first || slot == last);
        let key_of = |row: &HostSlot| SampleKey {
            host: row.host,
            slot: row.slot,
            system: row.system,
            edge: is_edge(row.slot),
        };
        // Zeroed memory is first touched by the thread that writes the values.
        let mut values = Array2::zeros((host_slots.len(), metrics.len()).f());
        let mut keys = vec![SampleKey::NONE; host_slots.len()];
        let blocks = values.axis_chunks_iter_mut(Axis(0), BLOCK);
        let blocks: Vec<_> = (0..)
            .step_by(BLOCK)
            .zip(blocks.zip(keys.chunks_mut(BLOCK)))
            .collect();
        blocks
            .into_par_iter()
            .for_each_init(Vec::new, |rows, (first, (mut block, keys))| {
                rows.clear();
                rows.extend((first..first + keys.len()).map(|row| host_slots.row(row)));
                for (key, row) in keys.iter_mut().zip(&*rows) {
                    *key = key_of(row);
                }
                for (metric, values) in block.columns_mut().into_iter().enumerate() {
                    metrics.evaluate(metric, rows, slot_length, values);
                }
            });
        let ids = (0..=u8::MAX).map(SystemId).take(family.systems().len());
        Self {
            keys,
            values,
            metrics: metrics.names().collect(),
            units: metrics.units().collect(),
            systems: family.systems().to_vec(),
            clustered: ids.map(|id| family.is_clustered(id)).collect(),
            slot_length,
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
        self.values.column_mut(column).fill(f64::NAN);
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
        self.keys.is_empty()
    }

    /// The samples' keys, in row order.
    pub fn keys(&self) -> &[SampleKey] {
        &self.keys
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
        self.keys.iter().filter(|key| key.system == system).count()
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
    pub fn value(&self, row: usize, metric: usize) -> Option<f64> {
        let value = self.values[(row, metric)];
        (!value.is_nan()).then_some(value)
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
        let values = self.values.index_axis(Axis(1), metric);
        let of_system = self
            .keys
            .iter()
            .enumerate()
            .filter(move |(_, key)| key.system == system);
        of_system
            .map(move |(row, _)| (row, values[row]))
            .filter(|(_, value)| !value.is_nan())
    }

    /// The values as a matrix of samples by metrics, of which each column is one piece of memory. NaN marks an undefined
    /// value.
    pub fn matrix(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }
}
