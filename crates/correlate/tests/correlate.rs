//! The whole step on tables with planted behaviour.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Values, host, table, uniform};
use peerscope_cluster::{Scale, Search};
use peerscope_correlate::{
    CorrelateConfig, CorrelateError, Correlation, MetricOutcome, Reading, RegionKind, Rules,
    correlate,
};
use peerscope_metric::SampleTable;

const HOSTS: u8 = 20;
const SLOTS: i64 = 30;

fn samples() -> Vec<(u8, i64)> {
    (1..=HOSTS)
        .flat_map(|host| (0..SLOTS).map(move |slot| (host, slot)))
        .collect()
}

/// Values of every sample, undefined where `None`.
fn metric(values: &mut Values, name: &str, value: impl Fn(u8, i64) -> Option<f64>) {
    let cells = samples()
        .into_iter()
        .filter_map(|(host, slot)| Some(((host, slot), value(host, slot)?)));
    values.insert(name.to_owned(), cells.collect());
}

/// Slots without a period: a set that repeats itself coincides with shifts of itself.
const IRREGULAR: [i64; 10] = [0, 1, 2, 4, 7, 11, 12, 17, 23, 25];

/// Host 7 is often far beyond the others in five metrics, hosts 12 to 20 once each; hosts 1 to 10 are away in the second
/// half of the trace by two related metrics, whose turn comes at a slot of each host's own.
fn planted() -> Values {
    let mut values = Values::new();
    let noise = |host: u8, slot: i64, salt: u64| {
        uniform(u64::from(host) << 32 | (slot.cast_unsigned()) << 8 | salt)
    };
    for salt in 0..5_u64 {
        let name = format!("own-{salt}");
        metric(&mut values, &name, |host, slot| {
            let heavy = if host == 7 {
                IRREGULAR.contains(&slot)
            } else {
                host >= 12 && slot == i64::from(host)
            };
            Some(if heavy {
                40.0 + 10.0 * slot as f64
            } else {
                noise(host, slot, salt)
            })
        });
    }
    let left = |host: u8, slot: i64| host <= 10 && slot >= 5 + 2 * i64::from(host);
    metric(&mut values, "unanswered", |host, slot| {
        Some(f64::from(u8::from(left(host, slot))))
    });
    metric(&mut values, "received", |host, slot| {
        (slot % 7 != 6).then(|| f64::from(u8::from(left(host, slot))))
    });
    metric(&mut values, "rare", |host, slot| {
        (host == 1).then_some(slot as f64)
    });
    metric(&mut values, "unruled", |host, _| Some(f64::from(host % 2)));
    values
}

const RULES: &str = r#"
[[rule]]
name = "heavy"
metric = "own-*"
sides = ["high"]
select = ["above-lowest"]
explanation = "far beyond the others"

[[rule]]
name = "left"
family = "emule"
metric = "unanswered"
select = ["highest"]
explanation = "left the group"
severity = "medium"

[[rule]]
name = "left"
system = "kad"
metric = "received"
select = [{ range = { low = 0.5 } }]
explanation = "left the group"
"#;

fn run(table: &SampleTable) -> Correlation {
    let rules = Rules::built_in().extended(Rules::from_toml(RULES, table.metrics()).unwrap());
    correlate(table, "emule", &rules, &CorrelateConfig::default()).unwrap()
}

#[test]
fn planted_behaviour_is_found() {
    let table = table(&planted(), &samples());
    let correlation = run(&table);
    assert_eq!(correlation.systems.len(), 2, "kad and kadu");
    let kad = correlation.system("kad").unwrap();
    assert_eq!((kad.samples, kad.hosts), (600, 20));
    assert_eq!(kad.metrics.len(), table.metrics().len());

    let own = kad.metric("own-3").unwrap();
    let interesting = own.interesting().unwrap();
    assert_eq!((interesting.count, interesting.explained), (19, 19));
    assert_eq!(interesting.explanation, "far beyond the others");
    assert!((interesting.fraction - 19.0 / 600.0).abs() < 1e-15);
    assert_eq!(interesting.regions[0].kind, RegionKind::Noise);
    let of_seven = |row: &&usize| table.key(**row).host == host(7);
    assert_eq!(interesting.rows.iter().filter(of_seven).count(), 10);
    assert_eq!(interesting.by_host[0].host, host(7));
    // Of 19 samples 17 are too few.
    let dominance = own.dominance().unwrap();
    assert_eq!((dominance.hosts, dominance.host_fraction), (9, 0.45));

    // Hosts h = 1 to 10 are away in 25 - 2 h slots: 23, 21, ..., 5, together 140, of which nine
    // tenths are 126: the first eight make 128.
    let left = kad.metric("unanswered").unwrap();
    assert_eq!(left.interesting().unwrap().count, 140);
    assert_eq!(left.dominance().unwrap().hosts, 8);

    let rare = kad.metric("rare").unwrap();
    assert_eq!(*rare, MetricOutcome::TooFewValues { n: 30 });
    let unruled = kad.metric("unruled").unwrap();
    assert!(matches!(unruled, MetricOutcome::NeedsRule { .. }));

    let [heavy] = correlation.heavy_hosts.as_slice() else {
        panic!("one heavy host: {:?}", correlation.heavy_hosts)
    };
    assert_eq!((heavy.host, heavy.metrics.len()), (host(7), 5));
    let groups: Vec<_> = correlation
        .metric_groups
        .iter()
        .map(|group| group.metrics.join(" "))
        .collect();
    assert_eq!(
        groups,
        ["own-0 own-1 own-2 own-3 own-4", "received unanswered"]
    );

    let points: Vec<_> = kad.dominance_points().collect();
    assert_eq!(points.len(), 7);
    let point = points
        .iter()
        .find(|point| point.metric == "unanswered")
        .unwrap();
    assert_eq!(
        (point.sample_fraction, point.host_fraction),
        (140.0 / 600.0, 0.4)
    );
}

#[test]
fn without_a_rule_noise_is_an_outlier() {
    let table = table(&planted(), &samples());
    let config = CorrelateConfig::default();
    let correlation = correlate(&table, "emule", &Rules::default(), &config).unwrap();
    let own = correlation.systems[0].metric("own-0").unwrap();
    let interesting = own.interesting().unwrap();
    assert_eq!((interesting.rule.as_deref(), interesting.count), (None, 19));
    assert_eq!(interesting.explanation, "outlier");
    assert!(
        interesting
            .regions
            .iter()
            .all(|region| region.reading == Reading::Outlier)
    );
}

#[test]
fn neither_the_order_of_flows_nor_threads_matter() {
    let values = planted();
    let mut order = samples();
    let first = run(&table(&values, &order));
    order.sort_by(|a, b| {
        let key =
            |&(host, slot): &(u8, i64)| uniform(u64::from(host) * 1000 + slot.cast_unsigned());
        key(a).total_cmp(&key(b))
    });
    let pool = |threads| {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        builder.build().unwrap()
    };
    for threads in [1, 3] {
        let again = pool(threads).install(|| run(&table(&values, &order)));
        assert!(again == first, "{threads} threads");
    }
}

#[test]
fn values_a_scale_cannot_measure_are_an_error_that_names_them() {
    let table = table(&planted(), &samples());
    let config = CorrelateConfig {
        search: Search::default().with_scale(Scale::Log),
        ..CorrelateConfig::default()
    };
    let error = correlate(&table, "emule", &Rules::built_in(), &config).unwrap_err();
    assert!(matches!(error, CorrelateError::Scale { .. }));
    assert!(error.to_string().contains("-UDP of kad: "), "{error}");
}

#[test]
fn an_empty_table_correlates_to_nothing() {
    let correlation = run_empty();
    for system in &correlation.systems {
        assert_eq!(
            (system.samples, system.hosts, system.pairs.len()),
            (0, 0, 0)
        );
        let too_few = MetricOutcome::TooFewValues { n: 0 };
        assert!(
            system
                .metrics
                .iter()
                .all(|metric| metric.outcome == too_few)
        );
    }
}

fn run_empty() -> Correlation {
    let table = table(&Values::new(), &[]);
    let config = CorrelateConfig::default();
    correlate(&table, "emule", &Rules::built_in(), &config).unwrap()
}

#[cfg(feature = "serde")]
#[test]
fn json_has_the_shape_of_the_analysis() {
    let json = serde_json::to_value(run(&table(&planted(), &samples()))).unwrap();
    let metrics = &json["systems"]["kad"]["metrics"];
    assert_eq!(
        metrics["rare"],
        serde_json::json!({ "status": "too-few-values", "n": 30 })
    );
    assert_eq!(metrics["unruled"]["status"], "needs-rule");
    let left = &metrics["unanswered"];
    assert_eq!(left["status"], "clustered");
    assert_eq!(left["n"], 600);
    for key in ["eps", "eps_relative", "min_points", "percent", "trail"] {
        assert!(!left[key].is_null(), "{key}");
    }
    assert_eq!(
        left["clusters"][1],
        serde_json::json!({ "low": 1.0, "high": 1.0, "count": 140 })
    );
    assert_eq!(
        left["noise"],
        serde_json::json!({ "count": 0, "regions": [] })
    );
    assert_eq!(
        left["interesting"],
        serde_json::json!({
            "rule": "left",
            "explanation": "left the group",
            "severity": "medium",
            "regions": [
                { "low": 1.0, "high": 1.0, "count": 140, "kind": "cluster", "reading": "rule" }
            ],
            "count": 140,
            "explained": 140,
            "fraction": 140.0 / 600.0,
        })
    );
    assert_eq!(
        left["dominance"],
        serde_json::json!({ "hosts": 8, "host_fraction": 0.4 })
    );
    assert_eq!(json["heavy_hosts"][0]["host"], "10.0.0.7");
    assert_eq!(json["metric_groups"][1]["system"], "kad");
}
