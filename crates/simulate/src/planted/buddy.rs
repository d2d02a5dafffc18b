//! The buddy (paper, section 8.4): a peer behind a NAT keeps one connection to a public buddy; one
//! whose NAT closes it again and again opens hundreds.

use peerscope_flow::{Endpoint, Zone};
use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::{Act, Action, Contact, Moment, outside_port, tcp_complete};
use crate::builder::Planting;
use crate::check::count;
use crate::host::Host;
use crate::rng::Rng;
use crate::truth::Activity;

/// One peer in the provider's network opens very many TCP and UDP flows to one host; each planted
/// host has its own such peer. Its NAT gives every flow another source port.
///
/// `intensity` scales the flows; they do not grow with the traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buddy {
    /// TCP connections of one peer over the host's time online.
    pub tcp: f64,
    /// UDP flows of one peer over the host's time online.
    pub udp: f64,
}

impl Plant for Buddy {
    fn kind(&self) -> PlantedKind {
        PlantedKind::Buddy
    }

    fn expected(&self) -> &'static str {
        "one external peer opens very many TCP and UDP flows to the host"
    }

    fn check(&self, path: &str, _: f64) -> Result<(), ScenarioError> {
        count(&format!("{path}.tcp"), self.tcp)?;
        count(&format!("{path}.udp"), self.udp)
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        for number in planting.hosts().to_vec() {
            let (udp_port, tcp_port) = {
                let host = planting.host(number);
                (host.udp_port, host.tcp_port)
            };
            let peer = planting.service(Zone::Provider, 0);
            planting.host_session_entry(number, vec![peer.ip], vec![tcp_port, udp_port]);
            for (udp, flows) in [(true, self.udp), (false, self.tcp)] {
                let flows = flows * planting.intensity();
                planting.while_online(number, flows, &Act::Buddy(Call { peer, udp }));
            }
        }
    }
}

/// The peer comes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    peer: Endpoint,
    udp: bool,
}

impl Call {
    pub(crate) fn perform(self, host: &Host, moment: &Moment, rng: &mut Rng) -> Option<Action> {
        let protocol = host.protocol?;
        let src = outside_port(self.peer, rng);
        let flow = if self.udp {
            let talk = Contact::Hello.talk(false, rng);
            talk.flow(src, host.udp(), Some(protocol.udp_label()), moment)
        } else {
            let duration = 1e6 + 30e6 * rng.exponential();
            let label = Some(protocol.tcp_label());
            tcp_complete((src, host.tcp()), label, (90.0, 60.0), duration, moment)
        };
        Some(Action::new(flow, Activity::Buddy))
    }
}
