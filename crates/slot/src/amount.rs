//! Exact sums of apportioned counts.

use std::ops::AddAssign;

/// A non-negative sum in 64.128 fixed point: bytes or packets, of which a flow that spans slots
/// contributes a fraction.
///
/// Addition is exact and so does not depend on order; whole units saturate at 2^64 - 1. The long
/// fraction keeps quotients of two tiny shares (a microsecond of a flow of days) within 1e-9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Amount {
    pub(crate) whole: u64,
    pub(crate) fraction: Fraction,
}

/// The digits behind the point, the first and the last 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Fraction {
    high: u64,
    low: u64,
}

impl Fraction {
    pub(crate) const ZERO: Self = Self { high: 0, low: 0 };

    #[cfg(test)]
    pub(crate) const fn of((high, low): (u64, u64)) -> Self {
        Self { high, low }
    }

    /// Adds, and returns the whole unit that is carried over.
    #[must_use]
    pub(crate) fn add(&mut self, other: Self) -> u64 {
        let (low, carry) = self.low.overflowing_add(other.low);
        let (high, first) = self.high.overflowing_add(other.high);
        let (high, second) = high.overflowing_add(u64::from(carry));
        *self = Self { high, low };
        u64::from(first) + u64::from(second)
    }

    /// Subtracts, and returns the whole unit that is borrowed.
    fn subtract(&mut self, other: Self) -> u64 {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let (high, first) = self.high.overflowing_sub(other.high);
        let (high, second) = high.overflowing_sub(u64::from(borrow));
        *self = Self { high, low };
        u64::from(first) + u64::from(second)
    }
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self::whole(0);

    /// A whole count.
    pub const fn whole(count: u64) -> Self {
        Self {
            whole: count,
            fraction: Fraction::ZERO,
        }
    }

    /// Whether the exact sum is zero.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// The floating-point number, to within an ulp.
    pub fn to_f64(self) -> f64 {
        let unit = 1.0 / (1_u128 << 64) as f64;
        let Fraction { high, low } = self.fraction;
        self.whole as f64 + (high as f64 + low as f64 * unit) * unit
    }

    /// `(self - other) / (self + other)`, in `[-1, 1]`; `None` if both are zero.
    pub fn contrast(self, other: Self) -> Option<f64> {
        let sum = self.to_f64() + other.to_f64();
        let ratio = if self >= other {
            self.minus(other).to_f64() / sum
        } else {
            -other.minus(self).to_f64() / sum
        };
        (sum > 0.0).then_some(ratio)
    }

    /// The exact difference to a smaller amount.
    fn minus(mut self, smaller: Self) -> Self {
        let borrow = self.fraction.subtract(smaller.fraction);
        self.whole -= smaller.whole + borrow;
        self
    }
}

/// What part of a whole falls into a slot, to share out several counts alike.
///
/// Held as a binary fraction of 128 digits, rounded down; the whole itself is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(Option<Fraction>);

impl Share {
    /// `part / total`.
    ///
    /// # Panics
    ///
    /// If `total` is 0 or less than `part`.
    pub fn new(part: u64, total: u64) -> Self {
        assert!(
            0 < total && part <= total,
            "{part} of {total} is no share of it"
        );
        // Long division, 64 digits at a time: every remainder is below `total`.
        let digits = |rest: u64| {
            let (dividend, total) = (u128::from(rest) << 64, u128::from(total));
            #[expect(clippy::cast_possible_truncation, reason = "both are below 2^64")]
            ((dividend / total) as u64, (dividend % total) as u64)
        };
        Self((part < total).then(|| {
            let (high, rest) = digits(part);
            let (low, _) = digits(rest);
            Fraction { high, low }
        }))
    }

    /// The share of a count: less than `count * part / total` by at most `count * 2^-128`; not 0
    /// unless the count or the part is.
    pub fn of(self, count: u64) -> Amount {
        let Some(Fraction { high, low }) = self.0 else {
            return Amount::whole(count);
        };
        let low = u128::from(count) * u128::from(low);
        let high = u128::from(count) * u128::from(high) + (low >> 64);
        #[expect(clippy::cast_possible_truncation, reason = "the digits one by one")]
        Amount {
            whole: (high >> 64) as u64,
            fraction: Fraction {
                high: high as u64,
                low: low as u64,
            },
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        let carry = self.fraction.add(other.fraction);
        self.whole = self.whole.saturating_add(other.whole).saturating_add(carry);
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
                sum += Share::new(part, total).of(count);
            }
            let lost = Amount::whole(count).minus(sum);
            assert_eq!(lost.whole, 0);
            let Fraction { high, low } = lost.fraction;
            let lost = (u128::from(high) << 64) | u128::from(low);
            assert!(lost <= 3 * u128::from(count), "{lost:?}");
        }
    }

    #[test]
    fn the_smallest_share_is_not_zero() {
        assert!(!Share::new(1, u64::MAX).of(1).is_zero());
        assert_eq!(Share::new(7, 7).of(5), Amount::whole(5));
    }

    #[test]
    fn sums_saturate_instead_of_wrapping_whatever_the_order() {
        let half = Share::new(1, 2).of(1);
        let parts = [Amount::whole(u64::MAX), half, half, Amount::whole(1)];
        let sum = |order: [usize; 4]| {
            let mut sum = Amount::ZERO;
            for i in order {
                sum += parts[i];
            }
            sum
        };
        assert_eq!(sum([0, 1, 2, 3]), Amount::whole(u64::MAX));
        assert_eq!(sum([3, 2, 0, 1]), Amount::whole(u64::MAX));
    }

    #[test]
    fn quotients_of_tiny_shares_are_precise() {
        let total = 6 * 86_400_000_000;
        let (bytes, packets) = (
            Share::new(1, total).of(395_542_565),
            Share::new(1, total).of(1),
        );
        assert!((bytes.to_f64() / packets.to_f64() - 395_542_565.0).abs() < 1e-6);
    }

    #[test]
    fn contrast_is_bounded_and_undefined_without_traffic() {
        assert_eq!(Amount::ZERO.contrast(Amount::ZERO), None);
        assert_eq!(Amount::whole(3).contrast(Amount::ZERO), Some(1.0));
        assert_eq!(Amount::ZERO.contrast(Amount::whole(u64::MAX)), Some(-1.0));
        assert_eq!(Amount::whole(1).contrast(Amount::whole(3)), Some(-0.5));
    }
}
