//! Planted behaviours: what a detector is meant to find, each in its own file.

pub(crate) mod buddy;
mod control_only;
pub(crate) mod ddos;
pub(crate) mod departed;
pub(crate) mod fake_server;
mod idle;
mod inter_isp;
mod kind;
pub(crate) mod natted;
mod selfish;
mod very_active;

use serde::{Deserialize, Serialize};

use crate::ScenarioError;
use crate::builder::Planting;
use crate::check::within;
use crate::host::{Host, Window};
use crate::rng::Rng;
use crate::scenario::{Protocol, one};

pub use buddy::Buddy;
pub use control_only::ControlOnly;
pub use ddos::{DdosReservedPort, Wire};
pub use departed::DepartedHosts;
pub use fake_server::{BadServer, FakeServer};
pub use idle::IdleConnections;
pub use inter_isp::InterIsp;
pub use kind::{PlantedKind, PlantedKindError};
pub use natted::NattedHosts;
pub use selfish::Selfish;
pub use very_active::VeryActive;

/// One planted behaviour of a scenario.
///
/// ```toml
/// [[planted]]
/// system = "kadu"
/// hosts = 1
/// hours = 14
/// behaviour = { kind = "buddy", tcp = 825, udp = 1678 }
/// ```
///
/// Each host has at most one such role, except that poisoned contacts (`ddos-reserved-port`) reach
/// any host. What `intensity` scales is said at each behaviour; 0 plants nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// The system whose hosts behave so.
    pub system: Protocol,
    /// How many of them.
    pub hosts: u32,
    /// Strength; 1 is that of the behaviour as given.
    #[serde(default = "one")]
    pub intensity: f64,
    /// Hours that each of these hosts is online, in one session; left out: as the system's hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// What they do.
    pub behaviour: Behaviour,
}

/// What planted hosts do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Behaviour {
    /// Poisoned contacts lead hosts to reserved ports of victims.
    DdosReservedPort(DdosReservedPort),
    /// Hosts leave for good, and peers go on contacting them.
    DepartedHosts(DepartedHosts),
    /// Hosts sit behind a home NAT.
    NattedHosts(NattedHosts),
    /// Hosts cycle over fake or full servers.
    FakeServer(FakeServer),
    /// A peer that cannot keep its connection opens very many.
    Buddy(Buddy),
    /// Hosts look for content outside the provider's network.
    InterIsp(InterIsp),
    /// Hosts do much more of everything.
    VeryActive(VeryActive),
    /// Hosts' connections are accepted and met with silence.
    IdleConnections(IdleConnections),
    /// Hosts exchange control messages only.
    ControlOnly(ControlOnly),
    /// Hosts take and do not give.
    Selfish(Selfish),
}

/// What every behaviour can do; the builder calls these in order.
pub(crate) trait Plant {
    fn kind(&self) -> PlantedKind;

    /// What a detector should see, for the truth.
    fn expected(&self) -> &'static str;

    fn check(&self, path: &str, trace_hours: f64) -> Result<(), ScenarioError>;

    /// Whether hosts take this as their only role.
    fn is_role(&self) -> bool {
        true
    }

    /// Hosts to take beyond those planted.
    fn companions(&self) -> u32 {
        0
    }

    /// Changes a host before anything is shared out among hosts.
    fn shape(&self, _intensity: f64, _host: &mut Host, _trace: Window, _rng: &mut Rng) {}

    /// Adds the behaviour's own activities.
    fn act(&self, _planting: &mut Planting<'_, '_>) {}
}

impl Planted {
    /// The kind of the behaviour.
    pub fn kind(&self) -> PlantedKind {
        self.plant().kind()
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        self.system
    }

    pub(crate) const fn intensity_mut(&mut self) -> &mut f64 {
        &mut self.intensity
    }

    pub(crate) fn plant(&self) -> &dyn Plant {
        match &self.behaviour {
            Behaviour::DdosReservedPort(plant) => plant,
            Behaviour::DepartedHosts(plant) => plant,
            Behaviour::NattedHosts(plant) => plant,
            Behaviour::FakeServer(plant) => plant,
            Behaviour::Buddy(plant) => plant,
            Behaviour::InterIsp(plant) => plant,
            Behaviour::VeryActive(plant) => plant,
            Behaviour::IdleConnections(plant) => plant,
            Behaviour::ControlOnly(plant) => plant,
            Behaviour::Selfish(plant) => plant,
        }
    }

    pub(crate) fn check(&self, path: &str, trace_hours: f64) -> Result<(), ScenarioError> {
        let at = |field: &str| format!("{path}.{field}");
        within(
            &at("intensity"),
            self.intensity,
            0.0,
            1e6,
            "a factor from 0 to 1000000",
        )?;
        if let Some(hours) = self.hours {
            within(
                &at("hours"),
                hours,
                0.1,
                trace_hours,
                "from 0.1 h to the trace's length",
            )?;
        }
        self.plant().check(&at("behaviour"), trace_hours)
    }
}
