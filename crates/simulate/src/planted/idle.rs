//! Idle connections (paper, section 9): the peer accepts and never says anything.

use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::Act;
use crate::builder::Planting;
use crate::check::share;
use crate::host::{Host, Window};
use crate::rng::Rng;

/// Most connections that these hosts open are accepted and met with silence; nine in ten of them
/// last less than 30 s.
///
/// `intensity` scales the share. The silent connections alone count as planted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdleConnections {
    /// Share of the connections set up.
    pub share: f64,
}

impl Plant for IdleConnections {
    fn kind(&self) -> PlantedKind {
        PlantedKind::IdleConnections
    }

    fn expected(&self) -> &'static str {
        "a large share of the TCP connections that the host sets up carry no data from the peer"
    }

    fn check(&self, path: &str, _: f64) -> Result<(), ScenarioError> {
        share(&format!("{path}.share"), self.share)
    }

    fn shape(&self, intensity: f64, host: &mut Host, _: Window, _: &mut Rng) {
        host.traits.silent = (self.share * intensity).min(1.0);
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        planting.session_entries();
        planting.mark(|act| matches!(act, Act::Connect(_)));
    }
}
