//! Parameters that are valid once they exist: radii, densities and percentages.

use std::fmt;
use std::num::{NonZeroU8, NonZeroUsize};
use std::str::FromStr;

use thiserror::Error;

/// The radius eps of a neighbourhood in the unit of the values: finite and not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
pub struct Radius(f64);

/// A radius as a fraction of what a [`Scale`](crate::Scale) measures, by default of the range of
/// the values: finite and not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
pub struct RelativeRadius(f64);

/// A radius that is negative, infinite or no number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("radius {0} is not a finite number of at least 0")]
#[non_exhaustive]
pub struct RadiusError(pub String);

impl Radius {
    /// Only equal values are within this radius.
    pub const ZERO: Self = Self(0.0);

    /// A radius in the unit of the values.
    ///
    /// # Errors
    ///
    /// If `eps` is negative, infinite or NaN.
    pub fn new(eps: f64) -> Result<Self, RadiusError> {
        checked(eps).map(Self)
    }

    /// The radius in the unit of the values.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl RelativeRadius {
    /// A radius as a fraction.
    ///
    /// # Errors
    ///
    /// If `fraction` is negative, infinite or NaN.
    pub fn new(fraction: f64) -> Result<Self, RadiusError> {
        checked(fraction).map(Self)
    }

    /// A constant of this crate, known to be finite and not negative.
    pub(crate) const fn constant(fraction: f64) -> Self {
        Self(fraction)
    }

    /// The fraction.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The radius in the unit of the values, given what the fraction is of. Saturates at the
    /// largest finite number.
    pub(crate) fn of(self, whole: f64) -> Radius {
        Radius((self.0 * whole).min(f64::MAX))
    }
}

fn checked(radius: f64) -> Result<f64, RadiusError> {
    if radius.is_finite() && radius >= 0.0 {
        Ok(radius.abs())
    } else {
        Err(RadiusError(radius.to_string()))
    }
}

fn parsed(text: &str) -> Result<f64, RadiusError> {
    let radius: Option<f64> = text.trim().parse().ok();
    radius
        .and_then(|radius| checked(radius).ok())
        .ok_or_else(|| RadiusError(format!("{text:?}")))
}

/// The density: how many values, itself included, a core has within the radius; at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "usize", into = "usize"))]
pub struct MinPoints(NonZeroUsize);

/// A density that is no positive whole number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("min_points {0} is not a whole number of at least 1")]
#[non_exhaustive]
pub struct MinPointsError(pub String);

impl MinPoints {
    /// A density as a number of values.
    ///
    /// # Errors
    ///
    /// If `count` is 0.
    pub fn new(count: usize) -> Result<Self, MinPointsError> {
        NonZeroUsize::new(count)
            .map(Self)
            .ok_or_else(|| MinPointsError(count.to_string()))
    }

    /// The number of values.
    pub const fn get(self) -> usize {
        self.0.get()
    }
}

/// A whole percentage from 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "u8", into = "u8"))]
pub struct Percent(NonZeroU8);

/// A percentage outside 1 to 100.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0} is not a whole percentage from 1 to 100")]
#[non_exhaustive]
pub struct PercentError(pub String);

impl Percent {
    /// A percentage.
    ///
    /// # Errors
    ///
    /// If `percent` is not from 1 to 100.
    pub fn new(percent: u8) -> Result<Self, PercentError> {
        NonZeroU8::new(percent)
            .filter(|percent| percent.get() <= 100)
            .map(Self)
            .ok_or_else(|| PercentError(percent.to_string()))
    }

    /// Constants of this crate, all from 1 to 100: anything else does not compile.
    pub(crate) const fn constants<const N: usize>(percents: [u8; N]) -> [Self; N] {
        let mut all = [Self(NonZeroU8::MIN); N];
        let mut i = 0;
        while i < N {
            assert!(percents[i] <= 100);
            all[i] = match NonZeroU8::new(percents[i]) {
                Some(percent) => Self(percent),
                None => unreachable!(),
            };
            i += 1;
        }
        all
    }

    /// The percentage, from 1 to 100.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// This share of `n` values, rounded up, at least 1, as a density.
    ///
    /// ```
    /// use peerscope_cluster::Percent;
    ///
    /// let percent = Percent::new(6)?;
    /// assert_eq!(percent.min_points(50).get(), 3);
    /// assert_eq!(percent.min_points(51).get(), 4);
    /// assert_eq!(percent.min_points(0).get(), 1);
    /// # Ok::<(), peerscope_cluster::PercentError>(())
    /// ```
    pub fn min_points(self, n: usize) -> MinPoints {
        let percent = usize::from(self.get());
        // Whole hundreds apart from the rest, so that no product overflows.
        let rounded_up = n / 100 * percent + (n % 100 * percent).div_ceil(100);
        MinPoints(NonZeroUsize::new(rounded_up).unwrap_or(NonZeroUsize::MIN))
    }

    /// Whether `part` is at most this share of `n`.
    pub fn holds(self, part: usize, n: usize) -> bool {
        100 * part as u128 <= u128::from(self.get()) * n as u128
    }
}

macro_rules! text_and_number {
    ($($type:ty as $number:ty, $error:ty, $parse:expr;)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }

        impl FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $parse(text)
            }
        }

        impl TryFrom<$number> for $type {
            type Error = $error;

            fn try_from(number: $number) -> Result<Self, Self::Error> {
                Self::new(number)
            }
        }

        impl From<$type> for $number {
            fn from(value: $type) -> Self {
                value.get()
            }
        }
    )*};
}

text_and_number! {
    Radius as f64, RadiusError, |text| parsed(text).map(Self);
    RelativeRadius as f64, RadiusError, |text| parsed(text).map(Self);
    MinPoints as usize, MinPointsError, |text: &str| {
        text.trim().parse().map(Self).map_err(|_| MinPointsError(format!("{text:?}")))
    };
    Percent as u8, PercentError, |text: &str| {
        let bad = || PercentError(format!("{text:?}"));
        let percent: u8 = text.trim().parse().map_err(|_| bad())?;
        Self::new(percent).map_err(|_| bad())
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bad_parameters_are_refused_with_their_value() {
        for bad in [-1.0, -f64::MIN_POSITIVE, f64::NAN, f64::INFINITY] {
            let message = Radius::new(bad).unwrap_err().to_string();
            assert!(message.contains(&bad.to_string()), "{message}");
            assert!(RelativeRadius::new(bad).is_err());
        }
        for text in ["", "x", "nan", "-1", "inf"] {
            assert!(text.parse::<Radius>().is_err(), "{text}");
            assert!(text.parse::<MinPoints>().is_err(), "{text}");
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert!(MinPoints::new(0).is_err());
        assert!(Percent::new(0).is_err());
        assert!(Percent::new(101).is_err());
    }

    #[test]
    fn text_round_trips() {
        for text in ["0", "0.1", "1000000"] {
            assert_eq!(text.parse::<Radius>().unwrap().to_string(), text);
        }
        assert_eq!("7".parse::<MinPoints>().unwrap().to_string(), "7");
        assert_eq!("100".parse::<Percent>().unwrap().to_string(), "100");
    }

    #[test]
    fn a_radius_of_minus_zero_is_zero() {
        assert!(Radius::new(-0.0).unwrap().get().is_sign_positive());
    }

    proptest! {
        #[test]
        fn shares_are_exact_for_every_size(percent in 1_u8..=100, n: usize, part: usize) {
            let share = Percent::new(percent).unwrap();
            let product = n as u128 * u128::from(percent);
            prop_assert_eq!(
                share.min_points(n).get() as u128,
                product.div_ceil(100).max(1)
            );
            prop_assert_eq!(share.holds(part, n), part as u128 * 100 <= product);
        }
    }
}
