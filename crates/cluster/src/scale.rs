//! What a relative radius is relative to.

use std::borrow::Cow;

use thiserror::Error;

use crate::{
    Clustering, Dbscan1d, MinPoints, Percent, Radius, RelativeRadius, SortedValues, Trial,
};

/// The unit of a [`RelativeRadius`], and the scale on which distances are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Scale {
    /// The radius is in the unit of the values themselves.
    Absolute,
    /// The radius is a fraction of the highest minus the lowest value.
    #[default]
    Range,
    /// The radius is a fraction of the distance between two quantiles: far outliers do not widen it.
    QuantileRange(QuantileRange),
    /// Distances are between natural logarithms, and the radius is a fraction of the range of
    /// these. Clusters are still reported in the values themselves.
    Log,
}

/// Two quantiles, the lower one first. The quantile of p percent is the value of rank
/// `max(1, ceil(p * n / 100))` from below (nearest rank).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "(Percent, Percent)", into = "(Percent, Percent)")
)]
pub struct QuantileRange {
    low: Percent,
    high: Percent,
}

/// Quantiles in the wrong order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the lower quantile, {low} %, is not below the higher, {high} %")]
#[non_exhaustive]
pub struct QuantileRangeError {
    /// The offered lower quantile.
    pub low: Percent,
    /// The offered higher quantile.
    pub high: Percent,
}

/// Values that a scale cannot measure.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ScaleError {
    /// The range overflows.
    #[error("the distance from {low} to {high} is too large for a relative radius")]
    RangeOverflow {
        /// The lower end.
        low: f64,
        /// The higher end.
        high: f64,
    },
    /// There are values without a logarithm.
    #[error(
        "{count} values are not above 0 and have no logarithm; the different ones, lowest first, \
         at most {} of them: {values:?}",
        Scale::NAMED
    )]
    NotPositive {
        /// How many there are, repeats included.
        count: usize,
        /// The lowest different ones, ascending.
        values: Vec<f64>,
    },
}

impl QuantileRange {
    /// From a lower to a higher quantile.
    ///
    /// # Errors
    ///
    /// If `low` is not below `high`.
    pub fn new(low: Percent, high: Percent) -> Result<Self, QuantileRangeError> {
        if low < high {
            Ok(Self { low, high })
        } else {
            Err(QuantileRangeError { low, high })
        }
    }

    /// The lower quantile.
    pub const fn low(self) -> Percent {
        self.low
    }

    /// The higher quantile.
    pub const fn high(self) -> Percent {
        self.high
    }
}

impl TryFrom<(Percent, Percent)> for QuantileRange {
    type Error = QuantileRangeError;

    fn try_from((low, high): (Percent, Percent)) -> Result<Self, Self::Error> {
        Self::new(low, high)
    }
}

impl From<QuantileRange> for (Percent, Percent) {
    fn from(range: QuantileRange) -> Self {
        (range.low, range.high)
    }
}

impl Scale {
    /// How many offending values an error names.
    const NAMED: usize = 5;

    /// The values on this scale.
    ///
    /// # Errors
    ///
    /// If a range is not finite, or if a value has no logarithm on [`Scale::Log`].
    ///
    /// # Complexity
    ///
    /// O(1); O(n) time and memory for [`Scale::Log`].
    ///
    /// ```
    /// use peerscope_cluster::{MinPoints, RelativeRadius, Scale, SortedValues};
    ///
    /// let values = SortedValues::new([1.0, 2.0, 3.0, 1_000.0, 2_000.0, 3_000.0])?;
    /// let (radius, min_points) = (RelativeRadius::new(0.1)?, MinPoints::new(2)?);
    /// // Within 299.9 of each other: 1 to 3 only. Within 0.8 of each other in logarithms: both.
    /// assert_eq!(Scale::Range.on(&values)?.fit(radius, min_points).clusters.len(), 1);
    /// assert_eq!(Scale::Log.on(&values)?.fit(radius, min_points).clusters.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on(self, values: &SortedValues) -> Result<Scaled<'_>, ScaleError> {
        let original = values.as_slice();
        let positions = match self {
            Self::Log => Cow::Owned(logarithms(original)?),
            Self::Absolute | Self::Range | Self::QuantileRange(_) => Cow::Borrowed(original),
        };
        let at = |share: Percent| positions.get(share.min_points(original.len()).get() - 1);
        let ends = match self {
            Self::Absolute => None,
            Self::Range | Self::Log => positions.first().zip(positions.last()),
            Self::QuantileRange(range) => at(range.low).zip(at(range.high)),
        };
        let unit = ends.map_or(1.0, |(low, high)| high - low);
        match ends {
            Some((&low, &high)) if !unit.is_finite() => {
                Err(ScaleError::RangeOverflow { low, high })
            }
            _ => Ok(Scaled {
                original,
                positions,
                unit,
            }),
        }
    }
}

fn logarithms(sorted: &[f64]) -> Result<Vec<f64>, ScaleError> {
    let count = sorted.partition_point(|&value| value <= 0.0);
    if count > 0 {
        let mut values = sorted[..count].to_vec();
        values.dedup();
        values.truncate(Scale::NAMED);
        return Err(ScaleError::NotPositive { count, values });
    }
    // Mathematical libraries do not promise that the last bit of a logarithm is monotone.
    let monotone = sorted.iter().scan(f64::NEG_INFINITY, |highest, value| {
        *highest = highest.max(value.ln());
        Some(*highest)
    });
    Ok(monotone.collect())
}

/// Values on a scale, to be clustered with relative radii.
#[derive(Clone, Debug)]
pub struct Scaled<'a> {
    original: &'a [f64],
    /// Where each value lies on the scale.
    positions: Cow<'a, [f64]>,
    unit: f64,
}

impl Scaled<'_> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.original.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.original.is_empty()
    }

    /// The radius on the scale: the fraction times the scale's unit.
    pub fn radius(&self, relative: RelativeRadius) -> Radius {
        relative.of(self.unit)
    }

    /// Clusters and noise for a relative radius and a density.
    pub fn fit(&self, relative: RelativeRadius, min_points: MinPoints) -> Clustering {
        let spans = Dbscan1d::new(self.radius(relative), min_points).spans(&self.positions);
        Clustering::from_spans(self.original, spans)
    }

    /// The numbers of clusters and noise values for a relative radius and a density in percent of
    /// the values.
    pub fn try_out(&self, relative: RelativeRadius, percent: Percent) -> Trial {
        let eps = self.radius(relative);
        let min_points = percent.min_points(self.len());
        let counts = Dbscan1d::new(eps, min_points).count_sorted(&self.positions);
        Trial {
            percent,
            eps_relative: relative,
            eps,
            min_points,
            clusters: counts.clusters,
            noise: counts.noise,
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the results are exact")]
mod tests {
    use super::*;

    fn eps(scale: Scale, values: &[f64]) -> f64 {
        let values = SortedValues::new(values.iter().copied()).unwrap();
        let tenth = RelativeRadius::new(0.1).unwrap();
        scale.on(&values).unwrap().radius(tenth).get()
    }

    #[test]
    fn each_scale_has_its_unit() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(eps(Scale::Absolute, &values), 0.1);
        assert_eq!(eps(Scale::Range, &values), 0.1 * 199.0);
        let quartiles = Percent::constants([25, 75]);
        let range = QuantileRange::new(quartiles[0], quartiles[1]).unwrap();
        // Ranks 50 and 150.
        assert_eq!(eps(Scale::QuantileRange(range), &values), 0.1 * 100.0);
        assert!((eps(Scale::Log, &values) - 0.1 * 200_f64.ln()).abs() < 1e-15);
        assert!(QuantileRange::new(quartiles[1], quartiles[0]).is_err());
    }

    #[test]
    fn values_without_a_logarithm_are_named() {
        let values = SortedValues::new([0.0, 3.0, -0.0, -2.5]).unwrap();
        let message = Scale::Log.on(&values).unwrap_err().to_string();
        assert!(
            message.starts_with("3 values") && message.ends_with("[-2.5, 0.0]"),
            "{message}"
        );
    }

    #[test]
    fn a_range_beyond_the_largest_number_is_an_error_and_absolute_radii_work() {
        let values = SortedValues::new([f64::MIN, 0.0, f64::MAX]).unwrap();
        assert_eq!(
            Scale::Range.on(&values).unwrap_err(),
            ScaleError::RangeOverflow {
                low: f64::MIN,
                high: f64::MAX
            }
        );
        assert!(Scale::Absolute.on(&values).is_ok());
    }

    #[test]
    fn a_radius_too_large_for_a_number_is_the_largest() {
        let values = SortedValues::new([0.0, f64::MAX]).unwrap();
        let twice = RelativeRadius::new(2.0).unwrap();
        assert_eq!(
            Scale::Range.on(&values).unwrap().radius(twice).get(),
            f64::MAX
        );
    }

    #[test]
    fn no_values_are_on_every_scale() {
        let range = Percent::constants([5, 95]);
        let quantiles = QuantileRange::new(range[0], range[1]).unwrap();
        let scales = [
            Scale::Absolute,
            Scale::Range,
            Scale::QuantileRange(quantiles),
            Scale::Log,
        ];
        for scale in scales {
            assert!(scale.on(&SortedValues::default()).unwrap().is_empty());
        }
    }
}
