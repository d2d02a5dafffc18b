//! The time of the whole step at the size of the paper's trace. Run with
//! `cargo test --release -p peerscope-correlate --test size -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::time::Instant;

use common::{Values, table, uniform};
use peerscope_correlate::{CorrelateConfig, Rules, correlate};
use peerscope_metric::SampleTable;

/// 130 hosts with 100 slots each, and 44 metrics besides the catalogue's: heavy-tailed noise, and
/// states that last ten slots on the average, so that all 946 pairs are tested.
fn busy() -> SampleTable {
    let samples: Vec<(u8, i64)> = (1..=130)
        .flat_map(|host| (0..100).map(move |slot| (host, slot)))
        .collect();
    let mut values = Values::new();
    for metric in 0..44_u64 {
        let mut state = false;
        let cells = samples.iter().map(|&(host, slot)| {
            let draw = |salt: u64| {
                uniform((metric << 40 | u64::from(host) << 32 | (slot.cast_unsigned()) << 8) + salt)
            };
            state ^= draw(0) < 0.1;
            let value = if metric % 2 == 0 {
                f64::from(u8::from(state)) + 0.01 * draw(1)
            } else {
                (1.0 - draw(1)).powf(-1.5)
            };
            ((host, slot), value)
        });
        values.insert(format!("m-{metric:02}"), cells.collect());
    }
    table(&values, &samples)
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn thirteen_thousand_samples_of_forty_four_metrics() {
    let table = busy();
    let rules = r#"
        [[rule]]
        name = "all"
        metric = "m-*"
        sides = ["high"]
        select = ["above-lowest"]
        explanation = "above the lowest cluster"
    "#;
    let rules = Rules::from_toml(rules, table.metrics()).unwrap();
    for exact_work in [
        CorrelateConfig::default().cross_metric.exact_work,
        u64::MAX,
        0,
    ] {
        let mut config = CorrelateConfig::default();
        config.cross_metric.exact_work = exact_work;
        let start = Instant::now();
        let correlation = correlate(&table, "emule", &rules, &config).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let kad = correlation.system("kad").unwrap();
        let exact = kad.pairs.iter().filter(|pair| pair.permutations.is_none());
        println!(
            "{} samples, {} metrics, {} pairs, {} of them exact: {seconds:.2} s",
            kad.samples,
            kad.metrics.len(),
            kad.pairs.len(),
            exact.count()
        );
        assert!(kad.pairs.len() >= 44 * 43 / 2);
    }
}
