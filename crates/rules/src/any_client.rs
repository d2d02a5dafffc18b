//! Template T1: two services that any client uses together.

use rayon::prelude::*;

use crate::Template;
use crate::evidence::Pair;
use crate::generic::pooled_p;
use crate::hypothesis::{Hypothesis, Side};
use crate::table::{Pattern, Table};

/// Accepted-looking rules of template T1, from co-occurrences per client, and the number of tests.
pub(crate) fn rules(
    table: &Table<'_>,
    mut pooled: Vec<(u32, u32, u32)>,
) -> (Vec<Hypothesis>, u128) {
    let least = u64::from(table.parameters.min_cooccurrence);
    pooled.par_sort_unstable();
    let pairs: Vec<(u32, u32)> = pooled
        .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .filter(|same| {
            same.len() >= table.parameters.min_bindings as usize
                && same.iter().map(|one| u64::from(one.2)).sum::<u64>() >= least
        })
        .map(|same| (same[0].0, same[0].1))
        .collect();
    drop(pooled);
    let found = pairs
        .into_par_iter()
        .filter_map(|(p, q)| test_any_client(table, p, q))
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
        let client = table.group(id).src;
        let at = long
            .members
            .binary_search_by_key(&client, |&other| table.group(other).src)
            .ok()?;
        let other = long.members[at];
        Some(if swap { (other, id) } else { (id, other) })
    })
}

fn test_any_client(table: &Table<'_>, p: u32, q: u32) -> Option<Hypothesis> {
    let (lags, windows) = (table.parameters.lags(), table.activity.windows);
    let (left, right) = (&table.patterns[p as usize], &table.patterns[q as usize]);
    let active = |id: u32| table.active[table.group(id).src as usize];
    let mut pairs: Vec<(u32, u32, Pair)> = bindings(table, left, right)
        .map(|(x, y)| {
            (
                x,
                y,
                Pair::counted(table.events(x), table.present(y), active(x)),
            )
        })
        .collect();
    // Clients that X happens to and Y never does count too.
    let mut total = pairs
        .iter()
        .fold(Pair::default(), |sum, one| sum.merge(one.2));
    total.counts.left = left.events;
    total.counts.windows = left.members.iter().map(|&id| active(id)).sum();
    if !table.parameters.scores(&total) {
        return None;
    }
    let bound = pairs.iter().filter(|one| one.2.counts.both > 0).count();
    for (x, y, pair) in &mut pairs {
        *pair = pair.with_baseline(table.events(*x), table.present(*y), windows, lags);
    }
    // What is left of the evidence only makes the p-value larger.
    let far = pairs.iter().fold(total, |sum, one| sum.plus_far(&one.2));
    table
        .parameters
        .may_pass(far.ln_p_raw(table.parameters.null, lags))?;
    for (x, y, pair) in &mut pairs {
        let (left, right) = (table.events(*x), table.present(*y));
        *pair = pair
            .with_starts(left, table.events(*y), lags)
            .with_clumps(left, right, lags);
    }
    let pooled = |pairs: &[(u32, u32, Pair)]| {
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
