//! When a host was there, by the flows it initiated (SIGMETRICS 2009, section 8.2).

use peerscope_flow::Timestamp;
use peerscope_slot::Direction;

use crate::host::Host;
use crate::{HostFlow, Scene};

/// When a host counts as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Departure {
    /// It is undecided if a host left for good until it has been silent for so many slots: 12, an
    /// hour in slots of 300 s; and for longer than ever before.
    pub min_silent_slots: u32,
    /// A host is there between two flows it initiated that are at most so many slots apart: 2.
    pub active_gap_slots: u32,
}

impl Default for Departure {
    fn default() -> Self {
        Self {
            min_silent_slots: 12,
            active_gap_slots: 2,
        }
    }
}

/// When a host was there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Presence {
    /// Starts of the flows it initiated, by time.
    pub initiations: Vec<Timestamp>,
    /// The longest time between two of them, microseconds.
    pub longest_gap: i64,
    /// Whether it left for good, as far as the trace can tell.
    pub has_left: bool,
    /// The latest end of a flow in which it sent anything.
    pub last_seen: Option<Timestamp>,
    active_gap: i64,
}

/// What became of a flow to a host that nobody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the four readings of the method")]
pub enum Cause {
    /// The host had left.
    Departed,
    /// The host was there: a NAT kept the flow out.
    Nat,
    /// The host was gone for a while, and came back.
    Away,
    /// The trace ends too early to tell, or the host never initiated anything.
    Undecided,
}

impl Presence {
    /// When `host` was there.
    pub fn new(scene: &Scene<'_>, host: &Host, config: &Departure) -> Self {
        let mut initiations = Vec::new();
        let mut last_seen = None;
        for flow in &host.flows {
            if flow.is_initiated() {
                initiations.push(flow.start);
            }
            if flow.sent.packets > 0 {
                last_seen = last_seen.max(Some(flow.end));
            }
        }
        let gaps = initiations
            .windows(2)
            .map(|pair| pair[1].micros_since(pair[0]));
        let longest_gap = gaps.max().unwrap_or(0);
        let wanted = longest_gap.max(scene.slots(config.min_silent_slots));
        let silence = initiations
            .last()
            .zip(scene.span())
            .map(|(&departure, span)| span.end().micros_since(departure));
        Self {
            longest_gap,
            has_left: silence.is_some_and(|silence| silence >= wanted),
            last_seen,
            initiations,
            active_gap: scene.slots(config.active_gap_slots),
        }
    }

    /// The start of the last flow that the host initiated.
    pub fn departure(&self) -> Option<Timestamp> {
        self.initiations.last().copied()
    }

    /// Why a flow to the host that starts at `time` would stay unanswered.
    pub fn cause(&self, time: Timestamp) -> Cause {
        let after = self.initiations.partition_point(|&start| start < time);
        self.cause_before(after, time)
    }

    /// The same, for times that come in order.
    pub(crate) fn causes(&self) -> impl FnMut(Timestamp) -> Cause {
        let mut after = 0;
        move |time| {
            let passed = |&start: &Timestamp| start < time;
            while self.initiations.get(after).is_some_and(passed) {
                after += 1;
            }
            self.cause_before(after, time)
        }
    }

    /// The cause at `time`, the host's initiations from number `after` on being no earlier.
    fn cause_before(&self, after: usize, time: Timestamp) -> Cause {
        match (self.initiations.get(after), after.checked_sub(1)) {
            (None, _) if self.has_left => Cause::Departed,
            (None, _) => Cause::Undecided,
            // The host is there at the very start of a flow that it initiates.
            (Some(&next), _) if next == time => Cause::Nat,
            (Some(_), None) => Cause::Away,
            (Some(&next), Some(before)) => {
                let gap = next.micros_since(self.initiations[before]);
                if gap <= self.active_gap {
                    Cause::Nat
                } else {
                    Cause::Away
                }
            }
        }
    }
}

/// Flows to a host with a known outcome, under one cause.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Incoming {
    pub(crate) udp: u64,
    pub(crate) unanswered: u64,
    pub(crate) tcp: u64,
    pub(crate) failed: u64,
}

impl Incoming {
    /// Over the incoming flows of `host` whose cause would be `cause`.
    pub(crate) fn of(host: &Host, presence: &Presence, cause: Cause) -> Self {
        let mut all = Self::default();
        let mut cause_at = presence.causes();
        for flow in host
            .flows
            .iter()
            .filter(|flow| flow.direction == Direction::OutIn)
        {
            if flow.is_decided() && cause_at(flow.start) == cause {
                all.add(flow);
            }
        }
        all
    }

    fn add(&mut self, flow: &HostFlow) {
        if flow.transport == peerscope_flow::Transport::Udp {
            self.udp += 1;
            self.unanswered += u64::from(flow.is_unanswered());
        } else {
            self.tcp += 1;
            self.failed += u64::from(flow.is_failed());
        }
    }
}

/// `part / whole`, 0 of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn causes_in_order_are_the_causes(
            mut own in prop::collection::vec(0_i64..40, 0..12),
            mut times in prop::collection::vec(-5_i64..45, 0..30),
            has_left: bool,
        ) {
            own.sort_unstable();
            times.sort_unstable();
            let presence = Presence {
                initiations: own.into_iter().map(Timestamp::from_secs).collect(),
                longest_gap: 0,
                has_left,
                last_seen: None,
                active_gap: 5_000_000,
            };
            let mut cause_at = presence.causes();
            for time in times.into_iter().map(Timestamp::from_secs) {
                prop_assert_eq!(cause_at(time), presence.cause(time));
            }
        }
    }
}
