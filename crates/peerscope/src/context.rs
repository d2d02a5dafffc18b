//! From the peer-to-peer analysis to communication rules: what else happened at a host, and when.

use std::collections::BTreeMap;

use peerscope_findings::Finding;
use peerscope_flow::{SlotIndex, SlotLength, Span};
use peerscope_rules::{Activity, RuleSet, Touch};

use crate::findings::SampleRef;

/// Communication rules beside an analysis: for a finding or an interesting sample, the rules that
/// held at its hosts in its time.
///
/// ```
/// use peerscope::prelude::*;
/// use peerscope::findings::SampleRef;
/// use peerscope::flow::SlotIndex;
/// use peerscope::rules::{Miner, Parameters};
/// use peerscope::RuleContext;
///
/// // A client that asks the same two peers every half minute, on ports of one range.
/// let miner = Miner::new(Parameters::default())?;
/// let mut activity = miner.activity();
/// for beat in 0..40 {
///     for (peer, port) in [("192.0.2.1", 6881), ("192.0.2.2", 6889)] {
///         activity.push(&Flow::new(
///             Transport::Tcp,
///             Endpoint::new("10.0.0.1".parse()?, 50_000),
///             Endpoint::new(peer.parse()?, port),
///             Span::at(Timestamp::from_secs(30 * beat)),
///         ));
///     }
/// }
/// let activity = activity.finish()?;
/// let rules = miner.mine(&activity);
///
/// let context = RuleContext::new(&rules, &activity);
/// let sample = SampleRef { host: "10.0.0.1".parse()?, slot: SlotIndex(1) };
/// let touches = context.of_sample(sample, SlotLength::from_secs(300.0)?);
/// assert_eq!(touches.len(), 1);
/// assert_eq!(touches[0].count, 10);
/// let rule = &rules.rules[touches[0].rule];
/// assert!(rule.uses_port("6881-6889".parse()?));
/// assert_eq!(rule.to_string(), "10.0.0.1.* : 192.0.2.1.6881 <=> 10.0.0.1.* : 192.0.2.2.6889");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RuleContext<'a> {
    rules: &'a RuleSet,
    activity: &'a Activity,
}

impl<'a> RuleContext<'a> {
    /// Rules, and the activity they were mined from.
    pub const fn new(rules: &'a RuleSet, activity: &'a Activity) -> Self {
        Self { rules, activity }
    }

    /// The rules that held at a sample's host in its slot, by falling count.
    pub fn of_sample(&self, sample: SampleRef, slot: SlotLength) -> Vec<Touch> {
        // A slot ends where the next one begins, so its last microsecond is one before.
        let next = SlotIndex(sample.slot.0.saturating_add(1));
        let end = slot.start_of(next).saturating_add_micros(-1);
        match Span::new(slot.start_of(sample.slot), end) {
            Ok(span) => self.rules.touching(self.activity, sample.host, span),
            Err(_) => Vec::new(),
        }
    }

    /// The rules that held at a finding's hosts in its time, by falling count; that of a rule is
    /// the largest among the hosts.
    pub fn of_finding(&self, finding: &Finding) -> Vec<Touch> {
        let Ok(span) = Span::new(finding.start, finding.end) else {
            return Vec::new();
        };
        let mut best: BTreeMap<usize, Touch> = BTreeMap::new();
        for &host in &finding.hosts {
            for touch in self.rules.touching(self.activity, host, span) {
                let known = best.entry(touch.rule).or_insert(touch);
                known.count = known.count.max(touch.count);
            }
        }
        let mut touches: Vec<Touch> = best.into_values().collect();
        touches.sort_by_key(|touch| (std::cmp::Reverse(touch.count), touch.rule));
        touches
    }
}
