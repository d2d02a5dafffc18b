//! The kinds of planted behaviour, by the names that findings use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The kinds of planted behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PlantedKind {
    /// `ddos-reserved-port`
    DdosReservedPort,
    /// `departed-hosts`
    DepartedHosts,
    /// `natted-hosts`
    NattedHosts,
    /// `fake-server`
    FakeServer,
    /// `buddy`
    Buddy,
    /// `inter-isp`
    InterIsp,
    /// `very-active`
    VeryActive,
    /// `idle-connections`
    IdleConnections,
    /// `control-only`
    ControlOnly,
    /// `selfish`
    Selfish,
}

/// Text that is no kind of planted behaviour.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no kind of planted behaviour")]
#[non_exhaustive]
pub struct PlantedKindError(pub String);

impl PlantedKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::DdosReservedPort,
        Self::DepartedHosts,
        Self::NattedHosts,
        Self::FakeServer,
        Self::Buddy,
        Self::InterIsp,
        Self::VeryActive,
        Self::IdleConnections,
        Self::ControlOnly,
        Self::Selfish,
    ];

    /// The canonical name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DdosReservedPort => "ddos-reserved-port",
            Self::DepartedHosts => "departed-hosts",
            Self::NattedHosts => "natted-hosts",
            Self::FakeServer => "fake-server",
            Self::Buddy => "buddy",
            Self::InterIsp => "inter-isp",
            Self::VeryActive => "very-active",
            Self::IdleConnections => "idle-connections",
            Self::ControlOnly => "control-only",
            Self::Selfish => "selfish",
        }
    }
}

impl fmt::Display for PlantedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for PlantedKind {
    type Err = PlantedKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| PlantedKindError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_serde_and_round_trip() {
        for kind in PlantedKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert!("botnet".parse::<PlantedKind>().is_err());
    }
}
