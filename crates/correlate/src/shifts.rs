//! Which metrics of a system changed between two periods or two networks.

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
    /// How many times hosts are exchanged at random, at most: 999, so that p is at least 0.001.
    pub permutations: u32,
    /// No more are drawn once so many of them reach the distance observed: 20. A p-value that is not small
    /// needs no more digits.
    pub enough: u32,
    /// The seed of these draws.
    pub seed: u64,
    /// Fewer values than this on either side are not compared: 50, as in clustering.
    pub min_values: usize,
}

impl Default for ShiftConfig {
    fn default() -> Self {
        Self {
            permutations: 999,
            enough: 20,
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
/// hypothesis the values of a host before and after could as well be exchanged, and up to
/// [`ShiftConfig::permutations`] times a coin for each host decides whether they are. A network of
/// few hosts cannot give small p-values; see [`change_points`](crate::change_points) for the series
/// of one.
///
/// # Complexity
///
/// O(n log n + draws x n) for each metric with n values, on the threads of the current rayon pool. Where
/// nothing changed, about a tenth of [`ShiftConfig::permutations`] is drawn.
///
/// # References
///
/// - When to stop drawing: J. Besag, P. Clifford. Sequential Monte Carlo p-values. Biometrika 78 (2), 1991.
pub fn shifts_in_time(
    table: &SampleTable,
    split: Timestamp,
    config: &ShiftConfig,
) -> Vec<MetricShift> {
    let compared = table.clustered_systems().flat_map(|id| {
        compare(table, config, move |column| {
            let mut numbers = Numbers::default();
            let values = table.column(id, column).map(|(row, value)| {
                let key = table.key(row);
                let after = table.slot_start(&key) >= split;
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
                .map(|(row, v)| (v, numbers.of((before.key(row).host, false)), false))
                .collect();
            let others = after.column(other, there);
            values
                .extend(others.map(|(row, v)| (v, numbers.of((after.key(row).host, true)), true)));
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

/// Numbers for hosts, whose samples come one host after the other.
#[derive(Debug, Default)]
struct Numbers {
    latest: Option<(IpAddr, bool)>,
    hosts: u32,
}

impl Numbers {
    fn of(&mut self, host: (IpAddr, bool)) -> u32 {
        if self.latest.replace(host) != Some(host) {
            self.hosts += 1;
        }
        self.hosts - 1
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
        host_p: host_p(samples, exchange, seed, config),
        adjusted: 1.0,
    })
}

/// `samples` are sorted by value.
fn host_p(samples: &[Sample], exchange: Exchange, seed: u64, config: &ShiftConfig) -> f64 {
    let walk = Walk::new(samples);
    // The least difference that is none but for rounding.
    let observed = walk.distance(&vec![0; walk.hosts.len()]) - 1e-12;
    let (mut drawn, mut reached) = (0, 0);
    while drawn < config.permutations {
        let mut exchanged = vec![0; walk.hosts.len()];
        for (lane, permutation) in (u64::from(drawn)..).take(LANES).enumerate() {
            let key = mix(seed ^ mix(permutation));
            for (host, exchanged) in exchanged.iter_mut().zip(walk.exchanged(exchange, key)) {
                *host |= Lanes::from(exchanged) << lane;
            }
        }
        let left = (config.permutations - drawn) as usize;
        for reaches in walk.reaches(observed, &exchanged).into_iter().take(left) {
            drawn += 1;
            reached += u32::from(reaches);
            if reached == config.enough.max(1) {
                return f64::from(reached) / f64::from(drawn);
            }
        }
    }
    (1.0 + f64::from(reached)) / (1.0 + f64::from(drawn))
}

/// So many permutations are looked at together, a bit each.
const LANES: usize = 16;
type Lanes = u16;

/// The walk along sorted values whose furthest point is the Kolmogorov-Smirnov distance.
#[derive(Debug)]
struct Walk {
    /// Of each value, `2 * host + side`.
    steps: Vec<u32>,
    /// Up to each larger value.
    strides: Vec<Stride>,
    /// The same way in fewer strides.
    long_strides: Vec<Stride>,
    /// Of each host, how many values are before and after.
    hosts: Vec<[u32; 2]>,
}

/// A part of a walk.
#[derive(Clone, Copy, Debug, Default)]
struct Stride {
    steps: usize,
    /// After how many of them the last value that is passed over was reached.
    passed: usize,
}

/// Values are passed over in parts of at most so many steps.
const LONG: usize = 64;

/// How far a walk comes from where it begins: surely so far, and not further.
#[derive(Clone, Copy, Debug, Default)]
struct Reach {
    least: f64,
    most: f64,
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
        let strides = equal.map(|equal| Stride {
            steps: equal.len(),
            passed: 0,
        });
        let strides: Vec<Stride> = strides.collect();
        let mut long_strides: Vec<Stride> = Vec::new();
        for stride in &strides {
            match long_strides.last_mut() {
                Some(long) if long.steps + stride.steps <= LONG => {
                    long.passed = long.steps;
                    long.steps += stride.steps;
                }
                _ => long_strides.push(*stride),
            }
        }
        Self {
            steps: samples.iter().map(|s| 2 * s.1 + u32::from(s.2)).collect(),
            strides,
            long_strides,
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

    /// Whether the Kolmogorov-Smirnov distance is at least so large, the sides of some hosts exchanged: for each bit those
    /// of whose lanes it is set.
    ///
    /// Most distances are far from the limit, which a walk in long strides shows.
    fn reaches(&self, distance: f64, exchanged: &[Lanes]) -> [bool; LANES] {
        let about = self.walk(&self.long_strides, exchanged);
        if about
            .iter()
            .all(|about| distance <= about.least || about.most < distance)
        {
            return about.map(|about| distance <= about.least);
        }
        self.walk(&self.strides, exchanged)
            .map(|exact| distance <= exact.least)
    }

    /// The Kolmogorov-Smirnov distance of the first permutation.
    fn distance(&self, exchanged: &[Lanes]) -> f64 {
        let [first, ..] = self.walk(&self.strides, exchanged);
        first.least
    }

    /// How far apart the sides come; 0 if one is empty.
    fn walk(&self, strides: &[Stride], exchanged: &[Lanes]) -> [Reach; LANES] {
        // Whether a step is one of a value before, as a number.
        let of_side = |side: Lanes, bits: Lanes| -> [u8; LANES] {
            std::array::from_fn(|lane| u8::from((bits >> lane) & 1 == side))
        };
        let steps: Vec<[u8; LANES]> = exchanged
            .iter()
            .flat_map(|&bits| [of_side(0, bits), of_side(1, bits)])
            .collect();
        let mut all_before = [0.0_f64; LANES];
        for (count, step) in self.hosts.as_flattened().iter().zip(&steps) {
            for (all, &before) in all_before.iter_mut().zip(step) {
                *all += f64::from(before) * f64::from(*count);
            }
        }
        let all = self.steps.len() as f64;
        let all_after = all_before.map(|before| all - before);

        // Both shares on one denominator keep the way in whole numbers, exact up to 10^7 values.
        let (mut before, mut taken) = ([0.0_f64; LANES], 0.0_f64);
        let (mut away, mut reach) = ([0.0_f64; LANES], [Reach::default(); LANES]);
        let mut rest = self.steps.as_slice();
        for &Stride {
            steps: count,
            passed,
        } in strides
        {
            let (own, others) = rest.split_at(count);
            rest = others;
            // As many as a byte can count.
            for some in own.chunks(usize::from(u8::MAX)) {
                let mut counts = [0_u8; LANES];
                for &step in some {
                    for (count, before) in counts.iter_mut().zip(&steps[step as usize]) {
                        *count += before;
                    }
                }
                for (before, count) in before.iter_mut().zip(counts) {
                    *before += f64::from(count);
                }
            }
            taken += count as f64;
            for lane in 0..LANES {
                let further = passed as f64 * all_before[lane].max(all_after[lane]);
                let most = away[lane] + further;
                away[lane] = (before[lane] * all - taken * all_before[lane]).abs();
                let reach = &mut reach[lane];
                reach.least = reach.least.max(away[lane]);
                reach.most = reach.most.max(most);
            }
        }
        std::array::from_fn(|lane| match all_before[lane] * all_after[lane] {
            0.0 => Reach::default(),
            whole => Reach {
                least: reach[lane].least / whole,
                most: reach[lane].least.max(reach[lane].most) / whole,
            },
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
        let sample = (0_u8..40, 0..hosts, any::<bool>());
        let all = prop::collection::vec(sample.prop_map(|(v, h, s)| (f64::from(v), h, s)), 2..150);
        all.prop_map(|mut all| {
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            all
        })
    }

    proptest! {
        #[test]
        fn the_walk_is_the_distance_of_the_two_sides(
            samples in samples(5),
            exchanged in prop::collection::vec(any::<Lanes>(), 5),
        ) {
            let walk = Walk::new(&samples);
            let exchanged = &exchanged[..walk.hosts.len()];
            let exact = walk.walk(&walk.strides, exchanged);
            let about = walk.walk(&walk.long_strides, exchanged);
            for lane in 0..LANES {
                let is_after = |s: &&Sample| s.2 != (exchanged[s.1 as usize] >> lane & 1 == 1);
                let values = |after: bool| {
                    let of_side = samples.iter().filter(|s| is_after(s) == after);
                    SortedValues::new(of_side.map(|s| s.0)).unwrap()
                };
                let expected = TwoSample::new(&values(false), &values(true));
                let expected = expected.map_or(0.0, |apart| apart.ks);
                prop_assert!((exact[lane].least - expected).abs() < 1e-12);
                prop_assert!(about[lane].least <= expected + 1e-12);
                prop_assert!(expected <= about[lane].most + 1e-12);
                for limit in [expected - 1e-9, expected + 1e-9, expected / 2.0, expected * 2.0] {
                    prop_assert_eq!(walk.reaches(limit, exchanged)[lane], limit <= expected);
                }
            }
        }

        /// Against all outcomes of the coins, one by one.
        #[test]
        fn drawn_chances_are_those_of_enumeration(samples in samples(6), seed in any::<u64>()) {
            let walk = Walk::new(&samples);
            let hosts = walk.hosts.len();
            let observed = walk.distance(&vec![0; hosts]);
            let reached = (0_u16..64).filter(|coins| {
                let exchanged: Vec<Lanes> = (0..hosts).map(|i| coins >> i & 1).collect();
                walk.distance(&exchanged) >= observed - 1e-12
            });
            let exact = reached.count() as f64 / 64.0;
            let all = ShiftConfig { enough: u32::MAX, ..ShiftConfig::default() };
            let drawn = host_p(&samples, Exchange::Sides, seed, &all);
            let deviation = (exact * (1.0 - exact) / 1000.0).sqrt();
            prop_assert!((drawn - exact).abs() < 5.0 * deviation + 2e-3, "{} {}", drawn, exact);
        }

        /// Drawing ends at a draw that reached the distance, the last one that is needed.
        #[test]
        fn enough_draws_are_the_first_of_all(
            samples in samples(6),
            seed in any::<u64>(),
            enough in 1..30_u32,
        ) {
            let p = |permutations, enough| {
                let config = ShiftConfig { permutations, enough, ..ShiftConfig::default() };
                host_p(&samples, Exchange::Sides, seed, &config)
            };
            let reached = |permutations: u32| {
                let p = p(permutations, u32::MAX);
                p * (1.0 + f64::from(permutations)) - 1.0
            };
            let first = (1..=60).find(|&draws| reached(draws) > f64::from(enough) - 0.5);
            let expected = first.map_or(p(60, u32::MAX), |draws| f64::from(enough) / f64::from(draws));
            prop_assert!((p(60, enough) - expected).abs() < 1e-12);
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
