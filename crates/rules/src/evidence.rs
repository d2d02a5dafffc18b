//! One pair of activities: co-occurrences, and what chance allows nearby.

use crate::significance::{ln_hypergeometric_tail, ln_poisson_tail};
use crate::surroundings::{Lags, Starts, Surroundings, near, overlap};
use crate::{Counts, Runs};

/// How `both` is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Null {
    /// Poisson; the mean is the share of Y among the windows around each event of X, 5 to 60 s
    /// away: the same session, other seconds. Traffic comes in sessions, and everything a host
    /// does co-occurs while it is on line; this null knows. A run of Y that begins with the event
    /// and outlasts its surroundings is what is to be explained, and left out of them. Traffic comes
    /// in bursts too, so the mean is at least what starts of Y tell that lie 2 to 15 s both before
    /// and after those of X, and what the host's bursts explain if they take their flows at random;
    /// times `min_lift`.
    LocalBaseline,
    /// Hypergeometric over the whole trace: the textbook test, which takes sessions for rules.
    Hypergeometric,
}

/// What is known of `X => Y` within one binding.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pair {
    pub(crate) counts: Counts,
    /// Expected co-occurrences by the baseline.
    pub(crate) far: f64,
    /// Co-occurrences in separate runs of Y: several in one run are one coincidence.
    pub(crate) clumps: u64,
    /// Expected clumps by the baseline.
    pub(crate) clumped: f64,
    /// Starts of Y around those of X.
    pub(crate) starts: Starts,
    /// Co-occurrences that the host's bursts explain.
    pub(crate) company: f64,
}

/// Events of X with Y present.
pub(crate) fn both(left: &[u32], right: &Runs) -> u32 {
    let mut walk = right.walk();
    let both = near(left, right, 0)
        .flat_map(|events| &left[events])
        .filter(|&&event| walk.run_of(event).is_some())
        .count();
    u32::try_from(both).unwrap_or(u32::MAX)
}

impl Pair {
    /// Counts only: what the score and the thresholds need.
    pub(crate) fn counted(left: &[u32], right: &Runs, windows: u64) -> Self {
        Self::met(left, right, both(left, right), windows)
    }

    /// The same with co-occurrences counted already.
    pub(crate) fn met(left: &[u32], right: &Runs, both: u32, windows: u64) -> Self {
        Self {
            counts: Counts {
                left: left.len() as u64,
                right: u64::from(right.len()),
                both: u64::from(both),
                windows,
            },
            ..Self::default()
        }
    }

    /// Adds the expectation by the local baseline, in a trace of `windows` windows, until it exceeds
    /// `most`: beyond, its value does not matter.
    ///
    /// # Complexity
    ///
    /// One step per event of X and run of Y, or O(log) of the more numerous ones per other.
    pub(crate) fn with_baseline(
        mut self,
        left: &[u32],
        right: &Runs,
        windows: u32,
        lags: Lags,
        most: f64,
    ) -> Self {
        // Events far from any Y expect none, unless the trace has no windows around them to tell.
        let reach = if windows > lags.guard.saturating_mul(2) {
            lags.reach
        } else {
            u32::MAX
        };
        let mut around = Surroundings::new(right, windows, lags);
        for &event in near(left, right, reach).flat_map(|events| &left[events]) {
            self.far += around.share(event);
            if self.far > most {
                break;
            }
        }
        self
    }

    /// Adds the clumps.
    ///
    /// When Y lasts, several events of X meet one run of Y: one coincidence, seen several times.
    /// A clump is the first hit of a run by consecutive events; the expectation shrinks by the
    /// share of first hits among all hits at the lags of the baseline.
    ///
    /// # Complexity
    ///
    /// O(runs of Y within reach) per event of X.
    pub(crate) fn with_clumps(mut self, left: &[u32], right: &Runs, lags: Lags) -> Self {
        let (mut hits, mut firsts) = (0_u64, 0_u64);
        self.clumps = 0;
        let mut walk = right.walk();
        for at in near(left, right, lags.reach).flatten() {
            let event = left[at];
            let step = match at.checked_sub(1) {
                Some(before) => event - left[before],
                None => u32::MAX,
            };
            let (from, to) = (
                event.saturating_sub(lags.reach),
                event.saturating_add(lags.reach),
            );
            for (first, last) in walk.meeting(from, to) {
                // Shifted by a lag beyond this window, the event before meets the same run.
                let fresh = first.saturating_add(step - 1).min(last);
                if (first..=fresh).contains(&event) {
                    self.clumps += 1;
                }
                hits += overlap(event, first, last, lags);
                firsts += overlap(event, first, fresh, lags);
            }
        }
        let share = if hits == 0 {
            1.0
        } else {
            firsts as f64 / hits as f64
        };
        self.clumped = self.far * share;
        self
    }

    /// Adds the starts of Y around those of X, which show bursts too short for the baseline.
    ///
    /// # Complexity
    ///
    /// O(log events) per event of the side with fewer.
    pub(crate) fn with_starts(mut self, left: &[u32], right: &[u32], lags: Lags) -> Self {
        self.starts = Starts::around(left, right, lags);
        self
    }

    /// Adds what the host's bursts explain.
    pub(crate) fn with_company(mut self, explained: f64) -> Self {
        self.company = explained;
        self
    }

    /// With the baseline of a binding added, its counts being in there.
    pub(crate) fn plus_far(mut self, binding: &Self) -> Self {
        self.far += binding.far;
        self
    }

    /// Both together.
    pub(crate) fn merge(self, other: Self) -> Self {
        Self {
            counts: Counts {
                left: self.counts.left + other.counts.left,
                right: self.counts.right + other.counts.right,
                both: self.counts.both + other.counts.both,
                windows: self.counts.windows + other.counts.windows,
            },
            far: self.far + other.far,
            clumps: self.clumps + other.clumps,
            clumped: self.clumped + other.clumped,
            starts: self.starts.merge(other.starts),
            company: self.company + other.company,
        }
    }

    /// All but one binding of a pool.
    pub(crate) fn without(self, other: &Self) -> Self {
        Self {
            counts: Counts {
                left: self.counts.left - other.counts.left,
                right: self.counts.right.saturating_sub(other.counts.right),
                both: self.counts.both - other.counts.both,
                windows: self.counts.windows - other.counts.windows,
            },
            far: self.far - other.far,
            clumps: self.clumps - other.clumps,
            clumped: self.clumped - other.clumped,
            starts: self.starts.without(other.starts),
            company: self.company - other.company,
        }
    }

    /// Co-occurrences that the surroundings explain.
    pub(crate) fn expected(&self) -> f64 {
        self.far
            .max(self.starts.explain(self.counts.both))
            .max(self.company)
    }

    /// Clumps that the surroundings explain.
    fn expected_clumps(&self) -> f64 {
        if self.far > 0.0 {
            self.clumped * self.expected() / self.far
        } else {
            self.expected()
        }
    }

    /// Clumps above expectation.
    pub(crate) fn excess(&self) -> f64 {
        self.clumps as f64 - self.expected_clumps()
    }

    /// ln of the p-value of all co-occurrences, before clumps are known.
    pub(crate) fn ln_p_raw(&self, null: Null, lags: Lags) -> f64 {
        match null {
            // Half an event is added, so that an empty baseline is not certainty.
            Null::LocalBaseline => {
                let mean = lags.lift * self.expected() + 0.5 / lags.count();
                ln_poisson_tail(self.counts.both, mean)
            }
            Null::Hypergeometric => ln_hypergeometric_tail(self.counts),
        }
    }

    /// ln of the p-value of the rule.
    pub(crate) fn ln_p(&self, null: Null, lags: Lags) -> f64 {
        match null {
            Null::LocalBaseline => {
                let mean = lags.lift * self.expected_clumps() + 0.5 / lags.count();
                ln_poisson_tail(self.clumps, mean).max(self.ln_p_raw(null, lags))
            }
            Null::Hypergeometric => self.ln_p_raw(null, lags),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surroundings::add_lags;
    use proptest::prelude::*;

    const LAGS: Lags = Lags {
        burst: 2,
        guard: 1,
        reach: 6,
        lift: 1.5,
    };

    proptest! {
        /// Against dense arrays and the definitions read aloud.
        #[test]
        fn sparse_evidence_equals_dense(
            x in prop::collection::vec(prop::bool::weighted(0.2), 40),
            y in prop::collection::vec(prop::bool::weighted(0.6), 40),
        ) {
            let windows = 40_u32;
            let left: Vec<u32> = (0..windows).filter(|&w| x[w as usize]).collect();
            let right = Runs::from_ranges((0..windows).filter(|&w| y[w as usize]).map(|w| (w, w)));
            let pair = Pair::counted(&left, &right, 40)
                .with_baseline(&left, &right, windows, LAGS, f64::INFINITY)
                .with_clumps(&left, &right, LAGS);

            let at = |w: i64| (0..40).contains(&w) && y[usize::try_from(w).unwrap()];
            let lags: Vec<i64> = (-6..=6_i64).filter(|lag| lag.abs() >= 1).collect();
            // A run of Y that begins with the event and outlasts its surroundings is left out.
            let own = |event: i64, w: i64| {
                event <= w && !at(event - 1) && (event..=event + 6).all(at)
            };
            let share = |lags: &[i64]| -> f64 {
                left.iter().map(|&w| {
                    let event = i64::from(w);
                    let inside = |lags: &[i64]| -> Vec<i64> {
                        let near = lags.iter().map(|l| event + l);
                        near.filter(|&w| (0..40).contains(&w) && !own(event, w)).collect()
                    };
                    let mine = inside(lags);
                    if mine.is_empty() {
                        return 1.0;
                    }
                    mine.iter().filter(|w| at(**w)).count() as f64 / mine.len() as f64
                }).sum()
            };
            let expected = share(&lags);
            prop_assert!((pair.far - expected).abs() < 1e-9);

            // A hit is a first one unless Y is present all the way from the previous event's hit.
            let first = |i: usize, lag: i64| {
                let w = i64::from(left[i]) + lag;
                at(w) && (i == 0 || !(i64::from(left[i - 1]) + lag..=w).all(at))
            };
            let clumps = (0..left.len()).filter(|&i| first(i, 0)).count() as u64;
            prop_assert_eq!(pair.clumps, clumps);
            let (mut hits, mut firsts) = (0_u32, 0_u32);
            for (i, &event) in left.iter().enumerate() {
                for &lag in &lags {
                    hits += u32::from(at(i64::from(event) + lag));
                    firsts += u32::from(first(i, lag));
                }
            }
            let share = if hits == 0 { 1.0 } else { f64::from(firsts) / f64::from(hits) };
            prop_assert!((pair.clumped - expected * share).abs() < 1e-9, "{} {}", pair.clumped, share);

            let mut profile = vec![0; 13];
            add_lags(&mut profile, &left, &right, 6);
            for (lag, &count) in (-6..=6_i64).zip(&profile) {
                prop_assert_eq!(count, left.iter().filter(|&&w| at(i64::from(w) + lag)).count() as u64);
            }
        }
    }

    /// Few runs among many events take the short way; it must not change anything.
    #[test]
    fn a_busy_left_side_and_a_rare_right_one() {
        let left: Vec<u32> = (0..900).map(|i| i * 2).collect();
        let right = Runs::from_ranges([(0, 1), (40, 41), (50, 50), (900, 930), (1797, 1799)]);
        let pair = Pair::counted(&left, &right, 1800)
            .with_baseline(&left, &right, 1800, LAGS, f64::INFINITY)
            .with_clumps(&left, &right, LAGS);
        let share = |&event: &u32| {
            let own = right
                .ranges()
                .find(|&(first, last)| first == event && last >= event + 6);
            let around = (event.saturating_sub(6)..=event.saturating_sub(1))
                .chain(event + 1..=(event + 6).min(1799))
                .filter(|&w| w != event && own.is_none_or(|(first, last)| w < first || w > last));
            let (present, all): (Vec<u32>, Vec<u32>) = (
                around.clone().filter(|&w| right.contains(w)).collect(),
                around.collect(),
            );
            present.len() as f64 / all.len() as f64
        };
        let far: f64 = left.iter().map(share).sum();
        assert!((pair.far - far).abs() < 1e-9);
        assert_eq!(pair.counts.both, 1 + 1 + 1 + 16 + 1);
        assert_eq!(pair.clumps, 5);
    }

    #[test]
    fn a_trace_without_surroundings_is_no_evidence() {
        let present = Runs::from_ranges([(0, 1)]);
        let lags = Lags { guard: 2, ..LAGS };
        let pair = Pair::counted(&[0, 1], &present, 2);
        let pair = pair.with_baseline(&[0, 1], &present, 2, lags, f64::INFINITY);
        assert!((pair.expected() - 2.0).abs() < 1e-12);
        assert!(pair.ln_p_raw(Null::LocalBaseline, LAGS).abs() < 1e-12);
    }
}
