//! Very active hosts (paper, section 8.4): they search and download much more than others.

use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::Act;
use crate::builder::Planting;
use crate::check::within;
use crate::host::{Host, Window};
use crate::rng::Rng;

/// Hosts do much more of everything.
///
/// `intensity` scales how much the factor exceeds 1. All that the hosts initiate counts as planted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VeryActive {
    /// Activity relative to the mean of the system.
    pub factor: f64,
}

impl Plant for VeryActive {
    fn kind(&self) -> PlantedKind {
        PlantedKind::VeryActive
    }

    fn expected(&self) -> &'static str {
        "the host stands out in many metrics at once: attempts, peers, live connections, bits per second"
    }

    fn check(&self, path: &str, _: f64) -> Result<(), ScenarioError> {
        within(
            &format!("{path}.factor"),
            self.factor,
            1.0,
            1e4,
            "a factor from 1 to 10000",
        )
    }

    fn shape(&self, intensity: f64, host: &mut Host, _: Window, _: &mut Rng) {
        host.weight = 1.0 + (self.factor - 1.0) * intensity;
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        planting.session_entries();
        planting.mark(Act::is_initiated);
    }
}
