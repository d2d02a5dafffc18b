//! The sparse miner against dense arrays and every pair, and inputs at the edge.

#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "helpers of tests: a failure is a failed test"
)]

use peerscope_flow::{Endpoint, Flow, SlotLength, Span, Timestamp, Transport};
use peerscope_rules::{
    Activity, CandidatePolicy, Miner, Parameters, RuleBook, StreamMiner, Template,
};
use proptest::prelude::*;

/// A burst of one of a few services by one of a few hosts: (src, dst, start, length).
type Draw = (u8, u8, u8, u8);

fn flow((src, dst, start, length): Draw) -> Flow {
    let at = |secs: u8| Timestamp::from_secs(1000 + i64::from(secs));
    Flow::new(
        Transport::Udp,
        Endpoint::new(format!("10.0.0.{src}").parse().unwrap(), 50_000),
        Endpoint::new(format!("10.0.0.{dst}").parse().unwrap(), 53),
        Span::new(at(start), at(start.saturating_add(length))).unwrap(),
    )
}

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

fn activity(miner: &Miner, flows: &[Flow]) -> Activity {
    let mut builder = miner.activity();
    for flow in flows {
        builder.push(flow);
    }
    builder.finish().unwrap()
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
            let share = |w: usize, lags: &[isize]| {
                let inside: Vec<bool> = lags
                    .iter()
                    .filter_map(|lag| present.get(w.checked_add_signed(*lag)?).copied())
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
            let expected = far.max(bursts);
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
        pair in ((1_u8..5, 5_u8..8), (1_u8..5, 5_u8..8)),
        all in any::<bool>(),
    ) {
        let mut flows: Vec<Flow> = noise.into_iter().map(flow).collect();
        for start in together {
            flows.push(flow((pair.0.0, pair.0.1, start, 0)));
            flows.push(flow((pair.1.0, pair.1.1, start, 0)));
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

#[test]
fn degenerate_traces_have_defined_results() {
    let miner = Miner::new(Parameters::default()).unwrap();
    let rules = |flows: &[Flow]| miner.mine(&activity(&miner, flows)).rules.len();
    assert_eq!(rules(&[]), 0);
    assert_eq!(rules(&[flow((1, 2, 0, 0))]), 0);
    // All in one window, at the same time.
    let all: Vec<_> = (1..100).map(|dst| flow((1, dst, 0, 0))).collect();
    assert_eq!(rules(&all), 0);
    // One window as long as the trace.
    let wide = Parameters {
        window: SlotLength::from_secs(1e6).unwrap(),
        ..Parameters::default()
    };
    let miner = Miner::new(wide).unwrap();
    let long: Vec<_> = (0..200).map(|s| flow((1, s % 7, s, 1))).collect();
    let trace = activity(&miner, &long);
    assert_eq!((trace.windows(), miner.mine(&trace).rules.len()), (1, 0));
}

#[test]
fn a_busy_bucket_is_sampled_and_says_so() {
    let mut flows = Vec::new();
    for client in 1..=120_u8 {
        for t in 0..12_u8 {
            let mut flow = flow((client, 200, 0, 0));
            let start = Timestamp::from_secs(1000 + i64::from(t) * 100);
            flow.span = Span::new(start, start.saturating_add_micros(3_000_000)).unwrap();
            flows.push(flow);
        }
    }
    let parameters = Parameters {
        bucket_limit: 20,
        ..Parameters::default()
    };
    let miner = Miner::new(parameters).unwrap();
    let trace = activity(&miner, &flows);
    let found = miner.mine(&trace);
    assert_eq!(found.sampled.len(), 1);
    assert_eq!(found.sampled[0].groups, 120);
    assert!(
        (5..60).contains(&found.sampled[0].kept),
        "{:?}",
        found.sampled
    );
    assert!(!found.rules.is_empty());
    assert!(found.to_string().contains("# sampled: "));
    assert_eq!(miner.mine(&trace).rules, found.rules);
}

/// Heartbeats of one host to two others, on one 5-tuple each.
fn heartbeats(count: u32) -> Vec<Flow> {
    let mut flows = Vec::new();
    for beat in 0..i64::from(count) {
        for dst in 8..10 {
            let mut flow = flow((7, dst, 0, 0));
            flow.span = Span::at(Timestamp::from_secs(1000 + beat * 30));
            flows.push(flow);
        }
    }
    flows
}

#[test]
fn a_book_tells_known_from_novel_changed_and_gone() {
    let miner = Miner::new(Parameters::default()).unwrap();
    let rules = miner.mine(&activity(&miner, &heartbeats(40))).rules;
    assert_eq!(rules.len(), 1);
    assert_eq!(
        rules[0].to_string(),
        "10.0.0.7.* : 10.0.0.8.53 <=> 10.0.0.7.* : 10.0.0.9.53"
    );
    let mut book = RuleBook::new();
    assert_eq!(book.diff(&rules).novel, [0]);
    book.learn(&rules);
    assert_eq!(book.diff(&rules).known, [0]);
    assert_eq!(book.diff(&[]).gone.len(), 1);
    let mut weaker = rules;
    weaker[0].evidence.count_both /= 2;
    assert_eq!(book.diff(&weaker).changed.len(), 1);
    weaker[0].evidence.count_both *= 2;
    weaker[0].reverse = None;
    weaker[0].both_ways = false;
    assert_eq!(book.diff(&weaker).changed.len(), 1);
}

#[test]
fn a_stream_reports_a_novel_rule_once_and_stays_bounded() {
    let miner = Miner::new(Parameters::default()).unwrap();
    let mut stream = StreamMiner::new(miner.clone(), RuleBook::new()).with_max_stretches(300);
    let mut novel = Vec::new();
    for flow in heartbeats(600) {
        novel.extend(stream.push(&flow).unwrap());
    }
    assert_eq!(novel.len(), 1);
    assert!(stream.counts().minings >= 8 && stream.counts().dropped > 0);
    // Time runs back beyond the horizon: skipped and counted.
    assert!(stream.push(&flow((1, 2, 0, 0))).unwrap().is_empty());
    assert_eq!(stream.counts().late, 1);
    let mut book = RuleBook::new();
    book.learn(&novel);
    // A clock that runs wild throws nothing away.
    let mut stream = StreamMiner::new(miner.clone(), book.clone()).with_max_jump(7_200_000_000);
    for (number, flow) in heartbeats(600).into_iter().enumerate() {
        if number % 10 == 0 {
            let mut wild = flow.clone();
            wild.span = Span::at(Timestamp::MAX);
            assert!(stream.push(&wild).unwrap().is_empty());
        }
        assert!(stream.push(&flow).unwrap().is_empty());
    }
    assert!(stream.counts().ahead >= 60 && stream.counts().minings >= 8);
    assert_eq!(stream.counts().late, 0);
    let mut stream = StreamMiner::new(miner, book);
    for flow in heartbeats(600) {
        assert!(stream.push(&flow).unwrap().is_empty());
    }
    assert!(stream.mine().unwrap().is_empty());
}

#[test]
fn two_different_peers_of_a_server_are_a_template_of_their_own() {
    let mut flows = Vec::new();
    for t in 0..25_i64 {
        for peer in [3 + t % 4, 3 + (t + 1) % 4] {
            let mut flow = flow((u8::try_from(peer).unwrap(), 9, 0, 0));
            flow.span = Span::at(Timestamp::from_secs(1000 + t * 150 + (t * t) % 40));
            flows.push(flow);
        }
    }
    let parameters = Parameters {
        templates: vec![Template::Peers],
        ..Parameters::default()
    };
    let miner = Miner::new(parameters).unwrap();
    let rules = miner.mine(&activity(&miner, &flows)).rules;
    assert!(
        rules
            .iter()
            .any(|rule| rule.to_string() == "*.* : 10.0.0.9.53 <=> *'.* : 10.0.0.9.53"),
        "{rules:?}"
    );
}

#[cfg(feature = "serde")]
mod files {
    use super::*;
    use peerscope_rules::{BookError, RuleSet};

    fn found() -> RuleSet {
        let miner = Miner::new(Parameters::default()).unwrap();
        miner.mine(&activity(&miner, &heartbeats(40)))
    }

    #[test]
    fn books_survive_saving_and_bad_ones_are_refused() {
        let mut book = RuleBook::new();
        book.learn(&found().rules);
        let mut text = Vec::new();
        book.save(&mut text).unwrap();
        assert_eq!(RuleBook::load(text.as_slice()).unwrap(), book);
        let text = String::from_utf8(text).unwrap();
        let other = text.replacen("\"version\": 1", "\"version\": 9", 1);
        let error = RuleBook::load(other.as_bytes()).unwrap_err();
        assert!(
            matches!(error, BookError::Version { found: 9, .. }),
            "{error}"
        );
        let error = RuleBook::load(text.replacen("\"up\": 1.0", "\"up\": 7.0", 1).as_bytes());
        assert!(matches!(
            error,
            Err(BookError::Confidence { number: 0, .. })
        ));
        let error = RuleBook::load(&text.as_bytes()[..text.len() / 2]).unwrap_err();
        assert!(error.to_string().contains("line"), "{error}");
        assert!(RuleBook::load("".as_bytes()).is_err());
        let empty = RuleBook::load(r#"{"version":1,"rules":[]}"#.as_bytes()).unwrap();
        assert_eq!(empty.diff(&found().rules).novel, [0]);
    }

    #[test]
    fn reports_hold_the_fields_of_the_file() {
        let found = found();
        let json = serde_json::to_value(found.report()).unwrap();
        let rule = &json["rules"][0];
        assert_eq!(rule["left"], "10.0.0.7.* : 10.0.0.8.53");
        assert_eq!(rule["both_ways"], true);
        for (field, value) in [("count_left", 40), ("count_both", 40), ("bindings", 1)] {
            assert_eq!(rule[field], value, "{field}");
        }
        assert_eq!(json["clusters"], serde_json::json!([[0]]));
        assert_eq!(json["parameters"]["fdr"], 0.01);
        let dot = found.to_dot();
        assert!(
            dot.starts_with("digraph") && dot.contains("dir=both"),
            "{dot}"
        );
    }
}
