//! The values of a table, metric by metric.

use peerscope_slot::HostSlots;

use crate::MetricSet;
use crate::set::TRANSPORTS;

/// A column a metric; NaN where undefined, never handed out as a number.
///
/// A sample without active flows of a transport has no value of its metrics, and none is kept: of very
/// many hosts, most have flows of one transport only.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// By transport: where each row's values stand in the columns of its metrics; `NONE` if it has none.
    places: [Vec<u32>; 2],
    columns: Vec<Column>,
}

/// The values of a metric.
#[derive(Clone, Debug)]
struct Column {
    /// Whose metric it is, of [`TRANSPORTS`]; `None` if there is a value for every row.
    transport: Option<usize>,
    values: Vec<f64>,
}

const NONE: u32 = u32::MAX;

impl Columns {
    /// Columns for the metrics of a set, in which nothing stands yet: each page of memory is first
    /// touched by the thread that writes there.
    pub(crate) fn new(host_slots: &HostSlots, metrics: &MetricSet) -> Self {
        let rows = 0..host_slots.len();
        let places_of = |transport| {
            let mut next = 0;
            let place = |row| {
                let is_active = host_slots.is_active(row, transport);
                next += u32::from(is_active);
                if is_active { next - 1 } else { NONE }
            };
            let places: Vec<u32> = rows.clone().map(place).collect();
            (places, next)
        };
        let [tcp, udp] = TRANSPORTS;
        let (tcp, udp) = rayon::join(|| places_of(tcp), || places_of(udp));
        let active = [tcp.1, udp.1];
        let column = |transport: Option<usize>| Column {
            transport,
            values: vec![0.0; transport.map_or(rows.len(), |transport| active[transport] as usize)],
        };
        Self {
            columns: metrics.transports().map(column).collect(),
            places: [tcp.0, udp.0],
        }
    }

    /// What so many rows at a time have of each column, to be written.
    pub(crate) fn blocks_mut(&mut self, rows: usize) -> Vec<Vec<&mut [f64]>> {
        let columns = self.columns.iter_mut();
        let mut rest: Vec<(Option<usize>, &mut [f64])> = columns
            .map(|column| (column.transport, &mut *column.values))
            .collect();
        let [tcp, udp] = &self.places;
        let blocks = tcp.chunks(rows).zip(udp.chunks(rows));
        let block = |(tcp, udp): (&[u32], &[u32])| {
            let active =
                [tcp, udp].map(|places| places.iter().filter(|&&place| place != NONE).count());
            let own = rest.iter_mut().map(|(transport, rest)| {
                let len = transport.map_or(tcp.len(), |transport| active[transport]);
                let (own, behind) = std::mem::take(rest).split_at_mut(len);
                *rest = behind;
                own
            });
            own.collect()
        };
        blocks.map(block).collect()
    }

    /// Takes all values of a metric away.
    pub(crate) fn clear(&mut self, metric: usize) {
        self.columns[metric].values.fill(f64::NAN);
    }

    /// Number of metrics.
    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// One value, if it is defined.
    #[inline]
    pub(crate) fn get(&self, row: usize, metric: usize) -> Option<f64> {
        let Column { transport, values } = &self.columns[metric];
        let place = match transport {
            None => row,
            Some(transport) => match self.places[*transport][row] {
                NONE => return None,
                place => place as usize,
            },
        };
        let value = values[place];
        (!value.is_nan()).then_some(value)
    }
}
