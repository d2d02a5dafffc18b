//! Planted shapes come out, and nothing comes out of background alone. Six hours each.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

#[path = "planted/judge.rs"]
mod judge;
#[path = "planted/nested.rs"]
mod nested;

use judge::{Judgement, Sides};
use peerscope_flow::{Endpoint, Flow, SlotLength, Span, Timestamp, Transport};
use peerscope_rules::{Activity, Miner, Null, Parameters, RuleSet, Template};
use peerscope_simulate::{RulesScenario, RulesTrace, RulesTruth};
use rayon::prelude::*;

/// Mean lengths of bursts; 0 is Poisson.
const BURSTS: [f64; 4] = [0.0, 5.0, 15.0, 40.0];

fn activity(flows: &[Flow], parameters: &Parameters) -> Activity {
    let miner = Miner::new(parameters.clone()).unwrap();
    let mut builder = miner.activity();
    for flow in flows {
        builder.push(flow);
    }
    builder.finish().unwrap()
}

fn mine(flows: &[Flow], parameters: &Parameters) -> RuleSet {
    let miner = Miner::new(parameters.clone()).unwrap();
    miner.mine(&activity(flows, parameters))
}

fn trace(scenario: &RulesScenario, seed: u64) -> (Vec<Flow>, RulesTruth) {
    let mut trace = RulesTrace::new(scenario, seed).unwrap();
    let flows = trace.by_ref().collect();
    (flows, trace.truth())
}

fn quiet(burst_secs: f64) -> RulesScenario {
    RulesScenario {
        burst_secs,
        ..RulesScenario::preset("rules-quiet").unwrap()
    }
}

fn planted(seed: u64) -> RulesScenario {
    RulesScenario {
        burst_secs: BURSTS[usize::try_from(seed).unwrap() % BURSTS.len()],
        ..RulesScenario::default()
    }
}

fn sides(found: &RuleSet) -> Vec<Sides> {
    found
        .rules
        .iter()
        .map(peerscope_rules::Rule::sides)
        .collect()
}

#[test]
fn every_planted_pair_is_found_and_nothing_else() {
    (0..10_u64).into_par_iter().for_each(|seed| {
        let (flows, truth) = trace(&planted(seed), seed);
        let found = mine(&flows, &Parameters::default());
        let judged = Judgement::new(&truth, &sides(&found));
        assert!(
            judged.missing.is_empty(),
            "seed {seed}: {:#?}",
            judged.missing
        );
        assert!(judged.wrong.is_empty(), "seed {seed}: {:#?}", judged.wrong);
        let mut rules = found.rules.iter();
        assert!(rules.any(|rule| rule.template == Template::AnyClient));
    });
}

#[test]
fn background_alone_gives_at_most_one_rule() {
    (100..110_u64).into_par_iter().for_each(|seed| {
        // All lengths with all seeds in the tables.
        let burst = BURSTS[usize::try_from(seed).unwrap() % BURSTS.len()];
        let (flows, _) = trace(&quiet(burst), seed);
        let found = mine(&flows, &Parameters::default());
        assert!(
            found.rules.len() <= 1,
            "seed {seed}, bursts of {burst} s: {found}"
        );
    });
}

#[test]
fn addresses_of_six_and_short_traces_make_no_difference() {
    let scenario = RulesScenario {
        ipv6: true,
        hours: 1.0,
        ..RulesScenario::default()
    };
    let (flows, truth) = trace(&scenario, 20);
    let found = mine(&flows, &Parameters::default());
    let judged = Judgement::new(&truth, &sides(&found));
    assert_eq!((judged.missing, judged.wrong), (vec![], vec![]));
}

/// Three seconds leave a single window between an event and the baseline.
#[test]
fn wide_windows_see_short_bursts_too() {
    let parameters = Parameters {
        window: SlotLength::from_secs(3.0).unwrap(),
        ..Parameters::default()
    };
    let (flows, truth) = trace(&planted(1), 1);
    let judged = Judgement::new(&truth, &sides(&mine(&flows, &parameters)));
    assert!(judged.recall() > 0.95, "{:#?}", judged.missing);
    assert!(judged.precision() >= 0.98, "{:#?}", judged.wrong);
}

/// A client whose two connections begin together, twenty times, and last from `secs` to five times as
/// long: each fills the windows behind the other's beginning.
fn lasting(secs: i64, at: i64) -> Vec<Flow> {
    let client = "10.55.0.1".parse().unwrap();
    let mut flows = Vec::new();
    for beat in 0..20 {
        // Between beats a quarter of an hour and some, no two alike.
        let start = at + beat * 1000 + beat * beat * 7 % 60;
        for (number, late) in [(1_u8, 0_i64), (2, 200_000)] {
            let lasts = secs * (1 + (beat * 3 + i64::from(number) * 5) % 5);
            let begin = Timestamp::from_secs(start).saturating_add_micros(late);
            let end = begin.saturating_add_micros(lasts * Timestamp::MICROS_PER_SEC);
            flows.push(Flow::new(
                Transport::Tcp,
                Endpoint::new(client, 40_000 + u16::from(number)),
                Endpoint::new([203, 0, 113, number].into(), 443),
                Span::new(begin, end).unwrap(),
            ));
        }
    }
    flows
}

#[test]
fn what_begins_together_is_found_however_long_it_lasts() {
    for (seed, secs) in [(0, 1), (1, 61), (2, 120), (3, 180)] {
        let scenario = RulesScenario {
            shapes: Vec::new(),
            ..planted(seed)
        };
        let (mut flows, _) = trace(&scenario, seed);
        let start = flows.iter().map(|flow| flow.span.start()).min().unwrap();
        flows.extend(lasting(secs, start.as_micros() / 1_000_000 + 600));
        let found = mine(&flows, &Parameters::default());
        let [rule] = found.rules.as_slice() else {
            panic!("{secs} s: {found}");
        };
        assert!(rule.both_ways, "{secs} s: {found}");
        assert!(rule.left.dst.ip == Some([203, 0, 113, 1].into()), "{found}");
    }
}

/// Nesting sees chains only, and where it is to see rare ones, coincidence too.
#[test]
fn nesting_finds_few_shapes_and_false_ones() {
    let (flows, truth) = trace(&planted(0), 0);
    let named = activity(&flows, &Parameters::default());
    let judge = |share| Judgement::new(&truth, &nested::nested(&flows, named.groups(), share));
    let (strict, loose) = (judge(0.1), judge(0.01));
    assert!((1..strict.pairs / 4).contains(&(strict.pairs - strict.missing.len())));
    assert!(loose.wrong.len() > strict.wrong.len());
}

/// One row of the documentation's tables, over ten seeds.
fn row(label: &str, judge: impl Fn(u64) -> Judgement + Send + Sync) {
    let judged: Vec<Judgement> = (300..310_u64).into_par_iter().map(judge).collect();
    let mut all = Judgement::default();
    for one in judged {
        all.add(one);
    }
    println!(
        "| {label} | {:.3} ({} of {}) | {:.3} ({} of {}) |",
        all.recall(),
        all.pairs - all.missing.len(),
        all.pairs,
        all.precision(),
        all.rules - all.wrong.len(),
        all.rules,
    );
}

fn judged(scenario: &RulesScenario, seed: u64, parameters: &Parameters) -> Judgement {
    let (flows, truth) = trace(scenario, seed);
    Judgement::new(&truth, &sides(&mine(&flows, parameters)))
}

#[test]
#[ignore = "prints the tables of the documentation; several minutes"]
fn tables() {
    let with = |null, min_lift| Parameters {
        null,
        min_lift,
        ..Parameters::default()
    };
    println!("\nRules where nothing is planted, ten seeds\n");
    for (name, parameters) in [
        ("hypergeometric", with(Null::Hypergeometric, 1.0)),
        ("local baseline, lift 1", with(Null::LocalBaseline, 1.0)),
        ("local baseline, lift 1.5", with(Null::LocalBaseline, 1.5)),
        ("local baseline, lift 1.75", Parameters::default()),
    ] {
        let counts = BURSTS.map(|burst| -> usize {
            (200..210_u64)
                .into_par_iter()
                .map(|seed| mine(&trace(&quiet(burst), seed).0, &parameters).rules.len())
                .sum()
        });
        println!("| {name} | {} |", counts.map(|n| n.to_string()).join(" | "));
    }
    println!("\nBy method\n");
    for (name, parameters) in [
        ("local baseline", Parameters::default()),
        ("hypergeometric", with(Null::Hypergeometric, 1.0)),
    ] {
        row(name, |seed| judged(&planted(seed), seed, &parameters));
    }
    for share in [0.01, 0.1, 0.5] {
        row(&format!("nesting, in {share} of the flows"), |seed| {
            let (flows, truth) = trace(&planted(seed), seed);
            let named = activity(&flows, &Parameters::default());
            Judgement::new(&truth, &nested::nested(&flows, named.groups(), share))
        });
    }
    println!("\nBy co-occurrences\n");
    for count in [8, 10, 12, 15, 20, 30, 60] {
        row(&count.to_string(), |seed| {
            let scenario = RulesScenario {
                co_occurrences: count,
                ..planted(seed)
            };
            judged(&scenario, seed, &Parameters::default())
        });
    }
    println!("\nBy window\n");
    for secs in [0.1, 0.3, 1.0, 3.0, 10.0] {
        let parameters = Parameters {
            window: SlotLength::from_secs(secs).unwrap(),
            ..Parameters::default()
        };
        row(&secs.to_string(), |seed| {
            judged(&planted(seed), seed, &parameters)
        });
    }
}
