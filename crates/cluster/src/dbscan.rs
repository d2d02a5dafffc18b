//! DBSCAN on a sorted line, in jumps.

use std::ops::Range;

use crate::{Clustering, MinPoints, Radius, SortedValues};

/// DBSCAN in one dimension for one radius and one density. See the crate's definitions.
///
/// # Complexity
///
/// Let k values lie within the radius of a value. If k falls short of `min_points`, no value is a
/// core until the radius reaches `min_points` values up from the lowest of the k; if k exceeds it,
/// all values are cores until the lowest of the top `min_points` of the k is out of reach. Both
/// places are found by doubling steps, and everything between is decided without being looked at.
/// So a pass takes O(n) time at the worst, and about O((n / s) log s) where k and `min_points`
/// differ by s: with densities of a percent of n, some hundred steps for any n. Equal values are
/// always passed in one step. [`count`](Self::count) needs no memory.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dbscan1d {
    eps: Radius,
    min_points: MinPoints,
}

/// How many clusters there are and how many values are noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counts {
    /// Number of clusters.
    pub clusters: usize,
    /// Number of noise values, repeats included.
    pub noise: usize,
}

/// The role of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(clippy::exhaustive_enums, reason = "the three roles of DBSCAN")]
pub enum PointKind {
    /// At least `min_points` values lie within the radius, itself included.
    Core,
    /// Not core, but within the radius of a core.
    Border,
    /// Neither.
    Noise,
}

impl Dbscan1d {
    /// A clustering with neighbourhoods of radius `eps` that are dense from `min_points` values on.
    pub const fn new(eps: Radius, min_points: MinPoints) -> Self {
        Self { eps, min_points }
    }

    /// The radius.
    pub const fn eps(self) -> Radius {
        self.eps
    }

    /// The density.
    pub const fn min_points(self) -> MinPoints {
        self.min_points
    }

    /// Clusters and noise of the values.
    pub fn fit(self, values: &SortedValues) -> Clustering {
        Clustering::from_spans(values.as_slice(), self.spans(values.as_slice()))
    }

    /// The numbers of clusters and noise values only.
    pub fn count(self, values: &SortedValues) -> Counts {
        self.count_sorted(values.as_slice())
    }

    /// The role of each value, in ascending order as in [`SortedValues::as_slice`].
    ///
    /// # Complexity
    ///
    /// O(n) time and memory.
    pub fn kinds(self, values: &SortedValues) -> Vec<PointKind> {
        let values = values.as_slice();
        let mut kinds = vec![PointKind::Noise; values.len()];
        for span in self.spans(values) {
            kinds[span].fill(PointKind::Border);
        }
        for run in CoreRuns::new(values, self) {
            kinds[run.first..run.end].fill(PointKind::Core);
        }
        kinds
    }

    pub(crate) fn count_sorted(self, sorted: &[f64]) -> Counts {
        let none = Counts {
            clusters: 0,
            noise: sorted.len(),
        };
        self.spans(sorted).fold(none, |counts, span| Counts {
            clusters: counts.clusters + 1,
            noise: counts.noise - span.len(),
        })
    }

    /// The positions of each cluster, borders included, ascending.
    pub(crate) fn spans(self, sorted: &[f64]) -> impl Iterator<Item = Range<usize>> {
        let mut runs = CoreRuns::new(sorted, self);
        let pending = runs.next().map(|run| (run.left, run));
        ClusterSpans { runs, pending }
    }
}

/// Cores next to each other in sorted order, no two neighbours further apart than the radius.
#[derive(Clone, Copy)]
struct CoreRun {
    /// Position of the first core.
    first: usize,
    /// Position after the last core.
    end: usize,
    /// Position of the lowest value within the radius of the first core.
    left: usize,
}

/// All cores in ascending order. Runs are as long as one jump finds them, so neighbouring runs may
/// belong together.
struct CoreRuns<'a> {
    sorted: &'a [f64],
    eps: f64,
    /// Neighbours that a core needs beside itself.
    others: usize,
    /// The next position that is not decided yet.
    next: usize,
    /// The lowest position within the radius of the value last looked at.
    left: usize,
}

// Differences of sorted values are monotone in either end even after rounding to f64, so each
// neighbourhood is one run of positions and each condition below changes once along the line.
impl<'a> CoreRuns<'a> {
    fn new(sorted: &'a [f64], dbscan: Dbscan1d) -> Self {
        Self {
            sorted,
            eps: dbscan.eps.get(),
            others: dbscan.min_points.get() - 1,
            next: 0,
            left: 0,
        }
    }
}

impl Iterator for CoreRuns<'_> {
    type Item = CoreRun;

    fn next(&mut self) -> Option<CoreRun> {
        let (sorted, eps) = (self.sorted, self.eps);
        loop {
            let first = self.next;
            let value = *sorted.get(first)?;
            let left = skip_while(sorted, self.left, |x| value - x > eps);
            self.left = left;
            // If the line ends before, neither this value nor any above it has enough neighbours.
            let needed = left.checked_add(self.others)?;
            let farthest = *sorted.get(needed)?;
            if farthest - value > eps {
                self.next = skip_while(sorted, first + 1, |x| farthest - x > eps);
                continue;
            }
            let right = skip_while(sorted, needed.max(first) + 1, |x| x - value <= eps);
            // Values within the radius of this one also reach all above it up to `right`.
            let anchor = sorted[right - 1 - self.others];
            let end = skip_while(sorted, first + 1, |x| x - anchor <= eps);
            self.next = end;
            return Some(CoreRun { first, end, left });
        }
    }
}

/// Joins runs of cores to clusters and gives them their borders.
struct ClusterSpans<'a> {
    runs: CoreRuns<'a>,
    /// Where the next cluster begins, and its first cores.
    pending: Option<(usize, CoreRun)>,
}

impl Iterator for ClusterSpans<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let (start, mut run) = self.pending.take()?;
        let (sorted, eps) = (self.runs.sorted, self.runs.eps);
        loop {
            let top = sorted[run.end - 1];
            let next = self.runs.next();
            if let Some(next) = next
                && sorted[next.first] - top <= eps
            {
                run = next;
                continue;
            }
            let mut end = skip_while(sorted, run.end, |x| x - top <= eps);
            if let Some(next) = next {
                if next.left < end {
                    // Borders within reach of both clusters go to the nearer core.
                    let bottom = sorted[next.first];
                    end = next.left
                        + sorted[next.left..end].partition_point(|x| x - top <= bottom - x);
                }
                self.pending = Some((end.max(next.left), next));
            }
            return Some(start..end);
        }
    }
}

/// The first position at or after `from` where `condition` fails; it must not hold again above.
/// Doubles its steps, then bisects: O(log d) to get d positions further.
fn skip_while(sorted: &[f64], from: usize, condition: impl Fn(f64) -> bool) -> usize {
    let (mut known, mut step) = (from, 1);
    while sorted
        .get(known + step - 1)
        .is_some_and(|&value| condition(value))
    {
        known += step;
        step *= 2;
    }
    let end = sorted.len().min(known + step - 1);
    known + sorted[known..end].partition_point(|&value| condition(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(values: &[f64], eps: f64, min_points: usize) -> Clustering {
        let values = SortedValues::new(values.iter().copied()).unwrap();
        dbscan(eps, min_points).fit(&values)
    }

    fn dbscan(eps: f64, min_points: usize) -> Dbscan1d {
        Dbscan1d::new(
            Radius::new(eps).unwrap(),
            MinPoints::new(min_points).unwrap(),
        )
    }

    #[test]
    fn a_border_between_two_clusters_goes_to_the_nearer_core_or_the_lower() {
        // The cores are 0 and 10: each has four values within 5.5, the one between only three.
        let low_border = |border: f64| {
            let result = fit(&[-2.0, -1.0, 0.0, 10.0, 11.0, 12.0, border], 5.5, 4);
            assert_eq!(result.clusters.len(), 2);
            result.clusters[0].count == 4
        };
        assert!(low_border(4.9));
        assert!(low_border(5.0));
        assert!(!low_border(5.1));
    }

    #[test]
    fn the_radius_is_compared_with_the_difference_not_with_a_sum() {
        // In f64 0.9 - 0.2 <= 0.7, yet 0.9 > 0.2 + 0.7.
        assert_eq!(fit(&[0.2, 0.9], 0.7, 2).clusters.len(), 1);
        // In f64 0.4 - 0.3 > 0.1, yet 0.4 <= 0.3 + 0.1.
        assert_eq!(fit(&[0.3, 0.4], 0.1, 2).clusters.len(), 0);
    }

    #[test]
    fn with_a_density_of_one_every_value_is_core() {
        let result = fit(&[1.0, 2.0, 4.0], 1.0, 1);
        assert_eq!(result.clusters.len(), 2);
        assert_eq!(result.noise.count, 0);
    }

    #[test]
    fn too_high_a_density_leaves_noise_only() {
        for min_points in [4, usize::MAX] {
            let result = fit(&[1.0, 2.0, 4.0], 10.0, min_points);
            assert!(result.clusters.is_empty());
            assert_eq!(result.noise.count, 3);
            assert_eq!(result.noise.regions.len(), 1);
        }
        assert_eq!(fit(&[], 1.0, 1), Clustering::default());
    }

    #[test]
    fn differences_beyond_the_largest_number_are_outside_every_radius() {
        let result = fit(&[f64::MIN, f64::MAX], f64::MAX, 1);
        assert_eq!(result.clusters.len(), 2);
    }

    #[test]
    fn kinds_tell_cores_from_borders() {
        use PointKind::{Border, Core, Noise};
        let values = SortedValues::new([0.0, 1.0, 2.0, 3.0, 9.0]).unwrap();
        assert_eq!(
            dbscan(1.0, 3).kinds(&values),
            [Border, Core, Core, Border, Noise]
        );
    }
}
