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
    let walk = Walk::new(samples);
    let [observed, ..] = walk.distances(&vec![0; walk.hosts.len()]);
    let permutations = u64::from(permutations);
    let reached = (0..permutations).step_by(LANES).map(|first| {
        let lanes = LANES.min(usize::try_from(permutations - first).unwrap_or(LANES));
        let mut exchanged = vec![0_u8; walk.hosts.len()];
        for (lane, permutation) in (first..).take(lanes).enumerate() {
            let key = mix(seed ^ mix(permutation));
            for (host, exchanged) in exchanged.iter_mut().zip(walk.exchanged(exchange, key)) {
                *host |= u8::from(exchanged) << lane;
            }
        }
        let distances = walk.distances(&exchanged);
        // The least difference that is none but for rounding.
        let reached = |distance: &&f64| **distance >= observed - 1e-12;
        distances[..lanes].iter().filter(reached).count()
    });
    (1.0 + reached.sum::<usize>() as f64) / (1.0 + permutations as f64)
}

/// So many permutations are looked at together, one bit of a byte each.
const LANES: usize = 8;

/// The walk along sorted values whose furthest point is the Kolmogorov-Smirnov distance.
#[derive(Debug)]
struct Walk {
    /// Of each value, `2 * host + side`.
    steps: Vec<u32>,
    /// How many steps lead to the next larger value.
    strides: Vec<usize>,
    /// Of each host, how many values are before and after.
    hosts: Vec<[u32; 2]>,
}

impl Walk {
    /// `samples` are sorted by value.
    fn new(samples: &[Sample]) -> Self {
        let last = samples.iter().map(|s| s.1 as usize + 1).max();
        let mut hosts = vec![[0; 2]; last.unwrap_or(0)];
        for &(_, host, after) in samples {
            hosts[host as usize][usize::from(after)] += 1;
        }
        let equal = samples.chunk_by(|a, b| a.0 >= b.0);
        Self {
            steps: samples.iter().map(|s| 2 * s.1 + u32::from(s.2)).collect(),
            strides: equal.map(<[Sample]>::len).collect(),
            hosts,
        }
    }

    /// Which hosts a permutation exchanges.
    fn exchanged(&self, exchange: Exchange, key: u64) -> Vec<bool> {
        match exchange {
            Exchange::Sides => (0..self.hosts.len() as u64)
                .map(|i| mix(key.wrapping_add(i)) & 1 == 1)
                .collect(),
            Exchange::Hosts => {
                let of_after: Vec<bool> = self.hosts.iter().map(|of| of[1] > 0).collect();
                let shuffled = shuffled(&of_after, key);
                let pairs = of_after.iter().zip(shuffled);
                pairs.map(|(&was, is)| was != is).collect()
            }
        }
    }

    /// The Kolmogorov-Smirnov distances, the sides of some hosts exchanged: for each bit those in whose byte it is
    /// set; 0 if a side is empty then.
    fn distances(&self, exchanged: &[u8]) -> [f64; LANES] {
        let is_after = |side: usize, bits: u8, lane: usize| (bits >> lane & 1 == 1) != (side == 1);
        let (mut before, mut after) = ([0.0; LANES], [0.0; LANES]);
        for (counts, &bits) in self.hosts.iter().zip(exchanged) {
            for (side, &count) in counts.iter().enumerate() {
                for lane in 0..LANES {
                    if is_after(side, bits, lane) {
                        after[lane] += f64::from(count);
                    } else {
                        before[lane] += f64::from(count);
                    }
                }
            }
        }
        // Both shares on one denominator keep the walk in whole numbers, exact up to 10^8 values.
        let steps: Vec<[f64; LANES]> = exchanged
            .iter()
            .flat_map(|&bits| [(0, bits), (1, bits)])
            .map(|(side, bits)| {
                std::array::from_fn(|lane| {
                    if is_after(side, bits, lane) {
                        before[lane]
                    } else {
                        -after[lane]
                    }
                })
            })
            .collect();
        let (mut walk, mut furthest) = ([0.0_f64; LANES], [0.0_f64; LANES]);
        let mut rest = self.steps.as_slice();
        for &stride in &self.strides {
            let (taken, others) = rest.split_at(stride);
            rest = others;
            for &step in taken {
                for (walk, step) in walk.iter_mut().zip(&steps[step as usize]) {
                    *walk += step;
                }
            }
            for (furthest, walk) in furthest.iter_mut().zip(walk) {
                *furthest = furthest.max(walk.abs());
            }
        }
        std::array::from_fn(|lane| match before[lane] * after[lane] {
            0.0 => 0.0,
            whole => furthest[lane] / whole,
        })
    }
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
            exchanged in prop::collection::vec(any::<u8>(), 5),
        ) {
            let walk = Walk::new(&samples);
            let distances = walk.distances(&exchanged[..walk.hosts.len()]);
            for (lane, distance) in distances.into_iter().enumerate() {
                let is_after = |s: &&Sample| s.2 != (exchanged[s.1 as usize] >> lane & 1 == 1);
                let values = |after: bool| {
                    let of_side = samples.iter().filter(|s| is_after(s) == after);
                    SortedValues::new(of_side.map(|s| s.0)).unwrap()
                };
                let expected = TwoSample::new(&values(false), &values(true));
                let expected = expected.map_or(0.0, |apart| apart.ks);
                prop_assert!((distance - expected).abs() < 1e-12);
            }
        }

        /// Against all outcomes of the coins, one by one.
        #[test]
        fn drawn_chances_are_those_of_enumeration(samples in samples(6), seed in any::<u64>()) {
            let walk = Walk::new(&samples);
            let hosts = walk.hosts.len();
            let distance = |exchanged: &[u8]| walk.distances(exchanged)[0];
            let observed = distance(&vec![0; hosts]);
            let reached = (0_u8..64).filter(|coins| {
                let exchanged: Vec<u8> = (0..hosts).map(|i| coins >> i & 1).collect();
                distance(&exchanged) >= observed - 1e-12
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
