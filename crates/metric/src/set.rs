//! The metrics a table is made of.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use peerscope_flow::{SlotLength, Transport};
use peerscope_slot::{HostSlot, HostSlots, TransportSlot};
use thiserror::Error;

use crate::Metric;

/// The transports that metrics are of.
pub(crate) const TRANSPORTS: [Transport; 2] = [Transport::Tcp, Transport::Udp];

type Evaluate = dyn Fn(&HostSlot, SlotLength) -> Option<f64> + Send + Sync;

/// The 44 metrics of the catalogue, and those a user adds from the same aggregate.
#[derive(Clone, Default)]
pub struct MetricSet {
    custom: Vec<CustomMetric>,
}

/// A metric of a user's own.
#[derive(Clone)]
pub(crate) struct CustomMetric {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) evaluate: Arc<Evaluate>,
}

/// Why a metric cannot be added to a set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetricSetError {
    /// The set has a metric of that name.
    #[error("there is a metric named {0:?} already")]
    Duplicate(String),
    /// The name is empty or would not stand in a CSV header as it is.
    #[error("{0:?} cannot name a metric: it is empty or holds a comma, quote or line break")]
    BadName(String),
}

impl MetricSet {
    /// The 44 metrics of the catalogue.
    pub fn paper() -> Self {
        Self::default()
    }

    /// Adds a metric: a name, a unit (may be empty) and a function of the aggregate and the slot
    /// length. A value that is not finite counts as undefined.
    ///
    /// # Errors
    ///
    /// If the name is taken, empty, or holds a comma, quote or line break.
    pub fn with(
        mut self,
        name: &str,
        unit: &str,
        evaluate: impl Fn(&HostSlot, SlotLength) -> Option<f64> + Send + Sync + 'static,
    ) -> Result<Self, MetricSetError> {
        if name.is_empty() || name.contains([',', '"', '\n', '\r']) {
            return Err(MetricSetError::BadName(name.to_owned()));
        }
        if self.names().any(|taken| taken == name) {
            return Err(MetricSetError::Duplicate(name.to_owned()));
        }
        let (name, unit) = (name.to_owned(), unit.to_owned());
        self.custom.push(CustomMetric {
            name,
            unit,
            evaluate: Arc::new(evaluate),
        });
        Ok(self)
    }

    /// Number of metrics, the catalogue's included.
    pub fn len(&self) -> usize {
        Metric::COUNT + self.custom.len()
    }

    /// Always false: the catalogue is part of every set.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Names in column order: the catalogue, then the user's own in the order added.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        let custom = self.custom.iter().map(|metric| metric.name.clone());
        Metric::ALL.iter().map(Metric::to_string).chain(custom)
    }

    /// Units in column order.
    pub fn units(&self) -> impl Iterator<Item = String> + '_ {
        let custom = self.custom.iter().map(|metric| metric.unit.clone());
        Metric::ALL
            .iter()
            .map(|metric| metric.unit().to_owned())
            .chain(custom)
    }

    /// In column order: the transport, of [`TRANSPORTS`], that each metric needs active flows of.
    pub(crate) fn transports(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        let place = |metric: &Metric| TRANSPORTS.iter().position(|&of| of == metric.transport());
        let custom = self.custom.iter().map(|_| None);
        Metric::ALL.iter().map(place).chain(custom)
    }

    /// Evaluates the metrics for these rows, each into a column of the rows that can have a value: NaN
    /// where undefined.
    pub(crate) fn evaluate(
        &self,
        host_slots: &HostSlots,
        rows: Range<usize>,
        columns: Vec<&mut [f64]>,
    ) {
        let length = host_slots.slot_length();
        let slots_of = |transport| {
            let slots = rows
                .clone()
                .filter_map(|row| host_slots.transport(row, transport));
            slots.collect::<Vec<TransportSlot>>()
        };
        let slots = TRANSPORTS.map(slots_of);
        let mut columns = columns.into_iter();
        for ((metric, transport), column) in
            Metric::ALL.iter().zip(self.transports()).zip(&mut columns)
        {
            let slots = transport.map_or(&[][..], |transport| &slots[transport]);
            for (cell, slot) in column.iter_mut().zip(slots) {
                *cell = metric.of_transport(slot, length).unwrap_or(f64::NAN);
            }
        }
        for (metric, column) in self.custom.iter().zip(columns) {
            for (cell, row) in column.iter_mut().zip(rows.clone()) {
                let value = (metric.evaluate)(&host_slots.row(row), length);
                *cell = value.filter(|value| value.is_finite()).unwrap_or(f64::NAN);
            }
        }
    }
}

impl fmt::Debug for MetricSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.custom.iter().map(|metric| &metric.name);
        f.debug_struct("MetricSet")
            .field("custom", &names.collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_be_new_and_plain() {
        let add = |name: &str| MetricSet::paper().with(name, "", |_, _| None);
        assert_eq!(add("mine").unwrap().len(), 45);
        assert!(matches!(
            add("live-conn-TCP"),
            Err(MetricSetError::Duplicate(_))
        ));
        assert!(matches!(add("a,b"), Err(MetricSetError::BadName(_))));
        assert!(matches!(add(""), Err(MetricSetError::BadName(_))));
    }
}
