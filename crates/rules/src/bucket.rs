//! Co-occurrences inside one host's bucket, and the seeded sampling of huge ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::Runs;

/// The activity of a flow group or of a pool of them, with its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series<'a> {
    pub(crate) id: u32,
    /// Windows in which it can stand on the left of a rule.
    pub(crate) events: &'a [u32],
    pub(crate) present: &'a Runs,
}

/// For each (x, y) that ever co-occur, positions in `xs` and `ys`, the number of events of x in
/// windows where y is present; ascending.
///
/// # Complexity
///
/// O(n log n) for n events and runs, and one step per event and co-active y.
pub(crate) fn co_occurrences(xs: &[Series<'_>], ys: &[Series<'_>]) -> Vec<(u32, u32, u32)> {
    let mut counter = Counter::new(xs.len(), ys.len());
    sweep(xs, ys, |x, active| {
        for &y in active {
            counter.add(x, y);
        }
    });
    counter.into_sorted()
}

/// Mean number of co-active ys per event of the xs.
pub(crate) fn mean_neighbours(xs: &[Series<'_>], ys: &[Series<'_>]) -> f64 {
    let (mut events, mut neighbours) = (0_u64, 0_u64);
    sweep(xs, ys, |_, active| {
        events += 1;
        neighbours += active.len() as u64;
    });
    if events == 0 {
        0.0
    } else {
        neighbours as f64 / events as f64
    }
}

/// Keeps a seeded fraction of the series: the same ones wherever they are asked for.
pub(crate) fn sample(series: &mut Vec<Series<'_>>, fraction: f64, seed: u64) {
    series.retain(|one| unit(mix(seed ^ mix(u64::from(one.id)))) < fraction);
}

/// A well-mixed 64-bit value: the finaliser of `SplitMix64` (Steele, Lea and Flood 2014).
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The value as a number in [0, 1).
pub(crate) fn unit(value: u64) -> f64 {
    (value >> 11) as f64 / (1_u64 << 53) as f64
}

/// Calls `visit` for each event, in time order, with the ys present then.
fn sweep(xs: &[Series<'_>], ys: &[Series<'_>], mut visit: impl FnMut(u32, &[u32])) {
    let mut events: Vec<(u32, u32)> = (0..)
        .zip(xs)
        .flat_map(|(x, series)| series.events.iter().map(move |&window| (window, x)))
        .collect();
    events.sort_unstable();
    let mut starts: Vec<(u32, u32, u32)> = (0..)
        .zip(ys)
        .flat_map(|(y, series)| {
            series
                .present
                .ranges()
                .map(move |(first, last)| (first, last, y))
        })
        .collect();
    starts.sort_unstable();
    let mut starts = starts.into_iter().peekable();
    let mut ends = BinaryHeap::new();
    let mut active: Vec<u32> = Vec::new();
    let mut place = vec![0_usize; ys.len()];
    for (window, x) in events {
        while let Some(&Reverse((last, y))) = ends.peek()
            && last < window
        {
            ends.pop();
            let at = place[y as usize];
            active.swap_remove(at);
            if let Some(&moved) = active.get(at) {
                place[moved as usize] = at;
            }
        }
        while let Some((_, last, y)) = starts.next_if(|&(first, _, _)| first <= window) {
            if last >= window {
                ends.push(Reverse((last, y)));
                place[y as usize] = active.len();
                active.push(y);
            }
        }
        visit(x, &active);
    }
}

/// Counts per pair: a table while that is small, else a map.
enum Counter {
    Table { counts: Vec<u32>, width: usize },
    Map(HashMap<(u32, u32), u32, FixedState>),
}

impl Counter {
    const MAX_TABLE: usize = 1 << 22;

    fn new(xs: usize, ys: usize) -> Self {
        match xs.checked_mul(ys) {
            Some(cells) if cells <= Self::MAX_TABLE => Self::Table {
                counts: vec![0; cells],
                width: ys,
            },
            _ => Self::Map(HashMap::with_hasher(FixedState::with_seed(0))),
        }
    }

    fn add(&mut self, x: u32, y: u32) {
        match self {
            Self::Table { counts, width } => counts[x as usize * *width + y as usize] += 1,
            Self::Map(counts) => *counts.entry((x, y)).or_default() += 1,
        }
    }

    fn into_sorted(self) -> Vec<(u32, u32, u32)> {
        match self {
            Self::Table { counts, width } => counts
                .chunks(width.max(1))
                .zip(0..)
                .flat_map(|(row, x)| row.iter().zip(0..).map(move |(&n, y)| (x, y, n)))
                .filter(|&(_, _, n)| n > 0)
                .collect(),
            Self::Map(counts) => {
                let mut all: Vec<_> = counts.into_iter().map(|((x, y), n)| (x, y, n)).collect();
                all.sort_unstable();
                all
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs() -> impl Strategy<Value = Runs> {
        prop::collection::vec((0_u32..30, 0_u32..5), 0..6)
            .prop_map(|list| Runs::from_ranges(list.into_iter().map(|(a, n)| (a, a + n))))
    }

    proptest! {
        #[test]
        fn the_sweep_equals_looking_at_every_pair(
            lefts in prop::collection::vec(runs(), 0..6),
            rights in prop::collection::vec(runs(), 0..6),
        ) {
            let events: Vec<Vec<u32>> = lefts.iter().map(|l| l.windows().collect()).collect();
            let xs: Vec<_> = (0..).zip(lefts.iter().zip(&events))
                .map(|(id, (present, events))| Series { id, events, present }).collect();
            let ys: Vec<_> = (0..).zip(&rights)
                .map(|(id, present)| Series { id, events: &[], present }).collect();
            let mut expected = Vec::new();
            for (x, events) in (0..).zip(&events) {
                for (y, right) in (0..).zip(&rights) {
                    let both = u32::try_from(events.iter().filter(|&&w| right.contains(w)).count()).unwrap();
                    if both > 0 {
                        expected.push((x, y, both));
                    }
                }
            }
            prop_assert_eq!(co_occurrences(&xs, &ys), expected.clone());
            let mut map = Counter::Map(HashMap::with_hasher(FixedState::with_seed(0)));
            sweep(&xs, &ys, |x, active| active.iter().for_each(|&y| map.add(x, y)));
            prop_assert_eq!(map.into_sorted(), expected.clone());
            let total: u32 = expected.iter().map(|e| e.2).sum();
            let events: usize = events.iter().map(Vec::len).sum();
            prop_assert!((mean_neighbours(&xs, &ys) * events as f64 - f64::from(total)).abs() < 1e-6);
        }
    }
}
