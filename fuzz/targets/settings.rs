//! Everything that a user writes by hand: a byte chooses the parser.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerscope::Pipeline;
use peerscope::correlate::Rules;
use peerscope::findings::FindingsConfig;
use peerscope::flow::{
    Application, Family, PortRange, SlotLength, Timestamp, Topology, Transport, Zone,
};
use peerscope::metric::MetricSet;
use peerscope::read::AnonymiserKey;
use peerscope::rules::RuleBook;
use peerscope::simulate::Scenario;

fuzz_target!(|data: &[u8]| {
    let [choice, bytes @ ..] = data else {
        return;
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let known: Vec<String> = MetricSet::paper().names().collect();
    match choice % 11 {
        0 => drop(Pipeline::from_toml(text).map_err(|error| error.to_string())),
        1 => drop(Rules::from_toml(text, &known).map_err(|error| error.to_string())),
        2 => drop(Rules::from_json(text, &known).map_err(|error| error.to_string())),
        3 => {
            if let Ok(topology) = serde_json::from_str::<Topology>(text) {
                round_trip(&topology);
                zones(&topology);
            }
        }
        4 => {
            if let Ok(topology) = toml::from_str::<Topology>(text) {
                zones(&topology);
            }
        }
        5 => {
            if let Ok(family) = toml::from_str::<Family>(text) {
                round_trip(&family);
            }
        }
        6 => {
            if let Ok(family) = serde_json::from_str::<Family>(text) {
                round_trip(&family);
            }
        }
        7 => drop(toml::from_str::<FindingsConfig>(text)),
        8 => {
            if let Ok(scenario) = Scenario::from_toml(text) {
                let again = Scenario::from_toml(&scenario.to_toml());
                assert_eq!(again.expect("what was checked is right"), scenario);
            }
        }
        9 => drop(RuleBook::load(bytes).map_err(|error| error.to_string())),
        _ => words(text),
    }
});

fn round_trip<T>(value: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).expect("plain data");
    let again: T = serde_json::from_str(&text).expect("what was just written");
    assert_eq!(&again, value);
}

/// The first address of a monitored prefix is monitored, or in a longer one of the provider's.
fn zones(topology: &Topology) {
    for net in topology.monitored() {
        assert_ne!(topology.zone(net.addr()), Zone::Internet);
    }
}

/// Whatever is understood is written the same way again.
fn words(text: &str) {
    fn check<T: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug>(text: &str) {
        if let Ok(value) = text.parse::<T>() {
            assert_eq!(value.to_string().parse::<T>().ok(), Some(value));
        }
    }
    check::<Application>(text);
    check::<PortRange>(text);
    check::<SlotLength>(text);
    check::<Timestamp>(text);
    check::<Transport>(text);
    let _ = text.parse::<AnonymiserKey>();
}
