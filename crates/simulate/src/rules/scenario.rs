//! What a trace with planted rules is made of, as data.

use serde::{Deserialize, Serialize};

use super::ShapeKind;
use crate::ScenarioError;

/// A network whose clients browse in sessions, with communication rules planted, read from TOML.
///
/// In a file it is the table `[rules]`; a field left out has the value of the preset `rules`.
///
/// ```
/// use peerscope_simulate::{RulesScenario, RulesTrace, ShapeKind};
///
/// let scenario = RulesScenario::from_toml(
///     r#"
///     [rules]
///     hours = 1.0
///     clients = 10
///     shapes = ["heartbeat", "name-resolution"]
///     "#,
/// )?;
/// let mut trace = RulesTrace::new(&scenario, 1)?;
/// let flows = trace.by_ref().count();
/// let truth = trace.truth();
/// assert_eq!(truth.flows, flows as u64);
/// assert_eq!(truth.shapes[0].kind, ShapeKind::Heartbeat);
/// assert_eq!(truth.shapes[0].pairs[0][0], "10.7.0.1.* : 81.1.0.1.1081");
/// # Ok::<(), peerscope_simulate::ScenarioError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, checked where it is used"
)]
pub struct RulesScenario {
    /// Name, repeated in the truth.
    pub name: String,
    /// Begin of the trace, in seconds since the Unix epoch.
    pub start_secs: i64,
    /// Length of the trace in hours.
    pub hours: f64,
    /// Clients that browse.
    pub clients: u32,
    /// Share of the time that a client is on line.
    pub online: f64,
    /// Mean length of a session in minutes.
    pub session_minutes: f64,
    /// A client's visits a second while on line.
    pub rate: f64,
    /// Mean length of a burst in seconds, three times as busy as the whole, and silent for twice
    /// as long after it; 0 is Poisson.
    pub burst_secs: f64,
    /// Web servers that clients visit, with popularity 1/rank, beside the one resolver.
    pub sites: u32,
    /// Clients with one connection that lasts for hours.
    pub long_lived: u32,
    /// Busy servers, each with clients of its own and requests of its own to three others.
    pub servers: u32,
    /// Clients of each of them.
    pub server_clients: u32,
    /// Their visits a second, to each.
    pub server_rate: f64,
    /// Shapes planted.
    pub shapes: Vec<ShapeKind>,
    /// How often each shape happens, where it has no period of its own.
    pub co_occurrences: u32,
    /// Flows of a shape begin within this of each other, in seconds.
    pub jitter_secs: f64,
    /// Addresses are of IPv6.
    pub ipv6: bool,
}

impl Default for RulesScenario {
    fn default() -> Self {
        Self {
            name: "rules".to_owned(),
            start_secs: 1_600_000_000,
            hours: 6.0,
            clients: 40,
            online: 0.2,
            session_minutes: 10.0,
            rate: 0.3,
            burst_secs: 15.0,
            sites: 30,
            long_lived: 10,
            servers: 2,
            server_clients: 400,
            server_rate: 0.5,
            shapes: ShapeKind::ALL.to_vec(),
            co_occurrences: 30,
            jitter_secs: 0.3,
            ipv6: false,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: RulesScenario,
}

impl RulesScenario {
    /// The names that [`RulesScenario::preset`] knows.
    pub const PRESETS: [&str; 2] = ["rules", "rules-quiet"];

    /// A built-in scenario: `rules` has every shape, `rules-quiet` has none.
    ///
    /// # Errors
    ///
    /// If the name is not one of [`RulesScenario::PRESETS`].
    pub fn preset(name: &str) -> Result<Self, ScenarioError> {
        let shapes = match name {
            "rules" => ShapeKind::ALL.to_vec(),
            "rules-quiet" => Vec::new(),
            _ => return Err(ScenarioError::UnknownPreset(name.to_owned())),
        };
        Ok(Self {
            name: name.to_owned(),
            shapes,
            ..Self::default()
        })
    }

    /// A scenario from TOML, checked.
    ///
    /// # Errors
    ///
    /// If the text has no table `rules` or anything beside it, unknown fields, or a value that
    /// makes no sense.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario = toml::from_str::<File>(text)?.rules;
        scenario.check()?;
        Ok(scenario)
    }

    pub(super) const fn seconds(&self) -> f64 {
        self.hours * 3600.0
    }

    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let within = |least: f64, most: f64| move |value: f64| (least..=most).contains(&value);
        let checks: [(&str, f64, bool, &'static str); 8] = [
            (
                "hours",
                self.hours,
                within(0.1, 10_000.0)(self.hours),
                "from 0.1 to 10,000",
            ),
            (
                "clients",
                f64::from(self.clients),
                self.clients <= 1 << 21,
                "at most 2^21",
            ),
            (
                "online",
                self.online,
                within(0.001, 1.0)(self.online),
                "from 0.001 to 1",
            ),
            (
                "session_minutes",
                self.session_minutes,
                within(0.01, 1e6)(self.session_minutes),
                "from 0.01 to 1e6",
            ),
            (
                "rate",
                self.rate,
                within(1e-6, 1e4)(self.rate),
                "from 1e-6 to 1e4",
            ),
            (
                "burst_secs",
                self.burst_secs,
                self.burst_secs == 0.0 || within(0.01, 1e6)(self.burst_secs),
                "0, or from 0.01 to 1e6",
            ),
            (
                "server_rate",
                self.server_rate,
                within(1e-6, 1e4)(self.server_rate),
                "from 1e-6 to 1e4",
            ),
            (
                "jitter_secs",
                self.jitter_secs,
                within(0.0, 10.0)(self.jitter_secs),
                "from 0 to 10",
            ),
        ];
        let counts = [
            ("sites", self.sites, 1, 1 << 17, "from 1 to 2^17"),
            ("servers", self.servers, 0, 100, "at most 100"),
            (
                "server_clients",
                self.server_clients,
                1,
                1 << 20,
                "from 1 to 2^20",
            ),
            (
                "long_lived",
                self.long_lived,
                0,
                self.clients,
                "at most as many as clients",
            ),
        ];
        let bad = checks
            .into_iter()
            .find(|check| !check.2)
            .map(|(field, value, _, expected)| (field, value, expected));
        let bad = bad.or_else(|| {
            counts
                .into_iter()
                .find(|&(_, value, least, most, _)| !(least..=most).contains(&value))
                .map(|(field, value, _, _, expected)| (field, f64::from(value), expected))
        });
        match bad {
            Some((field, value, expected)) => Err(ScenarioError::Value {
                field: format!("rules.{field}"),
                value,
                expected,
            }),
            None => Ok(()),
        }
    }
}
