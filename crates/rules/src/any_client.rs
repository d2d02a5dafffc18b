//! Template T1: two services that any client uses together.

use rayon::prelude::*;

use crate::evidence::{Pair, both};
use crate::generic::pooled_p;
use crate::hypothesis::{Hypothesis, Side};
use crate::table::{Pattern, Table};
use crate::{BucketPairs, Counts, SampledBucket, Template};

/// Two flow groups of a client that met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Met {
    pub(crate) x: u32,
    pub(crate) y: u32,
    /// Events of X with Y present.
    pub(crate) both: u32,
}

/// A client's groups, and their evidence.
type Binding = (u32, u32, Pair);

/// Accepted-looking rules of template T1, from co-occurrences per client, and the number of tests.
pub(crate) fn rules(
    table: &Table<'_>,
    mut met: Vec<Met>,
    sampled: &[SampledBucket],
) -> (Vec<Hypothesis>, u128) {
    let least = u64::from(table.parameters.min_cooccurrence);
    let patterns = |one: &Met| {
        (
            table.pattern_of[one.x as usize],
            table.pattern_of[one.y as usize],
        )
    };
    // Clients of whose pairs only a sample was counted.
    let thinned: Vec<u32> = sampled
        .iter()
        .filter(|bucket| bucket.pairs == BucketPairs::Initiated)
        .filter_map(|bucket| table.activity.hosts.binary_search(&bucket.host).ok())
        .filter_map(|host| u32::try_from(host).ok())
        .collect();
    // A client has one group of each pattern.
    met.par_sort_unstable_by_key(|one| (patterns(one), one.x));
    let found = met
        .par_chunk_by(|a, b| patterns(a) == patterns(b))
        .filter(|same| {
            same.len() >= table.parameters.min_bindings as usize
                && same.iter().map(|one| u64::from(one.both)).sum::<u64>() >= least
        })
        .filter_map(|same| test(table, same, &thinned))
        .collect();
    let (mut leads, mut follows, mut both) = (0_u128, 0_u128, 0_u128);
    for pattern in &table.patterns {
        let (lead, follow) = (table.can_lead_pool(pattern), table.can_follow_pool(pattern));
        leads += u128::from(lead);
        follows += u128::from(follow);
        both += u128::from(lead && follow);
    }
    (found, leads * follows - both)
}

/// Clients of both patterns: the groups of each, ascending by client.
pub(crate) fn bindings<'a>(
    table: &'a Table<'_>,
    p: &'a Pattern,
    q: &'a Pattern,
) -> impl Iterator<Item = (u32, u32)> + 'a {
    // Members ascend by client in both; the shorter list is looked up in the longer one.
    let swap = p.members.len() > q.members.len();
    let (short, long) = if swap { (q, p) } else { (p, q) };
    short.members.iter().filter_map(move |&id| {
        let other = member(table, long, table.group(id).src)?;
        Some(if swap { (other, id) } else { (id, other) })
    })
}

/// A client's group of a pattern.
fn member(table: &Table<'_>, pattern: &Pattern, client: u32) -> Option<u32> {
    let by_client = |&id: &u32| table.group(id).src;
    let at = pattern.members.binary_search_by_key(&client, by_client);
    Some(pattern.members[at.ok()?])
}

fn test(table: &Table<'_>, met: &[Met], thinned: &[u32]) -> Option<Hypothesis> {
    let [p, q] = [met[0].x, met[0].y].map(|id| table.pattern_of[id as usize]);
    let (left, right) = (&table.patterns[p as usize], &table.patterns[q as usize]);
    let (lags, windows) = (table.parameters.lags(), table.activity.windows);
    let all_counted = thinned.iter().all(|&client| {
        member(table, left, client).is_none() || member(table, right, client).is_none()
    });
    let known = if all_counted {
        where_met(table, left, met)?
    } else {
        Vec::new()
    };
    let mut pairs: Vec<Binding> = bindings(table, left, right)
        .map(|(x, y)| {
            if let Ok(at) = known.binary_search_by_key(&x, |one| one.0) {
                return known[at];
            }
            let (left, right) = (table.events(x), table.present(y));
            let both = if all_counted { 0 } else { both(left, right) };
            let active = table.active[table.group(x).src as usize];
            (x, y, Pair::met(left, right, both, active))
        })
        .collect();
    // Clients that X happens to and Y never does count too.
    let mut total = pairs
        .iter()
        .fold(Pair::default(), |sum, one| sum.merge(one.2));
    total.counts.left = left.events;
    total.counts.windows = left.active;
    if !table.parameters.scores(&total) {
        return None;
    }
    let bound = pairs.iter().filter(|one| one.2.counts.both > 0).count();
    let mut far = total;
    let most = table.most_explained(total.counts.both);
    let is_known = |pair: &Pair| all_counted && pair.counts.both > 0;
    for (x, y, pair) in pairs.iter_mut().filter(|one| !is_known(&one.2)) {
        let (left, right) = (table.events(*x), table.present(*y));
        *pair = pair.with_baseline(left, right, windows, lags, most - far.far);
        far = far.plus_far(pair);
        // What is left of the evidence only makes the p-value larger.
        if far.far > most {
            return None;
        }
    }
    for (x, y, pair) in &mut pairs {
        let (left, right) = (table.events(*x), table.present(*y));
        *pair = pair
            .with_starts(left, table.events(*y), lags)
            .with_clumps(left, right, lags);
    }
    let pooled = |pairs: &[Binding]| {
        let tested: Vec<Pair> = pairs.iter().map(|one| one.2).collect();
        pooled_p(table, &tested, total, lags)
    };
    pooled(&pairs)?;
    // Dear, and most pairs are gone by now.
    for (x, y, pair) in &mut pairs {
        *pair = pair.with_company(table.company_of(*x, *y));
    }
    let (pair, ln_p) = pooled(&pairs)?;
    (bound >= table.parameters.min_bindings as usize).then_some(Hypothesis {
        left: Side::Pattern(p),
        right: Side::Pattern(q),
        template: Template::AnyClient,
        pair,
        bindings: u32::try_from(bound).unwrap_or(u32::MAX),
        ln_p,
    })
}

/// The clients at which X and Y met with their baselines; `None` if they rule it out by themselves,
/// which is enough for most pairs. The other clients could only weaken the evidence.
fn where_met(table: &Table<'_>, left: &Pattern, met: &[Met]) -> Option<Vec<Binding>> {
    let (lags, windows) = (table.parameters.lags(), table.activity.windows);
    let sum = |of: &dyn Fn(&Met) -> u32| met.iter().map(|one| u64::from(of(one))).sum();
    let total = Pair {
        counts: Counts {
            left: left.events,
            right: sum(&|one| table.present(one.y).len()),
            both: sum(&|one| one.both),
            windows: left.active,
        },
        ..Pair::default()
    };
    if !table.parameters.scores(&total) {
        return None;
    }
    let mut left_over = table.most_explained(total.counts.both);
    met.iter()
        .map(|&Met { x, y, both }| {
            let (left, right) = (table.events(x), table.present(y));
            let active = table.active[table.group(x).src as usize];
            let pair = Pair::met(left, right, both, active);
            let pair = pair.with_baseline(left, right, windows, lags, left_over);
            left_over -= pair.far;
            (left_over >= 0.0).then_some((x, y, pair))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Miner, Parameters};
    use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Transport};
    use proptest::prelude::*;

    proptest! {
        /// The look at the clients that met first changes nothing.
        #[test]
        fn where_they_met_equals_every_client(
            flows in prop::collection::vec((0_u8..5, 0_u8..3, 0_i64..150, 0_i64..4), 50..250),
        ) {
            let parameters = Parameters {
                min_cooccurrence: 3,
                min_score: 0.001,
                fdr: 0.5,
                reach_s: 20.0,
                min_lift: 1.0,
                ..Parameters::default()
            };
            let mut activity = Miner::new(parameters.clone()).unwrap().activity();
            for (at, (client, server, start, length)) in (0..).zip(flows) {
                let time = |s| Timestamp::from_secs(s);
                activity.push(&Flow::new(
                    Transport::Tcp,
                    Endpoint::new([10, 0, 0, client].into(), 40_000 + at),
                    Endpoint::new([192, 0, 2, server].into(), 80),
                    Span::new(time(start), time(start + length)).unwrap(),
                ));
            }
            let activity = activity.finish().unwrap();
            let table = Table::new(&activity, &parameters);
            let groups = || 0..u32::try_from(activity.groups().len()).unwrap();
            for p in 0..table.patterns.len() {
                for q in (0..table.patterns.len()).filter(|&q| q != p) {
                    let met: Vec<Met> = bindings(&table, &table.patterns[p], &table.patterns[q])
                        .map(|(x, y)| {
                            let counts = Pair::counted(table.events(x), table.present(y), 1).counts;
                            Met { x, y, both: u32::try_from(counts.both).unwrap() }
                        })
                        .filter(|one| one.both > 0)
                        .collect();
                    if met.is_empty() {
                        continue;
                    }
                    let every: Vec<u32> = groups().map(|id| table.group(id).src).collect();
                    let p_of = |found: Option<Hypothesis>| found.map(|one| one.ln_p);
                    prop_assert_eq!(p_of(test(&table, &met, &[])), p_of(test(&table, &met, &every)));
                }
            }
        }
    }
}
