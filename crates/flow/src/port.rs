//! Ranges of ports.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// An inclusive range of ports; one port is a range of one. Displayed as `411` or `6881-6889`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Text that is no port or range of ports.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a port or a range of ports such as 6881-6889")]
#[non_exhaustive]
pub struct PortRangeError(pub String);

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    /// The ports from `first` to `last`, both included.
    ///
    /// # Errors
    ///
    /// If `first > last`.
    pub fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first <= last {
            Ok(Self { first, last })
        } else {
            Err(PortRangeError(format!("{first}-{last}")))
        }
    }

    /// A single port.
    pub const fn single(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }

    /// Whether `port` lies in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// The lowest port of the range.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port of the range.
    pub const fn last(self) -> u16 {
        self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || PortRangeError(text.to_owned());
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |part: &str| part.trim().parse::<u16>().map_err(|_| bad());
        Self::new(port(first)?, port(last)?).map_err(|_| bad())
    }
}

impl TryFrom<String> for PortRange {
    type Error = PortRangeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["0", "411", "6881-6889", "0-65535"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        for text in ["", "-", "9-1", "70000", "a"] {
            assert!(text.parse::<PortRange>().is_err(), "{text}");
        }
    }
}
