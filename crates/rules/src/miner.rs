//! From activity to rules: candidates, tests, the false discovery rate, folding.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::hypothesis::{Hypothesis, Side};
use crate::rule::Evidence;
use crate::significance::ln_adjusted;
use crate::surroundings::add_lags;
use crate::table::Table;
use crate::{
    Activity, ActivityBuilder, FlowGroup, ParameterError, Parameters, Rule, RuleSet, Template,
    any_client, chain, concrete, generic, peers, phase,
};

/// Finds communication rules.
///
/// The result depends on the activity and the parameters only: not on the order of input or the
/// number of threads.
#[derive(Clone, Debug)]
pub struct Miner {
    parameters: Parameters,
}

impl Miner {
    /// A miner with checked settings.
    ///
    /// # Errors
    ///
    /// If a setting is out of range.
    pub fn new(parameters: Parameters) -> Result<Self, ParameterError> {
        parameters.check()?;
        Ok(Self { parameters })
    }

    /// The settings.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// An empty collector of flows with the window, idle gap and port rules of this miner.
    pub fn activity(&self) -> ActivityBuilder {
        ActivityBuilder::new(self.parameters.window)
            .with_idle_gap(self.parameters.idle_gap_us)
            .with_ports(self.parameters.ports.clone())
    }

    /// The rules of a trace.
    ///
    /// # Complexity
    ///
    /// One step per event and co-active flow group of the same host (at most `bucket_limit` of
    /// them on average), then O(events of X near Y) per pair with enough co-occurrences.
    pub fn mine(&self, activity: &Activity) -> RuleSet {
        let table = Table::new(activity, &self.parameters);
        let (candidates, mut tests) = concrete::candidates(&table);
        let mut found: Vec<Hypothesis> = candidates
            .pairs
            .par_iter()
            .filter_map(|&met| concrete::test(&table, met))
            .collect();
        if self.parameters.looks_for(Template::AnyClient) {
            let (more, count) = any_client::rules(&table, candidates.met, &candidates.sampled);
            found.extend(more);
            tests += count;
        }
        for (template, mine) in [
            (Template::Chain, chain::rules as fn(&Table<'_>, usize) -> _),
            (Template::Peers, peers::rules),
        ] {
            if self.parameters.looks_for(template) {
                let parts: Vec<(Vec<Hypothesis>, u128)> = (0..table.hosts())
                    .into_par_iter()
                    .map(|host| mine(&table, host))
                    .collect();
                for (more, count) in parts {
                    found.extend(more);
                    tests += count;
                }
            }
        }
        let ln_p: Vec<f64> = found.iter().map(|one| one.ln_p).collect();
        let adjusted = ln_adjusted(&ln_p, tests);
        let limit = self.parameters.fdr.ln();
        let accepted: BTreeMap<Key, (Hypothesis, f64)> = found
            .into_iter()
            .zip(adjusted)
            .filter(|&(_, ln_q)| ln_q <= limit)
            .map(|(one, ln_q)| ((one.template, one.left, one.right), (one, ln_q)))
            .collect();
        let in_step = if self.parameters.phase_test {
            phase::coincidences(&table, &candidates.sampled, &concrete_pairs(&accepted))
        } else {
            BTreeSet::new()
        };
        let (rules, in_step) = rules(&table, &accepted, &in_step);
        RuleSet {
            in_step,
            ..RuleSet::new(rules, candidates.sampled, tests, activity, &self.parameters)
        }
    }
}

type Key = (Template, Side, Side);
type Accepted = BTreeMap<Key, (Hypothesis, f64)>;

fn concrete_pairs(accepted: &Accepted) -> Vec<(u32, u32)> {
    accepted
        .keys()
        .filter_map(|key| match *key {
            (Template::Concrete, Side::Group(x), Side::Group(y)) => Some((x, y)),
            _ => None,
        })
        .collect()
}

/// The rules that nothing explains, neither a generic one nor chance, and how many chance does.
fn rules(
    table: &Table<'_>,
    accepted: &Accepted,
    in_step: &BTreeSet<(u32, u32)>,
) -> (Vec<Rule>, usize) {
    let mut instances: BTreeMap<Key, BTreeSet<(FlowGroup, FlowGroup)>> = BTreeMap::new();
    let mut explained = BTreeSet::new();
    let mut by_chance = 0;
    for key in accepted.keys() {
        let (Template::Concrete, Side::Group(x), Side::Group(y)) = *key else {
            continue;
        };
        if let Some(generic) = explanation(table, accepted, x, y) {
            let pair = (table.group(x).group, table.group(y).group);
            instances.entry(generic).or_default().insert(pair);
            explained.insert(*key);
        } else if in_step.contains(&(x, y)) {
            by_chance += 1;
            explained.insert(*key);
        }
    }
    let mut rules = Vec::new();
    for (key, (one, ln_q)) in accepted.iter().filter(|(key, _)| !explained.contains(*key)) {
        let (template, left, right) = *key;
        let back = (template, right, left);
        let reverse = accepted
            .get(&back)
            .filter(|_| !explained.contains(&back) && back != *key);
        let (from, to) = (name(table, left), name(table, right));
        // Both ways: written once, from the lower side.
        if reverse.is_some() && (to, right) < (from, left) {
            continue;
        }
        let mut pairs = instances.get(key).cloned().unwrap_or_default();
        if reverse.is_some() {
            pairs.extend(instances.get(&back).into_iter().flatten());
        }
        rules.push(Rule {
            left: from,
            right: to,
            both_ways: reverse.is_some() || back == *key,
            template,
            evidence: evidence(table, one, *ln_q),
            reverse: reverse.map(|(one, ln_q)| evidence(table, one, *ln_q)),
            instances: pairs.into_iter().collect(),
        });
    }
    rules.sort_by_key(|rule| (rule.left, rule.right, rule.template));
    (rules, by_chance)
}

/// The accepted generic rule that a concrete one is an instance of.
fn explanation(table: &Table<'_>, accepted: &Accepted, x: u32, y: u32) -> Option<Key> {
    let (a, b) = (table.group(x), table.group(y));
    let (p, q) = (
        Side::Pattern(table.pattern_of[x as usize]),
        Side::Pattern(table.pattern_of[y as usize]),
    );
    let candidates = [
        (a.src == b.src, (Template::AnyClient, p, q)),
        (a.dst == b.src, (Template::Chain, p, Side::Group(y))),
        (a.src == b.dst, (Template::Chain, Side::Group(x), q)),
        (a.dst == b.dst && a.src != b.src, (Template::Peers, p, q)),
    ];
    candidates
        .into_iter()
        .find(|(fits, key)| *fits && accepted.contains_key(key))
        .map(|(_, key)| key)
}

fn name(table: &Table<'_>, side: Side) -> FlowGroup {
    match side {
        Side::Group(id) => table.group(id).group,
        Side::Pattern(id) => table.patterns[id as usize].group,
    }
}

fn evidence(table: &Table<'_>, one: &Hypothesis, ln_q: f64) -> Evidence {
    let counts = one.pair.counts;
    let reach = table.parameters.lags().reach;
    let mut lag_profile = vec![0; 2 * reach as usize + 1];
    generic::each_binding(table, one, |left, right| {
        add_lags(&mut lag_profile, left, right, reach);
    });
    let probability = |ln: f64| ln.exp().clamp(f64::MIN_POSITIVE, 1.0);
    Evidence {
        score: counts.positive_j().unwrap_or(0.0),
        p_value: probability(one.ln_p),
        p_adjusted: probability(ln_q),
        count_left: counts.left,
        count_right: counts.right,
        count_both: counts.both,
        expected: one.pair.expected(),
        windows: counts.windows,
        bindings: one.bindings,
        lag_profile,
    }
}
