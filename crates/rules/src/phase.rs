//! Beats of one period that keep their phase by chance.
//!
//! Two hosts that call a server once a minute, each at a moment of its own, are in step with a
//! chance of 1/60, and then always: however often they beat, this is one coincidence. Among many
//! such hosts some pairs are. Their number, not that of their beats, tells chance from a common
//! cause.

use std::collections::BTreeMap;

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
    let sum: u64 = gaps.iter().map(|&gap| u64::from(gap)).sum();
    let period = u32::try_from(sum / gaps.len() as u64).ok()?;
    // A gap of few windows is a session's.
    (period > 3 && gaps.len() * REGULAR.1 >= (events.len() - 1) * REGULAR.0).then_some(period)
}

/// Of accepted pairs of groups, those of a host and a period with no more pairs in step than as
/// many groups with phases of their own have. Of a sampled bucket only those kept count.
pub(crate) fn coincidences(
    table: &Table<'_>,
    sampled: &[SampledBucket],
    pairs: &[(u32, u32)],
) -> Vec<(u32, u32)> {
    let mut periods: BTreeMap<u32, Option<u32>> = BTreeMap::new();
    // Pairs in step by host and period, each once.
    let mut in_step: BTreeMap<(u32, u32), Vec<(u32, u32)>> = BTreeMap::new();
    for &(x, y) in pairs {
        let mut period_of = |id: u32| {
            *periods
                .entry(id)
                .or_insert_with(|| period(table.events(id)))
        };
        let (Some(period), Some(other)) = (period_of(x), period_of(y)) else {
            continue;
        };
        let (a, b) = (table.group(x), table.group(y));
        if period.abs_diff(other) <= 1 {
            for host in [a.src, a.dst] {
                if [b.src, b.dst].contains(&host) {
                    let key = (host, period.min(other));
                    in_step.entry(key).or_default().push((x, y));
                }
            }
        }
    }
    in_step
        .into_iter()
        .filter(|((host, period), pairs)| {
            let ip = table.activity.hosts[*host as usize];
            let of_host = sampled.iter().filter(|bucket| bucket.host == ip);
            let kept = of_host
                .map(|bucket| bucket.kept as f64 / bucket.groups as f64)
                .fold(1.0, f64::min);
            is_chance(table, *host, *period, kept, pairs)
        })
        .flat_map(|(_, pairs)| pairs)
        .collect()
}

fn is_chance(table: &Table<'_>, host: u32, beat: u32, kept: f64, pairs: &[(u32, u32)]) -> bool {
    let host = host as usize;
    let groups = table.outs(host).chain(table.ins(host).iter().copied());
    let beating = groups
        .filter(|&id| table.can_lead(id))
        .filter(|&id| period(table.events(id)).is_some_and(|one| one.abs_diff(beat) <= 1))
        .count() as f64
        * kept;
    let same = beating * (beating - 1.0) / 2.0 / f64::from(beat);
    let mut either: Vec<(u32, u32)> = pairs.iter().map(|&(x, y)| (x.min(y), x.max(y))).collect();
    either.sort_unstable();
    either.dedup();
    // Phases up to a window apart meet in some of their beats.
    same >= LEAST && ln_poisson_tail(either.len() as u64, 2.0 * same) > LN_P
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
