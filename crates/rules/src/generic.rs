//! Generic rules: the same rule for many clients, each binding counted on its own.
//!
//! A generic rule must not rest on one binding: its p-value is that of all bindings but the
//! strongest, if that is larger (the partial conjunction test for two, Benjamini and Heller 2008).
//! One crawler among the visitors of two popular servers is a concrete rule, not a generic one.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::bucket::{Series, co_occurrences};
use crate::evidence::Pair;
use crate::hypothesis::{Hypothesis, Side};
use crate::surroundings::Lags;
use crate::table::{Pattern, Table};
use crate::{Runs, Template};

/// Accepted-looking rules of template T1, from co-occurrences per client, and the number of tests.
pub(crate) fn any_client(
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
fn bindings<'a>(
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
    let pairs: Vec<(u32, u32, Pair)> = bindings(table, left, right)
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
    let tested: Vec<Pair> = pairs
        .into_iter()
        .map(|(x, y, pair)| {
            let (left, right) = (table.events(x), table.present(y));
            pair.with_baseline(left, right, windows, lags)
                .with_starts(left, table.events(y), lags)
                .with_clumps(left, right, lags)
        })
        .collect();
    let (pair, ln_p) = pooled_p(table, &tested, total, lags)?;
    (bound >= table.parameters.min_bindings as usize).then_some(Hypothesis {
        left: Side::Pattern(p),
        right: Side::Pattern(q),
        template: Template::AnyClient,
        pair,
        bindings: u32::try_from(bound).unwrap_or(u32::MAX),
        ln_p,
    })
}

/// The evidence of all bindings, and the p-value without the strongest one.
fn pooled_p(table: &Table<'_>, bindings: &[Pair], total: Pair, lags: Lags) -> Option<(Pair, f64)> {
    let null = table.parameters.null;
    let sum = bindings
        .iter()
        .fold(Pair::default(), |sum, &one| sum.merge(one));
    let all = Pair {
        counts: total.counts,
        ..sum
    };
    let strongest = bindings
        .iter()
        .max_by(|a, b| a.excess().total_cmp(&b.excess()))?;
    let rest = all.without(strongest);
    let ln_p = all.ln_p(null, lags).max(rest.ln_p(null, lags));
    table.parameters.may_pass(ln_p)?;
    Some((all, ln_p))
}

/// Rules of template T2 around one host, both ways, and the number of tests.
///
/// A window in which several clients call counts once, so that one request of the server's own is
/// not taken for many answers.
pub(crate) fn chains(table: &Table<'_>, host: usize) -> (Vec<Hypothesis>, u128) {
    let outs: Vec<Series<'_>> = table
        .outs(host)
        .filter(|&id| table.group(id).src != table.group(id).dst)
        .filter(|&id| table.can_lead(id) || table.can_follow(id))
        .map(|id| table.series(id))
        .collect();
    let pools = pools(table, host);
    if outs.is_empty() || pools.is_empty() {
        return (Vec::new(), 0);
    }
    let series: Vec<Series<'_>> = pools.iter().map(Pool::series).collect();
    let least = table.parameters.min_cooccurrence;
    let mut found = Vec::new();
    for (x, y, both) in co_occurrences(&series, &outs) {
        if both >= least {
            let (pool, out) = (&pools[x as usize], outs[y as usize].id);
            found.extend(test_chain(table, pool, out, ChainWay::Forward));
        }
    }
    for (x, y, both) in co_occurrences(&outs, &series) {
        if both >= least {
            let (pool, out) = (&pools[y as usize], outs[x as usize].id);
            found.extend(test_chain(table, pool, out, ChainWay::Back));
        }
    }
    (found, 2 * pools.len() as u128 * outs.len() as u128)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ChainWay {
    Forward,
    Back,
}

/// The groups of a pattern taken together.
struct Pool {
    pattern: u32,
    members: Vec<u32>,
    events: Vec<u32>,
    present: Runs,
}

impl Pool {
    fn new(table: &Table<'_>, pattern: u32, members: Vec<u32>) -> Self {
        let mut events: Vec<u32> = members
            .iter()
            .flat_map(|&id| table.events(id).iter().copied())
            .collect();
        events.sort_unstable();
        events.dedup();
        let present = Runs::from_ranges(members.iter().flat_map(|&id| table.present(id).ranges()));
        Self {
            pattern,
            members,
            events,
            present,
        }
    }

    const fn series(&self) -> Series<'_> {
        Series {
            id: self.pattern,
            events: self.events.as_slice(),
            present: &self.present,
        }
    }
}

/// What arrives at a host, pooled over clients.
fn pools(table: &Table<'_>, host: usize) -> Vec<Pool> {
    let mut patterns: Vec<u32> = table
        .ins(host)
        .iter()
        .map(|&id| table.pattern_of[id as usize])
        .collect();
    patterns.sort_unstable();
    patterns.dedup();
    patterns
        .into_iter()
        .filter_map(|number| {
            let pattern = &table.patterns[number as usize];
            (table.can_lead_pool(pattern) || table.can_follow_pool(pattern))
                .then(|| Pool::new(table, number, pattern.members.clone()))
        })
        .collect()
}

fn test_chain(table: &Table<'_>, pool: &Pool, out: u32, way: ChainWay) -> Option<Hypothesis> {
    let parameters = table.parameters;
    let (lags, windows) = (parameters.lags(), table.activity.windows);
    // A host that calls the server and is called by it at once is a pair, not a chain.
    let callee = table.group(out).dst;
    let evidence = |pool: &Pool| -> Option<(Pair, f64)> {
        let pool_events = pool.events.as_slice();
        let (left, starts, right) = match way {
            ChainWay::Forward => (pool_events, table.events(out), table.present(out)),
            ChainWay::Back => (table.events(out), pool_events, &pool.present),
        };
        let pair = Pair::counted(left, right, u64::from(windows));
        if !parameters.scores(&pair) {
            return None;
        }
        let pair = pair
            .with_baseline(left, right, windows, lags)
            .with_starts(left, starts, lags);
        parameters.may_pass(pair.ln_p_raw(parameters.null, lags))?;
        let pair = pair.with_clumps(left, right, lags);
        let ln_p = pair.ln_p(parameters.null, lags);
        parameters.may_pass(ln_p)?;
        Some((pair, ln_p))
    };
    let (pair, ln_all) = evidence(pool)?;
    let both = |id: u32| match way {
        ChainWay::Forward => {
            Pair::counted(table.events(id), table.present(out), 1)
                .counts
                .both
        }
        ChainWay::Back => {
            Pair::counted(table.events(out), table.present(id), 1)
                .counts
                .both
        }
    };
    let shares: Vec<(u64, u32)> = pool.members.iter().map(|&id| (both(id), id)).collect();
    let bound = shares
        .iter()
        .filter(|&&(both, id)| both > 0 && table.group(id).src != callee)
        .count();
    if bound < parameters.min_bindings as usize {
        return None;
    }
    let &(_, strongest) = shares
        .iter()
        .max_by_key(|&&(both, id)| (both, std::cmp::Reverse(id)))?;
    let others = pool
        .members
        .iter()
        .copied()
        .filter(|&id| id != strongest)
        .collect();
    let (_, ln_rest) = evidence(&Pool::new(table, pool.pattern, others))?;
    let (left, right) = match way {
        ChainWay::Forward => (Side::Pattern(pool.pattern), Side::Group(out)),
        ChainWay::Back => (Side::Group(out), Side::Pattern(pool.pattern)),
    };
    Some(Hypothesis {
        left,
        right,
        template: Template::Chain,
        pair,
        bindings: u32::try_from(bound).unwrap_or(u32::MAX),
        ln_p: ln_all.max(ln_rest),
    })
}

/// Rules of template T3 around one host, and the number of tests.
///
/// For each peer c, Y is the presence of *another* peer. Windows count once, for the first peer.
pub(crate) fn peers(table: &Table<'_>, host: usize) -> (Vec<Hypothesis>, u128) {
    let pools = pools(table, host);
    let mut found = Vec::new();
    for left in &pools {
        for right in &pools {
            found.extend(test_peers(table, left, right));
        }
    }
    (found, (pools.len() * pools.len()) as u128)
}

/// One peer's events, and the presence of the other peers around them.
struct PeerBinding {
    events: Vec<u32>,
    others: Runs,
    /// Windows of the whole trace in which the peer is the only one.
    alone: u64,
}

fn peer_bindings(table: &Table<'_>, left: &Pool, right: &Pool) -> Vec<PeerBinding> {
    let lags = table.parameters.lags();
    let segments = segments(table, right);
    let mut alone: BTreeMap<u32, u64> = BTreeMap::new();
    for segment in &segments {
        if let Some(peer) = segment.alone {
            *alone.entry(peer).or_default() += u64::from(segment.last - segment.first) + 1;
        }
    }
    let mut events: Vec<(u32, u32)> = left
        .members
        .iter()
        .flat_map(|&id| {
            let peer = table.group(id).src;
            table.events(id).iter().map(move |&window| (window, peer))
        })
        .collect();
    events.sort_unstable();
    events.dedup_by_key(|event| event.0);
    events.sort_unstable_by_key(|&(window, peer)| (peer, window));
    events
        .chunk_by(|a, b| a.1 == b.1)
        .map(|mine| {
            let peer = mine[0].1;
            let events: Vec<u32> = mine.iter().map(|event| event.0).collect();
            PeerBinding {
                others: others_near(&segments, peer, &events, lags),
                alone: alone.get(&peer).copied().unwrap_or(0),
                events,
            }
        })
        .collect()
}

/// Calls `visit` with X's events and Y's presence of each binding of an accepted rule.
pub(crate) fn each_binding(
    table: &Table<'_>,
    rule: &Hypothesis,
    mut visit: impl FnMut(&[u32], &Runs),
) {
    let pool = |number: u32| {
        Pool::new(
            table,
            number,
            table.patterns[number as usize].members.clone(),
        )
    };
    match (rule.left, rule.right) {
        (Side::Group(x), Side::Group(y)) => visit(table.events(x), table.present(y)),
        (Side::Pattern(p), Side::Group(y)) => visit(&pool(p).events, table.present(y)),
        (Side::Group(x), Side::Pattern(q)) => visit(table.events(x), &pool(q).present),
        (Side::Pattern(p), Side::Pattern(q)) if rule.template == Template::Peers => {
            for binding in peer_bindings(table, &pool(p), &pool(q)) {
                visit(&binding.events, &binding.others);
            }
        }
        (Side::Pattern(p), Side::Pattern(q)) => {
            let (p, q) = (&table.patterns[p as usize], &table.patterns[q as usize]);
            for (x, y) in bindings(table, p, q) {
                visit(table.events(x), table.present(y));
            }
        }
    }
}

/// A stretch in which the same peers are present; `alone` if it is one.
#[derive(Clone, Copy)]
struct Segment {
    first: u32,
    last: u32,
    alone: Option<u32>,
}

fn test_peers(table: &Table<'_>, left: &Pool, right: &Pool) -> Option<Hypothesis> {
    let parameters = table.parameters;
    let (lags, windows) = (parameters.lags(), table.activity.windows);
    let mut total = Pair::default();
    let mut tested = Vec::new();
    for PeerBinding {
        events,
        others,
        alone,
    } in peer_bindings(table, left, right)
    {
        let mut pair = Pair::counted(&events, &others, u64::from(windows))
            .with_baseline(&events, &others, windows, lags)
            .with_clumps(&events, &others, lags);
        pair.counts.right = u64::from(right.present.len()) - alone;
        total = total.merge(pair);
        tested.push(pair);
    }
    if total.counts.both < u64::from(parameters.min_cooccurrence) || !parameters.scores(&total) {
        return None;
    }
    let bound = tested.iter().filter(|pair| pair.counts.both > 0).count();
    let (pair, ln_p) = pooled_p(table, &tested, total, lags)?;
    (bound >= parameters.min_bindings as usize).then_some(Hypothesis {
        left: Side::Pattern(left.pattern),
        right: Side::Pattern(right.pattern),
        template: Template::Peers,
        pair,
        bindings: u32::try_from(bound).unwrap_or(u32::MAX),
        ln_p,
    })
}

/// Presence of a pool's peers, cut wherever one comes or goes.
fn segments(table: &Table<'_>, pool: &Pool) -> Vec<Segment> {
    // (window, +1 or -1, peer): the sum of the peers present is the one, while it is one.
    let mut changes: Vec<(u32, i64, u32)> = pool
        .members
        .iter()
        .flat_map(|&id| {
            let peer = table.group(id).src;
            table
                .present(id)
                .ranges()
                .flat_map(move |(first, last)| [(first, 1, peer), (last + 1, -1, peer)])
        })
        .collect();
    changes.sort_unstable();
    let mut segments = Vec::new();
    let (mut from, mut count, mut sum) = (0, 0_i64, 0_i64);
    for (window, step, peer) in changes {
        if count > 0 && window > from {
            segments.push(Segment {
                first: from,
                last: window - 1,
                alone: (count == 1).then(|| u32::try_from(sum).unwrap_or(u32::MAX)),
            });
        }
        from = window;
        count += step;
        sum += step * i64::from(peer);
    }
    segments
}

/// Windows within reach of the events in which a peer other than this one is present.
fn others_near(segments: &[Segment], peer: u32, events: &[u32], lags: Lags) -> Runs {
    let mut ranges = Vec::new();
    let mut next = 0;
    for &event in events {
        let (from, to) = (
            event.saturating_sub(lags.reach),
            event.saturating_add(lags.reach),
        );
        next = next.max(segments.partition_point(|segment| segment.last < from));
        while let Some(segment) = segments.get(next).filter(|segment| segment.first <= to) {
            if segment.alone != Some(peer) {
                ranges.push((segment.first, segment.last));
            }
            next += 1;
        }
    }
    Runs::from_ranges(ranges)
}
