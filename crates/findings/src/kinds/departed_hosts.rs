//! Hosts that left, and the peers that do not know (SIGMETRICS 2009, section 8.2 and Figure 9).

use peerscope_correlate::Severity;
use peerscope_slot::Direction;

use super::evidence;
use crate::host::Host;
use crate::presence::{Departure, Presence};
use crate::selection::Outcome;
use crate::{Finding, FlowSelection, Kind, Scene};

/// The metrics that point to a host that does not answer.
pub(super) const METRICS: [&str; 4] = [
    "outin-fract-unanswered-UDP",
    "ratio-bytes-sent-to-rcvd-UDP",
    "fract-incoming-conn-UDP",
    "outin-failure-ratio-TCP",
];

/// A host that initiates nothing any more, answers nothing, and is contacted nevertheless: from then
/// on all flows come in, all are unanswered, and bytes are only received.
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
    /// At least so many flows to it, later than it could be between two flows of its own
    /// ([`Departure::active_gap_slots`]): 5. Fewer are no burden, and no proof.
    pub min_flows: usize,
}

impl Default for DepartedHosts {
    fn default() -> Self {
        Self {
            departure: Departure::default(),
            min_flows: 5,
        }
    }
}

impl DepartedHosts {
    /// The finding about a host, if it left and is contacted nevertheless. O(flows of the host).
    pub fn of_host(&self, scene: &Scene<'_>, host: &Host) -> Option<Finding> {
        if !scene.points_to(host, &METRICS) {
            return None;
        }
        let presence = Presence::new(scene, host, &self.departure);
        let departure = presence.departure().filter(|_| presence.has_left)?;
        // A host may go on answering for a while without a flow of its own.
        let incoming = || {
            host.flows
                .iter()
                .filter(|flow| !flow.is_initiated() && flow.is_decided())
        };
        let answered = incoming()
            .filter(|flow| !flow.is_in_vain())
            .map(|flow| flow.start)
            .max();
        let silent = answered.map_or(departure, |answered| answered.max(departure));
        let rest = scene.span()?.end().micros_since(silent);
        let after = || incoming().filter(|flow| flow.start > silent);
        let gap = scene.slots(self.departure.active_gap_slots);
        let lasting = after()
            .filter(|flow| flow.start.micros_since(silent) > gap)
            .count();
        let unanswered = after().filter(|flow| flow.is_unanswered()).count();
        let failed = after().filter(|flow| flow.is_failed()).count();
        if lasting < self.min_flows || rest < scene.slots(self.departure.min_silent_slots) {
            return None;
        }
        let selection = FlowSelection {
            direction: Some(Direction::OutIn),
            outcome: Outcome::InVain,
            from: Some(silent.saturating_add_micros(1)),
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.resting_on(Kind::DepartedHosts, host, selection);
        let end = after().map(|flow| flow.start).max().unwrap_or(silent);
        let seconds = |micros: i64| micros as f64 / 1e6;
        let mut numbers = evidence([
            ("unanswered-udp", unanswered as f64),
            ("failed-tcp", failed as f64),
            ("answered-for-s", seconds(silent.micros_since(departure))),
            ("contacted-for-s", seconds(end.micros_since(departure))),
            ("longest-earlier-gap-s", seconds(presence.longest_gap)),
            ("initiated-before", presence.initiations.len() as f64),
        ]);
        if let Some(seen) = presence.last_seen {
            let later = seconds(seen.micros_since(departure));
            numbers.insert("last-seen-after-departure-s".to_owned(), later);
        }
        Some(Finding {
            severity: Severity::Low,
            explanation: format!(
                "{} left, and peers go on contacting it: {unanswered} UDP flows unanswered, {failed} TCP \
                 attempts failed",
                host.ip
            ),
            start: departure,
            end,
            evidence: numbers,
            samples: scene.samples(host, &METRICS),
            ..finding
        })
    }
}
