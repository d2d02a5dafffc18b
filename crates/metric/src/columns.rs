//! The values of a table, metric by metric.

use std::ops::Range;

use peerscope_slot::HostSlots;
use rayon::prelude::*;

use crate::MetricSet;
use crate::set::TRANSPORTS;

/// A column a metric; undefined values are never handed out as a number.
///
/// Where nearly every flow makes a sample of its own, the table is larger than what it is made from. A
/// sample without active flows of a transport has no value of its metrics, and none is kept; nor more
/// bytes of the others than their block needs to give them back bit by bit.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// By metric: whose it is, of [`TRANSPORTS`]; `None` if there is a value for every row.
    transports: Vec<Option<usize>>,
    blocks: Vec<Block>,
}

/// The rows of a block; all but the last are full.
const ROWS: usize = 512;

/// Some rows one after the other.
#[derive(Clone, Debug)]
struct Block {
    /// By transport: where each row's values stand in the columns of its metrics; `NONE` if it has none.
    places: [Box<[u16]>; 2],
    /// By metric.
    columns: Vec<Packed>,
}

const NONE: u16 = u16::MAX;

/// The values of a metric in a block, in the fewest bytes each that keep all of them as they are. Counts
/// are mostly small, and many fractions are halves.
#[derive(Clone, Debug)]
enum Packed {
    /// Whole numbers up to 254; 255 where undefined.
    Bytes(Box<[u8]>),
    /// NaN where undefined.
    Singles(Box<[f32]>),
    /// NaN where undefined.
    Doubles(Box<[f64]>),
}

const UNDEFINED: u8 = u8::MAX;

impl Columns {
    /// Evaluates the metrics of a set, on the threads of the current rayon pool.
    pub(crate) fn new(host_slots: &HostSlots, metrics: &MetricSet) -> Self {
        let len = host_slots.len();
        let blocks = (0..len.div_ceil(ROWS)).into_par_iter().map(|block| {
            let first = block * ROWS;
            Block::new(host_slots, metrics, first..len.min(first + ROWS))
        });
        Self {
            transports: metrics.transports().collect(),
            blocks: blocks.collect(),
        }
    }

    /// Takes all values of a metric away.
    pub(crate) fn clear(&mut self, metric: usize) {
        for block in &mut self.blocks {
            block.columns[metric].clear();
        }
    }

    /// Number of metrics.
    pub(crate) fn len(&self) -> usize {
        self.transports.len()
    }

    /// One value, if it is defined.
    #[inline]
    pub(crate) fn get(&self, row: usize, metric: usize) -> Option<f64> {
        let block = &self.blocks[row / ROWS];
        let row = row % ROWS;
        let place = match self.transports[metric] {
            None => row,
            Some(transport) => match block.places[transport][row] {
                NONE => return None,
                place => usize::from(place),
            },
        };
        block.columns[metric].get(place)
    }
}

impl Block {
    fn new(host_slots: &HostSlots, metrics: &MetricSet, rows: Range<usize>) -> Self {
        let places_of = |transport| {
            let mut next = 0;
            let place = |row| {
                let is_active = host_slots.is_active(row, transport);
                next += u16::from(is_active);
                if is_active { next - 1 } else { NONE }
            };
            rows.clone().map(place).collect()
        };
        let places = TRANSPORTS.map(places_of);
        let columns = metrics.evaluate(host_slots, rows).map(Packed::new);
        Self {
            places,
            columns: columns.collect(),
        }
    }
}

impl Packed {
    /// Keeps values, NaN where undefined.
    fn new(values: Vec<f64>) -> Self {
        if stay(&values, |value| of_byte(byte(value))) {
            Self::Bytes(values.iter().map(|&value| byte(value)).collect())
        } else if stay(&values, |value| f64::from(single(value))) {
            Self::Singles(values.iter().map(|&value| single(value)).collect())
        } else {
            Self::Doubles(values.into())
        }
    }

    fn get(&self, place: usize) -> Option<f64> {
        match self {
            Self::Bytes(bytes) => match bytes[place] {
                UNDEFINED => None,
                byte => Some(f64::from(byte)),
            },
            Self::Singles(values) => defined(f64::from(values[place])),
            Self::Doubles(values) => defined(values[place]),
        }
    }

    /// Takes all values away.
    fn clear(&mut self) {
        let len = match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Singles(values) => values.len(),
            Self::Doubles(values) => values.len(),
        };
        *self = Self::Bytes(vec![UNDEFINED; len].into());
    }
}

/// A small whole number as a byte, without the conversions of `as`, which take one value at a time: a
/// `f64` as large as 2^52 has no digits behind the point, so that whole numbers are its lowest bits.
fn byte(value: f64) -> u8 {
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let [lowest, ..] = (value + WHOLE).to_bits().to_le_bytes();
    if value.is_nan() { UNDEFINED } else { lowest }
}

fn of_byte(byte: u8) -> f64 {
    if byte == UNDEFINED {
        f64::NAN
    } else {
        f64::from(byte)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "to be seen whether it stays"
)]
fn single(value: f64) -> f32 {
    value as f32
}

/// Whether packing leaves all values as they are.
///
/// Step by step, and without a branch in a step: such loops take several values at a time.
fn stay(values: &[f64], packed: impl Fn(f64) -> f64) -> bool {
    let stays = |&value: &f64| {
        let packed = packed(value);
        (packed.to_bits() == value.to_bits()) | (packed.is_nan() & value.is_nan())
    };
    let all = |step: &[f64]| step.iter().fold(true, |all, value| all & stays(value));
    values.chunks(64).all(all)
}

fn defined(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values about the borders of what fits.
    fn value() -> impl Strategy<Value = f64> {
        let single = any::<f32>().prop_map(f64::from);
        prop_oneof![
            (0_u8..=255).prop_map(f64::from),
            (-2_i16..600).prop_map(|halves| f64::from(halves) / 2.0),
            Just(-0.0),
            Just(f64::NAN),
            Just(4_503_599_627_370_496.0),
            single,
            any::<f64>(),
        ]
    }

    /// The same number, bit by bit; undefined is undefined.
    fn bits(value: Option<f64>) -> Option<u64> {
        value.map(f64::to_bits)
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back_bit_by_bit(
            kinds in prop::collection::vec(value(), 1..4),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
        ) {
            let values: Vec<f64> = picks.iter().map(|pick| *pick.get(&kinds)).collect();
            let mut packed = Packed::new(values.clone());
            for (place, &value) in values.iter().enumerate() {
                prop_assert_eq!(bits(packed.get(place)), bits(defined(value)));
            }
            let is_single = |value: f64| f64::from(single(value)).to_bits() == value.to_bits();
            let takes = |fits: &dyn Fn(f64) -> bool| values.iter().all(|&v| v.is_nan() || fits(v));
            let is_small = |value: f64| {
                (0..=254).any(|small| f64::from(small).to_bits() == value.to_bits())
            };
            match &packed {
                Packed::Bytes(_) => prop_assert!(takes(&is_small)),
                Packed::Singles(_) => prop_assert!(!takes(&is_small)),
                Packed::Doubles(_) => prop_assert!(!takes(&is_single)),
            }
            packed.clear();
            for place in 0..values.len() {
                prop_assert_eq!(packed.get(place), None);
            }
        }
    }
}
