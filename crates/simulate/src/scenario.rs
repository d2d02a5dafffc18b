//! Scenarios: what a simulated network is made of, as data.

use peerscope_flow::Application;
use serde::{Deserialize, Serialize};

use crate::planted::{Planted, PlantedKind};
use crate::{ScenarioError, Simulation, preset};

/// A simulated network, read from TOML.
///
/// All counts of flows are those of the whole trace at `traffic = 1`; they are shared among the
/// hosts by their activity and time online, so a trace holds them in expectation, whatever the
/// hosts' sessions turn out to be.
///
/// ```
/// use peerscope_simulate::{Scenario, Simulation};
///
/// let scenario = Scenario::preset("tiny")?;
/// assert_eq!(Scenario::from_toml(&scenario.to_toml())?, scenario);
/// let flows = Simulation::new(&scenario, 1)?.count();
/// assert!(flows > 1_000);
/// # Ok::<(), peerscope_simulate::ScenarioError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name, repeated in the truth.
    pub name: String,
    /// Begin of the trace, in seconds since the Unix epoch.
    pub start_secs: i64,
    /// Length of the trace in hours.
    pub hours: f64,
    /// Factor on every count of flows that grows with the traffic. Planted behaviours with a clock
    /// of their own (server cycles, buddy) do not.
    #[serde(default = "one")]
    pub traffic: f64,
    /// Relative number of sessions that are under way in each hour of the day, UTC.
    #[serde(default = "evening_peak")]
    pub diurnal: [f64; 24],
    /// Peer-to-peer systems and their monitored hosts.
    #[serde(default, rename = "system")]
    pub systems: Vec<System>,
    /// Everything that is not peer-to-peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// Undesirable behaviour, with its ground truth.
    #[serde(default)]
    pub planted: Vec<Planted>,
}

/// The protocol that a system's hosts speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Protocol {
    /// eMule clients on the Kad network.
    Kad,
    /// eMule clients on the provider's own KadU network.
    KadU,
    /// eMule clients on servers only.
    EMule,
    /// BitTorrent with its DHT.
    BitTorrent,
    /// Direct Connect.
    Dcpp,
}

impl Protocol {
    /// Label of its UDP flows.
    pub const fn udp_label(self) -> Application {
        match self {
            Self::Kad => Application::Kad,
            Self::KadU => Application::KadU,
            Self::EMule => Application::EMule,
            Self::BitTorrent => Application::BitTorrent,
            Self::Dcpp => Application::Dcpp,
        }
    }

    /// Label of its TCP flows, where they carry payload.
    pub const fn tcp_label(self) -> Application {
        match self {
            Self::Kad | Self::KadU | Self::EMule => Application::EMule,
            Self::BitTorrent => Application::BitTorrent,
            Self::Dcpp => Application::Dcpp,
        }
    }

    /// Default UDP and TCP port.
    pub const fn default_ports(self) -> (u16, u16) {
        match self {
            Self::Kad | Self::KadU | Self::EMule => (4672, 4662),
            Self::BitTorrent => (6881, 6881),
            Self::Dcpp => (412, 412),
        }
    }

    /// Port of its central servers: eD2k server, tracker or hub.
    pub const fn server_port(self) -> u16 {
        match self {
            Self::Kad | Self::KadU | Self::EMule => 4661,
            Self::BitTorrent => 6969,
            Self::Dcpp => 411,
        }
    }

    /// What the samples of its hosts are called.
    pub const fn system(self) -> &'static str {
        match self {
            Self::Kad => "kad",
            Self::KadU => "kadu",
            Self::EMule => "emule-only",
            Self::BitTorrent => "bittorrent",
            Self::Dcpp => "dcpp",
        }
    }
}

/// Monitored hosts that run the same client, and the peers they meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// What they speak; at most one system for each protocol.
    pub protocol: Protocol,
    /// Number of monitored hosts.
    pub hosts: u32,
    /// When they are online.
    pub sessions: Sessions,
    /// Spread of the hosts' activity: sigma of a log-normal.
    #[serde(default = "half")]
    pub activity_sigma: f64,
    /// No host is more active than so many times the mean, but for planted ones; left out: any may be.
    /// Where the very active hosts are planted, it keeps the others from being so by chance.
    #[serde(default = "unbounded", skip_serializing_if = "is_unbounded")]
    pub activity_max: f64,
    /// Share of the monitored hosts on random ports.
    #[serde(default)]
    pub random_ports: f64,
    /// Share of a host's sessions with a connection to a central server (eD2k, tracker, hub).
    #[serde(default)]
    pub server_sessions: f64,
    /// Traffic with peers in the provider's network (a row of Table 1 of the paper).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Side>,
    /// Traffic with peers in the Internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internet: Option<Side>,
}

/// When hosts are online.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Mean number of sessions of a host in the trace, at least 1.
    pub per_host: f64,
    /// Mean length of a session. From the length of the trace on, hosts are always online.
    pub mean_hours: f64,
    /// Spread of the lengths: sigma of a log-normal.
    #[serde(default = "half")]
    pub sigma: f64,
}

/// A system's traffic with the peers of one zone. Counts are over the whole trace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Number of peers.
    pub peers: u32,
    /// Share of them on random ports.
    #[serde(default)]
    pub random_ports: f64,
    /// Share of them on ports below 1024.
    #[serde(default)]
    pub reserved_ports: f64,
    /// Share of them that do not answer at any one time: gone, or behind a NAT.
    #[serde(default)]
    pub stale: f64,
    /// UDP flows that monitored hosts initiate, answered or not.
    #[serde(default)]
    pub udp_out: f64,
    /// UDP flows from outside that monitored hosts answer. Those from the Internet reach a host
    /// only after it sent there (full-cone NAT).
    #[serde(default)]
    pub udp_in: f64,
    /// Successful TCP connections that monitored hosts initiate; failures come on top by `stale`.
    #[serde(default)]
    pub tcp_out: f64,
    /// Successful TCP connections from outside. The provider's NAT lets none in from the Internet.
    #[serde(default)]
    pub tcp_in: f64,
    /// Mean bytes of a successful TCP connection.
    #[serde(default)]
    pub tcp_bytes: f64,
    /// Share of successful connections that carry data; the others exchange control messages.
    #[serde(default = "quarter")]
    pub data_share: f64,
    /// Share of the data that monitored hosts send.
    #[serde(default = "half")]
    pub sent_share: f64,
    /// Share of successful outgoing connections on which the peer never says anything.
    #[serde(default)]
    pub silent: f64,
}

/// Traffic that is not peer-to-peer. Counts are over the whole trace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// Monitored hosts without any peer-to-peer client; all of them, and the peers too, browse.
    pub hosts: u32,
    /// HTTP and TLS connections to the Internet.
    #[serde(default)]
    pub web: f64,
    /// Mean bytes of one.
    #[serde(default)]
    pub web_bytes: f64,
    /// DNS queries to the provider's resolver.
    #[serde(default)]
    pub dns: f64,
    /// Unlabelled UDP flows from the provider's network that are answered.
    #[serde(default)]
    pub udp_in_answered: f64,
    /// Unlabelled UDP flows from the provider's network that are not.
    #[serde(default)]
    pub udp_in_unanswered: f64,
    /// Unlabelled TCP connections from the provider's network that succeed.
    #[serde(default)]
    pub tcp_in: f64,
    /// Unlabelled TCP attempts from the provider's network that fail.
    #[serde(default)]
    pub tcp_in_failed: f64,
}

impl Scenario {
    /// The names that [`Scenario::preset`] knows.
    pub const PRESETS: [&str; 5] = preset::NAMES;

    /// A built-in scenario.
    ///
    /// * `minipop-2008`: the network of the SIGMETRICS 2009 paper, 25 h, by its published figures.
    /// * `quiet`: the same without anything planted.
    /// * `bittorrent-week`, `dcpp-week`: the week of the paper's section 9.
    /// * `tiny`: a few hosts for two hours, with one of each planted behaviour; for tests.
    ///
    /// # Errors
    ///
    /// If the name is not one of [`Scenario::PRESETS`].
    pub fn preset(name: &str) -> Result<Self, ScenarioError> {
        preset::load(name)
    }

    /// A scenario from TOML, checked.
    ///
    /// # Errors
    ///
    /// If the text is no TOML, has unknown or missing fields (with line and column), or a value
    /// makes no sense (with the field's path).
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The scenario as TOML.
    ///
    /// # Panics
    ///
    /// Never: every field has a TOML form.
    pub fn to_toml(&self) -> String {
        #[expect(clippy::expect_used, reason = "numbers, texts and tables of them")]
        toml::to_string(self).expect("every field has a TOML form")
    }

    /// The scenario with its traffic scaled so that about `flows` flows come out.
    ///
    /// Behaviours with a clock of their own keep their flows; the rest is scaled.
    ///
    /// # Errors
    ///
    /// If the scenario is bad, or the fixed flows alone are more than `flows`.
    pub fn with_flows(self, flows: u64) -> Result<Self, ScenarioError> {
        let unscaled = Self {
            traffic: 1.0,
            ..self
        };
        let expected = Simulation::new(&unscaled, 0)?.expected_flows();
        let room = flows as f64 - expected.fixed;
        if room <= 0.0 || expected.scaled <= 0.0 {
            return Err(ScenarioError::TooFewFlows {
                asked: flows,
                fixed: expected.fixed,
            });
        }
        let scaled = Self {
            traffic: room / expected.scaled,
            ..unscaled
        };
        scaled.check()?;
        Ok(scaled)
    }

    /// The scenario with nothing planted.
    #[must_use]
    pub fn without_planted(self) -> Self {
        Self {
            planted: Vec::new(),
            ..self
        }
    }

    /// The scenario with only the planted behaviours of one kind.
    #[must_use]
    pub fn with_only(mut self, kind: PlantedKind) -> Self {
        self.planted.retain(|planted| planted.kind() == kind);
        self
    }

    /// The scenario with another intensity for every planted behaviour of a kind; 1 is that of the
    /// paper. See [`Planted`] for what it scales.
    #[must_use]
    pub fn with_intensity(mut self, kind: PlantedKind, intensity: f64) -> Self {
        let of_kind = self
            .planted
            .iter_mut()
            .filter(|planted| planted.kind() == kind);
        of_kind.for_each(|planted| *planted.intensity_mut() = intensity);
        self
    }
}

pub(crate) const fn one() -> f64 {
    1.0
}

const fn unbounded() -> f64 {
    f64::INFINITY
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_unbounded(value: &f64) -> bool {
    *value == f64::INFINITY
}

const fn half() -> f64 {
    0.5
}

const fn quarter() -> f64 {
    0.25
}

/// A residential day: quiet at night, growing from the morning to a peak at 21 h.
const fn evening_peak() -> [f64; 24] {
    [
        0.60, 0.45, 0.35, 0.30, 0.28, 0.27, 0.28, 0.32, 0.40, 0.48, 0.55, 0.60, 0.65, 0.70, 0.75,
        0.78, 0.80, 0.85, 0.90, 0.95, 1.00, 1.00, 0.95, 0.80,
    ]
}
