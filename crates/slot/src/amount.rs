//! Exact sums of apportioned counts.

use std::ops::AddAssign;

/// A non-negative sum in 64.64 fixed point: bytes or packets, of which a flow that spans slots
/// contributes a fraction.
///
/// Addition is exact and so does not depend on order; it saturates at 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "f64", from = "f64"))]
pub struct Amount(u128);

const FRACTION_BITS: u32 = 64;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A whole count.
    pub const fn whole(count: u64) -> Self {
        Self((count as u128) << FRACTION_BITS)
    }

    /// `count * part / total`, rounded down to 2^-64; never 0 if `count` and `part` are not.
    ///
    /// # Panics
    ///
    /// If `total` is 0.
    pub fn share(count: u64, part: u64, total: u64) -> Self {
        let total = u128::from(total);
        let product = u128::from(count) * u128::from(part);
        let fraction = ((product % total) << FRACTION_BITS) / total;
        Self(((product / total) << FRACTION_BITS) | fraction)
    }

    /// Whether the exact sum is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / (1_u128 << FRACTION_BITS) as f64
    }

    /// `(self - other) / (self + other)`, in `[-1, 1]`; `None` if both are zero.
    pub fn contrast(self, other: Self) -> Option<f64> {
        let difference = self.0.abs_diff(other.0) as f64;
        let sum = self.0 as f64 + other.0 as f64;
        let ratio = if self >= other {
            difference
        } else {
            -difference
        } / sum;
        (sum > 0.0).then_some(ratio)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl From<Amount> for f64 {
    fn from(amount: Amount) -> Self {
        amount.to_f64()
    }
}

impl From<f64> for Amount {
    /// The nearest amount; negative numbers and NaN become zero.
    fn from(value: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        Self((value * (1_u128 << FRACTION_BITS) as f64) as u128)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_count_add_up_to_it_within_rounding() {
        for (count, total) in [(1, 3), (u64::MAX, 7), (1500, 999_999_937)] {
            let mut sum = Amount::ZERO;
            let parts = [total / 3, total / 2, total - total / 3 - total / 2];
            for part in parts {
                sum += Amount::share(count, part, total);
            }
            assert!(Amount::whole(count).0 - sum.0 <= parts.len() as u128);
        }
    }

    #[test]
    fn the_smallest_share_is_not_zero() {
        assert!(!Amount::share(1, 1, u64::MAX).is_zero());
        assert_eq!(Amount::share(5, 7, 7), Amount::whole(5));
    }

    #[test]
    fn contrast_is_bounded_and_undefined_without_traffic() {
        assert_eq!(Amount::ZERO.contrast(Amount::ZERO), None);
        assert_eq!(Amount::whole(3).contrast(Amount::ZERO), Some(1.0));
        assert_eq!(Amount::ZERO.contrast(Amount::whole(u64::MAX)), Some(-1.0));
        assert_eq!(Amount::whole(1).contrast(Amount::whole(3)), Some(-0.5));
    }
}
