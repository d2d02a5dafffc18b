//! How far two sets of values are apart.

use peerscope_cluster::SortedValues;

/// How far two sets of values are apart, by two distances.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TwoSample {
    /// The largest difference between the two distribution functions, from 0 to 1 (Kolmogorov and
    /// Smirnov).
    pub ks: f64,
    /// The area between the two distribution functions, in the unit of the values (Wasserstein's
    /// distance of order 1): how far a value has to move on the average to make one set the other.
    pub wasserstein: f64,
    /// The chance of a `ks` at least as large if all values were independent and of one
    /// distribution, by its limit for large sets. Too small where values clump, as those of a host
    /// do.
    pub p: f64,
}

impl TwoSample {
    /// Compares two sets; `None` if either is empty.
    ///
    /// # Complexity
    ///
    /// O(n) for n values in all.
    ///
    /// # References
    ///
    /// The limit for finite sets: M. A. Stephens. Use of the Kolmogorov-Smirnov, Cramer-von Mises
    /// and related statistics without extensive tables. Journal of the Royal Statistical Society B
    /// 32 (1), 1970.
    ///
    /// ```
    /// use peerscope_cluster::SortedValues;
    /// use peerscope_correlate::TwoSample;
    ///
    /// let before = SortedValues::new([0.0, 0.0, 1.0, 1.0])?;
    /// let after = SortedValues::new([1.0, 1.0])?;
    /// let apart = TwoSample::new(&before, &after).ok_or("neither is empty")?;
    /// assert_eq!((apart.ks, apart.wasserstein), (0.5, 0.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(left: &SortedValues, right: &SortedValues) -> Option<Self> {
        let (left, right) = (left.as_slice(), right.as_slice());
        let (n, m) = (left.len() as f64, right.len() as f64);
        if left.is_empty() || right.is_empty() {
            return None;
        }
        let (mut i, mut j) = (0, 0);
        let (mut ks, mut wasserstein) = (0.0_f64, 0.0);
        let mut here = left[0].min(right[0]);
        while i < left.len() || j < right.len() {
            i += left[i..].iter().take_while(|&&value| value <= here).count();
            j += right[j..]
                .iter()
                .take_while(|&&value| value <= here)
                .count();
            let difference = (i as f64 / n - j as f64 / m).abs();
            ks = ks.max(difference);
            let next = left.get(i).into_iter().chain(right.get(j));
            let Some(next) = next.copied().reduce(f64::min) else {
                break;
            };
            wasserstein += difference * (next - here);
            here = next;
        }
        let root = (n * m / (n + m)).sqrt();
        Some(Self {
            ks,
            wasserstein,
            p: kolmogorov((root + 0.12 + 0.11 / root) * ks),
        })
    }
}

/// The chance that Kolmogorov's statistic is above `x`.
fn kolmogorov(x: f64) -> f64 {
    if x < 0.2 {
        // The series converges slowly there, to 1 within 1e-12.
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * x * x).exp()
    };
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((-6_i8..6).prop_map(|v| f64::from(v) / 2.0), 1..20)
    }

    fn share_up_to(values: &[f64], x: f64) -> f64 {
        values.iter().filter(|&&v| v <= x).count() as f64 / values.len() as f64
    }

    /// Each value as often as the other set has values, sorted: both are equally long then.
    fn stretched(values: &[f64], times: usize) -> Vec<f64> {
        let repeated = values.iter().flat_map(|&v| std::iter::repeat_n(v, times));
        let mut all: Vec<f64> = repeated.collect();
        all.sort_by(f64::total_cmp);
        all
    }

    proptest! {
        #[test]
        fn distances_are_those_of_the_definitions(left in values(), right in values()) {
            let sorted = |v: &[f64]| SortedValues::new(v.iter().copied()).unwrap();
            let apart = TwoSample::new(&sorted(&left), &sorted(&right)).unwrap();
            let differences = left.iter().chain(&right).map(|&x| {
                (share_up_to(&left, x) - share_up_to(&right, x)).abs()
            });
            prop_assert!((apart.ks - differences.fold(0.0, f64::max)).abs() < 1e-12);
            let pairs = stretched(&left, right.len()).into_iter().zip(stretched(&right, left.len()));
            let moved: f64 = pairs.map(|(a, b)| (a - b).abs()).sum();
            let mean = moved / (left.len() * right.len()) as f64;
            prop_assert!((apart.wasserstein - mean).abs() < 1e-9);
            let mirrored = TwoSample::new(&sorted(&right), &sorted(&left)).unwrap();
            prop_assert!((mirrored.wasserstein - apart.wasserstein).abs() < 1e-12);
            prop_assert!((mirrored.ks - apart.ks).abs() < 1e-12 && (mirrored.p - apart.p).abs() < 1e-12);
        }
    }

    #[test]
    fn kolmogorovs_distribution_has_the_published_quantiles() {
        // N. Smirnov. Table for estimating the goodness of fit of empirical distributions. 1948.
        for (x, p) in [
            (1.2238, 0.1),
            (1.3581, 0.05),
            (1.6276, 0.01),
            (1.9495, 0.001),
        ] {
            assert!((kolmogorov(x) / p - 1.0).abs() < 1e-3, "{x}");
        }
        assert!((kolmogorov(0.199_999) - kolmogorov(0.2)).abs() < 1e-9);
        assert!(kolmogorov(40.0) >= 0.0);
    }

    #[test]
    fn nothing_is_at_no_distance() {
        let some = SortedValues::new([1.0]).unwrap();
        let none = SortedValues::new([]).unwrap();
        assert_eq!(TwoSample::new(&some, &none), None);
        let apart = TwoSample::new(&some, &some).unwrap();
        assert_eq!((apart.ks, apart.wasserstein, apart.p), (0.0, 0.0, 1.0));
    }
}
