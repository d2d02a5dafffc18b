//! Mining a stream: a sliding horizon, mined again and again, in bounded memory.

use std::collections::BTreeSet;

use peerscope_flow::{Flow, FlowKey, InitiatorEvidence, Timestamp};

use crate::{ActivityBuilder, ActivityError, Miner, Rule, RuleBook, RuleKey};

/// Reports rules that the book does not know as they become significant.
///
/// It holds the activity of the last `horizon`, mines it every `step`, and forgets what is older;
/// a rule whose co-occurrences are spread wider than the horizon is not found. At most
/// `max_stretches` stretches of activity (a flow, or consecutive windows of packets) are held: at
/// the limit the oldest quarter is dropped, and counted. The false discovery rate holds for each
/// mining by itself. Each novel rule is reported once.
///
/// Flows may come out of order within the horizon; those that ended before it are skipped and
/// counted.
#[derive(Clone, Debug)]
pub struct StreamMiner {
    miner: Miner,
    book: RuleBook,
    horizon_us: i64,
    step_us: i64,
    max_stretches: usize,
    activity: ActivityBuilder,
    /// Latest time seen, and when it was last mined up to.
    now: Option<Timestamp>,
    mined: Option<Timestamp>,
    reported: BTreeSet<RuleKey>,
    counts: StreamCounts,
}

/// What a stream miner left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamCounts {
    /// Flows and packets that came after their time had left the horizon.
    pub late: u64,
    /// Stretches of activity dropped early because memory was full.
    pub dropped: u64,
    /// How often the horizon was mined.
    pub minings: u64,
}

impl StreamMiner {
    /// Stretches held at most by default; about 200 MiB, and as much again while mining.
    pub const MAX_STRETCHES: usize = 2_000_000;

    /// A miner over the last two hours, every half hour, for the rules a book does not know.
    pub fn new(miner: Miner, book: RuleBook) -> Self {
        Self {
            activity: miner.activity(),
            miner,
            book,
            horizon_us: 7200 * Timestamp::MICROS_PER_SEC,
            step_us: 1800 * Timestamp::MICROS_PER_SEC,
            max_stretches: Self::MAX_STRETCHES,
            now: None,
            mined: None,
            reported: BTreeSet::new(),
            counts: StreamCounts::default(),
        }
    }

    /// Another horizon and step, in microseconds; values below 1 are 1.
    #[must_use]
    pub fn with_horizon(mut self, horizon_us: i64, step_us: i64) -> Self {
        self.horizon_us = horizon_us.max(1);
        self.step_us = step_us.max(1);
        self
    }

    /// Another limit on memory; at least 4.
    #[must_use]
    pub fn with_max_stretches(mut self, stretches: usize) -> Self {
        self.max_stretches = stretches.max(4);
        self
    }

    /// Adds a flow, and gives the novel rules found if it was time to mine.
    ///
    /// # Errors
    ///
    /// If the horizon is too long for the window.
    pub fn push(&mut self, flow: &Flow) -> Result<Vec<Rule>, ActivityError> {
        let novel = self.advance(flow.span.end())?;
        if self.is_late(flow.span.end()) {
            self.counts.late += 1;
        } else {
            self.activity.push(flow);
            self.bound();
        }
        Ok(novel)
    }

    /// Adds a packet, as [`ActivityBuilder::push_packet`] does.
    ///
    /// # Errors
    ///
    /// As for [`StreamMiner::push`].
    pub fn push_packet(
        &mut self,
        key: FlowKey,
        time: Timestamp,
        initiator: InitiatorEvidence,
    ) -> Result<Vec<Rule>, ActivityError> {
        let novel = self.advance(time)?;
        if self.is_late(time) {
            self.counts.late += 1;
        } else {
            self.activity.push_packet(key, time, initiator);
            self.bound();
        }
        Ok(novel)
    }

    /// Mines what is held now.
    ///
    /// # Errors
    ///
    /// As for [`StreamMiner::push`].
    pub fn mine(&mut self) -> Result<Vec<Rule>, ActivityError> {
        let Some(now) = self.now else {
            return Ok(Vec::new());
        };
        self.mined = Some(now);
        self.counts.minings += 1;
        self.activity.forget_before(self.cutoff(now));
        let found = self.miner.mine(&self.activity.clone().finish()?);
        Ok(found
            .rules
            .into_iter()
            .filter(|rule| !self.book.knows(rule) && self.reported.insert(RuleKey::of(rule)))
            .collect())
    }

    /// What was left out.
    pub fn counts(&self) -> StreamCounts {
        self.counts
    }

    fn cutoff(&self, now: Timestamp) -> Timestamp {
        now.saturating_add_micros(-self.horizon_us)
    }

    fn is_late(&self, time: Timestamp) -> bool {
        self.now.is_some_and(|now| time < self.cutoff(now))
    }

    /// Moves time on to that of an item about to be added, and mines before it if a step is over.
    fn advance(&mut self, time: Timestamp) -> Result<Vec<Rule>, ActivityError> {
        let start = *self.mined.get_or_insert(time);
        let due = time.micros_since(start) >= self.step_us;
        let novel = if due { self.mine()? } else { Vec::new() };
        if due {
            self.mined = Some(time);
        }
        self.now = self.now.max(Some(time));
        Ok(novel)
    }

    fn bound(&mut self) {
        if self.activity.len() <= self.max_stretches {
            return;
        }
        let before = self.activity.len();
        if let Some(now) = self.now {
            self.activity.forget_before(self.cutoff(now));
        }
        if self.activity.len() * 4 > self.max_stretches * 3 {
            let held = self.activity.len();
            if let Some(time) = self.activity.end_quantile(0.25) {
                // Those that end at this very moment go too, else equal times would never shrink.
                self.activity.forget_before(time.saturating_add_micros(1));
            }
            self.counts.dropped += (held - self.activity.len()) as u64;
        }
        debug_assert!(self.activity.len() < before);
    }
}
