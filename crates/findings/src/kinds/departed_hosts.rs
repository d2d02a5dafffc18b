//! Hosts that left, and the peers that do not know (SIGMETRICS 2009, section 8.2 and Figure 9).

use peerscope_correlate::Severity;
use peerscope_slot::Direction;

use super::evidence;
use crate::presence::{Cause, Departure, Incoming, Presence, share};
use crate::scene::Host;
use crate::selection::Outcome;
use crate::{Finding, FlowSelection, Kind, Scene};

/// The metrics that point to a host that does not answer.
pub(super) const METRICS: [&str; 4] = [
    "outin-fract-unanswered-UDP",
    "ratio-bytes-sent-to-rcvd-UDP",
    "fract-incoming-conn-UDP",
    "outin-failure-ratio-TCP",
];

/// A host that initiates nothing any more, answers nothing, and is contacted nevertheless.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct DepartedHosts {
    /// When it counts as gone.
    pub departure: Departure,
    /// At least so many flows to it afterwards: 5. Fewer are no burden.
    pub min_flows: u64,
    /// At least this share of them is unanswered or fails: 0.8, the low end of the paper's
    /// interesting cluster (Table 5).
    pub min_unanswered: f64,
    /// Of the UDP bytes afterwards, (sent - received) / (sent + received) is at most this: -0.63,
    /// the high end of the paper's interesting cluster (Table 4).
    pub max_balance: f64,
}

impl Default for DepartedHosts {
    fn default() -> Self {
        Self {
            departure: Departure::default(),
            min_flows: 5,
            min_unanswered: 0.8,
            max_balance: -0.63,
        }
    }
}

impl DepartedHosts {
    /// Hosts that left.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        scene
            .hosts()
            .iter()
            .filter_map(|host| self.examine(scene, host))
            .collect()
    }

    fn examine(&self, scene: &Scene<'_>, host: &Host) -> Option<Finding> {
        let presence = Presence::new(scene, host, &self.departure);
        let departure = presence.departure().filter(|_| presence.has_left)?;
        let after = Incoming::of(host, &presence, Cause::Departed);
        let unanswered = share(after.in_vain(), after.total());
        let mute = after
            .balance()
            .is_none_or(|balance| balance <= self.max_balance);
        if after.in_vain() < self.min_flows
            || unanswered < self.min_unanswered
            || !mute
            || !scene.points_to(host, &METRICS)
        {
            return None;
        }
        let selection = FlowSelection {
            direction: Some(Direction::OutIn),
            outcome: Outcome::InVain,
            from: Some(departure.saturating_add_micros(1)),
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.finding(Kind::DepartedHosts, host);
        let lasting = host
            .flows
            .iter()
            .filter(|flow| !flow.is_initiated())
            .map(|flow| flow.start);
        let end = lasting.max().unwrap_or(departure);
        let seconds = |micros: i64| micros as f64 / 1e6;
        let mut numbers = evidence([
            ("unanswered-udp", after.unanswered as f64),
            ("failed-tcp", after.failed as f64),
            ("unanswered-fraction", unanswered),
            ("contacted-for-s", seconds(end.micros_since(departure))),
            ("longest-earlier-gap-s", seconds(presence.longest_gap)),
            ("initiated-before", presence.initiations.len() as f64),
        ]);
        if let Some(balance) = after.balance() {
            numbers.insert("ratio-bytes-sent-to-rcvd".to_owned(), balance);
        }
        if let Some(seen) = presence.last_seen {
            let later = seconds(seen.micros_since(departure));
            numbers.insert("last-seen-after-departure-s".to_owned(), later);
        }
        Some(Finding {
            severity: Severity::Low,
            explanation: format!(
                "{} left, and peers go on contacting it: {} UDP flows unanswered, {} TCP attempts failed",
                host.ip, after.unanswered, after.failed
            ),
            start: departure,
            end,
            evidence: numbers,
            samples: scene.samples(host, &METRICS),
            flows: scene.count(&selection),
            selection,
            ..finding
        })
    }
}
