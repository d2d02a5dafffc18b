//! Hosts behind a NAT that keeps peers out (SIGMETRICS 2009, section 8.2).

use peerscope_correlate::Severity;
use peerscope_flow::Transport;
use peerscope_slot::Direction;

use super::departed_hosts::METRICS;
use super::evidence;
use crate::host::Host;
use crate::presence::{Cause, Departure, Incoming, Presence, share};
use crate::selection::Outcome;
use crate::{Finding, FlowSelection, Kind, Scene};

/// A host that initiates flows and is answered, while flows to it are not.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct NattedHosts {
    /// When it is there.
    pub departure: Departure,
    /// At least so many UDP flows to it are unanswered while it is there, or so many TCP attempts
    /// fail: 5.
    pub min_flows: u64,
    /// At least this share of the UDP flows to it while it is there: 0.5. A NAT lets in whom the host
    /// has just contacted, so it is not all of them.
    pub min_unanswered: f64,
    /// At least this share of the TCP attempts to it while it is there: 0.8.
    pub min_failed: f64,
    /// At least so many flows that it initiated are answered: 5. Else it is not there at all.
    pub min_answers: usize,
}

impl Default for NattedHosts {
    fn default() -> Self {
        Self {
            departure: Departure::default(),
            min_flows: 5,
            min_unanswered: 0.5,
            min_failed: 0.8,
            min_answers: 5,
        }
    }
}

impl NattedHosts {
    /// The finding about a host, if it is there and peers do not get through. O(flows of the host).
    pub fn of_host(&self, scene: &Scene<'_>, host: &Host) -> Option<Finding> {
        if !scene.points_to(host, &METRICS) {
            return None;
        }
        let presence = Presence::new(scene, host, &self.departure);
        let there = Incoming::of(host, &presence, Cause::Nat);
        let unanswered = share(there.unanswered, there.udp);
        let failed = share(there.failed, there.tcp);
        let udp = there.unanswered >= self.min_flows && unanswered >= self.min_unanswered;
        let tcp = there.failed >= self.min_flows && failed >= self.min_failed;
        let own = host
            .flows
            .iter()
            .filter(|flow| flow.is_initiated() && flow.is_decided());
        let (answered, tried) = own.fold((0, 0), |(answered, tried), flow| {
            (answered + usize::from(!flow.is_in_vain()), tried + 1)
        });
        if !(udp || tcp) || answered < self.min_answers {
            return None;
        }
        let departure = presence.departure()?;
        let transport = match (udp, tcp) {
            (true, false) => Some(Transport::Udp),
            (false, true) => Some(Transport::Tcp),
            _ => None,
        };
        let selection = FlowSelection {
            direction: Some(Direction::OutIn),
            outcome: Outcome::InVain,
            from: presence.initiations.first().copied(),
            to: Some(departure),
            transport,
            ..FlowSelection::of_host(host.ip)
        };
        let finding = scene.resting_on(Kind::NattedHosts, host, selection);
        let initiated = host.flows.iter().filter(|flow| flow.is_initiated());
        let mut ports: Vec<u16> = initiated
            .filter(|flow| flow.transport == Transport::Udp)
            .map(|flow| flow.host_port)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        Some(Finding {
            severity: Severity::Info,
            explanation: format!(
                "{} is there, but peers do not get through: {} of {} UDP flows to it unanswered, {} of \
                 {} TCP attempts failed; it is behind a NAT or firewall",
                host.ip, there.unanswered, there.udp, there.failed, there.tcp
            ),
            start: presence.initiations.first().copied().unwrap_or(departure),
            end: departure,
            evidence: evidence([
                ("unanswered-udp", there.unanswered as f64),
                ("unanswered-fraction", unanswered),
                ("failed-tcp", there.failed as f64),
                ("failed-fraction", failed),
                ("own-flows", f64::from(tried)),
                ("own-flows-answered", answered as f64),
                ("own-udp-source-ports", ports.len() as f64),
            ]),
            samples: scene.samples(host, &METRICS),
            ..finding
        })
    }
}
