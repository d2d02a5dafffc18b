//! A denial of service through the peer-to-peer system (paper, sections 8.1 and 9).
//!
//! Rogue peers answer searches with a victim as contact. A host that believes them sends the victim
//! regular messages of its protocol, to a port that is some other service's.

use std::sync::Arc;

use peerscope_flow::{Endpoint, Zone};
use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::{Act, Action, Contact, Moment, tcp_complete, tcp_failed};
use crate::builder::Planting;
use crate::check::{count, share, within};
use crate::host::{HOUR, Host, REST, Window, micros};
use crate::rng::Rng;
use crate::truth::Activity;

/// Poisoned contacts: hosts send messages to reserved ports of victims in the Internet.
///
/// `intensity` scales the flows; they grow with the traffic. One host contacts one victim at most
/// once in 11 minutes, which bounds the flows. Hosts keep their other roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DdosReservedPort {
    /// Victims' ports; victims take them in turn.
    pub ports: Vec<u16>,
    /// UDP, or TCP for systems that search over it.
    pub transport: Wire,
    /// Flows over the whole trace.
    pub flows: f64,
    /// Number of victims, of which the first are contacted most.
    pub victims: u32,
    /// Share of the flows that a victim answers.
    #[serde(default)]
    pub answered: f64,
    /// Begin of the attack, in hours from that of the trace.
    #[serde(default)]
    pub from_hour: f64,
    /// End of the attack; left out: that of the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_hour: Option<f64>,
}

/// A transport that a behaviour uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Wire {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Plant for DdosReservedPort {
    fn kind(&self) -> PlantedKind {
        PlantedKind::DdosReservedPort
    }

    fn expected(&self) -> &'static str {
        "many hosts send flows of the system to reserved ports of a few victims, nearly all without answer"
    }

    fn check(&self, path: &str, trace_hours: f64) -> Result<(), ScenarioError> {
        let at = |field: &str| format!("{path}.{field}");
        let lengths = self.ports.len() as f64;
        within(
            &at("ports (number)"),
            lengths,
            1.0,
            1_024.0,
            "at least one port",
        )?;
        for &port in &self.ports {
            within(
                &at("ports"),
                f64::from(port),
                0.0,
                1_024.0,
                "reserved ports, at most 1024",
            )?;
        }
        count(&at("flows"), self.flows)?;
        within(
            &at("victims"),
            f64::from(self.victims),
            1.0,
            200.0,
            "from 1 to 200 victims",
        )?;
        share(&at("answered"), self.answered)?;
        let to = self.to_hour.unwrap_or(trace_hours);
        within(&at("to_hour"), to, 0.0, trace_hours, "an hour of the trace")?;
        within(
            &at("from_hour"),
            self.from_hour,
            0.0,
            to,
            "an hour before to_hour",
        )
    }

    fn is_role(&self) -> bool {
        false
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        let trace = planting.trace();
        let attack = Window {
            start: micros(self.from_hour * HOUR as f64),
            end: self
                .to_hour
                .map_or(trace.end, |hour| micros(hour * HOUR as f64)),
        };
        let victims: Arc<[Endpoint]> = (0..self.victims)
            .zip(self.ports.iter().cycle())
            .map(|(_, &port)| planting.service(Zone::Internet, port))
            .collect();
        let peers = victims.iter().map(|victim| victim.ip).collect();
        let id = planting.entry(attack, peers, self.ports.clone());
        let flows = self.flows * planting.scale();
        let act = Act::Poisoned(Box::new(Victims {
            rested: vec![i64::MIN / 2; victims.len()],
            endpoints: victims,
            transport: self.transport,
            answered: self.answered,
        }));
        let windows = |host: &Host| {
            host.sessions
                .iter()
                .filter_map(|session| session.meet(attack))
                .collect()
        };
        planting.share_out(id, flows, &act, windows);
    }
}

/// The poisoned contacts of one host.
#[derive(Clone, Debug)]
pub(crate) struct Victims {
    endpoints: Arc<[Endpoint]>,
    /// When each was contacted last.
    rested: Vec<i64>,
    transport: Wire,
    answered: f64,
}

impl Victims {
    pub(crate) fn perform(
        &mut self,
        host: &mut Host,
        moment: &Moment,
        rng: &mut Rng,
    ) -> Option<Action> {
        let count = self.endpoints.len();
        let number = u32::try_from(count).ok()?;
        // The lower of two draws: the first victims are named most.
        let drawn = usize::try_from(rng.below(number).min(rng.below(number))).ok()?;
        let chosen = (drawn..count)
            .chain(0..drawn)
            .find(|&i| self.rested[i] <= moment.now - REST)?;
        self.rested[chosen] = moment.now;
        let victim = self.endpoints[chosen];
        let answers = rng.chance(self.answered);
        let flow = match self.transport {
            Wire::Udp => {
                host.opened = true;
                let label = Some(host.protocol?.udp_label());
                let talk = Contact::Search.talk(!answers, rng);
                talk.flow(host.udp(), victim, label, moment)
            }
            // The victim's service accepts, and does not understand; or it is overloaded already.
            Wire::Tcp if rng.chance(0.1) => {
                tcp_failed(host.ephemeral(), victim, false, moment, rng)
            }
            Wire::Tcp => {
                let label = Some(host.protocol?.tcp_label());
                let payload = (rng.between(60.0, 150.0), if answers { 300.0 } else { 0.0 });
                let duration = 15e6 * rng.exponential();
                tcp_complete((host.ephemeral(), victim), label, payload, duration, moment)
            }
        };
        Some(Action::new(flow, Activity::Poisoned))
    }
}
