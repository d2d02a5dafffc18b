//! Which flows a finding rests on, as a condition that any flow can be asked.

use std::collections::BTreeSet;
use std::net::IpAddr;

use peerscope_flow::{Timestamp, Topology, Transport, Zone};
use peerscope_slot::Direction;

use crate::HostFlow;

/// A condition on flows of interest, seen from a monitored host. A condition left empty holds for
/// every flow.
///
/// It takes the place of a list of flows: it stays small, can be read, and finds the same flows in a
/// second pass over the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct FlowSelection {
    /// The monitored host.
    pub hosts: BTreeSet<IpAddr>,
    /// The other end.
    pub peers: BTreeSet<IpAddr>,
    /// The responder's port.
    pub ports: BTreeSet<u16>,
    /// The transport.
    pub transport: Option<Transport>,
    /// Who initiated it, seen from the host.
    pub direction: Option<Direction>,
    /// Where the peer is.
    pub peer_zone: Option<Zone>,
    /// What came of it.
    pub outcome: Outcome,
    /// It starts at this time or later.
    pub from: Option<Timestamp>,
    /// It starts at this time or earlier.
    pub to: Option<Timestamp>,
}

/// What came of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Outcome {
    /// Anything.
    #[default]
    Any,
    /// UDP unanswered, or TCP failed.
    InVain,
    /// A TCP connection that was set up.
    Complete,
    /// A TCP connection that was set up and on which the responder sent no payload.
    Silent,
}

impl FlowSelection {
    /// All flows of interest of one host.
    pub fn of_host(host: IpAddr) -> Self {
        Self {
            hosts: BTreeSet::from([host]),
            ..Self::default()
        }
    }

    /// Whether a flow that `host` sees is one of them.
    pub(crate) fn holds(
        &self,
        host: IpAddr,
        flow: &HostFlow,
        peer: IpAddr,
        topology: &Topology,
    ) -> bool {
        self.holds_of(flow)
            && self.holds_of_peer(peer, topology)
            && self.holds_of_host(host)
            && (self.peers.is_empty() || self.peers.contains(&peer))
    }

    /// Whether a host is one of them.
    pub(crate) fn holds_of_host(&self, host: IpAddr) -> bool {
        self.hosts.is_empty() || self.hosts.contains(&host)
    }

    /// Whether a peer is where it should be.
    pub(crate) fn holds_of_peer(&self, peer: IpAddr, topology: &Topology) -> bool {
        self.peer_zone
            .is_none_or(|wanted| wanted == topology.zone(peer))
    }

    /// Whether it holds for a flow, whoever its ends are.
    #[inline]
    pub(crate) fn holds_of(&self, flow: &HostFlow) -> bool {
        let outcome = match self.outcome {
            Outcome::Any => true,
            Outcome::InVain => flow.is_in_vain(),
            Outcome::Complete => flow.is_complete(),
            Outcome::Silent => flow.is_silent(),
        };
        outcome
            && self.from.is_none_or(|from| from <= flow.start)
            && self.to.is_none_or(|to| flow.start <= to)
            && self.direction.is_none_or(|way| way == flow.direction)
            && self
                .transport
                .is_none_or(|transport| transport == flow.transport)
            && (self.ports.is_empty() || self.ports.contains(&flow.destination_port()))
    }
}
