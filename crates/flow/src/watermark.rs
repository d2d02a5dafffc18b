//! How far the time of a stream has come.

use crate::Timestamp;

/// How far event time has come in a stream of records, and which records come too late or from too
/// far ahead. No clock is read: time is what the records say.
///
/// The *latest* time accepted moves the watermark, which stays a *lateness* behind it: records may be
/// that much out of order. A record before the watermark is [late](Arrival::Late).
///
/// **Clocks that jump.** With [`with_max_jump`](Self::with_max_jump), a record further ahead of the
/// latest time moves nothing by itself, so one wrong clock cannot make everybody else late. Such a
/// record is [ahead](Arrival::Ahead) and a vote for its time: each further one within the jump of
/// those that agree counts for them, every other record against (the majority vote of Boyer and Moore,
/// 1991). When the votes for lead by [`CONFIRMATIONS`](Self::CONFIRMATIONS), time moves to the latest
/// of them: after a night without traffic, or if most records say so. The first records of a stream
/// are such votes too, since nothing says yet that they are right. Time never moves back.
/// [`Held`](crate::Held) keeps records ahead until time has come to them.
///
/// ```
/// use peerscope_flow::{Arrival, Timestamp, Watermark};
///
/// let at = Timestamp::from_secs;
/// let mut watermark = Watermark::new(10_000_000);
/// assert_eq!(watermark.observe(at(100)), Arrival::InTime);
/// assert_eq!(watermark.passed(), Some(at(90)));
/// assert_eq!(watermark.observe(at(90)), Arrival::InTime);
/// assert_eq!(watermark.observe(at(89)), Arrival::Late);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    lateness_us: i64,
    max_jump_us: Option<u64>,
    latest: Option<Timestamp>,
    /// First and last time of the records ahead that agree, and how far their votes lead.
    candidate: [Timestamp; 2],
    votes: u32,
}

/// How a record stands to a [`Watermark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing beside these")]
pub enum Arrival {
    /// Not before the watermark.
    InTime,
    /// Before it.
    Late,
    /// Further ahead of the latest time than a jump may be. The record that confirms a jump is, too:
    /// [`Watermark::latest`] has moved then.
    Ahead,
}

impl Watermark {
    /// By how many votes records ahead must lead: more than exporters pack into a few datagrams.
    pub const CONFIRMATIONS: u32 = 100;

    /// A watermark this many microseconds behind the latest time.
    pub const fn new(lateness_us: u64) -> Self {
        let unset = Self {
            lateness_us: 0,
            max_jump_us: None,
            latest: None,
            candidate: [Timestamp::MIN; 2],
            votes: 0,
        };
        unset.with_lateness(lateness_us)
    }

    /// Another lateness, in microseconds.
    #[must_use]
    pub const fn with_lateness(mut self, micros: u64) -> Self {
        self.lateness_us = if micros > i64::MAX as u64 {
            i64::MAX
        } else {
            micros.cast_signed()
        };
        self
    }

    /// Lets time move on by more than this many microseconds only if enough records say so.
    #[must_use]
    pub const fn with_max_jump(mut self, micros: u64) -> Self {
        self.max_jump_us = Some(micros);
        self
    }

    /// Takes note of a record, and says how it stands to what was known with it.
    #[inline]
    pub fn observe(&mut self, time: Timestamp) -> Arrival {
        if self.is_ahead(time) {
            self.vote(time);
            return Arrival::Ahead;
        }
        self.votes = self.votes.saturating_sub(1);
        self.latest = self.latest.max(Some(time));
        if self.is_late(time) {
            Arrival::Late
        } else {
            Arrival::InTime
        }
    }

    /// The latest time accepted.
    pub const fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// Where the watermark stands: what is before it is late.
    pub fn passed(&self) -> Option<Timestamp> {
        self.latest
            .map(|latest| latest.saturating_add_micros(-self.lateness_us))
    }

    /// Whether a record of this time would be late.
    pub fn is_late(&self, time: Timestamp) -> bool {
        self.passed().is_some_and(|passed| time < passed)
    }

    /// Whether a record of this time would be ahead.
    #[inline]
    pub fn is_ahead(&self, time: Timestamp) -> bool {
        match (self.max_jump_us, self.latest) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(limit), Some(latest)) => {
                latest < time && limit < time.as_micros().abs_diff(latest.as_micros())
            }
        }
    }

    #[cold]
    fn vote(&mut self, time: Timestamp) {
        let [first, last] = self.candidate;
        let apart = time
            .as_micros()
            .abs_diff(time.clamp(first, last).as_micros());
        if self.votes == 0 {
            (self.candidate, self.votes) = ([time; 2], 1);
        } else if self.max_jump_us.is_none_or(|limit| apart <= limit) {
            self.candidate = [first.min(time), last.max(time)];
            self.votes += 1;
        } else {
            self.votes -= 1;
        }
        if self.votes >= Self::CONFIRMATIONS {
            self.latest = self.latest.max(Some(self.candidate[1]));
            self.votes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const LIMIT: u64 = 3_600_000_000;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// A watermark without lateness that has come to a time.
    fn started(secs: i64) -> Watermark {
        let mut watermark = Watermark::new(0).with_max_jump(LIMIT);
        for _ in 0..Watermark::CONFIRMATIONS {
            watermark.observe(at(secs));
        }
        assert_eq!(watermark.latest(), Some(at(secs)));
        watermark
    }

    #[test]
    fn without_a_limit_every_record_is_believed() {
        let mut watermark = Watermark::new(5_000_000);
        assert_eq!((watermark.latest(), watermark.passed()), (None, None));
        assert_eq!(watermark.observe(at(-7)), Arrival::InTime);
        assert_eq!(watermark.observe(Timestamp::MAX), Arrival::InTime);
        assert_eq!(watermark.observe(at(0)), Arrival::Late);
        let mut watermark = Watermark::new(u64::MAX);
        watermark.observe(at(0));
        assert_eq!(watermark.observe(Timestamp::MIN), Arrival::Late);
        assert_eq!(
            watermark.observe(Timestamp::MIN.saturating_add_micros(1)),
            Arrival::InTime
        );
    }

    #[test]
    fn a_wrong_clock_does_not_make_others_late() {
        let mut watermark = started(0);
        // Two of five records, in bursts of 30, are a year ahead; one is from the end of time.
        watermark.observe(Timestamp::MAX);
        for round in 0..200 {
            for _ in 0..30 {
                assert_eq!(watermark.observe(at(366 * 24 * HOUR)), Arrival::Ahead);
            }
            for _ in 0..45 {
                assert_eq!(watermark.observe(at(round)), Arrival::InTime);
            }
        }
        assert_eq!(watermark.latest(), Some(at(199)));
    }

    #[test]
    fn a_gap_is_believed_when_confirmed() {
        let mut watermark = started(0);
        assert_eq!(watermark.observe(at(HOUR)), Arrival::InTime);
        let morning = 10 * HOUR;
        // One straggler, and one record of nowhere: two votes against, and one lost.
        let mut others = vec![at(HOUR), Timestamp::MAX];
        let mut ahead = 0;
        for second in 0..200 {
            ahead += u32::from(watermark.observe(at(morning + second)) == Arrival::Ahead);
            if second >= 50
                && let Some(other) = others.pop()
            {
                watermark.observe(other);
            }
        }
        assert_eq!(ahead, Watermark::CONFIRMATIONS + 2);
        assert_eq!(watermark.latest(), Some(at(morning + 199)));
    }

    #[test]
    fn few_records_start_a_stream_and_end_a_gap_too() {
        // From one a second to fewer than two in a jump.
        for every in [1, 60, 1800, 3600] {
            let mut watermark = Watermark::new(0).with_max_jump(LIMIT);
            for start in [0, 1_000_000_000] {
                for number in 0..i64::from(Watermark::CONFIRMATIONS) {
                    assert_eq!(
                        watermark.observe(at(start + every * number)),
                        Arrival::Ahead
                    );
                }
                let last = start + every * i64::from(Watermark::CONFIRMATIONS - 1);
                assert_eq!(watermark.latest(), Some(at(last)));
                assert_eq!(watermark.observe(at(last + every)), Arrival::InTime);
            }
        }
    }

    #[test]
    fn a_stream_that_starts_with_nonsense_finds_its_time() {
        for nonsense in [Timestamp::MIN, at(0), Timestamp::MAX] {
            let mut watermark = Watermark::new(0).with_max_jump(LIMIT);
            watermark.observe(nonsense);
            for second in 0..200 {
                watermark.observe(at(1_000_000 + second));
            }
            assert_eq!(watermark.latest(), Some(at(1_000_199)));
        }
    }
}
