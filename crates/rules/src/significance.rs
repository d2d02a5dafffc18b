//! Tail probabilities in logarithms, and the Benjamini-Hochberg step.

use statrs::function::gamma::ln_gamma;

use crate::Counts;

/// ln P(K >= k) for a Poisson K of the given mean; 0 where `k` does not exceed the mean.
///
/// # Complexity
///
/// A geometric series: a few terms unless `k` is close to the mean, then O(sqrt k).
pub(crate) fn ln_poisson_tail(k: u64, mean: f64) -> f64 {
    if k as f64 <= mean {
        return 0.0;
    }
    if mean <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let k = k as f64;
    let ln_first = k * mean.ln() - mean - ln_gamma(k + 1.0);
    (ln_first + ln_series(k, |j| mean / (j + 1.0))).min(0.0)
}

/// The least means at which 0, 1, 2, ... `most` events are no longer significant at a level, from above.
pub(crate) fn least_means(most: u32, ln_level: f64) -> Vec<f64> {
    let least = |k: u32| {
        let (mut low, mut high) = (0.0, f64::from(k));
        while high - low > high / 256.0 {
            let middle = f64::midpoint(low, high);
            if ln_poisson_tail(u64::from(k), middle) > ln_level {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    };
    (0..=most).map(least).collect()
}

/// ln P(K >= both) when `left` windows of all are drawn at random and `right` of all count; 0 where
/// `both` does not exceed its mean.
pub(crate) fn ln_hypergeometric_tail(counts: Counts) -> f64 {
    let [left, right, both, windows] =
        [counts.left, counts.right, counts.both, counts.windows].map(|n| n as f64);
    if windows == 0.0 || both * windows <= left * right {
        return 0.0;
    }
    let rest = windows - left - right;
    let ln_choose = |n: f64, k: f64| ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    let ln_first =
        ln_choose(right, both) + ln_choose(windows - right, left - both) - ln_choose(windows, left);
    let ratio = |j: f64| (left - j) * (right - j) / ((j + 1.0) * (rest + j + 1.0));
    (ln_first + ln_series(both, ratio)).min(0.0)
}

/// ln(1 + r(k) + r(k) r(k+1) + ...) for falling ratios below 1.
fn ln_series(k: f64, ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut sum, mut term, mut j) = (1.0_f64, 1.0_f64, k);
    while term > sum * f64::EPSILON {
        term *= ratio(j);
        sum += term;
        j += 1.0;
    }
    sum.ln()
}

/// Benjamini-Hochberg adjusted p-values, as logarithms, of the smallest p-values of `tests` tests;
/// those not given count as 1.
///
/// Source: Benjamini and Hochberg, *Controlling the false discovery rate* (1995).
pub(crate) fn ln_adjusted(ln_p: &[f64], tests: u128) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ln_p.len()).collect();
    order.sort_by(|&a, &b| ln_p[a].total_cmp(&ln_p[b]));
    let ln_tests = (tests.max(ln_p.len() as u128) as f64).ln();
    let mut adjusted = vec![0.0; ln_p.len()];
    let mut least = 0.0_f64;
    for (rank, &at) in order.iter().enumerate().rev() {
        least = least.min(ln_p[at] + ln_tests - ((rank + 1) as f64).ln());
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::distribution::{DiscreteCDF, Hypergeometric, Poisson};

    proptest! {
        #[test]
        fn poisson_tail_equals_the_library(k in 1_u64..200, mean in 0.001_f64..150.0) {
            prop_assume!(k as f64 > mean);
            let expected = Poisson::new(mean).unwrap().sf(k - 1);
            prop_assume!(expected > 1e-250);
            prop_assert!((ln_poisson_tail(k, mean) - expected.ln()).abs() < 1e-8);
        }

        #[test]
        fn adjustment_equals_the_textbook(ps in prop::collection::vec(0.0001_f64..1.0, 0..20), more in 0_usize..9) {
            let m = ps.len() + more;
            let ln_p: Vec<f64> = ps.iter().map(|p| p.ln()).collect();
            let adjusted = ln_adjusted(&ln_p, m as u128);
            for (i, p) in ps.iter().enumerate() {
                // Least fdr at which p is rejected: min over q >= p of q m / #{r <= q}.
                let oracle = ps.iter().filter(|q| *q >= p).map(|q| {
                    q * m as f64 / ps.iter().filter(|r| *r <= q).count() as f64
                }).fold(1.0, f64::min);
                prop_assert!((adjusted[i].exp() - oracle).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn least_means_are_just_too_much() {
        for (k, least) in (0..).zip(least_means(300, 0.01_f64.ln())) {
            assert!(ln_poisson_tail(k, least) > 0.01_f64.ln());
            assert!(ln_poisson_tail(k, least * 0.99) <= 0.01_f64.ln() || k == 0);
        }
    }

    #[test]
    fn hypergeometric_tail_equals_the_library() {
        let windows = 23;
        for left in 1..windows {
            for right in 1..windows {
                let law = Hypergeometric::new(windows, right, left).unwrap();
                for both in 1..=left.min(right) {
                    let counts = Counts {
                        left,
                        right,
                        both,
                        windows,
                    };
                    let ours = ln_hypergeometric_tail(counts).exp();
                    if both * windows > left * right && left + right - both <= windows {
                        let error = ours / law.sf(both - 1) - 1.0;
                        assert!(error.abs() < 1e-7, "{counts:?} {ours} {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn far_tails_stay_finite() {
        let far = ln_poisson_tail(100_000, 1.0);
        assert!(far.is_finite() && far < -1e6, "{far}");
        let perfect = Counts {
            left: 1000,
            right: 1000,
            both: 1000,
            windows: 100_000_000,
        };
        assert!(ln_hypergeometric_tail(perfect).is_finite());
    }
}
