//! The trace: what happens next, in a queue.

use std::collections::BTreeMap;

use peerscope_flow::{Flow, Timestamp};

use super::background::{Browser, Sites, long_lived, request, visit};
use super::catalogue::shapes;
use super::shape::Shape;
use super::{Draft, RulesScenario, RulesTruth};
use crate::ScenarioError;
use crate::rng::Rng;

/// A trace with planted rules: an iterator of flows in order of their start.
///
/// Equal scenarios and seeds give equal flows on every machine. Memory is proportional to the
/// number of clients and sites, and to `co_occurrences`; it does not grow with the number of flows.
#[derive(Debug)]
pub struct RulesTrace {
    scenario: RulesScenario,
    seed: u64,
    sites: Sites,
    sources: Vec<(Source, Rng)>,
    shapes: Vec<Shape>,
    /// What comes next, the earliest first; ties go by number.
    queue: BTreeMap<(i64, u64), Next>,
    numbered: u64,
    flows: u64,
}

/// Where flows come from.
#[derive(Clone, Debug)]
enum Source {
    Browser(Browser),
    LongLived(u32),
    Visits(u32),
    Requests(u32),
    Planted(usize),
}

/// What waits in the queue.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// A source's turn, at a time in seconds.
    Turn(usize, f64),
    Flow(Draft),
}

impl RulesTrace {
    /// A trace at its begin.
    ///
    /// # Errors
    ///
    /// If the scenario is bad.
    pub fn new(scenario: &RulesScenario, seed: u64) -> Result<Self, ScenarioError> {
        scenario.check()?;
        let mut trace = Self {
            scenario: scenario.clone(),
            seed,
            sites: Sites::new(scenario.sites),
            sources: Vec::new(),
            shapes: Vec::new(),
            queue: BTreeMap::new(),
            numbered: 0,
            flows: 0,
        };
        let stream = |kind, number| Rng::stream(seed, [RULES, kind, u64::from(number)]);
        for number in 0..scenario.clients {
            let mut rng = stream(0, number);
            let (at, browser) = Browser::new(number, scenario, &mut rng);
            trace.begin(Source::Browser(browser), at, rng);
        }
        for number in 0..scenario.long_lived {
            let mut rng = stream(1, number);
            let at = rng.between(0.0, scenario.seconds());
            trace.begin(Source::LongLived(number), at, rng);
        }
        for server in 0..scenario.servers {
            trace.begin(Source::Visits(server), 0.0, stream(2, server));
            trace.begin(Source::Requests(server), 0.0, stream(3, server));
        }
        let mut plan = stream(4, 0);
        for (number, shape) in (0..).zip(shapes(scenario, &mut plan)) {
            let first = shape.first();
            trace.shapes.push(shape);
            if let Some(at) = first {
                let planted = Source::Planted(trace.shapes.len() - 1);
                trace.begin(planted, at, stream(5, number));
            }
        }
        Ok(trace)
    }

    fn begin(&mut self, source: Source, at: f64, rng: Rng) {
        self.sources.push((source, rng));
        self.wait(at, Next::Turn(self.sources.len() - 1, at));
    }

    /// Nothing begins after the trace's end.
    fn wait(&mut self, at: f64, next: Next) {
        if at < self.scenario.seconds() {
            #[expect(clippy::cast_possible_truncation, reason = "shorter than the trace")]
            let micros = (at * 1e6) as i64;
            self.queue.insert((micros, self.numbered), next);
            self.numbered += 1;
        }
    }

    fn turn(&mut self, id: usize, now: f64) {
        let (source, rng) = &mut self.sources[id];
        let scenario = &self.scenario;
        let (drafts, next) = match source {
            Source::Browser(browser) => {
                let (draft, next) = browser.visit(now, scenario, &self.sites, rng);
                (vec![draft], Some(next))
            }
            Source::LongLived(number) => (vec![long_lived(*number, now, rng)], None),
            Source::Visits(server) => {
                let next = now + rng.exponential() / scenario.server_rate;
                (vec![visit(*server, now, scenario, rng)], Some(next))
            }
            Source::Requests(server) => {
                let next = now + 2.0 * rng.exponential() / scenario.server_rate;
                (vec![request(*server, now, rng)], Some(next))
            }
            Source::Planted(shape) => self.shapes[*shape].happen(now, scenario, rng),
        };
        for draft in drafts {
            self.wait(draft.start, Next::Flow(draft));
        }
        if let Some(next) = next {
            self.wait(next, Next::Turn(id, next));
        }
    }

    /// The ground truth, with the counts of the flows given so far: take it at the end.
    pub fn truth(&self) -> RulesTruth {
        let begin = self.start();
        #[expect(clippy::cast_possible_truncation, reason = "at most 10,000 hours")]
        let end_us = begin.saturating_add_micros((self.scenario.seconds() * 1e6) as i64);
        RulesTruth {
            schema: RulesTruth::SCHEMA.to_owned(),
            scenario: self.scenario.name.clone(),
            seed: self.seed,
            start_us: begin,
            end_us,
            flows: self.flows,
            shapes: self
                .shapes
                .iter()
                .map(|shape| shape.truth(self.scenario.ipv6))
                .collect(),
        }
    }

    const fn start(&self) -> Timestamp {
        Timestamp::from_secs(self.scenario.start_secs)
    }
}

/// The name of these random streams, apart from those of the other simulation.
const RULES: u64 = 0x0072_756c_6573;

impl Iterator for RulesTrace {
    type Item = Flow;

    fn next(&mut self) -> Option<Flow> {
        loop {
            match self.queue.pop_first()?.1 {
                Next::Turn(source, now) => self.turn(source, now),
                Next::Flow(draft) => {
                    self.flows += 1;
                    return Some(draft.finish(self.start(), self.scenario.ipv6));
                }
            }
        }
    }
}
