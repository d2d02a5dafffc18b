//! Fisher's exact test, one-sided.

use statrs::distribution::{Discrete, Hypergeometric};

/// A table of two sets within a population.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Margins {
    pub(crate) population: u64,
    pub(crate) left: u64,
    pub(crate) right: u64,
}

/// The probability that two random sets of these sizes share at least `both` members.
///
/// `None` if either set is empty or everything: its overlap cannot vary. A probability below the
/// smallest normal number is reported as that number.
///
/// # Complexity
///
/// O(size of the smaller set) at the worst.
///
/// # References
///
/// R. A. Fisher. On the interpretation of chi-squared from contingency tables, and the calculation
/// of P. Journal of the Royal Statistical Society 85 (1), 1922.
pub(crate) fn fisher(margins: Margins, both: u64) -> Option<f64> {
    let Margins {
        population,
        left,
        right,
    } = margins;
    let varies = |size: u64| 0 < size && size < population;
    if !varies(left) || !varies(right) {
        return None;
    }
    let distribution = Hypergeometric::new(population, left, right).ok()?;
    let least = (left + right).saturating_sub(population);
    let most = left.min(right);
    // Products of counts overflow 64 bits in large populations; ratios need no exactness.
    let term = |k: u64| {
        let (k, n) = (k as f64, population as f64);
        let (a, b) = (left as f64, right as f64);
        ((a - k) * (b - k)) / ((k + 1.0) * (n - a - b + k + 1.0))
    };
    let mean = left as f64 * right as f64 / population as f64;
    // From the boundary away from the mode, so that terms only shrink and the first cannot
    // underflow unless all do.
    let tail = if both as f64 > mean {
        let mut mass = distribution.ln_pmf(both).exp();
        let mut sum = mass;
        for k in both..most {
            mass *= term(k);
            sum += mass;
            if mass <= sum * f64::EPSILON / 4.0 {
                break;
            }
        }
        sum
    } else if both <= least {
        1.0
    } else {
        let mut mass = distribution.ln_pmf(both - 1).exp();
        let mut sum = mass;
        for k in (least..both - 1).rev() {
            mass /= term(k);
            sum += mass;
            if mass <= sum * f64::EPSILON / 4.0 {
                break;
            }
        }
        1.0 - sum
    };
    Some(tail.clamp(f64::MIN_POSITIVE, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binomial(n: u64, k: u64) -> u128 {
        if k > n {
            return 0;
        }
        (0..u128::from(k)).fold(1, |product, i| product * (u128::from(n) - i) / (i + 1))
    }

    fn table(population: u64, left: u64, right: u64) -> Margins {
        Margins {
            population,
            left,
            right,
        }
    }

    #[test]
    fn the_lady_tasting_tea() {
        // Eight cups, four of each kind; all four right: 1 / 70.
        let p = fisher(table(8, 4, 4), 4).unwrap();
        assert!((p - 1.0 / 70.0).abs() < 1e-15);
        let p = fisher(table(8, 4, 4), 3).unwrap();
        assert!((p - 17.0 / 70.0).abs() < 1e-14);
    }

    #[test]
    fn constant_sets_are_not_tested_and_tiny_values_stay_positive() {
        assert_eq!(fisher(table(8, 0, 4), 0), None);
        assert_eq!(fisher(table(8, 8, 4), 4), None);
        assert_eq!(fisher(table(0, 0, 0), 0), None);
        let p = fisher(table(100_000, 50_000, 50_000), 50_000);
        assert_eq!(p, Some(f64::MIN_POSITIVE));
        assert_eq!(fisher(table(100_000, 50_000, 50_000), 10), Some(1.0));
    }

    /// All terms, from logarithms of factorials summed one by one.
    fn direct(margins: Margins, both: u64) -> f64 {
        let ln_factorial = |n: u64| (1..=n).map(|i| (i as f64).ln()).sum::<f64>();
        let choose = |n, k| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
        let Margins {
            population,
            left,
            right,
        } = margins;
        let terms = (both..=left.min(right)).map(|k| {
            let ways = choose(left, k) + choose(population - left, right - k);
            (ways - choose(population, right)).exp()
        });
        terms.sum()
    }

    #[test]
    fn large_populations_neither_overflow_nor_lose_digits() {
        for (left, right) in [(1000, 900), (30, 1200), (1999, 1000)] {
            let margins = table(2000, left, right);
            let least = (left + right).saturating_sub(2000);
            let most = left.min(right);
            for both in [
                least,
                least + 1,
                left * right / 2000,
                left * right / 2000 + 10,
                most,
            ] {
                let both = both.clamp(least, most);
                let (p, exact) = (fisher(margins, both).unwrap(), direct(margins, both));
                let exact = exact.clamp(f64::MIN_POSITIVE, 1.0);
                assert!(
                    (p - exact).abs() <= 1e-9 * exact,
                    "{margins:?} {both}: {p} {exact}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn equals_the_direct_sum(
            (population, left, right) in (2_u64..60)
                .prop_flat_map(|n| (Just(n), 1..n, 1..n)),
            place in 0_u64..60,
        ) {
            let least = (left + right).saturating_sub(population);
            let most = left.min(right);
            let both = least + place % (most - least + 1);
            let ways = |k| binomial(left, k) * binomial(population - left, right - k);
            let tail: u128 = (both..=most).map(ways).sum();
            let exact = tail as f64 / binomial(population, right) as f64;
            let p = fisher(table(population, left, right), both).unwrap();
            prop_assert!((p - exact).abs() <= 1e-11 * exact.max(1e-3), "{p} {exact}");
        }
    }
}
