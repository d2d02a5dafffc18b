//! Sorted sets of windows as runs of consecutive ones.

/// A set of window numbers, held as maximal runs: sparse however long the activity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    runs: Vec<Run>,
}

/// Windows `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    /// Windows of the set before `first`.
    before: u32,
}

impl Runs {
    /// The union of inclusive ranges, in any order; a range that ends before it starts is empty.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().filter(|(a, b)| a <= b).collect();
        ranges.sort_unstable();
        let mut runs: Vec<Run> = Vec::new();
        for (first, last) in ranges {
            match runs.last_mut() {
                Some(run) if first <= run.last.saturating_add(1) => run.last = run.last.max(last),
                _ => runs.push(Run {
                    first,
                    last,
                    before: 0,
                }),
            }
        }
        let mut before = 0_u32;
        for run in &mut runs {
            run.before = before;
            before = before
                .saturating_add(run.last - run.first)
                .saturating_add(1);
        }
        runs.shrink_to_fit();
        Self { runs }
    }

    /// How many windows the set holds.
    pub fn len(&self) -> u32 {
        self.runs.last().map_or(0, |run| {
            run.before
                .saturating_add(run.last - run.first)
                .saturating_add(1)
        })
    }

    /// Whether the set holds no window.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs, ascending, as inclusive ranges.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = (u32, u32)> + '_ {
        self.runs.iter().map(|run| (run.first, run.last))
    }

    /// Every window, ascending.
    pub fn windows(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges().flat_map(|(first, last)| first..=last)
    }

    /// Whether the set holds `window`. O(log runs).
    pub fn contains(&self, window: u32) -> bool {
        let at = self.runs.partition_point(|run| run.last < window);
        self.runs.get(at).is_some_and(|run| run.first <= window)
    }

    /// Windows of the set in `from..=to`. O(log runs).
    pub fn count_in(&self, from: u32, to: u32) -> u32 {
        if from > to {
            return 0;
        }
        self.count_before(to) + u32::from(self.contains(to)) - self.count_before(from)
    }

    /// The runs that meet `from..=to`, not clipped. O(log runs) and their number.
    pub fn meeting(&self, from: u32, to: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let at = self.runs.partition_point(|run| run.last < from);
        self.runs[at..]
            .iter()
            .take_while(move |run| run.first <= to)
            .map(|run| (run.first, run.last))
    }

    /// A search for windows that ascend.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk { rest: &self.runs }
    }

    fn count_before(&self, window: u32) -> u32 {
        let at = self.runs.partition_point(|run| run.last < window);
        match self.runs.get(at) {
            Some(run) => run.before + window.saturating_sub(run.first),
            None => self.len(),
        }
    }
}

/// Looks windows up in ascending order, each from where the last one was found: over a whole set O(1) a
/// window where windows and runs are about as many, O(log runs) where they are not.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'a> {
    /// The runs that did not end before the last window.
    rest: &'a [Run],
}

impl<'a> Walk<'a> {
    /// The run of a window, if the set holds it.
    pub(crate) fn run_of(&mut self, window: u32) -> Option<(u32, u32)> {
        let run = self.ahead(window).first()?;
        (run.first <= window).then_some((run.first, run.last))
    }

    /// The runs that meet `from..=to`, not clipped; `from` ascends.
    pub(crate) fn meeting(&mut self, from: u32, to: u32) -> impl Iterator<Item = (u32, u32)> + 'a {
        let runs = self.ahead(from).iter();
        runs.take_while(move |run| run.first <= to)
            .map(|run| (run.first, run.last))
    }

    /// The runs that end at a window or later.
    fn ahead(&mut self, window: u32) -> &'a [Run] {
        let passed = gallop(self.rest, |run| run.last < window);
        self.rest = &self.rest[passed..];
        self.rest
    }
}

/// The partition point of a sorted slice, cheap if it is near the beginning.
pub(crate) fn gallop<T>(sorted: &[T], before: impl Fn(&T) -> bool) -> usize {
    let mut bound = 1;
    while sorted.get(bound - 1).is_some_and(&before) {
        bound *= 2;
    }
    // The last one seen to lie before, and the first one seen not to.
    let (from, to) = (bound / 2, sorted.len().min(bound - 1));
    from + sorted[from..to].partition_point(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn runs_equal_a_set_of_windows(
            ranges in prop::collection::vec((0_u32..40, 0_u32..6), 0..12),
            from in 0_u32..50, len in 0_u32..50,
        ) {
            let set: BTreeSet<u32> = ranges.iter().flat_map(|&(a, n)| a..a + n).collect();
            let runs = Runs::from_ranges(
                ranges.iter().filter(|(_, n)| *n > 0).map(|&(a, n)| (a, a + n - 1)),
            );
            prop_assert_eq!(&runs.windows().collect::<BTreeSet<_>>(), &set);
            prop_assert_eq!(runs.len() as usize, set.len());
            prop_assert_eq!(runs.contains(from), set.contains(&from));
            let to = from + len;
            prop_assert_eq!(runs.count_in(from, to) as usize, set.range(from..=to).count());
            let met: BTreeSet<u32> = runs.meeting(from, to).flat_map(|(a, b)| a..=b).collect();
            prop_assert!(set.range(from..=to).all(|w| met.contains(w)));
            let mut walk = runs.walk();
            for window in from..=to {
                let run = walk.run_of(window);
                prop_assert_eq!(run.is_some(), set.contains(&window));
                prop_assert!(run.is_none_or(|(first, last)| (first..=last).contains(&window)));
                let beside: Vec<_> = walk.clone().meeting(window, window + 3).collect();
                prop_assert_eq!(beside, runs.meeting(window, window + 3).collect::<Vec<_>>());
            }
            let sorted: Vec<u32> = set.into_iter().collect();
            prop_assert_eq!(gallop(&sorted, |&w| w < to), sorted.partition_point(|&w| w < to));
            let mut ends: Vec<_> = runs.ranges().collect();
            ends.windows(2).for_each(|pair| assert!(pair[0].1 + 1 < pair[1].0));
            ends.dedup();
        }
    }

    #[test]
    fn the_widest_ranges_do_not_overflow() {
        let runs = Runs::from_ranges([(0, u32::MAX - 1), (u32::MAX - 1, u32::MAX - 1), (5, 4)]);
        assert_eq!(runs.len(), u32::MAX);
        assert_eq!(runs.count_in(3, u32::MAX - 2), u32::MAX - 4);
    }
}
