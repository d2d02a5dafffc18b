//! Which metrics are interesting in the same samples.

use std::ops::Range;

use rayon::prelude::*;

use crate::CrossMetricConfig;
use crate::adjust::benjamini_hochberg;
use crate::circular::{Chance, Draws, HostOverlaps, chance, mix};
use crate::fisher::{Margins, fisher};
use crate::system::State;

/// How the interesting samples of two metrics of one system coincide, over the samples in which
/// both metrics are defined.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MetricPair {
    /// The metric of the lower column.
    pub left: String,
    /// The other one.
    pub right: String,
    /// Samples that are interesting in both.
    pub both: usize,
    /// Samples that are interesting in the left one only.
    pub left_only: usize,
    /// Samples that are interesting in the right one only.
    pub right_only: usize,
    /// Samples that are interesting in neither.
    pub neither: usize,
    /// Of the samples interesting in either, the fraction interesting in both (Jaccard index);
    /// `None` if there are none.
    pub overlap: Option<f64>,
    /// How many times more samples are interesting in both than if the two were independent;
    /// `None` if either metric has no interesting sample here.
    pub lift: Option<f64>,
    /// The test by circular shifts; `None` if no shift changes the overlap.
    pub shift: Option<PairTest>,
    /// How many random draws that test rests on; `None` if it is exact or there is none.
    pub permutations: Option<u32>,
    /// Fisher's exact test, one-sided, which takes samples for independent; `None` if either
    /// metric has no interesting sample here or no other.
    pub fisher: Option<PairTest>,
}

/// The outcome of a test for positive association.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PairTest {
    /// The chance of an overlap at least as large if the two were unrelated.
    pub p: f64,
    /// Adjusted for all pairs of the system that this test could test (Benjamini-Hochberg).
    pub adjusted: f64,
}

/// A metric with interesting samples.
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'a str,
    pub(crate) states: Vec<State>,
}

/// Every pair of candidates, in their order, on the threads of the current rayon pool.
///
/// # Complexity
///
/// O(samples) a pair for the counts; see [`HostOverlaps::new`] and [`chance`] for the test.
pub(crate) fn pairs(
    candidates: &[Candidate<'_>],
    hosts: &[Range<usize>],
    system: u8,
    config: &CrossMetricConfig,
) -> Vec<MetricPair> {
    let count = candidates.len();
    let index: Vec<(usize, usize)> = (0..count)
        .flat_map(|left| (left + 1..count).map(move |right| (left, right)))
        .collect();
    let seed = mix(config.seed ^ mix(u64::from(system)));
    let compared: Vec<Compared> = index
        .par_iter()
        .map(|&(left, right)| {
            let draws = Draws {
                exact_work: config.exact_work,
                permutations: config.permutations,
                seed: mix(seed ^ mix((left as u64) << 32 | right as u64)),
            };
            Compared::new(
                &candidates[left].states,
                &candidates[right].states,
                hosts,
                draws,
            )
        })
        .collect();
    let shift = tests(
        compared
            .iter()
            .map(|pair| pair.shift.map(|chance| chance.p)),
    );
    let fisher = tests(compared.iter().map(|pair| pair.fisher));
    let tests = shift.into_iter().zip(fisher);
    let named = index.iter().zip(&compared).zip(tests);
    named
        .map(|((&(left, right), pair), (shift, fisher))| MetricPair {
            left: candidates[left].name.to_owned(),
            right: candidates[right].name.to_owned(),
            both: pair.both,
            left_only: pair.left_only,
            right_only: pair.right_only,
            neither: pair.neither,
            overlap: pair.overlap(),
            lift: pair.lift(),
            shift,
            permutations: pair.shift.and_then(|chance| chance.permutations),
            fisher,
        })
        .collect()
}

fn tests(p_values: impl Iterator<Item = Option<f64>>) -> Vec<Option<PairTest>> {
    let p_values: Vec<_> = p_values.collect();
    let adjusted = benjamini_hochberg(&p_values);
    let both = p_values.into_iter().zip(adjusted);
    both.map(|(p, adjusted)| {
        p.zip(adjusted)
            .map(|(p, adjusted)| PairTest { p, adjusted })
    })
    .collect()
}

struct Compared {
    both: usize,
    left_only: usize,
    right_only: usize,
    neither: usize,
    shift: Option<Chance>,
    fisher: Option<f64>,
}

impl Compared {
    /// A host's series are its samples in which both metrics are defined, in time order; gaps
    /// between them are closed up.
    fn new(left: &[State], right: &[State], hosts: &[Range<usize>], draws: Draws) -> Self {
        let mut counts = [[0_usize; 2]; 2];
        let mut overlaps = Vec::new();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for host in hosts {
            first.clear();
            second.clear();
            for (&a, &b) in left[host.clone()].iter().zip(&right[host.clone()]) {
                if a != State::Undefined && b != State::Undefined {
                    let (a, b) = (a == State::Interesting, b == State::Interesting);
                    counts[usize::from(a)][usize::from(b)] += 1;
                    first.push(a);
                    second.push(b);
                }
            }
            // Where a set is nothing or everything, no shift changes the overlap.
            let varies = |set: &[bool]| set.contains(&true) && set.contains(&false);
            if varies(&first) && varies(&second) {
                overlaps.push(HostOverlaps::new(&first, &second));
            }
        }
        let [[neither, right_only], [left_only, both]] = counts;
        let margins = Margins {
            population: (both + left_only + right_only + neither) as u64,
            left: (both + left_only) as u64,
            right: (both + right_only) as u64,
        };
        Self {
            both,
            left_only,
            right_only,
            neither,
            shift: chance(&overlaps, draws),
            fisher: fisher(margins, both as u64),
        }
    }

    fn overlap(&self) -> Option<f64> {
        let either = self.both + self.left_only + self.right_only;
        (either > 0).then(|| self.both as f64 / either as f64)
    }

    fn lift(&self) -> Option<f64> {
        let left = self.both + self.left_only;
        let right = self.both + self.right_only;
        let all = (left + self.right_only + self.neither) as f64;
        let expected = left as f64 * right as f64;
        (expected > 0.0).then(|| self.both as f64 * all / expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Interesting as I, Normal as N, Undefined as U};

    #[test]
    fn only_samples_in_which_both_are_defined_count() {
        let left = [I, I, N, U, I, N, N, I];
        let right = [I, N, I, I, U, N, N, I];
        let candidate = |name, states: &[State]| Candidate {
            name,
            states: states.to_vec(),
        };
        let candidates = [candidate("a", &left), candidate("b", &right)];
        let config = CrossMetricConfig::default();
        let pairs = pairs(&candidates, &[0..4, 4..8], 0, &config);
        let [pair] = pairs.as_slice() else {
            panic!("one pair")
        };
        assert_eq!(
            (pair.both, pair.left_only, pair.right_only, pair.neither),
            (2, 1, 1, 2)
        );
        assert_eq!(
            (pair.overlap, pair.lift),
            (Some(0.5), Some(2.0 * 6.0 / 9.0))
        );
        // The first host's series are 110 and 101, of which every shift shares 1 or 2 slots; the
        // second's 001 and 001. Overlaps (1, 1, 2) + (1, 0, 0), observed 1 + 1.
        let shift = pair.shift.unwrap();
        assert!(
            (shift.p - (2.0 + 3.0 * 1.0 + 0.0) / 9.0).abs() < 1e-12,
            "{}",
            shift.p
        );
        assert_eq!((shift.adjusted, pair.permutations), (shift.p, None));
    }

    #[test]
    fn sets_that_cannot_vary_are_not_tested() {
        let always = [I, I, I, I];
        let host_wise = [I, I, N, N];
        let mixed = [I, N, I, N];
        let candidates = [("a", always), ("h", host_wise), ("m", mixed)].map(|(name, states)| {
            let states = states.to_vec();
            Candidate { name, states }
        });
        let config = CrossMetricConfig::default();
        let pairs = pairs(&candidates, &[0..2, 2..4], 0, &config);
        assert!(pairs.iter().all(|pair| pair.shift.is_none()));
        let tested = |name| {
            pairs
                .iter()
                .any(|pair| pair.fisher.is_some() && pair.left == name)
        };
        assert!(!tested("a") && tested("h"));
        // One test only, hence nothing to adjust for.
        let fisher = pairs[2].fisher.unwrap();
        assert!((fisher.p - fisher.adjusted).abs() <= 0.0);
    }
}
