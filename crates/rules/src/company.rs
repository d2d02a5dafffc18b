//! What a host's bursts explain: who begins beside X, and who beside others.
//!
//! Flows of a host begin in bursts, many within one window: the fetches of a page. The baseline,
//! which looks at other seconds, takes such a burst for a rule. The test here asks who is in it: if
//! a burst takes each of its flows from the host's flow groups at random, Y is in a window with X
//! and m other starts as often as among m starts elsewhere. This holds for bursts of any size,
//! length and spacing.

use crate::Runs;
use crate::surroundings::Lags;

/// How many flow groups begin at a host, in the windows in which any does.
#[derive(Debug)]
pub(crate) struct Company {
    /// Windows with a start, ascending, and the starts in them and in the window before: what
    /// begins within a second of each other may lie on both sides of an edge.
    blocks: Vec<(u32, u32)>,
    /// All of them.
    totals: Tally,
}

/// Bursts by their size: blocks of 2^k to 2^(k+1) - 1 starts.
///
/// What comes alone is of other kinds than what comes in bursts, so that sizes are kept apart.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    starts: [u64; Self::SIZES],
    with_y: [u64; Self::SIZES],
}

impl Tally {
    const SIZES: usize = 32;
    /// Starts, without Y, added to those seen: a few are no sign of bursts.
    const PRIOR: f64 = 10.0;

    const fn size(starts: u32) -> usize {
        starts.ilog2() as usize
    }

    /// Starts, and those of Y, in blocks about as large as one of a given size, single starts left
    /// out.
    fn about(&self, size: usize) -> (f64, f64) {
        let sizes = size.saturating_sub(1).max(1)..=(size + 1).clamp(1, Self::SIZES - 1);
        let starts: u64 = self.starts[sizes.clone()].iter().sum();
        let with_y: u64 = self.with_y[sizes].iter().sum();
        (starts as f64, with_y as f64)
    }

    /// Share of Y among the starts.
    fn share(&self, size: usize) -> f64 {
        let (starts, with_y) = self.about(size);
        (with_y / (starts + Self::PRIOR)).min(1.0)
    }

    /// The same, two standard deviations up: Y may be rare here by chance. Where X is hardly ever
    /// away, `exposed` being the starts beside X, that Y is never seen without it says nothing.
    fn most(&self, size: usize, exposed: u32) -> f64 {
        let (starts, with_y) = self.about(size);
        let unseen = 2.0 * starts / (starts + f64::from(exposed)).max(1.0);
        let most = with_y + 2.0 * with_y.sqrt() + unseen;
        (most / (starts + Self::PRIOR)).min(1.0)
    }
}

impl Company {
    /// From the windows in which each of a host's groups begins.
    pub(crate) fn new<'a>(groups: impl Iterator<Item = &'a [u32]>) -> Self {
        let mut windows: Vec<u32> = groups.flatten().copied().collect();
        windows.sort_unstable();
        let mut blocks: Vec<(u32, u32)> = Vec::new();
        let mut before = (0, 0);
        for same in windows.chunk_by(|a, b| a == b) {
            let (window, count) = (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX));
            let (last, starts) = before;
            let close = if last + 1 == window { starts } else { 0 };
            blocks.push((window, count.saturating_add(close)));
            before = (window, count);
        }
        let mut totals = Tally::default();
        for &(_, starts) in &blocks {
            totals.starts[Tally::size(starts)] += u64::from(starts);
        }
        Self { blocks, totals }
    }

    /// How many of X's events have Y beside them, if its bursts take their flows at random.
    ///
    /// `left` are X's starts, one for each of its groups; `right` those of Y, of which `present`
    /// tells whether it lasts. Y's share is that in the whole trace or around X, whichever is
    /// larger: a session has its favourites.
    ///
    /// # Complexity
    ///
    /// O(log windows) per start of X and Y, and one step per window of the host around X.
    pub(crate) fn explain(&self, left: &[u32], right: &[u32], present: &Runs, lags: Lags) -> f64 {
        let reach = lags.reach;
        // What belongs to X but falls into other windows tells nothing of bursts without X.
        let beside_x = lags.burst.saturating_sub(1).max(1);
        let mut whole = self.totals;
        self.each_near(left, beside_x, |_, starts| {
            whole.starts[Tally::size(starts)] -= u64::from(starts);
        });
        let mut around = Tally::default();
        self.each_near(left, reach, |window, starts| {
            if !is_near(left, window, beside_x) {
                around.starts[Tally::size(starts)] += u64::from(starts);
            }
        });
        for window in blocks_of(right) {
            let beside = present.contains(window) && !is_near(left, window, beside_x);
            if let Some(starts) = self.starts(window).filter(|_| beside) {
                let size = Tally::size(starts);
                whole.with_y[size] += 1;
                if is_near(left, window, reach) {
                    around.with_y[size] += 1;
                }
            }
        }
        let others = |window: u32| {
            let starts = self.starts(window).unwrap_or(1);
            let own = count(left, window.saturating_sub(1), window);
            (Tally::size(starts), starts.saturating_sub(own))
        };
        let mut exposed = [0_u32; Tally::SIZES];
        let events = || left.chunk_by(|a, b| a == b).map(|same| others(same[0]));
        for (size, others) in events() {
            exposed[size] = exposed[size].saturating_add(others);
        }
        events()
            .map(|(size, others)| {
                let share = whole.most(size, exposed[size]).max(around.share(size));
                1.0 - (1.0 - share).powf(f64::from(others))
            })
            .sum()
    }

    /// Visits the blocks within `reach` of some starts, each once.
    fn each_near(&self, starts: &[u32], reach: u32, mut visit: impl FnMut(u32, u32)) {
        let mut next = 0;
        for &start in starts {
            let from = start.saturating_sub(reach);
            next = next.max(self.blocks.partition_point(|block| block.0 < from));
            let last = start.saturating_add(reach);
            while let Some(&(window, starts)) = self.blocks.get(next).filter(|one| one.0 <= last) {
                visit(window, starts);
                next += 1;
            }
        }
    }

    fn starts(&self, window: u32) -> Option<u32> {
        let at = self.blocks.binary_search_by_key(&window, |block| block.0);
        Some(self.blocks[at.ok()?].1)
    }
}

/// The windows of starts and those after them, each once.
fn blocks_of(starts: &[u32]) -> impl Iterator<Item = u32> + '_ {
    starts.chunk_by(|a, b| a == b).flat_map(move |same| {
        let window = same[0];
        let next = window.saturating_add(1);
        let taken = starts.binary_search(&next).is_ok();
        [Some(window), (!taken).then_some(next)]
            .into_iter()
            .flatten()
    })
}

/// Starts from one window to another.
fn count(starts: &[u32], from: u32, to: u32) -> u32 {
    let before = |end: &dyn Fn(u32) -> bool| starts.partition_point(|&start| end(start));
    let all = before(&|start| start <= to) - before(&|start| start < from);
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// Whether a start lies within `reach` of a window.
fn is_near(starts: &[u32], window: u32, reach: u32) -> bool {
    let from = window.saturating_sub(reach);
    let at = starts.partition_point(|&start| start < from);
    starts
        .get(at)
        .is_some_and(|&start| start <= window.saturating_add(reach))
}
