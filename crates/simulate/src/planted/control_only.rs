//! Hosts that exchange control messages only (paper, section 7.2), as a bot would.

use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::Act;
use crate::builder::Planting;
use crate::host::{Host, Window};
use crate::rng::Rng;

/// Hosts exchange control messages only: none of their connections carries data.
///
/// `intensity` is the share of the ordinary data that is missing; from 1 on, all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlOnly {}

impl Plant for ControlOnly {
    fn kind(&self) -> PlantedKind {
        PlantedKind::ControlOnly
    }

    fn expected(&self) -> &'static str {
        "the host's TCP packets are small in all its samples"
    }

    fn check(&self, _: &str, _: f64) -> Result<(), ScenarioError> {
        Ok(())
    }

    fn shape(&self, intensity: f64, host: &mut Host, _: Window, _: &mut Rng) {
        host.traits.data = 1.0 - intensity.min(1.0);
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        planting.session_entries();
        planting.mark(|act| matches!(act, Act::Connect(_) | Act::Accept(_)));
    }
}
