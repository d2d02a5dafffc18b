//! What lies around an event: the baseline's windows, short bursts, and the lag profile.

use std::ops::Range;

use crate::Runs;
use crate::runs::{Walk, gallop};

/// The windows around an event that tell what chance allows: those at a distance of `guard` to
/// `reach` on either side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lags {
    /// From here to the guard, starts tell of short bursts, if there is room.
    pub(crate) burst: u32,
    pub(crate) guard: u32,
    pub(crate) reach: u32,
    /// How many times the baseline chance may explain.
    pub(crate) lift: f64,
}

impl Lags {
    /// Distance at which starts tell of a burst, in seconds: what is planned for the same instant
    /// comes closer, however its clock and its window fall.
    pub(crate) const BURST_S: f64 = 2.0;

    /// Number of lags of the baseline.
    pub(crate) fn count(self) -> f64 {
        2.0 * (f64::from(self.reach) - f64::from(self.guard) + 1.0)
    }
}

/// How often Y starts around a start of X, by the distance in windows.
///
/// Traffic comes in bursts, many shorter than the baseline. In a burst Y starts as often shortly
/// before X as shortly after; what starts with X does neither, and what X starts in the midst of
/// (a transfer within its session) starts before X only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Starts {
    /// In the same window.
    together: u64,
    /// At the burst lag, before and after X.
    burst: [u64; 2],
    /// From the burst lag up to the guard.
    close: [u64; 2],
    /// In the nearer part of the baseline, from the guard to three times the guard.
    near: [u64; 2],
    /// Number of lags in `close` and in `near`.
    lags: [u32; 2],
}

impl Starts {
    /// # Complexity
    ///
    /// At most O(log n) per event of the side with fewer, and one step per pair within reach.
    pub(crate) fn around(left: &[u32], right: &[u32], lags: Lags) -> Self {
        let reach = lags.guard.saturating_mul(3).min(lags.reach);
        let mut starts = Self {
            lags: [
                lags.guard.saturating_sub(lags.burst),
                reach.saturating_sub(lags.guard) + 1,
            ],
            ..Self::default()
        };
        let swap = left.len() > right.len();
        let (few, many) = if swap { (right, left) } else { (left, right) };
        let mut rest = many;
        for &one in few {
            let from = gallop(rest, |&other| other < one.saturating_sub(reach));
            rest = &rest[from..];
            let last = one.saturating_add(reach);
            for &other in rest.iter().take_while(|&&other| other <= last) {
                let distance = one.abs_diff(other);
                // Whether Y follows X.
                let side = usize::from((other > one) != swap);
                if distance == 0 {
                    starts.together += 1;
                } else if distance >= lags.guard {
                    starts.near[side] += 1;
                } else if distance >= lags.burst {
                    starts.close[side] += 1;
                    starts.burst[side] += u64::from(distance == lags.burst);
                }
            }
        }
        starts
    }

    pub(crate) fn merge(self, other: Self) -> Self {
        let [a, b] = [self.lags, other.lags];
        Self {
            lags: [a[0].max(b[0]), a[1].max(b[1])],
            ..self.zip(other, |a, b| a + b)
        }
    }

    pub(crate) fn without(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        let sides = |a: [u64; 2], b: [u64; 2]| [f(a[0], b[0]), f(a[1], b[1])];
        Self {
            together: f(self.together, other.together),
            burst: sides(self.burst, other.burst),
            close: sides(self.close, other.close),
            near: sides(self.near, other.near),
            lags: self.lags,
        }
    }

    /// How many of `both` co-occurrences bursts explain.
    pub(crate) fn explain(self, both: u64) -> f64 {
        let lasting = both.saturating_sub(self.together);
        let explained = |[before, after]: [u64; 2], allowed: u64, lags: u32| {
            let least = before.min(after);
            if least <= allowed {
                return 0.0;
            }
            // Y lasts from a start before X: a burst's doing as far as Y starts after X as well.
            let ratio = (after as f64 / before as f64).min(1.0);
            (least - allowed) as f64 / f64::from(lags) + lasting.min(before) as f64 * ratio
        };
        // A single start at a single lag is no sign of a burst.
        explained(self.burst, 1, 1)
            .max(explained(self.close, 0, self.lags[0]))
            .max(explained(self.near, 0, self.lags[1]))
    }
}

/// Positions of the events within `reach` of a run of Y, and perhaps others: with many runs it is
/// cheaper to look at every event, with few runs only these are touched, however busy X is.
pub(crate) fn near<'a>(
    left: &'a [u32],
    right: &'a Runs,
    reach: u32,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let runs = right.ranges();
    let few = reach < u32::MAX && runs.len() < left.len() / 8;
    let all = (!few).then_some(0..left.len());
    let mut next = 0;
    let some = runs
        .take(if few { usize::MAX } else { 0 })
        .map(move |(first, last)| {
            let from = left.partition_point(|&event| event < first.saturating_sub(reach));
            let to = left.partition_point(|&event| event <= last.saturating_add(reach));
            let range = from.max(next)..to.max(next);
            next = range.end;
            range
        });
    all.into_iter().chain(some)
}

/// How often Y is present in the baseline's windows around events, which ascend.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    lags: Lags,
    /// The trace's last window.
    end: u32,
    walk: Walk<'a>,
}

impl<'a> Surroundings<'a> {
    pub(crate) fn new(right: &'a Runs, windows: u32, lags: Lags) -> Self {
        Self {
            lags,
            end: windows.saturating_sub(1),
            walk: right.walk(),
        }
    }

    /// The share of windows with Y; 1 where the trace has none to tell: no evidence.
    ///
    /// A run of Y that begins with the event and lasts until the baseline ends is what is to be
    /// explained, and tells nothing of chance: its windows are left out.
    pub(crate) fn share(&mut self, event: u32) -> f64 {
        let lags = self.lags;
        let (from, to) = (
            event.saturating_sub(lags.reach),
            event.saturating_add(lags.reach),
        );
        let mut all = overlap(event, 0, self.end, lags);
        let mut present = 0;
        for (first, last) in self.walk.meeting(from, to) {
            let windows = overlap(event, first, last, lags);
            if first == event && last >= to {
                all -= windows;
            } else {
                present += windows;
            }
        }
        if all == 0 {
            1.0
        } else {
            present as f64 / all as f64
        }
    }
}

/// Windows of `first..=last` that lie in the baseline around `event`.
pub(crate) fn overlap(event: u32, first: u32, last: u32, lags: Lags) -> u64 {
    let common = |a: u32, b: u32| u64::from((b.min(last) + 1).saturating_sub(a.max(first)));
    let before = match event.checked_sub(lags.guard) {
        Some(to) => common(event.saturating_sub(lags.reach), to),
        None => 0,
    };
    before
        + common(
            event.saturating_add(lags.guard),
            event.saturating_add(lags.reach).min(u32::MAX - 1),
        )
}

/// Adds to `profile` how often Y is present at each lag -reach..=reach from an event of X.
pub(crate) fn add_lags(profile: &mut [u64], left: &[u32], right: &Runs, reach: u32) {
    for &event in left {
        let from = event.saturating_sub(reach);
        for (first, last) in right.meeting(from, event.saturating_add(reach)) {
            let last = last.min(event.saturating_add(reach));
            for window in first.max(from)..=last {
                profile[(window + reach - event) as usize] += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against every pair of events.
        #[test]
        fn starts_equal_every_pair(
            left in prop::collection::btree_set(0_u32..60, 0..20),
            right in prop::collection::btree_set(0_u32..60, 0..40),
        ) {
            let lags = Lags { burst: 2, guard: 5, reach: 9, lift: 1.0 };
            let (left, right): (Vec<_>, Vec<_>) = (left.into_iter().collect(), right.into_iter().collect());
            let starts = Starts::around(&left, &right, lags);
            let at = |from: i64, to: i64| {
                let pairs = left.iter().flat_map(|&x| right.iter().map(move |&y| i64::from(y) - i64::from(x)));
                pairs.filter(|lag| (from..=to).contains(lag)).count() as u64
            };
            prop_assert_eq!(starts.together, at(0, 0));
            prop_assert_eq!(starts.burst, [at(-2, -2), at(2, 2)]);
            prop_assert_eq!(starts.close, [at(-4, -2), at(2, 4)]);
            prop_assert_eq!(starts.near, [at(-9, -5), at(5, 9)]);
            prop_assert_eq!(starts.lags, [3, 5]);
            let half = Starts::around(&left[..left.len() / 2], &right, lags);
            let rest = Starts::around(&left[left.len() / 2..], &right, lags);
            prop_assert_eq!(half.merge(rest), starts);
            prop_assert_eq!(starts.without(half), rest);
        }
    }

    #[test]
    fn bursts_explain_and_sessions_do_not() {
        let lags = Lags {
            burst: 2,
            guard: 5,
            reach: 9,
            lift: 1.0,
        };
        let beats: Vec<u32> = (0..20).map(|i| i * 50).collect();
        let shifted = |by: u32| beats.iter().map(|beat| beat + by).collect::<Vec<_>>();
        // Together, or Y three windows after X and never before.
        assert!(Starts::around(&beats, &beats, lags).explain(20).abs() < 1e-9);
        assert!(Starts::around(&shifted(3), &beats, lags).explain(20).abs() < 1e-9);
        // Y in every window around X: as many as together.
        let all: Vec<u32> = (0..1000).collect();
        assert!((Starts::around(&shifted(5), &all, lags).explain(20) - 20.0).abs() < 1e-9);
    }
}
