//! One activity of one host as a stream of moments.

use crate::behaviour::Act;
use crate::host::{Window, micros, total};
use crate::rng::Rng;
use crate::truth::PlantedId;

/// When an activity's moments come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// A Poisson process: mean gap in microseconds.
    Poisson { gap: f64 },
    /// Bursts of `size` moments in the mean, `inner` microseconds apart or less; `gap` is the mean
    /// over all.
    Bursts { gap: f64, size: f64, inner: f64 },
    /// A clock: period and relative jitter.
    Regular { period: f64, jitter: f64 },
    /// Once at the begin of a window, with a probability.
    Once { probability: f64 },
}

impl Pace {
    /// Mean number of moments in some windows.
    pub(crate) fn expected(self, windows: &[Window]) -> f64 {
        match self {
            Self::Poisson { gap } | Self::Bursts { gap, .. } => total(windows) / gap,
            Self::Regular { period, .. } => total(windows) / period,
            Self::Once { probability } => probability * windows.len() as f64,
        }
    }
}

/// One activity of one host. It has exactly one pending moment, so the events that wait are as many
/// as the activities, whatever the number of flows.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) act: Act,
    pub(crate) host: u32,
    /// The planted behaviour that the activity is part of.
    pub(crate) planted: Option<PlantedId>,
    /// Flows it gave that belong to the planted behaviour.
    pub(crate) planted_flows: u64,
    pub(crate) rng: Rng,
    pace: Pace,
    burst_left: u32,
    windows: Box<[Window]>,
    window: usize,
}

impl Process {
    pub(crate) fn new(act: Act, host: u32, pace: Pace, windows: Vec<Window>, rng: Rng) -> Self {
        let windows = windows.into_boxed_slice();
        Self {
            act,
            host,
            planted: None,
            planted_flows: 0,
            rng,
            pace,
            burst_left: 0,
            windows,
            window: 0,
        }
    }

    pub(crate) fn expected(&self) -> f64 {
        self.pace.expected(&self.windows)
    }

    /// Whether moments come faster than the clock of microseconds ticks.
    pub(crate) fn is_too_fast(&self) -> bool {
        self.expected() > total(&self.windows)
    }

    /// End of the window that the last moment lies in.
    pub(crate) fn until(&self) -> i64 {
        self.windows.get(self.window).map_or(0, |window| window.end)
    }

    /// The first moment.
    pub(crate) fn first(&mut self) -> Option<i64> {
        match self.pace {
            Pace::Once { .. } => self.enter(),
            Pace::Regular { period, .. } => {
                let phase = period * self.rng.uniform();
                self.after(self.windows.first()?.start, phase)
            }
            Pace::Poisson { .. } | Pace::Bursts { .. } => self.next(self.windows.first()?.start),
        }
    }

    /// The moment after `now`, which may be `now` itself.
    pub(crate) fn next(&mut self, now: i64) -> Option<i64> {
        match self.pace {
            Pace::Poisson { gap } => {
                let gap = gap * self.rng.exponential();
                self.after(now, gap)
            }
            Pace::Bursts { gap, size, inner } => {
                let inner = inner.min(gap / 2.0);
                let pause = if self.burst_left > 0 {
                    self.burst_left -= 1;
                    inner
                } else {
                    self.burst_left = self.rng.poisson(size - 1.0);
                    // The pauses inside a burst are part of the mean gap.
                    gap * size - inner * (size - 1.0)
                };
                let pause = pause * self.rng.exponential();
                self.after(now, pause)
            }
            Pace::Regular { period, jitter } => {
                let gap = period * (1.0 + jitter * (self.rng.uniform() - 0.5));
                let next = now + micros(gap).max(1);
                if next < self.until() {
                    return Some(next);
                }
                self.window += 1;
                let phase = period * self.rng.uniform();
                self.after(self.windows.get(self.window)?.start, phase)
            }
            Pace::Once { .. } => {
                self.window += 1;
                self.enter()
            }
        }
    }

    /// `gap` microseconds of window time after `now`.
    fn after(&mut self, mut now: i64, mut gap: f64) -> Option<i64> {
        loop {
            let window = self.windows.get(self.window)?;
            let rest = window.end - now;
            if gap < rest as f64 {
                return Some(now + micros(gap));
            }
            gap -= rest as f64;
            self.window += 1;
            now = self.windows.get(self.window)?.start;
        }
    }

    /// Soon after the begin of the next window that the probability chooses.
    fn enter(&mut self) -> Option<i64> {
        let Pace::Once { probability } = self.pace else {
            return None;
        };
        loop {
            let window = *self.windows.get(self.window)?;
            if self.rng.chance(probability) {
                let delay = 5e6 * self.rng.exponential();
                return Some((window.start + micros(delay)).min(window.end - 1));
            }
            self.window += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: [Window; 2] = [
        Window {
            start: 1_000,
            end: 2_000_000,
        },
        Window {
            start: 5_000_000,
            end: 9_000_000,
        },
    ];

    fn moments(pace: Pace) -> Vec<i64> {
        let rng = Rng::stream(3, [0; 3]);
        let mut process = Process::new(Act::Dns, 0, pace, WINDOWS.to_vec(), rng);
        let mut next = process.first();
        let mut moments = Vec::new();
        while let Some(now) = next {
            assert!(
                WINDOWS
                    .iter()
                    .any(|window| (window.start..window.end).contains(&now))
            );
            assert!(moments.last().is_none_or(|last| *last <= now));
            moments.push(now);
            next = process.next(now);
        }
        moments
    }

    #[test]
    fn moments_lie_in_windows_and_are_as_many_as_expected() {
        for pace in [
            Pace::Poisson { gap: 600.0 },
            Pace::Bursts {
                gap: 600.0,
                size: 5.0,
                inner: 100.0,
            },
            Pace::Regular {
                period: 600.0,
                jitter: 0.2,
            },
        ] {
            let (count, expected) = (moments(pace).len() as f64, pace.expected(&WINDOWS));
            assert!(
                (count / expected - 1.0).abs() < 0.05,
                "{pace:?}: {count} of {expected}"
            );
        }
        assert_eq!(moments(Pace::Once { probability: 1.0 }).len(), 2);
        assert_eq!(moments(Pace::Once { probability: 0.0 }).len(), 0);
    }
}
