//! Beats of one period that keep their phase by chance.
//!
//! Two hosts that call a server once a minute, each at a moment of its own, are in step with a
//! chance of 1/60, and then always: however often they beat, this is one coincidence. Among many
//! such hosts some pairs are. Their number, not that of their beats, tells chance from a common
//! cause.

use std::collections::{BTreeMap, BTreeSet};

use crate::SampledBucket;
use crate::significance::ln_poisson_tail;
use crate::table::Table;

/// Gaps about as long as the middle one, out of all, that make a beat.
const REGULAR: (usize, usize) = (4, 5);

/// Rules that chance must put around a host for them to be doubted: fewer are not worth it.
const LEAST: f64 = 0.5;

/// ln of the probability below which there are too many in step for chance.
const LN_P: f64 = -3.0;

/// The period of events that beat, in windows.
fn period(events: &[u32]) -> Option<u32> {
    let mut gaps: Vec<u32> = events.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if gaps.is_empty() {
        return None;
    }
    let at = gaps.len() / 2;
    let middle = *gaps.select_nth_unstable(at).1;
    // A window's edge makes gaps longer and shorter in turn.
    gaps.retain(|gap| gap.abs_diff(middle) <= 1 + middle / 30);
    let (sum, count): (u64, _) = (
        gaps.iter().map(|&gap| u64::from(gap)).sum(),
        gaps.len() as u64,
    );
    let period = u32::try_from((sum + count / 2) / count).ok()?;
    // A gap of few windows is a session's.
    (period > 3 && gaps.len() * REGULAR.1 >= (events.len() - 1) * REGULAR.0).then_some(period)
}

/// Of accepted pairs of groups, those that have no more pairs in step beside them than as many groups
/// with phases of their own have: at every host that the two share, as what is common there may be the
/// cause. Of a sampled bucket only those kept count.
pub(crate) fn coincidences(
    table: &Table<'_>,
    sampled: &[SampledBucket],
    pairs: &[(u32, u32)],
) -> BTreeSet<(u32, u32)> {
    let mut periods: BTreeMap<u32, Option<u32>> = BTreeMap::new();
    let mut period_of = |id: u32| {
        let period = || period(table.events(id));
        *periods.entry(id).or_insert_with(period)
    };
    // By host and period, each pair once.
    let mut in_step: BTreeMap<u32, InStep> = BTreeMap::new();
    let mut beating = Vec::new();
    for &(x, y) in pairs {
        if let (Some(one), Some(other)) = (period_of(x), period_of(y))
            && one.abs_diff(other) <= 1
        {
            let (a, b) = (table.group(x), table.group(y));
            let hosts = BTreeSet::from([a.src, a.dst]);
            let shared = hosts
                .into_iter()
                .filter(|host| [b.src, b.dst].contains(host));
            let (shared, period): (Vec<u32>, _) = (shared.collect(), one.min(other));
            for &host in &shared {
                let of_host = in_step.entry(host).or_default();
                of_host
                    .entry(period)
                    .or_default()
                    .insert((x.min(y), x.max(y)));
            }
            beating.push(((x, y), shared, period));
        }
    }
    let chance: BTreeMap<u32, BTreeSet<u32>> = in_step
        .into_iter()
        .map(|(host, pairs)| (host, by_chance(table, sampled, host, &pairs)))
        .collect();
    beating
        .into_iter()
        .filter(|(_, hosts, period)| {
            !hosts.is_empty() && hosts.iter().all(|host| chance[host].contains(period))
        })
        .map(|(pair, ..)| pair)
        .collect()
}

/// The pairs in step of a host by their period.
type InStep = BTreeMap<u32, BTreeSet<(u32, u32)>>;

/// The periods of a host whose pairs in step are no more than chance makes. Periods a window apart
/// count as one, as a period is known no better.
fn by_chance(
    table: &Table<'_>,
    sampled: &[SampledBucket],
    host: u32,
    in_step: &InStep,
) -> BTreeSet<u32> {
    let ip = table.activity.hosts[host as usize];
    let of_host = sampled.iter().filter(|bucket| bucket.host == ip);
    let kept = of_host
        .map(|bucket| bucket.kept as f64 / bucket.groups as f64)
        .fold(1.0, f64::min);
    let groups = table.outs(host as usize);
    let groups = groups.chain(table.ins(host as usize).iter().copied());
    let mut beating: BTreeMap<u32, u32> = BTreeMap::new();
    for id in groups.filter(|&id| table.can_lead(id)) {
        if let Some(period) = period(table.events(id)) {
            *beating.entry(period).or_default() += 1;
        }
    }
    let is_chance = |&period: &u32| {
        let near = period - 1..=period + 1;
        let groups: u32 = beating.range(near.clone()).map(|(_, count)| count).sum();
        let groups = f64::from(groups) * kept;
        let found: usize = in_step.range(near).map(|(_, pairs)| pairs.len()).sum();
        // Phases up to a window apart meet in some of their beats.
        let same = groups * (groups - 1.0) / 2.0 / f64::from(period);
        same >= LEAST && ln_poisson_tail(found as u64, 2.0 * same) > LN_P
    };
    in_step.keys().copied().filter(is_chance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_have_a_period_and_others_none() {
        let beats: Vec<u32> = (0..30).map(|i| i * 60 + i % 2).collect();
        assert!(period(&beats).is_some_and(|period| (59..=61).contains(&period)));
        let squares: Vec<u32> = (0..30).map(|i| i * i).collect();
        assert_eq!(period(&squares), None);
        assert_eq!(period(&[7]), None);
    }
}
