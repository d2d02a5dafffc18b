//! The values to cluster: checked and sorted once.

use std::ops::Range;

use thiserror::Error;

use crate::Interval;

/// Finite numbers in ascending order, ready to be clustered any number of times.
///
/// Equal values stay side by side; the clustering steps over a run of them at once, so repeats
/// cost nothing. Minus zero becomes zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SortedValues {
    values: Vec<f64>,
}

/// A value that is not a finite number.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("value {value} at index {index} is not a finite number")]
#[non_exhaustive]
pub struct NonFiniteError {
    /// Position in the input, from 0.
    pub index: usize,
    /// The value: NaN or an infinity.
    pub value: f64,
}

impl SortedValues {
    /// Checks and sorts values given in any order. No values at all are allowed.
    ///
    /// # Errors
    ///
    /// At the first NaN or infinity, with its position.
    ///
    /// # Complexity
    ///
    /// O(n log n) time, 8 bytes per value.
    ///
    /// ```
    /// use peerscope_cluster::SortedValues;
    ///
    /// assert_eq!(SortedValues::new([2.0, -1.0, 2.0])?.as_slice(), [-1.0, 2.0, 2.0]);
    /// let error = SortedValues::new([0.0, f64::NAN]).unwrap_err();
    /// assert_eq!(error.to_string(), "value NaN at index 1 is not a finite number");
    /// # Ok::<(), peerscope_cluster::NonFiniteError>(())
    /// ```
    pub fn new(values: impl IntoIterator<Item = f64>) -> Result<Self, NonFiniteError> {
        let values = values.into_iter();
        let mut keys = Vec::with_capacity(values.size_hint().0);
        for (index, value) in values.enumerate() {
            if !value.is_finite() {
                return Err(NonFiniteError { index, value });
            }
            // Adding zero turns minus zero into zero.
            keys.push(key(value + 0.0));
        }
        keys.sort_unstable();
        Ok(Self {
            values: keys.into_iter().map(value).collect(),
        })
    }

    /// The values in ascending order.
    pub fn as_slice(&self) -> &[f64] {
        &self.values
    }

    /// How many values there are, repeats included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The lowest value.
    pub fn min(&self) -> Option<f64> {
        self.values.first().copied()
    }

    /// The highest value.
    pub fn max(&self) -> Option<f64> {
        self.values.last().copied()
    }

    /// Which positions of [`as_slice`](Self::as_slice) hold values inside the interval, both ends
    /// included.
    ///
    /// # Complexity
    ///
    /// O(log n).
    pub fn positions(&self, interval: &Interval) -> Range<usize> {
        let start = self.values.partition_point(|&value| value < interval.low);
        let end = self.values.partition_point(|&value| value <= interval.high);
        start..end.max(start)
    }
}

/// An integer that sorts as the finite number does; integers sort faster than floats.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    bits ^ (sign_mask(bits.cast_signed() < 0))
}

/// The inverse of [`key`].
fn value(key: u64) -> f64 {
    f64::from_bits(key ^ sign_mask(key.cast_signed() >= 0))
}

/// Negative numbers are flipped whole, the others in their sign only.
const fn sign_mask(negative: bool) -> u64 {
    if negative { u64::MAX } else { 1 << 63 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    use proptest::prelude::*;

    #[test]
    fn both_zeros_are_one_value() {
        let values = SortedValues::new([0.0, -0.0, -f64::MIN_POSITIVE, 0.0, -0.0]).unwrap();
        assert!(values.as_slice()[1..].iter().all(|v| v.to_bits() == 0));
    }

    #[test]
    fn infinities_are_refused_too() {
        for bad in [f64::INFINITY, f64::NEG_INFINITY] {
            let error = SortedValues::new([1.0, 2.0, bad, f64::NAN]).unwrap_err();
            assert_eq!((error.index, error.value), (2, bad));
        }
    }

    proptest! {
        #[test]
        fn sorting_by_keys_equals_sorting_by_comparison(
            mut input in prop::collection::vec(NEGATIVE | POSITIVE | NORMAL | SUBNORMAL | ZERO, 0..60)
        ) {
            let sorted = SortedValues::new(input.iter().copied()).unwrap();
            input.sort_by(|a, b| a.partial_cmp(b).unwrap());
            prop_assert_eq!(sorted.as_slice(), input);
        }
    }
}
