//! Mining a stream: a sliding horizon, mined again and again, in bounded memory.

use std::collections::BTreeSet;

use peerscope_flow::{Arrival, Flow, FlowKey, Held, InitiatorEvidence, Timestamp, Watermark};

use crate::{ActivityBuilder, ActivityError, Miner, Rule, RuleBook, RuleKey};

/// Reports rules that the book does not know as they become significant.
///
/// It holds the activity of the last `horizon`, mines it every `step`, and forgets what is older;
/// a rule whose co-occurrences are spread wider than the horizon is not found. At most
/// `max_stretches` stretches of activity (a flow, or consecutive windows of packets) are held: at
/// the limit the oldest quarter is dropped, and counted. The false discovery rate holds for each
/// mining by itself. Each novel rule is reported once.
///
/// Starts move time, not ends, so that one long flow does not make those after it late: flows may come
/// by start, by end, or out of order within the horizon; those that ended before it are skipped and
/// counted. Those that begin too far ahead, if a [limit](Self::with_max_jump) is set, are [`Held`] until
/// time has come to them; those given up are counted.
#[derive(Clone, Debug)]
pub struct StreamMiner {
    miner: Miner,
    book: RuleBook,
    step_us: i64,
    max_stretches: usize,
    activity: ActivityBuilder,
    /// As far behind the latest time as the horizon reaches.
    watermark: Watermark,
    held: Held<Item>,
    /// When it was last mined up to.
    mined: Option<Timestamp>,
    reported: BTreeSet<RuleKey>,
    counts: StreamCounts,
}

/// What becomes activity.
#[derive(Clone, Debug)]
enum Item {
    Flow(Flow),
    Packet(FlowKey, Timestamp, InitiatorEvidence),
}

/// What a stream miner left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamCounts {
    /// Flows and packets that came after their time had left the horizon.
    pub late: u64,
    /// Flows and packets from further ahead than a jump may be that were given up.
    pub ahead: u64,
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
            step_us: 1800 * Timestamp::MICROS_PER_SEC,
            max_stretches: Self::MAX_STRETCHES,
            watermark: Watermark::new(7_200_000_000),
            held: Held::new(),
            mined: None,
            reported: BTreeSet::new(),
            counts: StreamCounts::default(),
        }
    }

    /// Another horizon and step, in microseconds; values below 1 are 1.
    #[must_use]
    pub fn with_horizon(mut self, horizon_us: i64, step_us: i64) -> Self {
        self.watermark = self
            .watermark
            .with_lateness(horizon_us.max(1).unsigned_abs());
        self.step_us = step_us.max(1);
        self
    }

    /// Holds what lies further ahead of the latest time than this many microseconds, until enough
    /// agree on it (see [`Watermark`]); without a limit every time is believed.
    #[must_use]
    pub fn with_max_jump(mut self, micros: u64) -> Self {
        self.watermark = self.watermark.with_max_jump(micros);
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
        let (start, end) = (flow.span.start(), flow.span.end());
        let now = self.watermark.latest().map_or(start, |now| now.max(start));
        self.take(
            end.min(now),
            || Item::Flow(flow.clone()),
            |activity| {
                activity.push(flow);
            },
        )
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
        let item = || Item::Packet(key, time, initiator);
        self.take(time, item, |activity| {
            activity.push_packet(key, time, initiator);
        })
    }

    /// Mines the activity of the horizon now.
    ///
    /// # Errors
    ///
    /// As for [`StreamMiner::push`].
    pub fn mine(&mut self) -> Result<Vec<Rule>, ActivityError> {
        let Some(passed) = self.watermark.passed() else {
            return Ok(Vec::new());
        };
        self.mined = self.watermark.latest();
        self.counts.minings += 1;
        self.activity.forget_before(passed);
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

    /// Moves time on to that of an item and adds it, after mining what was there if a step is over.
    fn take(
        &mut self,
        time: Timestamp,
        item: impl FnOnce() -> Item,
        add: impl FnOnce(&mut ActivityBuilder),
    ) -> Result<Vec<Rule>, ActivityError> {
        let mut moved = self.watermark;
        let arrival = moved.observe(time);
        if arrival == Arrival::Ahead {
            self.counts.ahead += self.held.push(time, item()).len() as u64;
        }
        let mut novel = Vec::new();
        if let Some(latest) = moved
            .latest()
            .filter(|_| moved.latest() != self.watermark.latest())
            && latest.micros_since(*self.mined.get_or_insert(latest)) >= self.step_us
        {
            novel = self.mine()?;
            self.mined = Some(latest);
        }
        self.watermark = moved;
        if let Some(latest) = moved.latest() {
            for item in self.held.release(latest) {
                match item {
                    Item::Flow(flow) => self.activity.push(&flow),
                    Item::Packet(key, time, initiator) => {
                        self.activity.push_packet(key, time, initiator);
                    }
                }
                self.bound();
            }
        }
        match arrival {
            Arrival::Ahead => {}
            Arrival::Late => self.counts.late += 1,
            Arrival::InTime => {
                add(&mut self.activity);
                self.bound();
            }
        }
        Ok(novel)
    }

    fn bound(&mut self) {
        if self.activity.len() <= self.max_stretches {
            return;
        }
        let before = self.activity.len();
        if let Some(passed) = self.watermark.passed() {
            self.activity.forget_before(passed);
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
