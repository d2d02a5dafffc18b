//! The circular-shift null: do two sets of samples coincide in time, given how each clumps?

/// Two sets of one host's slots, compared under every circular shift of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostOverlaps {
    /// The size of the intersection when the first set is moved by 0, 1, ... slots.
    by_shift: Vec<u32>,
}

impl HostOverlaps {
    /// Of the host's slots, in time order, whether each is in the first and in the second set.
    ///
    /// # Complexity
    ///
    /// O(slots + runs of the first set x runs of the second): autocorrelated sets have few runs.
    pub(crate) fn new(first: &[bool], second: &[bool]) -> Self {
        let slots = first.len();
        // The intersection's size as a function of the shift is piecewise linear. Every pair of
        // an edge of the first set and one of the second bends it by one.
        let mut bends = vec![0_i32; 2 * slots];
        let second_edges = edges(second);
        for (from, sign) in edges(first) {
            for &(to, other) in &second_edges {
                // The last bend is behind the last shift.
                if let Some(bend) = bends.get_mut(to + slots - from) {
                    *bend -= sign * other;
                }
            }
        }
        // Shifts from -slots to slots without wrapping; a circular shift is the sum of two.
        let (mut slope, mut height) = (0, 0);
        let mut circular = vec![0_u32; slots];
        for bends in bends.chunks(slots.max(1)) {
            for (overlap, bend) in circular.iter_mut().zip(bends) {
                *overlap += u32::try_from(height).unwrap_or(0);
                slope += bend;
                height += slope;
            }
        }
        Self { by_shift: circular }
    }

    fn range(&self) -> (u32, u32) {
        let lowest = self.by_shift.iter().min();
        let highest = self.by_shift.iter().max();
        (lowest.copied().unwrap_or(0), highest.copied().unwrap_or(0))
    }

    /// The share of shifts that give each overlap, from the lowest overlap on.
    fn distribution(&self) -> Vec<f64> {
        let (lowest, highest) = self.range();
        let mut counts = vec![0_u32; (highest - lowest) as usize + 1];
        for overlap in &self.by_shift {
            counts[(overlap - lowest) as usize] += 1;
        }
        let shifts = self.by_shift.len() as f64;
        counts
            .iter()
            .map(|&count| f64::from(count) / shifts)
            .collect()
    }
}

/// Where a set begins (+1) and ends (-1).
fn edges(set: &[bool]) -> Vec<(usize, i32)> {
    let mut edges = Vec::new();
    let mut inside = false;
    for (at, &member) in set.iter().chain([&false]).enumerate() {
        if member != inside {
            edges.push((at, if member { 1 } else { -1 }));
            inside = member;
        }
    }
    edges
}

/// Chance of an overlap at least as large as that of the shifts by 0, all hosts together, if every
/// host's shift is drawn evenly and on its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Chance {
    pub(crate) p: f64,
    /// How many random draws it rests on; `None` if all shifts were counted.
    pub(crate) permutations: Option<u32>,
}

/// How to find a [`Chance`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    /// The most multiplications the exact way may take.
    pub(crate) exact_work: u64,
    /// How many times to draw otherwise.
    pub(crate) permutations: u32,
    pub(crate) seed: u64,
}

/// `None` if no shift of any host changes the overlap.
///
/// Exact by convolving the hosts' distributions, if that takes at most `exact_work` steps; else by
/// drawing.
pub(crate) fn chance(hosts: &[HostOverlaps], draws: Draws) -> Option<Chance> {
    let spans: Vec<usize> = hosts
        .iter()
        .map(HostOverlaps::range)
        .map(|(lowest, highest)| (highest - lowest) as usize)
        .collect();
    let most: usize = spans.iter().sum();
    if most == 0 {
        return None;
    }
    // How far the observed overlap is above the least possible one.
    let above = hosts
        .iter()
        .map(|host| (host.by_shift[0] - host.range().0) as usize);
    let above: usize = above.sum();
    // Only one side of the observed overlap is kept; the other is not needed one by one.
    let kept = above.min(most - above + 1);
    let mut reach = 0;
    let work: u64 = spans
        .iter()
        .map(|span| {
            let steps = (reach + 1).min(kept) as u64 * (*span as u64 + 1);
            reach += span;
            steps
        })
        .sum();
    Some(if work <= draws.exact_work {
        let hosts = hosts.iter().map(HostOverlaps::distribution);
        let p = if kept == above {
            at_least(hosts, above)
        } else {
            at_most(
                hosts.map(|mut shares| {
                    shares.reverse();
                    shares
                }),
                most - above,
            )
        };
        Chance {
            p: p.clamp(f64::MIN_POSITIVE, 1.0),
            permutations: None,
        }
    } else {
        drawn(hosts, draws)
    })
}

/// Chance that a sum of independent whole numbers is `limit` or more. Adds only positive terms, so
/// that tiny results keep their digits.
fn at_least(summands: impl Iterator<Item = Vec<f64>>, limit: usize) -> f64 {
    if limit == 0 {
        return 1.0;
    }
    let mut below = vec![1.0];
    let mut reached = 0.0;
    for shares in summands {
        for (value, share) in shares.iter().enumerate() {
            let from = limit.saturating_sub(value).min(below.len());
            reached += share * below[from..].iter().sum::<f64>();
        }
        below = convolved(&below, &shares, limit);
    }
    reached
}

/// Chance that a sum of independent whole numbers is `limit` or less.
fn at_most(summands: impl Iterator<Item = Vec<f64>>, limit: usize) -> f64 {
    let sums = summands.fold(vec![1.0], |sums, shares| {
        convolved(&sums, &shares, limit + 1)
    });
    sums.iter().sum()
}

/// The distribution of the sum of two independent whole numbers, below `limit`.
fn convolved(left: &[f64], right: &[f64], limit: usize) -> Vec<f64> {
    let mut sums = vec![0.0; (left.len() + right.len() - 1).min(limit)];
    for (value, &share) in right.iter().enumerate().take(limit) {
        if share > 0.0 {
            for (sum, chance) in sums[value..].iter_mut().zip(left) {
                *sum += share * chance;
            }
        }
    }
    sums
}

fn drawn(hosts: &[HostOverlaps], draws: Draws) -> Chance {
    let observed: u64 = hosts.iter().map(|host| u64::from(host.by_shift[0])).sum();
    let reached = (0..u64::from(draws.permutations)).filter(|&permutation| {
        let key = mix(draws.seed ^ mix(permutation));
        let overlaps = (0_u64..).zip(hosts).map(|(i, host)| {
            let slots = host.by_shift.len() as u128;
            let shift = (u128::from(mix(key.wrapping_add(i))) * slots) >> 64;
            #[expect(clippy::cast_possible_truncation, reason = "below the number of slots")]
            u64::from(host.by_shift[shift as usize])
        });
        overlaps.sum::<u64>() >= observed
    });
    let reached = reached.count() as f64;
    Chance {
        p: (1.0 + reached) / (1.0 + f64::from(draws.permutations)),
        permutations: Some(draws.permutations),
    }
}

/// A number that looks random: the counter-based generator `SplitMix64` (G. L. Steele, D. Lea,
/// C. H. Flood. Fast splittable pseudorandom number generators. OOPSLA 2014).
pub(crate) fn mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fisher::{Margins, fisher};
    use proptest::prelude::*;

    const EXACT: Draws = Draws {
        exact_work: u64::MAX,
        permutations: 0,
        seed: 0,
    };

    fn shifted(first: &[bool], second: &[bool], by: usize) -> u32 {
        let n = first.len();
        (0..n)
            .map(|i| u32::from(first[i] && second[(i + by) % n]))
            .sum()
    }

    fn series() -> impl Strategy<Value = (Vec<bool>, Vec<bool>)> {
        (1_usize..9).prop_flat_map(|n| {
            let set = || prop::collection::vec(any::<bool>(), n);
            (set(), set())
        })
    }

    /// All combinations of shifts, one by one.
    fn enumerated(hosts: &[HostOverlaps]) -> f64 {
        let mut sums = vec![0_u32];
        for host in hosts {
            sums = sums
                .iter()
                .flat_map(|sum| host.by_shift.iter().map(move |overlap| sum + overlap))
                .collect();
        }
        let observed: u32 = hosts.iter().map(|host| host.by_shift[0]).sum();
        let reached = sums.iter().filter(|&&sum| sum >= observed).count();
        reached as f64 / sums.len() as f64
    }

    proptest! {
        #[test]
        fn overlaps_are_those_of_every_shift((first, second) in series()) {
            let overlaps = HostOverlaps::new(&first, &second);
            let expected: Vec<u32> = (0..first.len())
                .map(|by| shifted(&first, &second, by))
                .collect();
            prop_assert_eq!(overlaps.by_shift, expected);
        }

        #[test]
        fn exact_equals_enumeration(hosts in prop::collection::vec(series(), 0..5)) {
            let hosts: Vec<_> = hosts.iter().map(|(a, b)| HostOverlaps::new(a, b)).collect();
            let varies = hosts.iter().any(|host| host.range().0 < host.range().1);
            match chance(&hosts, EXACT) {
                Some(chance) => prop_assert!((chance.p - enumerated(&hosts)).abs() < 1e-12),
                None => prop_assert!(!varies),
            }
        }

        /// A binomial count of successes stays within five standard deviations.
        #[test]
        fn draws_estimate_the_exact_chance(
            hosts in prop::collection::vec(series(), 1..5),
            seed in any::<u64>(),
        ) {
            let hosts: Vec<_> = hosts.iter().map(|(a, b)| HostOverlaps::new(a, b)).collect();
            let draws = Draws { exact_work: 0, permutations: 1999, seed };
            if let Some(chance) = chance(&hosts, draws) {
                let exact = enumerated(&hosts);
                // The least possible overlap needs no draws.
                prop_assert!(chance.permutations == Some(1999) || chance.p.min(exact) >= 1.0);
                let deviation = (exact * (1.0 - exact) / 2000.0).sqrt();
                prop_assert!((chance.p - exact).abs() < 5.0 * deviation + 1e-3);
            }
        }
    }

    #[test]
    fn tiny_chances_keep_their_digits() {
        // In each of 60 hosts one of 20 shifts makes single slots meet.
        let mut one = vec![false; 20];
        one[3] = true;
        let hosts = vec![HostOverlaps::new(&one, &one); 60];
        let p = chance(&hosts, EXACT).unwrap().p;
        let expected = 0.05_f64.powi(60);
        assert!((p / expected - 1.0).abs() < 1e-12, "{p}");
        let hosts = vec![HostOverlaps::new(&one, &one); 600];
        assert!(chance(&hosts, EXACT).unwrap().p <= f64::MIN_POSITIVE);
    }

    /// Twenty hosts with a hundred slots each; a state lasts twenty slots on the average.
    fn independent_pair(seed: u64) -> (Vec<HostOverlaps>, Margins, u64) {
        let mut counter = mix(seed);
        let mut uniform = || {
            counter = counter.wrapping_add(1);
            mix(counter) as f64 / u64::MAX as f64
        };
        let mut clumps = || {
            let mut state = uniform() < 0.5;
            let slots = (0..100).map(|_| {
                state ^= uniform() < 0.05;
                state
            });
            slots.collect::<Vec<bool>>()
        };
        let pairs: Vec<_> = (0..20).map(|_| (clumps(), clumps())).collect();
        let count = |of: &dyn Fn(bool, bool) -> bool| {
            let members = pairs.iter().flat_map(|(a, b)| a.iter().zip(b));
            members.filter(|&(&a, &b)| of(a, b)).count() as u64
        };
        let margins = Margins {
            population: 2000,
            left: count(&|a, _| a),
            right: count(&|_, b| b),
        };
        let hosts = pairs.iter().map(|(a, b)| HostOverlaps::new(a, b)).collect();
        (hosts, margins, count(&|a, b| a && b))
    }

    /// The figures of the crate's documentation.
    #[test]
    fn the_shift_null_is_calibrated_on_clumping_sets_and_fishers_test_is_not() {
        let trials = 2000_u32;
        let (mut shift, mut exact_test) = (Vec::new(), Vec::new());
        for trial in 0..trials {
            let (hosts, margins, both) = independent_pair(u64::from(trial));
            shift.push(chance(&hosts, EXACT).unwrap().p);
            exact_test.push(fisher(margins, both).unwrap());
        }
        let below = |p: &[f64], level: f64| {
            let rejected = p.iter().filter(|&&p| p <= level).count() as f64;
            rejected / f64::from(trials)
        };
        for level in [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9] {
            let deviation = (level * (1.0 - level) / f64::from(trials)).sqrt();
            let share = below(&shift, level);
            assert!((share - level).abs() < 4.0 * deviation, "{level}: {share}");
        }
        let rates =
            [0.05, 0.01, 0.001].map(|level| (below(&shift, level), below(&exact_test, level)));
        println!("rejected at 0.05, 0.01, 0.001 (shift, Fisher): {rates:?}");
        assert!(rates[0].1 > 0.25 && rates[2].1 > 0.1, "{rates:?}");
    }

    #[test]
    fn real_coincidence_is_found() {
        let mut found = 0;
        for trial in 0..50 {
            let (hosts, ..) = independent_pair(trial);
            let (same, ..) = coincident(trial);
            assert_eq!(hosts.len(), same.len());
            found += u32::from(chance(&same, EXACT).unwrap().p < 1e-6);
        }
        assert_eq!(found, 50);
    }

    /// The second set is the first one slot later.
    fn coincident(seed: u64) -> (Vec<HostOverlaps>, ()) {
        let hosts = (0..20).map(|host| {
            let mut state = false;
            let first: Vec<bool> = (0..100_u64)
                .map(|slot| {
                    state ^= mix(mix(seed * 20 + host) ^ slot) < u64::MAX / 20;
                    state
                })
                .collect();
            let mut second = first.clone();
            second.rotate_right(1);
            HostOverlaps::new(&first, &second)
        });
        (hosts.collect(), ())
    }
}
