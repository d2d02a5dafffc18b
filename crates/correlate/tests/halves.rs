//! Parts of a trace against each other and the whole, and what clusters without a rule may mean.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Values, host, table, uniform};
use peerscope_correlate::{
    CorrelateConfig, Reason, Rules, ShiftConfig, correlate, propose, shifts_between,
    shifts_in_time, split_half,
};
use peerscope_flow::Timestamp;
use peerscope_metric::SampleTable;

const HOSTS: u8 = 20;
const SLOTS: i64 = 40;

fn samples() -> Vec<(u8, i64)> {
    (1..=HOSTS)
        .flat_map(|host| (0..SLOTS).map(move |slot| (host, slot)))
        .collect()
}

fn metric(values: &mut Values, name: &str, value: impl Fn(u8, i64) -> f64) {
    let cells = samples()
        .into_iter()
        .map(|(host, slot)| ((host, slot), value(host, slot)));
    values.insert(name.to_owned(), cells.collect());
}

const HIGH: &str = r#"
    [[rule]]
    name = "high"
    metric = "late"
    sides = ["high"]
    select = ["highest"]
    explanation = "high"
"#;

fn level(high: bool) -> f64 {
    if high { 0.9 } else { 0.0 }
}

/// `steady` has two clusters all the time, `late` a second one from slot 20 on.
#[test]
fn a_cluster_of_one_half_shows_and_a_steady_metric_does_not_move() {
    let mut values = Values::new();
    metric(&mut values, "steady", |host, _| level(host > 10));
    metric(&mut values, "late", |host, slot| {
        level(host > 10 && slot >= 20)
    });
    let table = table(&values, &samples());
    let rules = Rules::from_toml(HIGH, table.metrics()).unwrap();
    let config = CorrelateConfig::default();
    let correlation = correlate(&table, "emule", &rules, &config).unwrap();
    let halves = split_half(&table, &correlation, &config);

    assert_eq!(halves.split, Some(Timestamp::from_secs(20 * 300)));
    let of = |name: &str| halves.metrics.iter().find(|m| m.metric == name).unwrap();
    let steady = of("steady");
    assert_eq!(steady.clusters, [Some(2); 3]);
    assert_eq!(
        (steady.same_count(), steady.interesting),
        (Some(true), [None; 3])
    );
    let stability = steady.stability.as_ref().unwrap();
    assert_eq!(stability.first_to_second.max_shift, Some(0.0));
    let late = of("late");
    assert_eq!(late.clusters, [Some(1), Some(2), Some(2)]);
    assert_eq!(late.same_count(), Some(false));
    assert_eq!(late.interesting, [Some(0.0), Some(0.5), Some(0.25)]);
}

fn noisy(salt: u64, lift: f64) -> SampleTable {
    let mut values = Values::new();
    let noise = |host: u8, slot: i64| {
        // Hosts have levels of their own.
        uniform(u64::from(host) << 32 | salt << 48)
            + uniform(u64::from(host) << 32 | slot.cast_unsigned() << 8 | salt << 48 | 1)
    };
    metric(&mut values, "steady", noise);
    metric(&mut values, "moved", |host, slot| {
        noise(host, slot) + if slot >= 20 { lift } else { 0.0 }
    });
    table(&values, &samples())
}

#[test]
fn what_moved_is_found_between_periods_and_between_networks() {
    let config = ShiftConfig::default();
    let before = noisy(1, 3.0);
    let found = shifts_in_time(&before, Timestamp::from_secs(20 * 300), &config);
    let of = |name: &str| found.iter().find(|shift| shift.metric == name).unwrap();
    let moved = of("moved");
    assert!(moved.adjusted <= 0.05 && moved.apart.p < 1e-9, "{moved:?}");
    assert_eq!(
        (moved.apart.ks, moved.n, moved.hosts),
        (1.0, [400, 400], [20, 20])
    );
    assert!((moved.apart.wasserstein - 3.0).abs() < 0.1, "{moved:?}");
    assert!(of("steady").adjusted > 0.05, "{:?}", of("steady"));

    let other = noisy(2, 40.0);
    let found = shifts_between(&before, &other, &config);
    let of = |name: &str| found.iter().find(|shift| shift.metric == name).unwrap();
    assert!(
        of("moved").adjusted <= 0.05 && of("steady").adjusted > 0.05,
        "{found:?}"
    );
}

/// `open` is high at host 7 in the last quarter of the time, where `late` is too.
#[test]
fn a_cluster_of_few_hosts_that_coincides_is_proposed() {
    let mut values = Values::new();
    let strange = |number: u8, slot: i64| host(number) == host(7) && slot >= 20;
    metric(&mut values, "open", |host, slot| level(strange(host, slot)));
    metric(&mut values, "late", |host, slot| level(strange(host, slot)));
    let table = table(&values, &samples());
    let rules = Rules::from_toml(HIGH, table.metrics()).unwrap();
    let mut config = CorrelateConfig::default();
    config.search = config.search.with_noise_target("1".parse().unwrap());
    let correlation = correlate(&table, "emule", &rules, &config).unwrap();

    let proposals = propose(&table, &correlation, &config);
    let open = proposals
        .iter()
        .find(|proposal| proposal.metric == "open")
        .unwrap();
    let [first, second] = &open.clusters[..] else {
        unreachable!("two clusters: {open:?}");
    };
    assert!(first.proposed && !second.proposed, "{open:?}");
    assert_eq!((first.interval.low, first.fraction), (0.9, 0.025));
    assert!(
        matches!(
            &first.reasons[..],
            [Reason::FewHosts { .. }, Reason::Coincides { with, .. }, Reason::PartOfTime { .. }] if with == "late"
        ),
        "{open:?}"
    );
}
