//! The result: clusters and noise as intervals of values.

use std::ops::Range;

/// A run of values next to each other in sorted order.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Interval {
    /// The lowest value of the run.
    pub low: f64,
    /// The highest value of the run.
    pub high: f64,
    /// How many values it holds, repeats included.
    pub count: usize,
}

impl Interval {
    /// Whether `value` lies between the ends, both included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The values that are in no cluster.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Noise {
    /// How many they are.
    pub count: usize,
    /// The maximal runs of noise in sorted order, ascending: at most one before the first cluster,
    /// one between each two, and one after the last.
    pub regions: Vec<Interval>,
}

/// Clusters and noise of one set of values.
///
/// Every value of the set lies in exactly one cluster or noise region.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Clustering {
    /// The clusters, ascending; their ends are values of their members, borders included.
    pub clusters: Vec<Interval>,
    /// The rest.
    pub noise: Noise,
}

/// Where a value belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a value is in a cluster or noise")]
pub enum Assignment {
    /// In the cluster with this index in [`Clustering::clusters`].
    Cluster(usize),
    /// In the noise region with this index in [`Noise::regions`].
    Noise(usize),
}

impl Clustering {
    /// From the positions each cluster takes in the sorted values, ascending and disjoint.
    pub(crate) fn from_spans(values: &[f64], spans: impl Iterator<Item = Range<usize>>) -> Self {
        let interval = |span: Range<usize>| Interval {
            low: values[span.start],
            high: values[span.end - 1],
            count: span.len(),
        };
        let mut result = Self::default();
        let mut rest = 0;
        let mut add_noise = |gap: Range<usize>| {
            if !gap.is_empty() {
                result.noise.count += gap.len();
                result.noise.regions.push(interval(gap));
            }
        };
        for span in spans {
            add_noise(rest..span.start);
            rest = span.end;
            result.clusters.push(interval(span));
        }
        add_noise(rest..values.len());
        result
    }

    /// How many values were clustered, noise included.
    pub fn len(&self) -> usize {
        self.clusters
            .iter()
            .map(|cluster| cluster.count)
            .sum::<usize>()
            + self.noise.count
    }

    /// Whether there were no values at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The noise as a fraction of all values; none if there are no values.
    pub fn noise_share(&self) -> Option<f64> {
        let n = self.len();
        (n > 0).then(|| self.noise.count as f64 / n as f64)
    }

    /// The cluster or noise region of a value that was clustered. `None` if `value` lies between
    /// them or outside all, hence was not among the values.
    ///
    /// # Complexity
    ///
    /// O(log k) for k clusters.
    pub fn assign(&self, value: f64) -> Option<Assignment> {
        find(&self.clusters, value)
            .map(Assignment::Cluster)
            .or_else(|| find(&self.noise.regions, value).map(Assignment::Noise))
    }

    /// The index of each value's cluster, in the order given; `None` for noise, and for values
    /// that were not clustered.
    ///
    /// # Complexity
    ///
    /// O(n log k) for n values and k clusters.
    pub fn labels(&self, values: &[f64]) -> Vec<Option<usize>> {
        values
            .iter()
            .map(|&value| find(&self.clusters, value))
            .collect()
    }
}

/// The index of the interval that holds `value`, among ascending disjoint ones.
fn find(intervals: &[Interval], value: f64) -> Option<usize> {
    let index = intervals.partition_point(|interval| interval.high < value);
    intervals
        .get(index)
        .is_some_and(|interval| interval.contains(value))
        .then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clustering() -> Clustering {
        let values = [0.0, 1.0, 2.0, 5.0, 6.0, 7.0, 9.0];
        Clustering::from_spans(&values, [1..3, 3..4, 5..6].into_iter())
    }

    #[test]
    fn gaps_between_spans_are_noise() {
        let result = clustering();
        let ends = |intervals: &[Interval]| -> Vec<_> {
            intervals.iter().map(|i| (i.low, i.high, i.count)).collect()
        };
        assert_eq!(
            ends(&result.clusters),
            [(1.0, 2.0, 2), (5.0, 5.0, 1), (7.0, 7.0, 1)]
        );
        assert_eq!(
            ends(&result.noise.regions),
            [(0.0, 0.0, 1), (6.0, 6.0, 1), (9.0, 9.0, 1)]
        );
        assert_eq!((result.len(), result.noise.count), (7, 3));
    }

    #[test]
    fn values_find_their_place_and_strangers_do_not() {
        let result = clustering();
        assert_eq!(result.assign(2.0), Some(Assignment::Cluster(0)));
        assert_eq!(result.assign(-0.0), Some(Assignment::Noise(0)));
        assert_eq!(result.assign(6.0), Some(Assignment::Noise(1)));
        for stranger in [-1.0, 3.0, 8.0, 10.0, f64::NAN, f64::INFINITY] {
            assert_eq!(result.assign(stranger), None);
        }
        assert_eq!(result.labels(&[7.0, 9.0, 5.0]), [Some(2), None, Some(1)]);
    }

    #[test]
    fn nothing_has_no_noise_share() {
        assert_eq!(Clustering::default().noise_share(), None);
        assert_eq!(clustering().noise_share(), Some(3.0 / 7.0));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn json_names_are_those_of_the_report() {
        let one = Clustering::from_spans(&[0.5, 1.0, 4.0], std::iter::once(0..2));
        let text = r#"{"clusters":[{"low":0.5,"high":1.0,"count":2}],"noise":{"count":1,"regions":[{"low":4.0,"high":4.0,"count":1}]}}"#;
        assert_eq!(serde_json::to_string(&one).unwrap(), text);
        assert_eq!(serde_json::from_str::<Clustering>(text).unwrap(), one);
    }
}
