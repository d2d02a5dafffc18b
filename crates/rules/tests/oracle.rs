//! The sparse miner against dense arrays and every pair.

#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "helpers of tests: a failure is a failed test"
)]

mod common;

use common::{activity, flow};
use peerscope_flow::Flow;
use peerscope_rules::{Activity, CandidatePolicy, FlowGroup, Miner, Parameters};
use proptest::prelude::*;

fn miner(policy: CandidatePolicy) -> Miner {
    Miner::new(Parameters {
        policy,
        min_cooccurrence: 3,
        min_score: 0.01,
        fdr: 0.2,
        idle_gap_us: 1_500_000,
        guard_s: 2.0,
        reach_s: 12.0,
        min_lift: 1.1,
        templates: Vec::new(),
        ..Parameters::default()
    })
    .unwrap()
}

/// P(K >= k) for a Poisson K, term by term; 1 where k does not exceed the mean.
fn poisson_tail(k: usize, mean: f64) -> f64 {
    if k as f64 <= mean {
        return 1.0;
    }
    let mut term = (-mean).exp();
    let mut tail = 0.0;
    for j in 0..400 {
        if j >= k {
            tail += term;
        }
        term *= mean / (j as f64 + 1.0);
    }
    tail
}

/// Co-occurrences explained by bursts of the hosts that two groups share: the larger of them.
fn company(
    rows: &[(FlowGroup, Vec<bool>, Vec<bool>)],
    (x, new): (&FlowGroup, &[bool]),
    (y, starts_of_y, present): (&FlowGroup, &[bool], &[bool]),
) -> f64 {
    let touches = |group: &FlowGroup, host| [group.src.ip, group.dst.ip].contains(&host);
    let n = new.len();
    // A block is a window and the one before.
    let either = |row: &[bool], w: usize| row[w] || (w > 0 && row[w - 1]);
    let near = |w: usize, reach: usize| {
        (w.saturating_sub(reach)..=w + reach).any(|v| new.get(v) == Some(&true))
    };
    let mut most = 0.0_f64;
    for host in [x.src.ip, x.dst.ip] {
        if !touches(y, host) {
            continue;
        }
        let begin = |w: usize| {
            rows.iter()
                .filter(|(g, new, _)| touches(g, host) && new[w])
                .count()
        };
        let block = |w: usize| {
            if begin(w) == 0 {
                0
            } else {
                begin(w) + if w > 0 { begin(w - 1) } else { 0 }
            }
        };
        let size = |starts: usize| starts.ilog2();
        // Starts and Ys of blocks of like size away from X, at most `reach` away.
        let tally = |like: u32, reach: usize| {
            let (mut starts, mut ys) = (0, 0);
            for w in (0..n).filter(|&w| block(w) > 1 && !near(w, 1) && near(w, reach)) {
                if size(block(w)).abs_diff(like) <= 1 {
                    starts += block(w);
                    ys += usize::from(either(starts_of_y, w) && present[w]);
                }
            }
            (starts as f64, ys as f64)
        };
        let events: Vec<(u32, usize)> = (0..n)
            .filter(|&w| new[w])
            .map(|w| {
                (
                    size(block(w)),
                    block(w) - 1 - usize::from(w > 0 && new[w - 1]),
                )
            })
            .collect();
        let explained: f64 = events
            .iter()
            .map(|&(like, others)| {
                let exposed: usize = events
                    .iter()
                    .filter(|one| one.0 == like)
                    .map(|one| one.1)
                    .sum();
                let (starts, ys) = tally(like, n);
                let unseen = 2.0 * starts / (starts + exposed as f64).max(1.0);
                let whole = (ys + 2.0 * ys.sqrt() + unseen) / (starts + 10.0);
                let (starts, ys) = tally(like, 12);
                let share = whole.min(1.0).max((ys / (starts + 10.0)).min(1.0));
                1.0 - (1.0 - share).powi(i32::try_from(others).unwrap())
            })
            .sum();
        most = most.max(explained);
    }
    most
}

/// All accepted rules as (left, right, both, p), every pair looked at over dense arrays.
fn oracle(miner: &Miner, activity: &Activity) -> Vec<(String, String, u64, f64)> {
    let parameters = miner.parameters();
    let n = activity.windows() as usize;
    let dense = |windows: Vec<u32>| {
        let mut row = vec![false; n];
        for window in windows {
            row[window as usize] = true;
        }
        row
    };
    let rows: Vec<_> = activity
        .groups()
        .iter()
        .map(|g| {
            (
                g.group,
                dense(g.new.clone()),
                dense(g.present.windows().collect()),
            )
        })
        .collect();
    let count = |row: &[bool]| row.iter().filter(|&&on| on).count();
    let mut tests = 0;
    let mut ps = Vec::new();
    for (x, new, _) in &rows {
        for (y, starts_of_y, present) in &rows {
            let shares = [y.src.ip, y.dst.ip]
                .iter()
                .any(|ip| [x.src.ip, x.dst.ip].contains(ip));
            if x == y || (parameters.policy == CandidatePolicy::SharedAddress && !shares) {
                continue;
            }
            let least = parameters.min_cooccurrence as usize;
            if count(new) < least || count(present) < least {
                continue;
            }
            tests += 1;
            let events: Vec<usize> = (0..n).filter(|&w| new[w]).collect();
            let both = events.iter().filter(|&&w| present[w]).count();
            let lift = both as f64 * n as f64 / (events.len() * count(present)) as f64;
            let score = both as f64 / n as f64 * lift.ln();
            if both < least || lift <= 1.0 || score < parameters.min_score {
                continue;
            }
            // What begins with the event and outlasts its surroundings does not count in them.
            let own = |w: usize, at: usize| {
                let lasts = present
                    .get(w..=w + 12)
                    .is_some_and(|run| run.iter().all(|&on| on));
                at >= w && (w == 0 || !present[w - 1]) && lasts
            };
            let share = |w: usize, lags: &[isize]| {
                let inside: Vec<bool> = lags
                    .iter()
                    .filter_map(|lag| w.checked_add_signed(*lag))
                    .filter(|&at| at < n && !own(w, at))
                    .map(|at| present[at])
                    .collect();
                (!inside.is_empty()).then(|| count(&inside) as f64 / inside.len() as f64)
            };
            let lags = |from: isize, to: isize| (from..=to).collect::<Vec<_>>();
            let sides = [lags(-12, -2), lags(2, 12)];
            let far: f64 = events
                .iter()
                .map(|&w| share(w, &sides.concat()).unwrap_or(1.0))
                .sum();
            // Starts of Y around those of X, at the lags of one scale before and after.
            let starts = |scale: Vec<isize>| -> usize {
                let all = events.iter().flat_map(|&w| {
                    scale
                        .iter()
                        .filter_map(move |&lag| w.checked_add_signed(lag))
                });
                all.filter(|&w| starts_of_y.get(w).copied().unwrap_or(false))
                    .count()
            };
            let together = starts(vec![0]);
            // Guard 2, hence no room for bursts; the nearer part is 2 to 6.
            let (before, after) = (starts(lags(-6, -2)), starts(lags(2, 6)));
            let bursts = if before.min(after) == 0 {
                0.0
            } else {
                let ratio = (after as f64 / before as f64).min(1.0);
                before.min(after) as f64 / 5.0 + (both - together).min(before) as f64 * ratio
            };
            let expected = far
                .max(bursts)
                .max(company(&rows, (x, new), (y, starts_of_y, present)));
            // A hit counts as a clump's first unless the hit before lies in the same run.
            let first = |i: usize, lag: isize| {
                let on = |w: usize| {
                    w.checked_add_signed(lag)
                        .and_then(|w| present.get(w))
                        .copied()
                        .unwrap_or(false)
                };
                on(events[i]) && (i == 0 || !(events[i - 1]..=events[i]).all(on))
            };
            let clumps = (0..events.len()).filter(|&i| first(i, 0)).count();
            let (mut hits, mut firsts) = (0, 0);
            for lag in sides.concat() {
                for (i, &w) in events.iter().enumerate() {
                    let hit = w
                        .checked_add_signed(lag)
                        .and_then(|w| present.get(w))
                        .copied();
                    hits += usize::from(hit.unwrap_or(false));
                    firsts += usize::from(first(i, lag));
                }
            }
            let clumped = if hits == 0 {
                1.0
            } else {
                firsts as f64 / hits as f64
            };
            let half = 0.5 / 22.0;
            let expected_clumps = if far > 0.0 {
                expected * clumped
            } else {
                expected
            };
            let p = poisson_tail(both, 1.1 * expected + half)
                .max(poisson_tail(clumps, 1.1 * expected_clumps + half));
            ps.push((x.to_string(), y.to_string(), both as u64, p));
        }
    }
    let adjusted = |p: f64| {
        ps.iter()
            .filter(|other| other.3 >= p)
            .map(|other| {
                other.3 * f64::from(tests) / ps.iter().filter(|o| o.3 <= other.3).count() as f64
            })
            .fold(1.0, f64::min)
    };
    let mut accepted: Vec<_> = ps
        .iter()
        .filter(|one| adjusted(one.3) <= parameters.fdr)
        .cloned()
        .collect();
    accepted.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    accepted
}

fn mined(miner: &Miner, activity: &Activity) -> Vec<(String, String, u64, f64)> {
    let mut rules = Vec::new();
    for rule in miner.mine(activity).rules {
        let (left, right) = rule.sides();
        rules.push((
            left.clone(),
            right.clone(),
            rule.evidence.count_both,
            rule.evidence.p_value,
        ));
        if let Some(back) = rule.reverse {
            rules.push((right, left, back.count_both, back.p_value));
        }
    }
    rules.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    rules
}

proptest! {
    #[test]
    fn the_sparse_miner_equals_every_pair_over_dense_arrays(
        noise in prop::collection::vec((1_u8..5, 1_u8..6, 0_u8..200, 0_u8..4), 0..60),
        together in prop::collection::vec(0_u8..200, 0..14),
        lasts in prop_oneof![3 => Just(0_u8), 1 => 10_u8..20],
        pair in ((1_u8..5, 5_u8..8), (1_u8..5, 5_u8..8)),
        all in any::<bool>(),
    ) {
        let mut flows: Vec<Flow> = noise.into_iter().map(flow).collect();
        for start in together {
            flows.push(flow((pair.0.0, pair.0.1, start, lasts)));
            flows.push(flow((pair.1.0, pair.1.1, start, lasts)));
        }
        let policy = if all { CandidatePolicy::AllPairs } else { CandidatePolicy::SharedAddress };
        let miner = miner(policy);
        let trace = activity(&miner, &flows);
        let (found, expected) = (mined(&miner, &trace), oracle(&miner, &trace));
        prop_assert_eq!(found.len(), expected.len(), "{:?} {:?}", found, expected);
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!((&found.0, &found.1, found.2), (&expected.0, &expected.1, expected.2));
            prop_assert!((found.3 / expected.3 - 1.0).abs() < 1e-6, "{:?} {:?}", found, expected);
        }
        // Neither the order of the input nor the number of threads matters.
        flows.reverse();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let again = pool.install(|| mined(&miner, &activity(&miner, &flows)));
        prop_assert_eq!(again, found);
    }
}

#[test]
fn the_oracle_test_has_rules_to_compare() {
    let mut flows = Vec::new();
    for i in 0..12_u8 {
        flows.extend([(1, 5, i * 16, 0), (1, 6, i * 16, 0)].map(flow));
    }
    let miner = miner(CandidatePolicy::SharedAddress);
    assert_eq!(mined(&miner, &activity(&miner, &flows)).len(), 2);
}
