//! Concrete candidates: pairs of flow groups, found host by host and then tested.

use std::net::IpAddr;

use rayon::prelude::*;

use crate::any_client::Met;
use crate::bucket::{Series, co_occurrences, mean_neighbours, mix, sample, unit};
use crate::evidence::{Pair, both};
use crate::hypothesis::{Hypothesis, Side};
use crate::table::Table;
use crate::{CandidatePolicy, Parameters, Template};

/// A bucket too full to look at every pair in it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SampledBucket {
    /// The host whose flows fill the bucket.
    pub host: IpAddr,
    /// Which pairs were sampled.
    pub pairs: BucketPairs,
    /// Flow groups in the bucket.
    pub groups: usize,
    /// Flow groups looked at, chosen by the seed. Their pairs are counted exactly; others not.
    pub kept: usize,
}

/// The pairs of a bucket, by the side of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum BucketPairs {
    /// The host initiated both groups.
    Initiated,
    /// The host is the responder of both.
    Received,
    /// One of each: received, then initiated.
    ReceivedInitiated,
    /// One of each: initiated, then received.
    InitiatedReceived,
}

/// What the buckets yield.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Groups x => y with enough co-occurrences.
    pub(crate) pairs: Vec<Met>,
    /// Groups of one client that met, of patterns that may make a generic rule.
    pub(crate) met: Vec<Met>,
    pub(crate) sampled: Vec<SampledBucket>,
}

/// Candidates that share an address, and those of the policy beside them, with the number of all
/// concrete pairs that count as tested.
pub(crate) fn candidates(table: &Table<'_>) -> (Candidates, u128) {
    let parts: Vec<Candidates> = (0..table.hosts())
        .into_par_iter()
        .map(|host| host_candidates(table, host))
        .collect();
    let mut all = Candidates::default();
    for part in parts {
        all.pairs.extend(part.pairs);
        all.met.extend(part.met);
        all.sampled.extend(part.sampled);
    }
    let (strangers, drawn) = strangers(table);
    all.pairs.extend(strangers);
    all.pairs.sort_unstable_by_key(|one| (one.x, one.y));
    let tests = pairs_that_share(table) + drawn;
    (all, tests)
}

/// Tests a concrete pair; `None` if it cannot be accepted, whatever else is tested.
pub(crate) fn test(table: &Table<'_>, met: Met) -> Option<Hypothesis> {
    let Met { x, y, both } = met;
    let (left, right) = (table.events(x), table.present(y));
    let windows = table.activity.windows;
    let lags = table.parameters.lags();
    let pair = Pair::met(left, right, both, u64::from(windows));
    if !table.parameters.scores(&pair) {
        return None;
    }
    let may_pass = |pair: &Pair| {
        let parameters = table.parameters;
        parameters.may_pass(pair.ln_p_raw(parameters.null, lags))
    };
    let most = table.most_explained(pair.counts.both);
    let pair = pair.with_baseline(left, right, windows, lags, most);
    may_pass(&pair)?;
    let pair = pair.with_starts(left, table.events(y), lags);
    may_pass(&pair)?;
    let pair = pair.with_clumps(left, right, lags);
    table
        .parameters
        .may_pass(pair.ln_p(table.parameters.null, lags))?;
    let pair = pair.with_company(table.company_of(x, y));
    Some(Hypothesis {
        left: Side::Group(x),
        right: Side::Group(y),
        template: Template::Concrete,
        ln_p: pair.ln_p(table.parameters.null, lags),
        pair,
        bindings: 1,
    })
}

fn host_candidates(table: &Table<'_>, host: usize) -> Candidates {
    let parameters = table.parameters;
    let pool = parameters.looks_for(Template::AnyClient);
    let mut found = Candidates::default();
    let series = |ids: &mut dyn Iterator<Item = u32>, keep: &dyn Fn(u32) -> bool| -> Vec<_> {
        ids.filter(|&id| keep(id))
            .map(|id| table.series(id))
            .collect()
    };
    let out_leads = series(&mut table.outs(host), &|id| {
        table.can_lead(id) || (pool && table.can_lead_pool(table.pattern(id)))
    });
    let out_follows = series(&mut table.outs(host), &|id| {
        table.can_follow(id) || (pool && table.can_follow_pool(table.pattern(id)))
    });
    let in_leads = series(&mut table.ins(host).iter().copied(), &|id| {
        table.can_lead(id)
    });
    let in_follows = series(&mut table.ins(host).iter().copied(), &|id| {
        table.can_follow(id)
    });
    for (kind, xs, ys) in [
        (BucketPairs::Initiated, &out_leads, &out_follows),
        (BucketPairs::Received, &in_leads, &in_follows),
        (BucketPairs::ReceivedInitiated, &in_leads, &out_follows),
        (BucketPairs::InitiatedReceived, &out_leads, &in_follows),
    ] {
        if xs.is_empty() || ys.is_empty() {
            continue;
        }
        let (xs, ys) = thin(
            table,
            host,
            kind,
            xs.clone(),
            ys.clone(),
            &mut found.sampled,
        );
        for (x, y, both) in co_occurrences(&xs, &ys) {
            let (x, y) = (xs[x as usize].id, ys[y as usize].id);
            if !belongs(table, kind, host, x, y) {
                continue;
            }
            let met = Met { x, y, both };
            if both >= parameters.min_cooccurrence {
                found.pairs.push(met);
            }
            if pool
                && kind == BucketPairs::Initiated
                && table.can_lead_pool(table.pattern(x))
                && table.can_follow_pool(table.pattern(y))
            {
                found.met.push(met);
            }
        }
    }
    found
}

/// Whether a pair is counted in this bucket: two groups between the same two hosts meet in several.
fn belongs(table: &Table<'_>, kind: BucketPairs, host: usize, x: u32, y: u32) -> bool {
    let (a, b) = (table.group(x), table.group(y));
    x != y
        && match kind {
            BucketPairs::Initiated => true,
            BucketPairs::Received => a.src != b.src,
            BucketPairs::ReceivedInitiated | BucketPairs::InitiatedReceived => {
                a.src != b.dst || a.dst != b.src || host == a.src.min(a.dst) as usize
            }
        }
}

/// Samples both sides when the bucket is too full for every pair.
fn thin<'a>(
    table: &Table<'_>,
    host: usize,
    kind: BucketPairs,
    mut xs: Vec<Series<'a>>,
    mut ys: Vec<Series<'a>>,
    sampled: &mut Vec<SampledBucket>,
) -> (Vec<Series<'a>>, Vec<Series<'a>>) {
    let limit = f64::from(table.parameters.bucket_limit);
    // Fewer groups than the limit cannot exceed it, and need no sweep to see.
    if (ys.len() as f64) <= limit {
        return (xs, ys);
    }
    let events: usize = xs.iter().map(|series| series.events.len()).sum();
    let mean = mean_neighbours(&xs, &ys);
    // Both sides are thinned, so visits fall with the square of the fraction.
    let visits = mean * events as f64;
    let fraction = (limit / mean).min((Parameters::MAX_VISITS / visits).sqrt());
    if fraction < 1.0 {
        let seed = mix(table.parameters.seed ^ mix(host as u64));
        let groups = xs.len().max(ys.len());
        sample(&mut xs, fraction, seed);
        sample(&mut ys, fraction, seed);
        sampled.push(SampledBucket {
            host: table.activity.hosts[host],
            pairs: kind,
            groups,
            kept: xs.len().max(ys.len()),
        });
    }
    (xs, ys)
}

/// Ordered pairs of groups that share an address and could be accepted: those with enough events
/// on their own. What they do together does not enter, so the choice cannot favour any.
fn pairs_that_share(table: &Table<'_>) -> u128 {
    let count = |ids: &mut dyn Iterator<Item = u32>| {
        let (mut leads, mut follows, mut both) = (0_u128, 0_u128, 0_u128);
        for id in ids {
            let (lead, follow) = (table.can_lead(id), table.can_follow(id));
            leads += u128::from(lead);
            follows += u128::from(follow);
            both += u128::from(lead && follow);
        }
        leads * follows - both
    };
    let around_hosts: u128 = (0..table.hosts())
        .into_par_iter()
        .map(|host| count(&mut table.outs(host).chain(table.ins(host).iter().copied())))
        .sum();
    // Pairs between the same two hosts were counted at both.
    let mut between: Vec<((u32, u32), u32)> = (0..)
        .zip(&table.activity.groups)
        .filter(|(_, group)| group.src != group.dst)
        .map(|(id, group)| ((group.src.min(group.dst), group.src.max(group.dst)), id))
        .collect();
    between.par_sort_unstable();
    let twice: u128 = between
        .chunk_by(|a, b| a.0 == b.0)
        .map(|same| count(&mut same.iter().map(|&(_, id)| id)))
        .sum();
    around_hosts - twice
}

/// Pairs without a common address that the policy asks for and that co-occur often enough, and how
/// many were drawn.
fn strangers(table: &Table<'_>) -> (Vec<Met>, u128) {
    let fraction = match table.parameters.policy {
        CandidatePolicy::SharedAddress => return (Vec::new(), 0),
        CandidatePolicy::SharedAddressAnd { fraction } => fraction,
        CandidatePolicy::AllPairs => 1.0,
    };
    if fraction <= 0.0 {
        return (Vec::new(), 0);
    }
    let groups = || 0..u32::try_from(table.activity.groups.len()).unwrap_or(u32::MAX);
    let leads: Vec<u32> = groups().filter(|&id| table.can_lead(id)).collect();
    let follows: Vec<u32> = groups().filter(|&id| table.can_follow(id)).collect();
    let rows: Vec<(Vec<Met>, u128)> = leads
        .par_iter()
        .map(|&x| {
            let mut drawn = 0;
            let mut found = Vec::new();
            let mut at = skip(table.parameters.seed, x, 0, fraction);
            while let Some(&y) = follows.get(at) {
                let (a, b) = (table.group(x), table.group(y));
                let shares = [b.src, b.dst]
                    .iter()
                    .any(|host| [a.src, a.dst].contains(host));
                if !shares {
                    drawn += 1;
                    let both = both(table.events(x), table.present(y));
                    if both >= table.parameters.min_cooccurrence {
                        found.push(Met { x, y, both });
                    }
                }
                at += 1;
                at = at.saturating_add(skip(table.parameters.seed, x, at, fraction));
            }
            (found, drawn)
        })
        .collect();
    let drawn = rows.iter().map(|row| row.1).sum();
    (rows.into_iter().flat_map(|row| row.0).collect(), drawn)
}

/// How many pairs are passed over before the next one drawn: geometric, so that a small fraction
/// costs little.
fn skip(seed: u64, x: u32, at: usize, fraction: f64) -> usize {
    if fraction >= 1.0 {
        return 0;
    }
    let draw = 1.0 - unit(mix(mix(seed ^ mix(u64::from(x))) ^ at as u64));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating is right"
    )]
    let passed = (draw.ln() / (1.0 - fraction).ln()) as usize;
    passed
}
