//! Which metrics of a system changed between two periods or two networks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use peerscope_cluster::SortedValues;
use peerscope_flow::{SystemId, Timestamp};
use peerscope_metric::SampleTable;
use rayon::prelude::*;

use crate::TwoSample;
use crate::adjust::benjamini_hochberg;
use crate::circular::mix;

/// How to test for shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct ShiftConfig {
    /// How many times hosts are exchanged at random: 999, so that p is at least 0.001.
    pub permutations: u32,
    /// The seed of these draws.
    pub seed: u64,
    /// Fewer values than this on either side are not compared: 50, as in clustering.
    pub min_values: usize,
}

impl Default for ShiftConfig {
    fn default() -> Self {
        Self {
            permutations: 999,
            seed: 0,
            min_values: 50,
        }
    }
}

/// How the values of one metric changed from one set of samples, before, to another, after.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MetricShift {
    /// The system.
    pub system: String,
    /// The metric.
    pub metric: String,
    /// Defined values before and after.
    pub n: [usize; 2],
    /// Hosts with such a value before and after.
    pub hosts: [usize; 2],
    /// The mean before and after.
    pub mean: [f64; 2],
    /// The two distances, and the test that takes samples for independent.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub apart: TwoSample,
    /// The chance of a Kolmogorov-Smirnov distance at least as large if hosts did not change, each
    /// host's values taken as a whole.
    pub host_p: f64,
    /// `host_p` adjusted for all metrics compared (Benjamini-Hochberg).
    pub adjusted: f64,
}

/// One value: the host's number, and whether it is of the side after.
type Sample = (f64, u32, bool);

/// What changed in a trace at `split`: samples of slots that begin earlier against the others.
///
/// Slots of one host resemble each other, so the unit of the test is the host: under the null
/// hypothesis the values of a host before and after could as well be exchanged, and
/// [`ShiftConfig::permutations`] times a coin for each host decides whether they are. A network of
/// few hosts cannot give small p-values; see [`change_points`](crate::change_points) for the series
/// of one.
///
/// # Complexity
///
/// O(n log n + permutations x n) for each metric with n values, on the threads of the current rayon
/// pool.
pub fn shifts_in_time(
    table: &SampleTable,
    split: Timestamp,
    config: &ShiftConfig,
) -> Vec<MetricShift> {
    let compared = table.clustered_systems().flat_map(|id| {
        compare(table, config, move |column| {
            let mut numbers = Numbers::default();
            let values = table.column(id, column).map(|(row, value)| {
                let key = &table.keys()[row];
                let after = table.slot_start(key) >= split;
                (value, numbers.of((key.host, false)), after)
            });
            Some((id, values.collect(), Exchange::Sides))
        })
    });
    adjusted(compared.collect())
}

/// What differs between two networks, or two traces of one: the metrics and systems that both tables
/// have.
///
/// The unit of the test is again the host: under the null hypothesis any of them could be of either
/// network.
///
/// # Complexity
///
/// As [`shifts_in_time`].
pub fn shifts_between(
    before: &SampleTable,
    after: &SampleTable,
    config: &ShiftConfig,
) -> Vec<MetricShift> {
    let compared = before.clustered_systems().flat_map(|id| {
        let name = before.system_name(id);
        let other = after
            .clustered_systems()
            .find(|&other| after.system_name(other) == name);
        compare(before, config, move |column| {
            let (other, there) = (other?, after.metric_index(&before.metrics()[column])?);
            let mut numbers = Numbers::default();
            let own = before.column(id, column);
            let mut values: Vec<Sample> = own
                .map(|(row, v)| (v, numbers.of((before.keys()[row].host, false)), false))
                .collect();
            let others = after.column(other, there);
            values.extend(
                others.map(|(row, v)| (v, numbers.of((after.keys()[row].host, true)), true)),
            );
            Some((id, values, Exchange::Hosts))
        })
    });
    adjusted(compared.collect())
}

/// What may be exchanged under the null hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    /// Of each host, what is before and after.
    Sides,
    /// Which hosts are before and which after.
    Hosts,
}

/// Numbers for hosts, in the order of their first sample.
#[derive(Debug, Default)]
struct Numbers(BTreeMap<(IpAddr, bool), u32>);

impl Numbers {
    fn of(&mut self, host: (IpAddr, bool)) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(host).or_insert(next)
    }
}

fn compare<'a>(
    table: &'a SampleTable,
    config: &'a ShiftConfig,
    samples: impl Fn(usize) -> Option<(SystemId, Vec<Sample>, Exchange)> + Sync + Send + 'a,
) -> Vec<MetricShift> {
    (0..table.metrics().len())
        .into_par_iter()
        .filter_map(|column| {
            let (id, mut samples, exchange) = samples(column)?;
            samples.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            let seed = mix(config.seed ^ mix(u64::from(id.0) << 32 | column as u64));
            let mut shift = examine(&samples, exchange, seed, config)?;
            table.system_name(id).clone_into(&mut shift.system);
            shift.metric.clone_from(&table.metrics()[column]);
            Some(shift)
        })
        .collect()
}

fn examine(
    samples: &[Sample],
    exchange: Exchange,
    seed: u64,
    config: &ShiftConfig,
) -> Option<MetricShift> {
    let side = |after: bool| samples.iter().filter(move |s| s.2 == after);
    let values = |after| SortedValues::new(side(after).map(|s| s.0)).ok();
    let sides = [values(false)?, values(true)?];
    if sides.iter().any(|side| side.len() < config.min_values) {
        return None;
    }
    let apart = TwoSample::new(&sides[0], &sides[1])?;
    let hosts = [false, true].map(|after| {
        let mut hosts: Vec<u32> = side(after).map(|s| s.1).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.len()
    });
    let mean = |side: &SortedValues| side.as_slice().iter().sum::<f64>() / side.len() as f64;
    Some(MetricShift {
        system: String::new(),
        metric: String::new(),
        n: sides.each_ref().map(SortedValues::len),
        hosts,
        mean: sides.each_ref().map(mean),
        apart,
        host_p: host_p(samples, exchange, seed, config.permutations),
        adjusted: 1.0,
    })
}

/// `samples` are sorted by value.
fn host_p(samples: &[Sample], exchange: Exchange, seed: u64, permutations: u32) -> f64 {
    let hosts = samples
        .iter()
        .map(|s| s.1)
        .max()
        .map_or(0, |last| last as usize + 1);
    let mut of_after = vec![false; hosts];
    for &(_, host, after) in samples {
        of_after[host as usize] |= after;
    }
    let observed = distance(samples, &vec![false; hosts]);
    let reached = (0..u64::from(permutations)).filter(|&permutation| {
        let key = mix(seed ^ mix(permutation));
        let exchanged: Vec<bool> = match exchange {
            Exchange::Sides => (0..hosts as u64)
                .map(|i| mix(key.wrapping_add(i)) & 1 == 1)
                .collect(),
            Exchange::Hosts => {
                let shuffled = shuffled(&of_after, key);
                of_after
                    .iter()
                    .zip(shuffled)
                    .map(|(&was, is)| was != is)
                    .collect()
            }
        };
        // The least difference that is none but for rounding.
        distance(samples, &exchanged) >= observed - 1e-12
    });
    (1.0 + reached.count() as f64) / (1.0 + f64::from(permutations))
}

/// Fisher and Yates.
fn shuffled(sides: &[bool], key: u64) -> Vec<bool> {
    let mut sides = sides.to_vec();
    for last in (1..sides.len()).rev() {
        let random = u128::from(mix(key.wrapping_add(last as u64)));
        #[expect(clippy::cast_possible_truncation, reason = "at most `last`")]
        let other = ((random * (last as u128 + 1)) >> 64) as usize;
        sides.swap(last, other);
    }
    sides
}

/// The Kolmogorov-Smirnov distance, the sides of some hosts exchanged; 0 if one is empty then.
fn distance(samples: &[Sample], exchanged: &[bool]) -> f64 {
    let is_after = |s: &Sample| s.2 != exchanged[s.1 as usize];
    let after = samples.iter().filter(|s| is_after(s)).count();
    let before = samples.len() - after;
    if after == 0 || before == 0 {
        return 0.0;
    }
    // Both shares on one denominator keep the walk in whole numbers.
    let (mut walk, mut furthest) = (0_i128, 0_u128);
    let (up, down) = (before as i128, after as i128);
    for (i, sample) in samples.iter().enumerate() {
        walk += if is_after(sample) { up } else { -down };
        if samples.get(i + 1).is_none_or(|next| next.0 > sample.0) {
            furthest = furthest.max(walk.unsigned_abs());
        }
    }
    furthest as f64 / (before as f64 * after as f64)
}

fn adjusted(mut shifts: Vec<MetricShift>) -> Vec<MetricShift> {
    let p: Vec<_> = shifts.iter().map(|shift| Some(shift.host_p)).collect();
    for (shift, adjusted) in shifts.iter_mut().zip(benjamini_hochberg(&p)) {
        shift.adjusted = adjusted.unwrap_or(1.0);
    }
    shifts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples(hosts: u32) -> impl Strategy<Value = Vec<Sample>> {
        let sample = (0_u8..6, 0..hosts, any::<bool>());
        let all = prop::collection::vec(sample.prop_map(|(v, h, s)| (f64::from(v), h, s)), 2..30);
        all.prop_map(|mut all| {
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            all
        })
    }

    proptest! {
        #[test]
        fn the_walk_is_the_distance_of_the_two_sides(
            samples in samples(5),
            exchanged in prop::collection::vec(any::<bool>(), 5),
        ) {
            let side = |after: bool| {
                let of_side = samples.iter().filter(|s| (s.2 != exchanged[s.1 as usize]) == after);
                SortedValues::new(of_side.map(|s| s.0)).unwrap()
            };
            let expected = TwoSample::new(&side(false), &side(true)).map_or(0.0, |apart| apart.ks);
            prop_assert!((distance(&samples, &exchanged) - expected).abs() < 1e-12);
        }

        /// Against all outcomes of the coins, one by one.
        #[test]
        fn drawn_chances_are_those_of_enumeration(samples in samples(6), seed in any::<u64>()) {
            let observed = distance(&samples, &[false; 6]);
            let reached = (0_u32..64).filter(|coins| {
                let exchanged: Vec<bool> = (0..6).map(|i| coins >> i & 1 == 1).collect();
                distance(&samples, &exchanged) >= observed - 1e-12
            });
            let exact = reached.count() as f64 / 64.0;
            let drawn = host_p(&samples, Exchange::Sides, seed, 999);
            let deviation = (exact * (1.0 - exact) / 1000.0).sqrt();
            prop_assert!((drawn - exact).abs() < 5.0 * deviation + 2e-3, "{} {}", drawn, exact);
        }

        #[test]
        fn a_shuffle_keeps_the_numbers(sides in prop::collection::vec(any::<bool>(), 0..20), key in any::<u64>()) {
            let count = |sides: &[bool]| sides.iter().filter(|&&s| s).count();
            prop_assert_eq!(count(&shuffled(&sides, key)), count(&sides));
        }
    }

    /// Twenty hosts that have a level of their own, and slots around it.
    #[test]
    fn levels_of_hosts_are_no_shift_of_the_network() {
        let mut rejected = [0, 0];
        for trial in 0..100_u64 {
            let level =
                |host: u32, side: u64| mix(trial << 32 | side << 16 | u64::from(host)) % 100;
            let mut samples: Vec<Sample> = (0..20_u32)
                .flat_map(|host| {
                    let of_side = move |after: bool| {
                        let level = level(host, u64::from(after)) as f64;
                        (0..10_u32).map(move |slot| (level + f64::from(slot) / 10.0, host, after))
                    };
                    of_side(false).chain(of_side(true))
                })
                .collect();
            samples.sort_by(|a, b| a.0.total_cmp(&b.0));
            let config = ShiftConfig {
                permutations: 199,
                ..ShiftConfig::default()
            };
            let shift = examine(&samples, Exchange::Sides, trial, &config).unwrap();
            rejected[0] += u32::from(shift.host_p <= 0.05);
            rejected[1] += u32::from(shift.apart.p <= 0.05);
        }
        assert!(rejected[0] <= 12 && rejected[1] > 50, "{rejected:?}");
    }
}
