//! What hosts do: every ordinary activity that gives flows.

mod background;
mod contact;
mod server;
mod transfer;
mod wire;

use peerscope_flow::{Flow, Zone};

use crate::address::Population;
use crate::host::Host;
use crate::planted::{buddy, ddos, departed, fake_server, natted};
use crate::rng::Rng;
use crate::scenario::{Protocol, Scenario, Side};
use crate::truth::Activity;

pub(crate) use background::{Background, FIRST_SERVICE};
pub(crate) use contact::Contact;
pub(crate) use transfer::outside_port;
pub(crate) use wire::{Moment, Udp, tcp_complete, tcp_failed};

/// An activity, with what it needs to remember.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Contacts a peer over UDP.
    Contact(Contact, Zone),
    /// Is contacted over UDP, and answers.
    Answer(Zone),
    /// Opens a TCP connection to a peer.
    Connect(Zone),
    /// Accepts a TCP connection from a peer.
    Accept(Zone),
    /// Stays connected to a central server.
    Server(peerscope_flow::Endpoint),
    /// Looks up a name.
    Dns,
    /// Loads something from the web.
    Web { mean_bytes: f64 },
    /// Anything else from the provider's network.
    Background(Background),
    /// Contacts a victim that poisoned search results name.
    Poisoned(Box<ddos::Victims>),
    /// Is contacted after it left.
    Stale(departed::Stale),
    /// Is contacted from outside, behind a NAT.
    Natted(natted::Knock),
    /// Tries a bad server again.
    BadServer(fake_server::Cycle),
    /// Is contacted by the peer that cannot keep its connection.
    Buddy(buddy::Call),
}

/// What all activities share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    pub(crate) populations: Vec<Population>,
    pub(crate) scenario: Scenario,
}

/// A flow as an activity gives it.
pub(crate) struct Action {
    pub(crate) flow: Flow,
    pub(crate) activity: Activity,
    /// Whether it is part of the planted behaviour of its process, if that has one.
    pub(crate) planted: bool,
}

impl Action {
    pub(crate) const fn new(flow: Flow, activity: Activity) -> Self {
        Self {
            flow,
            activity,
            planted: true,
        }
    }
}

impl World {
    /// The traffic that the scenario gives a protocol's hosts with a zone.
    pub(crate) fn side(&self, protocol: Protocol, zone: Zone) -> Option<&Side> {
        let system = self
            .scenario
            .systems
            .iter()
            .find(|system| system.protocol == protocol)?;
        match zone {
            Zone::Internet => system.internet.as_ref(),
            Zone::Monitored | Zone::Provider => system.provider.as_ref(),
        }
    }
}

impl Act {
    /// Whether the host begins its flows with peers.
    pub(crate) const fn is_initiated(&self) -> bool {
        matches!(self, Self::Contact(..) | Self::Connect(_))
    }

    /// What the host does now: nothing, or one flow that starts now.
    pub(crate) fn perform(
        &mut self,
        host: u32,
        moment: &Moment,
        world: &mut World,
        rng: &mut Rng,
    ) -> Option<Action> {
        let host = usize::try_from(host).ok()?;
        match self {
            Self::Contact(contact, zone) => contact.perform(*zone, host, moment, world, rng),
            Self::Answer(zone) => contact::answer(*zone, host, moment, world, rng),
            Self::Connect(zone) => transfer::connect(*zone, host, moment, world, rng),
            Self::Accept(zone) => transfer::accept(*zone, host, moment, world, rng),
            Self::Server(server) => server::stay(*server, &mut world.hosts[host], moment, rng),
            Self::Dns => Some(background::dns(&mut world.hosts[host], moment, rng)),
            Self::Web { mean_bytes } => Some(background::web(
                *mean_bytes,
                &mut world.hosts[host],
                moment,
                rng,
            )),
            Self::Background(background) => {
                Some(background.perform(&world.hosts[host], moment, rng))
            }
            Self::Poisoned(victims) => victims.perform(&mut world.hosts[host], moment, rng),
            Self::Stale(stale) => stale.perform(host, moment, world, rng),
            Self::Natted(knock) => knock.perform(host, moment, world, rng),
            Self::BadServer(cycle) => cycle.perform(&mut world.hosts[host], moment, rng),
            Self::Buddy(call) => call.perform(&world.hosts[host], moment, rng),
        }
    }
}
