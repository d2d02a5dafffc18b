//! Clients that look outside (paper, section 8.4): their connections leave the provider's network.

use peerscope_flow::Zone;
use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::Act;
use crate::builder::Planting;
use crate::check::{count, share};
use crate::host::{Host, Window};
use crate::rng::Rng;

/// Hosts look for content outside the provider's network.
///
/// `intensity` scales the connections to the Internet, which grow with the traffic, and the share of
/// the others that they replace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterIsp {
    /// Successful TCP connections of these hosts to the Internet, over the whole trace.
    pub flows: f64,
    /// Share of their connections inside the provider's network that these replace.
    pub replaces: f64,
}

impl Plant for InterIsp {
    fn kind(&self) -> PlantedKind {
        PlantedKind::InterIsp
    }

    fn expected(&self) -> &'static str {
        "nearly all TCP connections that the host initiates go to peers in the Internet"
    }

    fn check(&self, path: &str, _: f64) -> Result<(), ScenarioError> {
        count(&format!("{path}.flows"), self.flows)?;
        share(&format!("{path}.replaces"), self.replaces)
    }

    fn shape(&self, intensity: f64, host: &mut Host, _: Window, _: &mut Rng) {
        host.traits.leaving = (self.replaces * intensity).min(1.0);
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        planting.session_entries();
        let attempts = planting.attempts(Zone::Internet, self.flows);
        let flows = attempts * planting.scale();
        planting.share_out_each(flows, &Act::Connect(Zone::Internet));
    }
}
