//! Fake and full servers (paper, section 8.3 and Fig 10): a client whose server list holds nothing
//! better tries them again and again.

use peerscope_flow::{Endpoint, Zone};
use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::{Act, Action, Moment, tcp_complete};
use crate::builder::Planting;
use crate::check::within;
use crate::host::Host;
use crate::process::Pace;
use crate::rng::Rng;
use crate::truth::Activity;

/// Hosts cycle over bad servers while they are online.
///
/// `intensity` divides the periods. The cycles do not scale with the traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FakeServer {
    /// The servers in the clients' list; all planted hosts share it.
    pub servers: Vec<BadServer>,
}

/// A server that is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadServer {
    /// Seconds from one connection to the next.
    pub period_secs: f64,
    /// Seconds that a connection lasts.
    pub hold_secs: f64,
    /// Bytes that the server says before it closes: 0 for a fake, a refusal for a full one.
    #[serde(default)]
    pub reply_bytes: f64,
}

impl Plant for FakeServer {
    fn kind(&self) -> PlantedKind {
        PlantedKind::FakeServer
    }

    fn expected(&self) -> &'static str {
        "the host connects to one server again and again at nearly regular intervals, briefly each time"
    }

    fn check(&self, path: &str, _: f64) -> Result<(), ScenarioError> {
        let servers = self.servers.len() as f64;
        within(
            &format!("{path}.servers (number)"),
            servers,
            1.0,
            100.0,
            "1 to 100 servers",
        )?;
        for (i, server) in self.servers.iter().enumerate() {
            let at = |field: &str| format!("{path}.servers[{i}].{field}");
            within(
                &at("period_secs"),
                server.period_secs,
                1.0,
                86_400.0,
                "from 1 to 86400 s",
            )?;
            within(
                &at("hold_secs"),
                server.hold_secs,
                0.0,
                86_400.0,
                "from 0 to 86400 s",
            )?;
            within(
                &at("reply_bytes"),
                server.reply_bytes,
                0.0,
                1e6,
                "from 0 to 1e6 bytes",
            )?;
        }
        Ok(())
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        let port = planting.protocol().server_port();
        let servers: Vec<Endpoint> = self
            .servers
            .iter()
            .map(|_| planting.service(Zone::Internet, port))
            .collect();
        let peers: Vec<_> = servers.iter().map(|server| server.ip).collect();
        planting.session_entries_with(&peers, &[port]);
        let intensity = planting.intensity();
        for (&server, spec) in servers.iter().zip(&self.servers) {
            let cycle = Cycle {
                server,
                hold: spec.hold_secs * 1e6,
                reply: spec.reply_bytes,
            };
            let pace = Pace::Regular {
                period: spec.period_secs * 1e6 / intensity,
                jitter: 0.1,
            };
            planting.each_host(&Act::BadServer(cycle), pace);
        }
    }
}

/// One bad server in a client's cycle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cycle {
    server: Endpoint,
    hold: f64,
    reply: f64,
}

impl Cycle {
    pub(crate) fn perform(self, host: &mut Host, moment: &Moment, rng: &mut Rng) -> Option<Action> {
        let label = Some(host.protocol?.tcp_label());
        let ends = (host.ephemeral(), self.server);
        let duration = self.hold * rng.between(0.8, 1.2);
        let flow = tcp_complete(ends, label, (110.0, self.reply), duration, moment);
        Some(Action::new(flow, Activity::BadServer))
    }
}
