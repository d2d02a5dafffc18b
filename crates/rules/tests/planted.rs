//! Planted shapes come out, and nothing comes out of background alone.
//!
//! Six hours each; `cargo test --release -p peerscope-rules --test planted -- --nocapture` prints
//! the figures.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "helpers of tests: a failure is a failed test"
)]

#[path = "planted/mod.rs"]
mod trace;

use peerscope_rules::{Miner, Null, Parameters, RuleSet, Template};
use trace::{Arrivals, Dice, Trace, is_planted, says};

const SIX_HOURS: f64 = 21_600.0;

fn mine(trace: &Trace, parameters: Parameters) -> RuleSet {
    let miner = Miner::new(parameters).unwrap();
    let mut builder = miner.activity();
    trace.fill(&mut builder);
    miner.mine(&builder.finish().unwrap())
}

fn planted(seed: u64, arrivals: Arrivals, count: usize) -> Trace {
    let mut dice = Dice(seed);
    let mut trace = Trace::background(&mut dice, SIX_HOURS, arrivals);
    trace.plant_all(&mut dice, SIX_HOURS, count);
    trace
}

/// Pairs missing, and false rules.
fn judge(trace: &Trace, found: &RuleSet) -> (Vec<String>, Vec<String>) {
    let missing = trace
        .shapes
        .iter()
        .flat_map(|shape| shape.pairs.iter().map(move |pair| (shape.name, pair)))
        .filter(|(_, pair)| !found.rules.iter().any(|rule| says(rule, pair)))
        .map(|(name, pair)| format!("{name}: {} and {}", pair.0, pair.1))
        .collect();
    let wrong = found
        .rules
        .iter()
        .filter(|rule| !is_planted(rule, &trace.shapes))
        .map(ToString::to_string)
        .collect();
    (missing, wrong)
}

#[test]
fn every_planted_pair_is_found_and_nothing_else() {
    for seed in 0..10 {
        let arrivals = Arrivals::ALL[seed as usize % Arrivals::ALL.len()];
        let trace = planted(seed, arrivals, 30);
        let found = mine(&trace, Parameters::default());
        let (missing, wrong) = judge(&trace, &found);
        println!(
            "seed {seed}, {arrivals:?}: {} rules, {} missing, {} false",
            found.rules.len(),
            missing.len(),
            wrong.len()
        );
        assert!(missing.is_empty(), "seed {seed}: {missing:#?}");
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        assert!(
            found
                .rules
                .iter()
                .any(|rule| rule.template == Template::AnyClient)
        );
    }
}

#[test]
fn background_alone_gives_at_most_one_rule() {
    for seed in 100..110 {
        for arrivals in Arrivals::ALL {
            let trace = Trace::background(&mut Dice(seed), SIX_HOURS, arrivals);
            let found = mine(&trace, Parameters::default());
            println!(
                "seed {seed}, {arrivals:?}: {} flows, {} rules",
                trace.flows.len(),
                found.rules.len()
            );
            assert!(found.rules.len() <= 1, "{found}");
        }
    }
}

/// The comparison of nulls, the dependence on the number of co-occurrences and on the window.
#[test]
#[ignore = "prints the tables of the documentation; several minutes"]
fn tables() {
    let with = |null, min_lift| Parameters {
        null,
        min_lift,
        ..Parameters::default()
    };
    for arrivals in Arrivals::ALL {
        for (name, parameters) in [
            ("hypergeometric", with(Null::Hypergeometric, 1.0)),
            ("local baseline, lift 1", with(Null::LocalBaseline, 1.0)),
            ("local baseline, lift 1.5", with(Null::LocalBaseline, 1.5)),
            ("local baseline, lift 1.75", Parameters::default()),
        ] {
            let rules: Vec<usize> = (200..203)
                .map(|seed| {
                    let trace = Trace::background(&mut Dice(seed), SIX_HOURS, arrivals);
                    mine(&trace, parameters.clone()).rules.len()
                })
                .collect();
            println!("nothing planted, {arrivals:?}, {name}: {rules:?} rules");
        }
    }
    let row = |label: String, count: usize, parameters: &Parameters| {
        let (mut pairs, mut missing, mut rules, mut wrong) = (0, 0, 0, 0);
        for seed in 300..303 {
            let trace = planted(seed, Arrivals::Bursty, count);
            let found = mine(&trace, parameters.clone());
            let judged = judge(&trace, &found);
            pairs += trace
                .shapes
                .iter()
                .map(|shape| shape.pairs.len())
                .sum::<usize>();
            missing += judged.0.len();
            rules += found.rules.len();
            wrong += judged.1.len();
        }
        println!(
            "{label}: recall {:.3} ({} of {pairs}), precision {:.3} ({wrong} false of {rules})",
            1.0 - missing as f64 / pairs as f64,
            pairs - missing,
            1.0 - wrong as f64 / f64::from(u32::try_from(rules.max(1)).unwrap()),
        );
    };
    for count in [8, 10, 12, 15, 20, 30, 60] {
        row(
            format!("{count} co-occurrences"),
            count,
            &Parameters::default(),
        );
    }
    for secs in [0.1, 0.3, 1.0, 3.0, 10.0] {
        let window = peerscope_flow::SlotLength::from_secs(secs).unwrap();
        let parameters = Parameters {
            window,
            ..Parameters::default()
        };
        row(format!("window {secs} s"), 30, &parameters);
    }
}
