//! Whether parts of the data tell the same story as the whole.

use crate::{Clustering, SortedValues};

/// The clusterings of two halves of the data and of the whole, compared pairwise (SIGMETRICS 2009,
/// section 7.2: day, night and the entire trace).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stability {
    /// The first half against the whole.
    pub first_to_whole: Comparison,
    /// The second half against the whole.
    pub second_to_whole: Comparison,
    /// The first half against the second.
    pub first_to_second: Comparison,
}

/// How one clustering, the left, compares with another, the right.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Comparison {
    /// Whether both have equally many clusters.
    pub same_count: bool,
    /// Clusters that stand for each other, ascending; each occurs at most once.
    pub matches: Vec<ClusterMatch>,
    /// The largest shift of any match; none if nothing matches.
    pub max_shift: Option<f64>,
    /// The right's share of noise minus the left's, from -1 to 1; none if either has no values.
    pub noise_share_change: Option<f64>,
}

/// A cluster of the left and the one of the right that it corresponds to.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClusterMatch {
    /// Index of the left cluster.
    pub left: usize,
    /// Index of the right cluster.
    pub right: usize,
    /// Of the values inside either cluster's interval, the fraction inside both (Jaccard index),
    /// above 0 and at most 1.
    pub overlap: f64,
    /// How far the lower or the upper end moved, whichever moved more, as a fraction of the range
    /// of the values; 0 if these are all equal.
    pub shift: f64,
}

impl Stability {
    /// Compares the clusterings of two halves and of the whole, whose values are `values`.
    pub fn new(
        first: &Clustering,
        second: &Clustering,
        whole: &Clustering,
        values: &SortedValues,
    ) -> Self {
        Self {
            first_to_whole: Comparison::new(first, whole, values),
            second_to_whole: Comparison::new(second, whole, values),
            first_to_second: Comparison::new(first, second, values),
        }
    }
}

impl Comparison {
    /// Compares two clusterings by how many of `values` their clusters' intervals share.
    ///
    /// Pairs are matched greedily by their overlap, of equal overlaps the lower pair first.
    /// Counting values rather than lengths gives clusters that are a single value their due.
    ///
    /// # Complexity
    ///
    /// O(k log n + k log k) for k clusters and n values.
    ///
    /// ```
    /// use peerscope_cluster::{Comparison, Dbscan1d, MinPoints, Radius, SortedValues};
    ///
    /// let dbscan = Dbscan1d::new(Radius::new(1.0)?, MinPoints::new(2)?);
    /// let day = SortedValues::new([0.0, 1.0, 9.0, 10.0])?;
    /// let all = SortedValues::new([0.0, 1.0, 2.0, 5.0, 9.0, 10.0])?;
    /// let comparison = Comparison::new(&dbscan.fit(&day), &dbscan.fit(&all), &all);
    ///
    /// assert!(comparison.same_count);
    /// assert_eq!(comparison.matches[0].overlap, 2.0 / 3.0);
    /// assert_eq!(comparison.max_shift, Some(0.1));
    /// assert_eq!(comparison.noise_share_change, Some(1.0 / 6.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(left: &Clustering, right: &Clustering, values: &SortedValues) -> Self {
        let mut pairs = overlapping_pairs(left, right, values);
        pairs.sort_by(|a, b| {
            b.overlap
                .total_cmp(&a.overlap)
                .then_with(|| (a.left, a.right).cmp(&(b.left, b.right)))
        });
        let mut left_free = vec![true; left.clusters.len()];
        let mut right_free = vec![true; right.clusters.len()];
        pairs.retain(|pair| {
            let free = left_free[pair.left] && right_free[pair.right];
            if free {
                left_free[pair.left] = false;
                right_free[pair.right] = false;
            }
            free
        });
        pairs.sort_by_key(|pair| pair.left);
        Self {
            same_count: left.clusters.len() == right.clusters.len(),
            max_shift: pairs.iter().map(|pair| pair.shift).reduce(f64::max),
            matches: pairs,
            noise_share_change: left
                .noise_share()
                .zip(right.noise_share())
                .map(|(left, right)| right - left),
        }
    }
}

/// All pairs of clusters that share a value. Both sides ascend, so one sweep finds them.
fn overlapping_pairs(
    left: &Clustering,
    right: &Clustering,
    values: &SortedValues,
) -> Vec<ClusterMatch> {
    let mut pairs = Vec::new();
    let (mut l, mut r) = (0, 0);
    while let (Some(a), Some(b)) = (left.clusters.get(l), right.clusters.get(r)) {
        let (in_a, in_b) = (values.positions(a), values.positions(b));
        let shared = in_a
            .end
            .min(in_b.end)
            .saturating_sub(in_a.start.max(in_b.start));
        if shared > 0 {
            let either = in_a.len() + in_b.len() - shared;
            pairs.push(ClusterMatch {
                left: l,
                right: r,
                overlap: shared as f64 / either as f64,
                shift: range_fraction(a.low, b.low, values)
                    .max(range_fraction(a.high, b.high, values)),
            });
        }
        if a.high <= b.high {
            l += 1;
        } else {
            r += 1;
        }
    }
    pairs
}

/// `|a - b|` as a fraction of the range of the values; 0 if they are all equal.
fn range_fraction(a: f64, b: f64, values: &SortedValues) -> f64 {
    let (low, high) = values.min().zip(values.max()).unwrap_or_default();
    // Halves keep the difference of the largest numbers finite.
    let scale = if (high - low).is_finite() { 1.0 } else { 0.5 };
    let range = high * scale - low * scale;
    if range > 0.0 {
        (a * scale - b * scale).abs() / range
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Interval, Noise};

    fn clustering(clusters: &[(f64, f64)]) -> Clustering {
        let interval = |&(low, high)| Interval {
            low,
            high,
            count: 2,
        };
        Clustering {
            clusters: clusters.iter().map(interval).collect(),
            noise: Noise::default(),
        }
    }

    fn compare(left: &[(f64, f64)], right: &[(f64, f64)]) -> Comparison {
        let values = SortedValues::new((0..=100).map(f64::from)).unwrap();
        Comparison::new(&clustering(left), &clustering(right), &values)
    }

    #[test]
    fn a_clustering_equals_itself() {
        let same = [(0.0, 10.0), (50.0, 50.0), (60.0, 100.0)];
        let comparison = compare(&same, &same);
        assert!(comparison.same_count);
        assert_eq!(comparison.max_shift, Some(0.0));
        assert_eq!(comparison.noise_share_change, Some(0.0));
        let pairs: Vec<_> = comparison
            .matches
            .iter()
            .map(|pair| (pair.left, pair.right, pair.overlap))
            .collect();
        assert_eq!(pairs, [(0, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0)]);
    }

    #[test]
    fn a_split_cluster_matches_its_larger_part() {
        let comparison = compare(&[(0.0, 99.0)], &[(0.0, 29.0), (40.0, 99.0)]);
        assert!(!comparison.same_count);
        assert_eq!(comparison.matches.len(), 1);
        let pair = comparison.matches[0];
        assert_eq!((pair.right, pair.overlap, pair.shift), (1, 0.6, 0.4));
    }

    #[test]
    fn strangers_do_not_match() {
        let comparison = compare(&[(0.0, 10.0)], &[(20.0, 30.0)]);
        assert!(comparison.matches.is_empty());
        assert_eq!(comparison.max_shift, None);
        assert_eq!(compare(&[], &[]).noise_share_change, None);
    }

    #[test]
    fn shifts_are_finite_on_the_widest_range() {
        let values = SortedValues::new([f64::MIN, 0.0, f64::MAX]).unwrap();
        let comparison = Comparison::new(
            &clustering(&[(f64::MIN, f64::MAX)]),
            &clustering(&[(0.0, f64::MAX)]),
            &values,
        );
        assert_eq!(comparison.max_shift, Some(0.5));
    }
}
