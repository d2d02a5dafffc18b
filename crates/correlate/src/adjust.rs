//! Many tests at once: the false discovery rate.

/// Benjamini-Hochberg adjusted p-values, in the order given: those at most q are the discoveries
/// at false discovery rate q.
///
/// `None` marks what was not tested; it does not count.
///
/// # Complexity
///
/// O(n log n).
///
/// # References
///
/// Y. Benjamini, Y. Hochberg. Controlling the false discovery rate: a practical and powerful
/// approach to multiple testing. Journal of the Royal Statistical Society B 57 (1), 1995.
pub fn benjamini_hochberg(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut tested: Vec<(f64, usize)> = p_values
        .iter()
        .enumerate()
        .filter_map(|(i, p)| Some(((*p)?, i)))
        .collect();
    tested.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = tested.len() as f64;
    let mut adjusted = vec![None; p_values.len()];
    let mut lowest = 1.0_f64;
    for (rank, &(p, i)) in tested.iter().enumerate().rev() {
        lowest = lowest.min(p * count / (rank + 1) as f64);
        adjusted[i] = Some(lowest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn textbook_values() {
        let p = [0.01, 0.04, 0.03, 0.005].map(Some);
        // Sorted 0.005, 0.01, 0.03, 0.04 times 4/1, 4/2, 4/3, 4/4.
        assert_eq!(benjamini_hochberg(&p), [0.02, 0.04, 0.04, 0.02].map(Some));
        assert_eq!(
            benjamini_hochberg(&[None, Some(0.5), None]),
            [None, Some(0.5), None]
        );
    }

    proptest! {
        /// The procedure as published: the largest k with p(k) <= k q / m rejects the k smallest.
        #[test]
        fn discoveries_are_those_of_the_procedure(
            p in prop::collection::vec(0_u32..=1000, 0..40),
            q in 1_u32..1000,
        ) {
            let m = p.len() as u64;
            let mut sorted = p.clone();
            sorted.sort_unstable();
            let passes = |k: &u64| {
                let at = usize::try_from(*k).unwrap() - 1;
                u64::from(sorted[at]) * m <= k * u64::from(q)
            };
            let k = (1..=m).filter(passes).max();
            let limit = k.map(|k| sorted[usize::try_from(k).unwrap() - 1]);
            let thousandths = |x: u32| f64::from(x) / 1000.0;
            let values: Vec<_> = p.iter().map(|&x| Some(thousandths(x))).collect();
            for (adjusted, &x) in benjamini_hochberg(&values).iter().zip(&p) {
                let adjusted = adjusted.unwrap();
                let discovered = limit.is_some_and(|limit| x <= limit);
                // Rounding may decide exact ties either way.
                if (adjusted - thousandths(q)).abs() > 1e-12 {
                    prop_assert_eq!(adjusted <= thousandths(q), discovered);
                }
            }
        }
    }
}
