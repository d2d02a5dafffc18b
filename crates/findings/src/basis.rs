//! What a kind of finding rests on, and kinds that a feed cannot support.

use crate::{Kind, Scene};

/// A kind that was not looked for, because what it rests on is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WithheldKind {
    /// The kind.
    pub kind: Kind,
    /// The first withheld metric that it rests on.
    pub metric: String,
    /// Why that metric is withheld.
    pub reason: String,
}

impl Kind {
    /// The metrics that a built-in kind rests on, in its samples or in what it counts of the flows
    /// behind them. Where one of them would be wrong, so would the finding.
    pub const fn rests_on(&self) -> &'static [&'static str] {
        match self {
            Self::DdosReservedPort => &[
                "inout-1024-dest-ports-TCP",
                "inout-1024-dest-ports-UDP",
                "inout-failure-ratio-TCP",
                "inout-fract-unanswered-UDP",
            ],
            Self::DepartedHosts | Self::NattedHosts => &[
                "outin-fract-unanswered-UDP",
                "outin-failure-ratio-TCP",
                "ratio-bytes-sent-to-rcvd-UDP",
                "fract-incoming-conn-UDP",
            ],
            Self::FakeServer => &["inout-avg-conn-per-IP-TCP", "inout-failure-ratio-TCP"],
            Self::Buddy => &["outin-avg-conn-per-IP-TCP", "outin-total-conn-attempts-UDP"],
            Self::InterIsp => &["inout-ISP-to-Internet-ratio-TCP", "inout-failure-ratio-TCP"],
            Self::VeryActive => &[
                "bps-sent-TCP",
                "bps-sent-UDP",
                "live-conn-TCP",
                "live-conn-UDP",
                "inout-total-peers-TCP",
                "inout-total-peers-UDP",
            ],
            Self::IdleConnections => &["inout-fract-unanswered-appl-TCP"],
            Self::ControlOnly => &["avg-pkt-size-TCP", "inout-failure-ratio-TCP"],
            Self::Selfish => &["ratio-bytes-sent-to-rcvd-TCP", "inout-failure-ratio-TCP"],
            Self::Custom(_) => &[],
        }
    }
}

/// Why a kind cannot be told, if that is so.
pub(crate) fn withheld(scene: &Scene<'_>, kind: &Kind) -> Option<WithheldKind> {
    kind.rests_on().iter().find_map(|&metric| {
        let column = scene.table().metric_index(metric)?;
        let reason = scene.table().withheld(column)?;
        Some(WithheldKind {
            kind: kind.clone(),
            metric: metric.to_owned(),
            reason: reason.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_metric::MetricSet;

    #[test]
    fn what_kinds_rest_on_are_metrics() {
        let names: Vec<String> = MetricSet::paper().names().collect();
        for kind in Kind::BUILT_IN {
            assert!(!kind.rests_on().is_empty());
            for metric in kind.rests_on() {
                assert!(names.iter().any(|name| name == metric), "{metric}");
            }
        }
    }
}
