//! Traces with planted rules: order, sameness, truth, and what is refused.

use std::collections::BTreeSet;

use peerscope_flow::{Flow, Transport};
use peerscope_simulate::{RulesScenario, RulesTrace, ScenarioError, ShapeKind};

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn flows(scenario: &RulesScenario, seed: u64) -> Vec<Flow> {
    RulesTrace::new(scenario, seed).unwrap().collect()
}

#[test]
fn a_seed_gives_the_same_flows_again_in_order_and_another_gives_others() {
    let scenario = RulesScenario {
        hours: 1.0,
        ..RulesScenario::default()
    };
    let one = flows(&scenario, 1);
    assert_eq!(one, flows(&scenario, 1));
    assert_ne!(one, flows(&scenario, 2));
    assert!(one.is_sorted_by_key(|flow| flow.span.start()));
    let mut trace = RulesTrace::new(&scenario, 1).unwrap();
    let count = trace.by_ref().count();
    let truth = trace.truth();
    assert_eq!((truth.flows, one.len()), (count as u64, count));
    assert!(one.iter().all(|flow| flow.span.start() < truth.end_us));
}

#[test]
fn every_shape_is_in_the_flows_as_often_as_the_truth_says() {
    let scenario = RulesScenario {
        clients: 0,
        servers: 0,
        long_lived: 0,
        co_occurrences: 20,
        ..RulesScenario::default()
    };
    let mut trace = RulesTrace::new(&scenario, 3).unwrap();
    let mut groups = BTreeSet::new();
    let mut count = 0;
    for flow in trace.by_ref() {
        count += 1;
        let end = match flow.transport {
            Transport::Tcp | Transport::Udp => String::new(),
            Transport::Other(number) => format!(" : {number}"),
        };
        let port = |port: u16| [port.to_string(), "*".to_owned()];
        for src in port(flow.src.port) {
            for dst in port(flow.dst.port) {
                groups.insert(format!(
                    "{}.{src} : {}.{dst}{end}",
                    flow.src.ip, flow.dst.ip
                ));
            }
        }
    }
    let truth = trace.truth();
    let kinds: BTreeSet<ShapeKind> = truth.shapes.iter().map(|shape| shape.kind).collect();
    assert_eq!(kinds, ShapeKind::ALL.into());
    for shape in &truth.shapes {
        assert!(shape.happened >= 20, "{shape:?}");
        for group in &shape.groups {
            assert!(groups.contains(group), "{group}");
        }
        let named = shape.pairs.iter().flatten();
        assert!(named.clone().count() > 0);
        assert!(named.clone().all(|side| shape.groups.contains(side)));
    }
    let planted: usize = truth
        .shapes
        .iter()
        .map(|shape| shape.happened as usize)
        .sum();
    assert!((2 * planted..=4 * planted).contains(&count));
}

#[test]
fn clients_are_on_line_for_their_share_of_the_time() {
    for burst_secs in [0.0, 15.0] {
        let scenario = RulesScenario {
            hours: 24.0,
            burst_secs,
            ..RulesScenario::preset("rules-quiet").unwrap()
        };
        let clients = flows(&scenario, 5);
        let visits = clients
            .iter()
            .filter(|flow| flow.src.ip.to_string().starts_with("10.32."))
            .count() as f64;
        let expected = 40.0 * 0.2 * 0.3 * 86_400.0;
        assert!(
            (0.85..1.15).contains(&(visits / expected)),
            "{visits} {expected}"
        );
    }
}

#[test]
fn scenarios_that_make_no_sense_are_refused() {
    let refused = |text: &str| RulesScenario::from_toml(text).unwrap_err().to_string();
    assert!(refused("[rules]\nonline = 1.5").contains("rules.online is 1.5"));
    assert!(refused("[rules]\nrate = nan").contains("rules.rate is NaN"));
    assert!(refused("[rules]\nsites = 0").contains("rules.sites is 0"));
    assert!(refused("[rules]\nshapes = [\"no\"]").contains("line 2"));
    assert!(refused("[rules]\nno = 1").contains("line 2"));
    assert!(refused("hours = 1.0").contains("hours"));
    let unknown = RulesScenario::preset("no");
    assert!(matches!(unknown, Err(ScenarioError::UnknownPreset(_))));
}
