//! When the series of one host jumps (SIGMETRICS 2009, Figure 9).

use std::net::IpAddr;

use peerscope_flow::Timestamp;
use peerscope_metric::SampleTable;
use rayon::prelude::*;

use crate::circular::mix;

/// What counts as a jump.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct ChangePointConfig {
    /// The metrics whose series [`host_changes`] looks at: those that tell whether a host is still
    /// there.
    pub metrics: Vec<String>,
    /// There are at least so many values on either side: 5. Fewer can be there by chance.
    pub min_values: usize,
    /// The chance of a split as clear in a random order of the values is at most this: 0.005.
    pub max_p: f64,
    /// Of the pairs of a value before and one after, the share that rises, minus the share that
    /// falls, is at least this or at most its negative: 0.6. What is significant in a long series
    /// can be small.
    pub min_effect: f64,
    /// How many random orders: 999.
    pub permutations: u32,
    /// The seed of these orders.
    pub seed: u64,
}

impl Default for ChangePointConfig {
    fn default() -> Self {
        let metrics = [
            "outin-fract-unanswered-UDP",
            "outin-failure-ratio-TCP",
            "fract-incoming-conn-UDP",
        ];
        Self {
            metrics: metrics.map(str::to_owned).to_vec(),
            min_values: 5,
            max_p: 0.005,
            min_effect: 0.6,
            permutations: 999,
            seed: 0,
        }
    }
}

/// A time at which a series moves to another level.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChangePoint {
    /// The time of the first value of the new level.
    #[cfg_attr(feature = "serde", serde(rename = "at_us"))]
    pub at: Timestamp,
    /// The median from the change before it (or the beginning) on.
    pub before: f64,
    /// The median up to the change after it (or the end).
    pub after: f64,
    /// The share of pairs of values before and after it that rise, minus the share of those that
    /// fall: from -1 to 1 (Cliff's delta).
    pub effect: f64,
    /// The chance of a split as clear in a random order of the values.
    pub p: f64,
}

/// The times at which a series moves to another level, ascending. `series` is in the order of time.
///
/// Splits where the ranks of the values before and after are furthest apart in standard deviations
/// of the rank sum, and goes on with both parts; in the end moves every split to the best place
/// between its neighbours, and leaves out those of little effect. Ranks make it indifferent to outliers and to the
/// scale; random orders of the values give the chance, which takes values for independent: slow
/// drifts count as changes.
///
/// # Complexity
///
/// O(n log n + permutations x n) for n values and each split tried.
///
/// # References
///
/// - Splitting by ranks: A. N. Pettitt. A non-parametric approach to the change-point problem.
///   Applied Statistics 28 (2), 1979.
/// - Going on with both parts: A. J. Scott, M. Knott. A cluster analysis method for grouping means
///   in the analysis of variance. Biometrics 30 (3), 1974.
///
/// ```
/// use peerscope_correlate::{ChangePointConfig, change_points};
/// use peerscope_flow::Timestamp;
///
/// // Everything is answered for an hour, nothing from then on.
/// let series: Vec<_> = (0..40)
///     .map(|slot| (Timestamp::from_secs(slot * 300), if slot < 12 { 0.0 } else { 1.0 }))
///     .collect();
/// let changes = change_points(&series, &ChangePointConfig::default());
/// assert_eq!(changes.len(), 1);
/// assert_eq!(changes[0].at, Timestamp::from_secs(3600));
/// assert_eq!((changes[0].before, changes[0].after, changes[0].effect), (0.0, 1.0, 1.0));
/// ```
pub fn change_points(series: &[(Timestamp, f64)], config: &ChangePointConfig) -> Vec<ChangePoint> {
    let values: Vec<f64> = series.iter().map(|&(_, value)| value).collect();
    let found = refined(&values, segmented(&values, config), config);
    let bounds = bounds(&found, values.len());
    let changes = bounds.windows(3).zip(&found).map(|(around, split)| {
        let [from, at, to] = [around[0], around[1], around[2]];
        ChangePoint {
            at: series[at].0,
            before: median(&values[from..at]),
            after: median(&values[at..to]),
            effect: effect(&values[from..to], at - from),
            p: split.p,
        }
    });
    changes.collect()
}

/// Splits as long as the parts can be split, in order.
fn segmented(values: &[f64], config: &ChangePointConfig) -> Vec<Split> {
    let mut found = Vec::new();
    let mut open = vec![(0, values.len())];
    while let Some((from, to)) = open.pop() {
        if let Some(mut split) = Split::significant(&values[from..to], config) {
            split.at += from;
            open.extend([(from, split.at), (split.at, to)]);
            found.push(split);
        }
    }
    found.sort_unstable_by_key(|split| split.at);
    found
}

/// Leaves out splits of little effect, the least one first, and moves each of the others to the best
/// place between its neighbours, because it was found before these were.
fn refined(values: &[f64], mut splits: Vec<Split>, config: &ChangePointConfig) -> Vec<Split> {
    loop {
        for i in 0..splits.len() {
            let [from, to] = neighbours(&splits, i, values.len());
            let ranks = centred_ranks(&values[from..to]);
            if let Some((at, _)) = furthest(&ranks, config.min_values.max(1)) {
                splits[i].at = from + at;
            }
        }
        let effects = (0..splits.len()).map(|i| {
            let [from, to] = neighbours(&splits, i, values.len());
            effect(&values[from..to], splits[i].at - from).abs()
        });
        let least = effects.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        match least {
            Some((i, effect)) if effect < config.min_effect => splits.remove(i),
            _ => return splits,
        };
    }
}

fn bounds(splits: &[Split], len: usize) -> Vec<usize> {
    let places = splits.iter().map(|split| split.at);
    std::iter::once(0).chain(places).chain([len]).collect()
}

fn neighbours(splits: &[Split], i: usize, len: usize) -> [usize; 2] {
    let before = i.checked_sub(1).map_or(0, |i| splits[i].at);
    [before, splits.get(i + 1).map_or(len, |split| split.at)]
}

/// Cliff's delta of the values before `at` and after.
fn effect(values: &[f64], at: usize) -> f64 {
    let before: f64 = centred_ranks(values)[..at].iter().sum();
    // A pair that rises lowers the sum of ranks before by one.
    -before / (at * (values.len() - at)) as f64
}

/// A jump in the series of a host.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HostChange {
    /// The host.
    pub host: IpAddr,
    /// The metric.
    pub metric: String,
    /// When, and from what to what.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub change: ChangePoint,
}

/// The jumps in the series of all hosts, by address, metric and time: over all samples of a host,
/// of whatever system.
///
/// # Complexity
///
/// That of [`change_points`] for each host and metric, on the threads of the current rayon pool.
pub fn host_changes(table: &SampleTable, config: &ChangePointConfig) -> Vec<HostChange> {
    let columns = config.metrics.iter().filter_map(|metric| {
        let column = table.metric_index(metric)?;
        Some((metric, column))
    });
    let columns: Vec<_> = columns.collect();
    let hosts: Vec<_> = table.hosts().collect();
    let changes = hosts.into_par_iter().flat_map_iter(|(host, rows)| {
        columns.iter().flat_map(move |&(metric, column)| {
            let value = |row| {
                let start = table.slot_start(&table.key(row));
                Some((start, table.value(row, column)?))
            };
            let values: Vec<_> = rows.clone().filter_map(value).collect();
            let changes = change_points(&values, config).into_iter();
            changes.map(move |change| HostChange {
                host,
                metric: metric.clone(),
                change,
            })
        })
    });
    changes.collect()
}

/// A split, and the chance of one as clear.
#[derive(Clone, Copy, Debug)]
struct Split {
    /// How many values are before it.
    at: usize,
    p: f64,
}

impl Split {
    /// The clearest split of some values, if it is no chance.
    fn significant(values: &[f64], config: &ChangePointConfig) -> Option<Self> {
        let mut ranks = centred_ranks(values);
        let least = config.min_values.max(1);
        let (at, observed) = furthest(&ranks, least)?;
        let draws = 1.0 + f64::from(config.permutations);
        let mut reached = 1.0;
        for permutation in 0..u64::from(config.permutations) {
            shuffle(&mut ranks, mix(config.seed ^ mix(permutation)));
            let clear = furthest(&ranks, least).map_or(0.0, |(_, clear)| clear);
            reached += f64::from(u8::from(clear >= observed * (1.0 - 1e-12)));
            if reached / draws > config.max_p {
                return None;
            }
        }
        Some(Self {
            at,
            p: reached / draws,
        })
    }
}

/// For each value, how many are less than it, minus how many are more. They sum up to 0.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut less = 0;
    #[expect(clippy::float_cmp, reason = "ties are equal values")]
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let more = values.len() - less - ties.len();
        for &i in ties {
            ranks[i] = less as f64 - more as f64;
        }
        less += ties.len();
    }
    ranks
}

/// The split with the largest sum of ranks, in units of its standard deviation but for a factor of
/// the series, and that sum; `None` if all values are equal or too few. The first of equal ones.
fn furthest(ranks: &[f64], least: usize) -> Option<(usize, f64)> {
    let n = ranks.len();
    let mut sum = 0.0_f64;
    let mut best: Option<(usize, f64)> = None;
    for (i, rank) in ranks.iter().enumerate() {
        let at = i + 1;
        sum += rank;
        if at >= least && n - at >= least {
            let clear = sum.abs() / (at as f64 * (n - at) as f64).sqrt();
            if clear > best.map_or(0.0, |(_, clear)| clear) {
                best = Some((at, clear));
            }
        }
    }
    best
}

fn shuffle(ranks: &mut [f64], key: u64) {
    for last in (1..ranks.len()).rev() {
        let random = u128::from(mix(key.wrapping_add(last as u64)));
        #[expect(clippy::cast_possible_truncation, reason = "at most `last`")]
        let other = ((random * (last as u128 + 1)) >> 64) as usize;
        ranks.swap(last, other);
    }
}

/// The lower one of two; 0 of none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(values: &[f64]) -> Vec<(Timestamp, f64)> {
        let times = (0..).map(|slot| Timestamp::from_secs(slot * 300));
        times.zip(values.iter().copied()).collect()
    }

    fn changes(values: &[f64]) -> Vec<ChangePoint> {
        change_points(&series(values), &ChangePointConfig::default())
    }

    /// All pairs of a value before and one after, one by one.
    fn balance(values: &[f64], at: usize) -> i64 {
        let pairs = values[..at]
            .iter()
            .flat_map(|a| values[at..].iter().map(move |b| (a, b)));
        pairs
            .map(|(a, b)| i64::from(a < b) - i64::from(a > b))
            .sum()
    }

    proptest! {
        #[test]
        fn the_split_is_the_clearest_of_all(
            values in prop::collection::vec((0_u8..5).prop_map(f64::from), 2..30),
            least in 1_usize..4,
        ) {
            let n = values.len();
            let clear = |at: usize| balance(&values, at).abs() as f64 / ((at * (n - at)) as f64).sqrt();
            let splits = (1..n).filter(|&at| at >= least && n - at >= least);
            let best = splits.map(|at| (at, clear(at))).fold(None, |best: Option<(usize, f64)>, split| {
                let before = best.map_or(0.0, |best| best.1);
                if split.1 > before + 1e-12 { Some(split) } else { best }
            });
            let found = furthest(&centred_ranks(&values), least);
            prop_assert_eq!(found.is_some(), best.is_some());
            if let (Some(found), Some(best)) = (found, best) {
                prop_assert!((found.1 - best.1).abs() < 1e-9);
                let before: f64 = centred_ranks(&values)[..best.0].iter().sum();
                prop_assert!((before + balance(&values, best.0) as f64).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn jumps_are_found_at_their_time_and_noise_is_none() {
        let noise = |i: u64| (mix(i) % 100) as f64 / 100.0;
        let mut false_alarms = 0;
        for trial in 0..100 {
            let flat: Vec<f64> = (0..100).map(|i| noise(trial * 1000 + i)).collect();
            false_alarms += usize::from(!changes(&flat).is_empty());
            let jump: Vec<f64> = (0..100)
                .map(|i| flat[i] + if (30..70).contains(&i) { 2.0 } else { 0.0 })
                .collect();
            let found = changes(&jump);
            let times: Vec<i64> = found
                .iter()
                .map(|c| c.at.as_micros() / 300_000_000)
                .collect();
            // Ranks know no distances: a low value beside the jump can belong to either side.
            let near = |at: i64| times.iter().any(|time| time.abs_diff(at) <= 3);
            assert!(near(30) && near(70), "{times:?}");
            false_alarms += times.len() - 2;
        }
        // Half a percent for each of the four parts, on the average.
        assert!(false_alarms <= 6, "{false_alarms}");
    }

    #[test]
    fn a_change_has_the_levels_around_it() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i / 20)).collect();
        let found = changes(&values);
        let levels: Vec<_> = found
            .iter()
            .map(|c| (c.at.as_micros() / 300_000_000, c.before, c.after))
            .collect();
        assert_eq!(levels, [(20, 0.0, 1.0), (40, 1.0, 2.0)]);
    }

    #[test]
    fn short_and_level_series_have_none() {
        assert!(changes(&[]).is_empty());
        assert!(changes(&[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]).is_empty());
        assert!(changes(&[3.0; 50]).is_empty());
    }
}
