//! Scenarios: round trip, and clear errors for bad ones.

use peerscope_simulate::{Scenario, ScenarioError, Simulation};
use proptest::prelude::*;

#[test]
fn presets_round_trip_and_run() {
    for name in Scenario::PRESETS {
        let scenario = Scenario::preset(name).unwrap();
        assert_eq!(scenario.name, name);
        assert_eq!(Scenario::from_toml(&scenario.to_toml()).unwrap(), scenario);
        let json = serde_json::to_string(&scenario).unwrap();
        assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), scenario);
        assert!(Simulation::new(&scenario, 1).unwrap().next().is_some());
    }
}

#[test]
fn scenarios_of_the_examples_run() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/scenarios");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let scenario = Scenario::from_toml(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(path.file_stem().unwrap(), scenario.name.as_str());
        assert!(Simulation::new(&scenario, 1).unwrap().next().is_some());
    }
}

/// A scenario with one line of the tiny preset replaced, and the error that it gives.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn error(from: &str, to: &str) -> String {
    let text = Scenario::preset("tiny").unwrap().to_toml();
    assert!(text.contains(from), "{from} is not in\n{text}");
    let bad = Scenario::from_toml(&text.replacen(from, to, 1));
    bad.and_then(|bad| Simulation::new(&bad, 1))
        .unwrap_err()
        .to_string()
}

#[test]
fn bad_values_are_named_with_their_field() {
    for (from, to, wanted) in [
        (
            "hours = 2.0",
            "hours = 0",
            "hours is 0: expected more than 0",
        ),
        ("hours = 2.0", "hours = nan", "hours is NaN"),
        ("hours = 2.0", "hours = 1e9", "hours is 1000000000"),
        ("traffic = 1.0", "traffic = -1", "traffic is -1"),
        (
            "start_secs = 1207162800",
            "start_secs = 9007199254740993",
            "start_secs is",
        ),
        (
            "stale = 0.15",
            "stale = 1.0",
            "system[0].provider.stale is 1",
        ),
        (
            "udp_out = 20000.0",
            "udp_out = -3",
            "system[0].provider.udp_out is -3",
        ),
        (
            "peers = 20000",
            "peers = 10",
            "system[0].provider.peers is 10: expected from 1000",
        ),
        (
            "per_host = 1.0",
            "per_host = 0.5",
            "system[0].sessions.per_host is 0.5",
        ),
        (
            "flows = 200.0",
            "flows = inf",
            "planted[0].behaviour.flows is inf",
        ),
        (
            "ports = [53]",
            "ports = [5300]",
            "planted[0].behaviour.ports is 5300",
        ),
        (
            "hosts = 8\nintensity",
            "hosts = 21\nintensity",
            "planted[0] (ddos-reserved-port) wants 21",
        ),
        ("hosts = 40", "hosts = 4", "a host has one role"),
        ("hosts = 40", "hosts = 4000000", "too many: at most 60000"),
    ] {
        let message = error(from, to);
        assert!(message.contains(wanted), "{to}: {message}");
    }
}

#[test]
fn bad_text_is_named_with_its_line() {
    let message = error("hours = 2.0", "hours = two");
    assert!(message.contains("line 3"), "{message}");
    let message = error("hours = 2.0", "hours = 2.0\nhosts = 4");
    assert!(message.contains("unknown field `hosts`"), "{message}");
    let message = error("kind = \"buddy\"", "kind = \"buddies\"");
    assert!(message.contains("unknown variant `buddies`"), "{message}");
    let message = error("protocol = \"emule\"", "protocol = \"gnutella\"");
    assert!(message.contains("gnutella"), "{message}");
}

#[test]
fn the_network_does_not_do_what_it_cannot() {
    let mut scenario = Scenario::preset("tiny").unwrap();
    if let Some(side) = &mut scenario.systems[1].internet {
        side.tcp_in = 5.0;
    }
    let message = scenario.check().unwrap_err().to_string();
    assert_eq!(
        message,
        "system[1].internet.tcp_in is 5: expected 0: the provider's NAT lets no TCP in from the Internet"
    );

    let mut scenario = Scenario::preset("tiny").unwrap();
    scenario.systems.remove(1);
    assert!(matches!(
        scenario.check(),
        Err(ScenarioError::UnknownSystem { index: 0, .. })
    ));
    let mut scenario = Scenario::preset("tiny").unwrap();
    scenario.systems[1].protocol = scenario.systems[0].protocol;
    assert_eq!(scenario.check(), Err(ScenarioError::DuplicateSystem(1)));
}

#[test]
fn names_and_counts_out_of_reach_are_refused() {
    let message = Scenario::preset("minipop").unwrap_err().to_string();
    assert!(
        message.contains("\"minipop\"") && message.contains("minipop-2008"),
        "{message}"
    );
    let few = Scenario::preset("minipop-2008").unwrap().with_flows(1_000);
    assert!(matches!(
        few,
        Err(ScenarioError::TooFewFlows { asked: 1_000, .. })
    ));
    let mut fast = Scenario::preset("tiny").unwrap();
    fast.traffic = 1e6;
    if let Some(side) = &mut fast.systems[0].provider {
        side.udp_out = 1e9;
    }
    assert!(matches!(
        Simulation::new(&fast, 1),
        Err(ScenarioError::TooFast(_))
    ));
    let empty = "name = 'empty'\nstart_secs = 0\nhours = 1";
    let empty = Scenario::from_toml(empty).unwrap();
    assert_eq!(Simulation::new(&empty, 1).unwrap().count(), 0);
    assert!(empty.with_flows(10).is_err());
}

proptest! {
    /// Whatever the text, there is an answer.
    #[test]
    fn hostile_text_never_panics(cut in 0_usize..6_000, put in "[\\[\\]a-z0-9=.\" \n-]{0,12}") {
        let mut text = Scenario::preset("tiny").unwrap().to_toml();
        let at = cut.min(text.len());
        if text.is_char_boundary(at) {
            text.insert_str(at, &put);
        }
        if let Ok(scenario) = Scenario::from_toml(&text)
            && scenario.traffic <= 10.0
            && let Ok(simulation) = Simulation::new(&scenario, 0)
        {
            prop_assert!(simulation.take(100).count() <= 100);
        }
    }
}
