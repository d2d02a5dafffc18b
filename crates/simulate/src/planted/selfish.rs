//! Selfish hosts (paper, section 7.2): they take and do not give.

use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::Act;
use crate::builder::Planting;
use crate::host::{Host, Window};
use crate::rng::Rng;

/// Hosts take and do not give: data comes in and none goes out.
///
/// `intensity` is the share of the ordinary uploads that become downloads; from 1 on, all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selfish {}

impl Plant for Selfish {
    fn kind(&self) -> PlantedKind {
        PlantedKind::Selfish
    }

    fn expected(&self) -> &'static str {
        "the host receives nearly all the bytes of its TCP flows in all its samples"
    }

    fn check(&self, _: &str, _: f64) -> Result<(), ScenarioError> {
        Ok(())
    }

    fn shape(&self, intensity: f64, host: &mut Host, _: Window, _: &mut Rng) {
        host.traits.upload = 1.0 - intensity.min(1.0);
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        planting.session_entries();
        planting.mark(|act| matches!(act, Act::Connect(_) | Act::Accept(_)));
    }
}
