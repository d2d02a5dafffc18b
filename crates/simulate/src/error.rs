//! Why a scenario is refused.

use thiserror::Error;

use crate::planted::PlantedKind;

/// Why a scenario is refused.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// No built-in scenario has this name.
    #[error("no preset is called {0:?}: there are {names}", names = crate::preset::NAMES.join(", "))]
    UnknownPreset(String),
    /// The text is not the TOML of a scenario; the message has line and column.
    #[error("bad scenario: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value makes no sense.
    #[error("{field} is {value}: expected {expected}")]
    Value {
        /// Path of the field.
        field: String,
        /// The offered value.
        value: f64,
        /// What would be accepted.
        expected: &'static str,
    },
    /// Two systems of one protocol.
    #[error("system[{0}] has the protocol of an earlier system")]
    DuplicateSystem(usize),
    /// More systems than there are addresses for.
    #[error("{0} systems are too many: at most {max}", max = crate::address::MAX_SYSTEMS)]
    TooManySystems(usize),
    /// More hosts than there are addresses for.
    #[error("{0} monitored hosts are too many: at most {max}", max = crate::address::MAX_HOSTS)]
    TooManyHosts(u64),
    /// A planted behaviour in a system that the scenario does not have.
    #[error("planted[{index}] ({kind}) is in system {system}, which the scenario does not have")]
    UnknownSystem {
        /// Position among the planted behaviours.
        index: usize,
        /// Its kind.
        kind: PlantedKind,
        /// The system it names.
        system: &'static str,
    },
    /// A planted behaviour wants more hosts than its system has left.
    #[error(
        "planted[{index}] ({kind}) wants {wanted} hosts, but {free} are free: a host has one role"
    )]
    NotEnoughHosts {
        /// Position among the planted behaviours.
        index: usize,
        /// Its kind.
        kind: PlantedKind,
        /// Hosts asked for.
        wanted: u32,
        /// Hosts without a role.
        free: usize,
    },
    /// One activity of one host would give more than one flow a microsecond.
    #[error("with traffic {0} one host would begin more than one flow a microsecond")]
    TooFast(f64),
    /// The behaviours that do not scale have more flows than were asked for.
    #[error("{asked} flows are too few: about {fixed:.0} come from behaviours that do not scale")]
    TooFewFlows {
        /// Flows asked for.
        asked: u64,
        /// Flows that do not scale.
        fixed: f64,
    },
}
