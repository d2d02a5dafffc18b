//! Hosts behind a home NAT (paper, section 8.2): they initiate, but nothing from outside reaches
//! them.

use peerscope_flow::Zone;
use serde::{Deserialize, Serialize};

use super::departed::knock;
use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::{Act, Action, Moment, World};
use crate::builder::Planting;
use crate::check::count;
use crate::host::{Host, Window};
use crate::rng::Rng;
use crate::truth::Activity;

/// Hosts sit behind a home NAT: incoming UDP goes unanswered and incoming TCP fails.
///
/// `intensity` scales the flows from outside; they grow with the traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NattedHosts {
    /// UDP flows from outside to these hosts while they are online, over the whole trace.
    pub udp: f64,
    /// TCP attempts from the provider's network.
    #[serde(default)]
    pub tcp: f64,
}

impl Plant for NattedHosts {
    fn kind(&self) -> PlantedKind {
        PlantedKind::NattedHosts
    }

    fn expected(&self) -> &'static str {
        "the host initiates flows, yet UDP flows to it go unanswered and TCP attempts fail"
    }

    fn check(&self, path: &str, _: f64) -> Result<(), ScenarioError> {
        count(&format!("{path}.udp"), self.udp)?;
        count(&format!("{path}.tcp"), self.tcp)
    }

    fn shape(&self, _: f64, host: &mut Host, _: Window, _: &mut Rng) {
        host.traits.natted = true;
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        let scale = planting.scale();
        let zone = planting.home();
        planting.session_entries();
        for (udp, flows) in [(true, self.udp), (false, self.tcp)] {
            planting.share_out_each(flows * scale, &Act::Natted(Knock { udp, zone }));
        }
    }
}

/// Peers contact a host behind a NAT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knock {
    udp: bool,
    zone: Zone,
}

impl Knock {
    pub(crate) fn perform(
        self,
        host: usize,
        moment: &Moment,
        world: &mut World,
        rng: &mut Rng,
    ) -> Option<Action> {
        let flow = knock(self.udp, self.zone, host, moment, world, rng)?;
        Some(Action::new(flow, Activity::Natted))
    }
}
