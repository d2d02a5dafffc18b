//! The built-in scenarios.

use crate::{Scenario, ScenarioError};

pub(crate) const NAMES: [&str; 5] = [
    "minipop-2008",
    "quiet",
    "bittorrent-week",
    "dcpp-week",
    "tiny",
];

pub(crate) fn load(name: &str) -> Result<Scenario, ScenarioError> {
    let text = match name {
        "minipop-2008" => include_str!("../presets/minipop-2008.toml"),
        "quiet" => {
            let scenario = load("minipop-2008")?.without_planted();
            return Ok(Scenario {
                name: name.to_owned(),
                ..scenario
            });
        }
        "bittorrent-week" => include_str!("../presets/bittorrent-week.toml"),
        "dcpp-week" => include_str!("../presets/dcpp-week.toml"),
        "tiny" => include_str!("../presets/tiny.toml"),
        _ => return Err(ScenarioError::UnknownPreset(name.to_owned())),
    };
    Scenario::from_toml(text)
}
