//! What a finding is about: an open set with built-in names.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// What a finding is about.
///
/// The set is open: any name that is not built in is a kind of the user's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "String", into = "String"))]
#[non_exhaustive]
pub enum Kind {
    /// Hosts are led to reserved ports of victims through the P2P system.
    DdosReservedPort,
    /// A host left the system, and peers go on contacting it.
    DepartedHosts,
    /// A host is behind a NAT that keeps its peers out.
    NattedHosts,
    /// A server that is of no use, and the hosts that try it again and again.
    FakeServer,
    /// One outside peer that connects to a host again and again.
    Buddy,
    /// A host whose connections leave the provider's network, against the system's purpose.
    InterIsp,
    /// A host that stands out by its activity in several metrics.
    VeryActive,
    /// A host with connections on which the peer says nothing.
    IdleConnections,
    /// A host that exchanges nothing but control messages.
    ControlOnly,
    /// A host that takes and does not give.
    Selfish,
    /// A kind of the user's own.
    Custom(String),
}

impl Kind {
    /// Every built-in kind.
    pub const BUILT_IN: [Self; 10] = [
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
    pub fn as_str(&self) -> &str {
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
            Self::Custom(name) => name,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<&str> for Kind {
    fn from(name: &str) -> Self {
        let known = Self::BUILT_IN
            .into_iter()
            .find(|kind| kind.as_str() == name);
        known.unwrap_or_else(|| Self::Custom(name.to_owned()))
    }
}

impl From<String> for Kind {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.as_str().to_owned()
    }
}

impl FromStr for Kind {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_are_unique() {
        for (i, kind) in Kind::BUILT_IN.iter().enumerate() {
            assert_eq!(&Kind::from(kind.as_str()), kind);
            assert!(!matches!(kind, Kind::Custom(_)));
            assert!(Kind::BUILT_IN[..i].iter().all(|other| other != kind));
        }
        assert_eq!(Kind::from("tor-exit"), Kind::Custom("tor-exit".to_owned()));
    }
}
