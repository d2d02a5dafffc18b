//! The metrics a table is made of.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use peerscope_flow::{SlotLength, Transport};
use peerscope_slot::{HostSlot, HostSlots};
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

    /// In column order: the transport, of [`TRANSPORTS`], that each metric needs active flows of; `None`
    /// for a user's own.
    pub(crate) fn transports(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        let of_catalogue = Metric::ALL
            .iter()
            .map(|metric| Some(transport_index(*metric)));
        of_catalogue.chain(self.custom.iter().map(|_| None))
    }

    /// In column order: the values of each metric for those of these rows that have active flows of its
    /// transport; NaN where undefined.
    pub(crate) fn evaluate(
        &self,
        host_slots: &HostSlots,
        rows: Range<usize>,
    ) -> impl Iterator<Item = Vec<f64>> {
        let length = host_slots.slot_length();
        let slots = TRANSPORTS.map(|transport| host_slots.transports(rows.clone(), transport));
        let of_catalogue = Metric::ALL
            .into_iter()
            .map(move |metric| metric.values(&slots[transport_index(metric)], length));
        let of_custom = self.custom.iter().map(move |metric| {
            let value = |row| {
                let value = (metric.evaluate)(&host_slots.row(row), length);
                value.filter(|value| value.is_finite()).unwrap_or(f64::NAN)
            };
            rows.clone().map(value).collect()
        });
        of_catalogue.chain(of_custom)
    }
}

/// Which of [`TRANSPORTS`] a metric is of.
fn transport_index(metric: Metric) -> usize {
    usize::from(metric.transport() == Transport::Udp)
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
