//! What a reader wants to see of a finding: its course in time, and the hosts, peers and flows behind
//! it.

use std::net::IpAddr;

use peerscope_flow::{Endpoint, Handshake, Transport, Volume};
use peerscope_slot::Direction;
use rayon::prelude::*;

use crate::exhibit::Bins;
use crate::kinds::DdosReservedPort;
use crate::{Finding, HostFlow, Scene};

/// What stands behind the findings, in a form that is small however long the trace is.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Evidence {
    /// The first microsecond of every series.
    pub start_us: i64,
    /// The length of a bin of every series, microseconds: whole slots.
    pub bin_us: i64,
    /// Use of reserved ports: the bars of Figure 8.
    pub ports: Vec<PortCount>,
    /// One a finding, in the order of [`Findings::active`](crate::Findings::active).
    pub exhibits: Vec<Exhibit>,
}

/// How the hosts of a system use one reserved port; see [`DdosReservedPort::ports`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PortCount {
    /// The hosts' system.
    pub system: String,
    /// TCP or UDP.
    pub transport: Transport,
    /// The destination port.
    pub port: u16,
    /// Flows to it.
    pub flows: u64,
    /// Of these, those without an answer.
    pub unanswered: u64,
    /// Hosts that sent them.
    pub hosts: usize,
    /// Their destinations.
    pub destinations: usize,
}

/// What stands behind one finding.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Exhibit {
    /// All flows of interest of its hosts, by their start (Figure 9).
    pub activity: Activity,
    /// The flows that support it, by their start.
    pub supporting: Vec<u64>,
    /// Of the host with most of them: the peers it has most of them with (Figure 10).
    pub contacts: Vec<Contact>,
    /// Every host with a supporting flow, those with most first.
    pub hosts: Vec<PartyCount>,
    /// The peers of the supporting flows, those with most first; cut, see `all_peers`.
    pub peers: Vec<PartyCount>,
    /// How many peers there are.
    pub all_peers: usize,
    /// The first of the supporting flows.
    pub flows: Vec<FlowRow>,
}

/// Flows of some hosts a bin.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Activity {
    /// Flows that the hosts initiated.
    pub initiated: Vec<u64>,
    /// Incoming flows that were not in vain.
    pub answered: Vec<u64>,
    /// Incoming flows in vain: UDP unanswered or TCP failed.
    pub in_vain: Vec<u64>,
}

/// The supporting flows between one host and one peer, by their start.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Contact {
    /// The monitored host.
    pub host: IpAddr,
    /// The peer.
    pub peer: IpAddr,
    /// Flows a bin.
    pub flows: Vec<u64>,
}

/// A host or peer and the supporting flows it takes part in.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PartyCount {
    /// Its address.
    pub ip: IpAddr,
    /// Flows.
    pub flows: u64,
    /// Of these, UDP unanswered or TCP failed.
    pub in_vain: u64,
    /// IP bytes that the monitored hosts sent.
    pub sent: u64,
    /// IP bytes that they received.
    pub received: u64,
    /// First start of a flow.
    pub first_us: i64,
    /// Last end of a flow.
    pub last_us: i64,
}

/// A flow as its record has it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FlowRow {
    /// First packet.
    pub start_us: i64,
    /// Last packet.
    pub end_us: i64,
    /// TCP or UDP.
    pub transport: Transport,
    /// The initiator.
    pub src: Endpoint,
    /// The responder.
    pub dst: Endpoint,
    /// What the initiator sent.
    pub fwd: Volume,
    /// What the responder sent.
    pub rev: Volume,
    /// Outcome of the TCP handshake.
    pub handshake: Option<Handshake>,
}

impl Evidence {
    /// What stands behind these findings of a scene.
    ///
    /// # Complexity
    ///
    /// O(n) for the n flows of all hosts in findings, and, a finding, O(m) for the m flows of its hosts, or of
    /// these with its peers where the selection names some; findings in parallel.
    pub fn of(scene: &Scene<'_>, findings: &[Finding]) -> Self {
        let Some(bins) = Bins::of(scene) else {
            return Self::default();
        };
        // One by one: some have a thousand times the flows of others.
        let exhibits = findings
            .par_iter()
            .with_max_len(1)
            .zip(bins.activities(scene, findings))
            .map(|(finding, activity)| bins.exhibit(scene, finding, activity));
        let ports = DdosReservedPort::ports(scene)
            .into_iter()
            .map(|port| PortCount {
                hosts: port.hosts.len(),
                destinations: port.destinations.len(),
                system: port.system.clone(),
                transport: port.transport,
                port: port.port,
                flows: port.flows,
                unanswered: port.unanswered,
            });
        Self {
            start_us: bins.start,
            bin_us: bins.length,
            ports: ports.collect(),
            exhibits: exhibits.collect(),
        }
    }
}

impl PartyCount {
    pub(crate) const fn new(ip: IpAddr) -> Self {
        Self {
            ip,
            flows: 0,
            in_vain: 0,
            sent: 0,
            received: 0,
            first_us: i64::MAX,
            last_us: i64::MIN,
        }
    }

    pub(crate) fn add(&mut self, flow: &HostFlow) {
        self.flows += 1;
        self.in_vain += u64::from(flow.is_in_vain());
        self.sent = self.sent.saturating_add(flow.sent.bytes);
        self.received = self.received.saturating_add(flow.rcvd.bytes);
        self.first_us = self.first_us.min(flow.start.as_micros());
        self.last_us = self.last_us.max(flow.end.as_micros());
    }
}

impl FlowRow {
    /// The record of a flow that `host` sees.
    pub(crate) const fn new(host: IpAddr, peer: IpAddr, flow: &HostFlow) -> Self {
        let host = Endpoint::new(host, flow.host_port);
        let peer = Endpoint::new(peer, flow.peer_port);
        let (src, dst, fwd, rev) = match flow.direction {
            Direction::InOut => (host, peer, flow.sent, flow.rcvd),
            Direction::OutIn => (peer, host, flow.rcvd, flow.sent),
        };
        Self {
            start_us: flow.start.as_micros(),
            end_us: flow.end.as_micros(),
            transport: flow.transport,
            src,
            dst,
            fwd,
            rev,
            handshake: flow.handshake,
        }
    }
}
