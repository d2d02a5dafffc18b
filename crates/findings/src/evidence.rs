//! What a reader wants to see of a finding: its course in time, and the hosts, peers and flows behind
//! it.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::{Endpoint, Handshake, Timestamp, Transport, Volume};
use peerscope_slot::Direction;
use rayon::prelude::*;

use crate::kinds::DdosReservedPort;
use crate::scene::Host;
use crate::{Finding, FlowSelection, HostFlow, Scene};

/// Flows listed of a finding; [`Findings::write_flows`](crate::Findings::write_flows) has all.
const FLOWS: usize = 50;
/// Peers listed of a finding.
const PEERS: usize = 50;
/// Peers of the leading host that get a series of their own.
const TOP: usize = 4;
/// Points of a series at the most.
const BINS: i64 = 120;

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
    /// O(n log n) a finding, n being the flows of its hosts; findings in parallel.
    pub fn of(scene: &Scene<'_>, findings: &[Finding]) -> Self {
        let Some(bins) = Bins::of(scene) else {
            return Self::default();
        };
        let exhibits = findings
            .par_iter()
            .map(|finding| bins.exhibit(scene, finding));
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

/// The bins of every series of a scene.
#[derive(Clone, Copy)]
struct Bins {
    start: i64,
    length: i64,
    count: usize,
}

impl Bins {
    fn of(scene: &Scene<'_>) -> Option<Self> {
        let span = scene.span()?;
        let slots = scene.aggregation().slot_length();
        let start = slots.start_of(slots.slot_of(span.start())).as_micros();
        let covered = i128::from(span.end().as_micros()) - i128::from(start);
        let slot = i128::from(slots.as_micros());
        // Times beyond all reason end in the last bin.
        let length = slot * (covered / slot / i128::from(BINS) + 1);
        Some(Self {
            start,
            length: i64::try_from(length).unwrap_or(i64::MAX),
            count: usize::try_from(covered / length + 1).unwrap_or(1),
        })
    }

    fn empty(self) -> Vec<u64> {
        vec![0; self.count]
    }

    fn add(self, series: &mut [u64], time: Timestamp) {
        let since = time.as_micros().saturating_sub(self.start);
        let bin = usize::try_from(since / self.length).unwrap_or(0);
        series[bin.min(self.count - 1)] += 1;
    }

    fn exhibit(self, scene: &Scene<'_>, finding: &Finding) -> Exhibit {
        let hosts = finding.hosts.par_iter().filter_map(|&ip| scene.host(ip));
        let mut all = hosts
            .fold(
                || Gathered::new(self),
                |mut all, host| {
                    all.add(self, scene, &finding.selection, host);
                    all
                },
            )
            .reduce(|| Gathered::new(self), Gathered::merge);
        all.hosts.sort_by_key(|party| Reverse(party.flows));
        let leading = all.hosts.first().and_then(|party| scene.host(party.ip));
        let contacts = leading.map(|host| self.contacts(scene, &finding.selection, host));
        let mut peers = ranked(all.peers);
        let all_peers = peers.len();
        peers.truncate(PEERS);
        Exhibit {
            activity: all.activity,
            supporting: all.supporting,
            contacts: contacts.unwrap_or_default(),
            hosts: all.hosts,
            peers,
            all_peers,
            flows: all.flows,
        }
    }

    fn contacts(self, scene: &Scene<'_>, selection: &FlowSelection, host: &Host) -> Vec<Contact> {
        // Beside the finding's own peers those that the host treats the same way.
        let alike = FlowSelection {
            peers: BTreeSet::new(),
            ports: BTreeSet::new(),
            ..selection.clone()
        };
        let supporting = |flow: &&HostFlow| supports(scene, &alike, host.ip, flow);
        let mut peers: Vec<_> = host
            .peers()
            .map(|(peer, flows)| (flows.clone().filter(supporting).count(), peer, flows))
            .filter(|&(count, ..)| count > 0)
            .collect();
        peers.sort_by_key(|&(count, ..)| Reverse(count));
        let top = peers.into_iter().take(TOP);
        top.map(|(_, peer, flows)| {
            let mut series = self.empty();
            for flow in flows.filter(supporting) {
                self.add(&mut series, flow.start);
            }
            Contact {
                host: host.ip,
                peer: scene.peer(peer),
                flows: series,
            }
        })
        .collect()
    }
}

/// What is gathered of some hosts for one finding.
struct Gathered {
    activity: Activity,
    supporting: Vec<u64>,
    hosts: Vec<PartyCount>,
    peers: Parties,
    /// The first of them.
    flows: Vec<FlowRow>,
}

impl Gathered {
    fn new(bins: Bins) -> Self {
        Self {
            activity: Activity {
                initiated: bins.empty(),
                answered: bins.empty(),
                in_vain: bins.empty(),
            },
            supporting: bins.empty(),
            hosts: Vec::new(),
            peers: Parties::default(),
            flows: Vec::new(),
        }
    }

    fn add(&mut self, bins: Bins, scene: &Scene<'_>, selection: &FlowSelection, host: &Host) {
        let mut own: Option<PartyCount> = None;
        let mut listed = 0;
        for flow in &host.flows {
            let series = match flow.direction {
                Direction::InOut => &mut self.activity.initiated,
                Direction::OutIn if flow.is_in_vain() => &mut self.activity.in_vain,
                Direction::OutIn => &mut self.activity.answered,
            };
            bins.add(series, flow.start);
            if !supports(scene, selection, host.ip, flow) {
                continue;
            }
            bins.add(&mut self.supporting, flow.start);
            let peer = scene.peer(flow.peer);
            own.get_or_insert_with(|| PartyCount::new(host.ip))
                .add(flow);
            count(&mut self.peers, peer, flow);
            if listed < FLOWS {
                listed += 1;
                self.flows.push(row(host.ip, peer, flow));
            }
        }
        self.hosts.extend(own);
        self.keep_the_first();
    }

    fn merge(mut self, other: Self) -> Self {
        let pairs = [
            (&mut self.activity.initiated, other.activity.initiated),
            (&mut self.activity.answered, other.activity.answered),
            (&mut self.activity.in_vain, other.activity.in_vain),
            (&mut self.supporting, other.supporting),
        ];
        for (sums, series) in pairs {
            for (sum, count) in sums.iter_mut().zip(series) {
                *sum += count;
            }
        }
        self.hosts.extend(other.hosts);
        for (ip, party) in other.peers {
            let own = self.peers.entry(ip);
            own.or_insert_with(|| PartyCount::new(ip)).merge(&party);
        }
        self.flows.extend(other.flows);
        self.keep_the_first();
        self
    }

    fn keep_the_first(&mut self) {
        self.flows
            .sort_by_key(|flow| (flow.start_us, flow.end_us, flow.src, flow.dst));
        self.flows.truncate(FLOWS);
    }
}

impl PartyCount {
    const fn new(ip: IpAddr) -> Self {
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

    fn add(&mut self, flow: &HostFlow) {
        self.merge(&Self {
            ip: self.ip,
            flows: 1,
            in_vain: u64::from(flow.is_in_vain()),
            sent: flow.sent.bytes,
            received: flow.rcvd.bytes,
            first_us: flow.start.as_micros(),
            last_us: flow.end.as_micros(),
        });
    }

    fn merge(&mut self, other: &Self) {
        self.flows += other.flows;
        self.in_vain += other.in_vain;
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
    }
}

/// Hosts or peers by address.
pub(crate) type Parties = HashMap<IpAddr, PartyCount, RandomState>;

fn supports(scene: &Scene<'_>, selection: &FlowSelection, host: IpAddr, flow: &HostFlow) -> bool {
    selection.holds(host, flow, scene.peer(flow.peer), scene.topology())
}

pub(crate) fn count(parties: &mut Parties, ip: IpAddr, flow: &HostFlow) {
    let party = parties.entry(ip);
    party.or_insert_with(|| PartyCount::new(ip)).add(flow);
}

/// Those with most flows first.
pub(crate) fn ranked(parties: Parties) -> Vec<PartyCount> {
    let mut parties: Vec<PartyCount> = parties.into_values().collect();
    parties.sort_unstable_by_key(|party| (Reverse(party.flows), party.ip));
    parties
}

pub(crate) fn row(host: IpAddr, peer: IpAddr, flow: &HostFlow) -> FlowRow {
    let host = Endpoint::new(host, flow.host_port);
    let peer = Endpoint::new(peer, flow.peer_port);
    let (src, dst, fwd, rev) = match flow.direction {
        Direction::InOut => (host, peer, flow.sent, flow.rcvd),
        Direction::OutIn => (peer, host, flow.rcvd, flow.sent),
    };
    FlowRow {
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
