//! The 44 metrics: every quantity for its transports and directions.

use std::fmt;
use std::str::FromStr;

use peerscope_flow::Transport;
use peerscope_slot::Direction;
use thiserror::Error;

use crate::quantity::QUANTITIES;
use crate::{Quantity, Scale};

/// One of the 44 metrics, `[inout-|outin-]<quantity>-<TCP|UDP>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Metric {
    quantity: Quantity,
    direction: Option<Direction>,
    transport: Transport,
}

/// Text that names no metric of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not one of the 44 metrics, such as inout-total-peers-UDP")]
#[non_exhaustive]
pub struct MetricError(pub String);

impl Metric {
    /// Number of metrics in the catalogue.
    pub const COUNT: usize = 44;

    /// The catalogue in table order: by quantity, inout before outin, TCP before UDP.
    pub const ALL: [Self; Self::COUNT] = {
        let first = Self {
            quantity: Quantity::AvgDuration,
            direction: None,
            transport: Transport::Tcp,
        };
        let mut all = [first; Self::COUNT];
        let mut next = 0;
        let mut q = 0;
        while q < QUANTITIES.len() {
            let info = &QUANTITIES[q];
            let directions: &[Option<Direction>] = if info.directed {
                &[Some(Direction::InOut), Some(Direction::OutIn)]
            } else {
                &[None]
            };
            let transports: &[Transport] = match info.only {
                Some(Transport::Udp) => &[Transport::Udp],
                Some(_) => &[Transport::Tcp],
                None => &[Transport::Tcp, Transport::Udp],
            };
            let mut d = 0;
            while d < directions.len() {
                let mut t = 0;
                while t < transports.len() {
                    all[next] = Self {
                        quantity: info.quantity,
                        direction: directions[d],
                        transport: transports[t],
                    };
                    next += 1;
                    t += 1;
                }
                d += 1;
            }
            q += 1;
        }
        assert!(next == Self::COUNT);
        all
    };

    /// What is measured.
    pub const fn quantity(self) -> Quantity {
        self.quantity
    }

    /// The direction of the flows, for metrics that depend on the initiator.
    pub const fn direction(self) -> Option<Direction> {
        self.direction
    }

    /// TCP or UDP.
    pub const fn transport(self) -> Transport {
        self.transport
    }

    /// The unit, empty for fractions and balances.
    pub const fn unit(self) -> &'static str {
        self.quantity.info().unit
    }

    /// The values it can take.
    pub const fn scale(self) -> Scale {
        self.quantity.info().scale
    }

    /// The definition in a line.
    pub const fn definition(self) -> &'static str {
        self.quantity.info().definition
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(direction) = self.direction {
            write!(f, "{direction}-")?;
        }
        let transport = if self.transport == Transport::Tcp {
            "TCP"
        } else {
            "UDP"
        };
        write!(f, "{}-{transport}", self.quantity.as_str())
    }
}

impl FromStr for Metric {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL
            .into_iter()
            .find(|metric| metric.to_string() == text);
        found.ok_or_else(|| MetricError(text.to_owned()))
    }
}

impl TryFrom<String> for Metric {
    type Error = MetricError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_round_trip() {
        let mut names = BTreeSet::new();
        for metric in Metric::ALL {
            let name = metric.to_string();
            assert_eq!(name.parse(), Ok(metric));
            assert!(names.insert(name));
        }
    }

    #[test]
    fn names_are_the_papers() {
        for name in [
            "avg-duration-UDP",
            "inout-1024-dest-ports-UDP",
            "outin-failure-ratio-TCP",
        ] {
            assert!(name.parse::<Metric>().is_ok(), "{name}");
        }
        for name in ["outin-failure-ratio-UDP", "inout-bps-sent-TCP", ""] {
            assert!(name.parse::<Metric>().is_err(), "{name}");
        }
        assert_eq!(
            Metric::ALL[43].to_string(),
            "outin-ISP-to-Internet-ratio-UDP"
        );
    }
}
