//! Attacks on reserved ports through the P2P system (SIGMETRICS 2009, sections 8.1 and 9).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use peerscope_correlate::Severity;
use peerscope_flow::{Family, SystemId, Timestamp, Transport};
use peerscope_slot::Direction;
use statrs::distribution::{Binomial, DiscreteCDF};

use super::evidence;
use crate::host::Host;
use crate::presence::share;
use crate::{Finding, FlowSelection, HostFlow, Kind, PeerId, Scene};

/// A port up to 1024 to which several hosts of a system send flows that nearly nobody answers.
///
/// The family's own default ports are set aside. What makes it more than peers on odd ports: the port
/// gets many times its part of the flows to reserved ports, several hosts are involved, and flows to
/// it go unanswered more often than chance allows, given how often the system's flows do.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct DdosReservedPort {
    /// At least so many hosts: 3. The paper: not specific to a small subset of peers.
    pub min_hosts: usize,
    /// At least this share of the host's contacts there does not answer: 0.8; the paper saw 0.9.
    pub min_unanswered: f64,
    /// At least this share of the system's flows to reserved ports: 0.01, ten times what each of
    /// 1,025 ports gets if peers choose them at random. The paper saw 0.55.
    pub min_share: f64,
    /// The chance of so many unanswered contacts, if the port were like all others and with as many
    /// tries as there are ports, is at most this: 0.001.
    pub max_chance: f64,
}

impl Default for DdosReservedPort {
    fn default() -> Self {
        Self {
            min_hosts: 3,
            min_unanswered: 0.8,
            min_share: 0.01,
            max_chance: 0.001,
        }
    }
}

/// How a system's hosts use one reserved port: a row of Figure 8.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PortUse {
    /// The hosts' system.
    pub system: String,
    /// TCP or UDP.
    pub transport: Transport,
    /// The destination port.
    pub port: u16,
    /// Flows to it.
    pub flows: u64,
    /// Of these, UDP flows without an answer, TCP flows that failed or got no payload.
    pub unanswered: u64,
    /// As a share of the system's flows to reserved ports over this transport.
    pub share: f64,
    /// Hosts that sent them.
    pub hosts: BTreeSet<IpAddr>,
    /// Flows to each destination.
    pub destinations: BTreeMap<IpAddr, u64>,
    /// First and last start of a flow.
    pub start: Timestamp,
    /// See `start`.
    pub end: Timestamp,
    contacts: Contacts,
    reached: BTreeMap<IpAddr, Reached>,
}

/// What one destination gets on a port.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
struct Reached {
    flows: u64,
    unanswered: u64,
    hosts: BTreeSet<IpAddr>,
}

/// Hosts with their peers, counted once however often they tried.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
struct Contacts {
    all: u64,
    /// More than half of their flows got no answer.
    unanswered: u64,
}

impl Contacts {
    fn add(&mut self, (flows, unanswered): (u64, u64)) {
        self.all += 1;
        self.unanswered += u64::from(2 * unanswered > flows);
    }

    fn merge(&mut self, other: Self) {
        self.all += other.all;
        self.unanswered += other.unanswered;
    }
}

const RESERVED: u16 = 1024;

/// A destination that draws less than this part of the hosts, or of the flows, of a typical one is an ordinary
/// peer that chose the port, no victim.
const OF_TYPICAL: f64 = 0.25;

impl PortUse {
    /// The destinations that most flows find silent, those with most flows first; without those that draw few
    /// hosts or few flows beside the one to which the contact, or the flow, in the middle goes. Where that leaves
    /// fewer hosts than an attack needs, because few of them make most flows, hosts alone tell victims.
    fn victims(&self, min_hosts: usize) -> Vec<(IpAddr, &Reached)> {
        let silent = self.silent();
        let least = |of: fn(&Reached) -> u64| {
            OF_TYPICAL * typical(silent.iter().map(|(_, reached)| of(reached)).collect()) as f64
        };
        let hosts = |reached: &Reached| reached.hosts.len() as u64;
        let flows = |reached: &Reached| reached.flows;
        let (least_hosts, least_flows) = (least(hosts), least(flows));
        let mut by_hosts = silent.clone();
        by_hosts.retain(|(_, reached)| hosts(reached) as f64 >= least_hosts);
        let mut by_both = by_hosts.clone();
        by_both.retain(|(_, reached)| flows(reached) as f64 >= least_flows);
        if hosts_of(&by_both).len() < min_hosts {
            by_hosts
        } else {
            by_both
        }
    }

    /// The destinations that most flows find silent, those with most flows first.
    fn silent(&self) -> Vec<(IpAddr, &Reached)> {
        let all = self.reached.iter().map(|(&ip, reached)| (ip, reached));
        let mut silent: Vec<(IpAddr, &Reached)> = all
            .filter(|(_, reached)| 2 * reached.unanswered > reached.flows)
            .collect();
        silent.sort_by_key(|&(ip, reached)| (std::cmp::Reverse(reached.flows), ip));
        silent
    }
}

/// The hosts that reach some destinations.
fn hosts_of(reached: &[(IpAddr, &Reached)]) -> BTreeSet<IpAddr> {
    let hosts = reached.iter().flat_map(|(_, reached)| &reached.hosts);
    hosts.copied().collect()
}

/// Of some piles the one that holds the thing in the middle of all, the higher of two; 0 of none.
fn typical(mut piles: Vec<u64>) -> u64 {
    piles.sort_unstable();
    let all: u64 = piles.iter().sum();
    let mut before = 0;
    let middle = piles.into_iter().find(|pile| {
        before += pile;
        before > all / 2
    });
    middle.unwrap_or(0)
}

impl DdosReservedPort {
    /// Reserved ports under attack.
    pub fn find(&self, scene: &Scene<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        for (&(system, _), Uses { ports, others }) in scene.port_uses() {
            let attacked = ports
                .values()
                .filter(|port| self.is_attack(port, *others, ports.len()));
            found.extend(
                attacked.filter_map(|port| finding(scene, system, port, *others, self.min_hosts)),
            );
        }
        found
    }

    /// How the hosts of every system use reserved ports, the family's default ports set aside: what
    /// Figure 8 shows.
    pub fn ports<'s>(scene: &'s Scene<'_>) -> Vec<&'s PortUse> {
        let uses = scene.port_uses().values();
        uses.flat_map(|uses| uses.ports.values()).collect()
    }

    fn is_attack(&self, port: &PortUse, others: Contacts, ports: usize) -> bool {
        port.hosts.len() >= self.min_hosts
            && port.share >= self.min_share
            && share(port.contacts.unanswered, port.contacts.all) >= self.min_unanswered
            && chance(port.contacts, others) * ports as f64 <= self.max_chance
    }
}

fn finding(
    scene: &Scene<'_>,
    system: SystemId,
    port: &PortUse,
    others: Contacts,
    min_hosts: usize,
) -> Option<Finding> {
    let metric = if port.transport == Transport::Tcp {
        "inout-1024-dest-ports-TCP"
    } else {
        "inout-1024-dest-ports-UDP"
    };
    let victims = port.victims(min_hosts);
    let involved = hosts_of(&victims);
    let hosts: Vec<&Host> = involved.iter().filter_map(|&ip| scene.host(ip)).collect();
    if hosts.len() < min_hosts || !hosts.iter().any(|host| scene.points_to(host, &[metric])) {
        return None;
    }
    let mut samples = Vec::new();
    for host in &hosts {
        samples.extend(scene.interesting(host, metric));
    }
    let of_system = scene
        .hosts()
        .iter()
        .filter(|host| host.system == system)
        .count();
    let flows_of = |some: &[(IpAddr, &Reached)]| some.iter().map(|(_, one)| one.flows).sum::<u64>();
    let flows = flows_of(&victims);
    let in_vain = victims.iter().map(|(_, one)| one.unanswered).sum();
    let unanswered = share(in_vain, flows);
    let set_aside = flows_of(&port.silent()) - flows;
    let selection = FlowSelection {
        hosts: involved.clone(),
        peers: victims.iter().map(|&(ip, _)| ip).collect(),
        ports: BTreeSet::from([port.port]),
        transport: Some(port.transport),
        direction: Some(Direction::InOut),
        ..FlowSelection::default()
    };
    let starts = || scene.select(&selection).map(|(_, flow)| flow.start);
    Some(Finding {
        kind: Kind::DdosReservedPort,
        severity: Severity::High,
        explanation: format!(
            "{} of {of_system} hosts send {flows} {} flows to {} port {} of {} destinations, {:.0} % without \
             an answer: an attack through the P2P system?",
            hosts.len(),
            scene.system_name(system),
            port.transport,
            port.port,
            victims.len(),
            100.0 * unanswered,
        ),
        system: scene.system_name(system).to_owned(),
        hosts: involved.into_iter().collect(),
        ports: vec![port.port],
        start: starts().min().unwrap_or(port.start),
        end: starts().max().unwrap_or(port.end),
        evidence: evidence([
            ("unanswered-fraction", unanswered),
            (
                "unanswered-fraction-other-ports",
                share(others.unanswered, others.all),
            ),
            ("share-of-reserved-port-flows", port.share),
            (
                "share-of-hosts",
                share(hosts.len() as u64, of_system as u64),
            ),
            ("destinations", victims.len() as f64),
            (
                "flows-to-top-victim",
                victims
                    .first()
                    .map_or(0.0, |(_, reached)| reached.flows as f64),
            ),
            ("flows-to-other-silent-destinations", set_aside as f64),
            ("contacts", port.contacts.all as f64),
            ("contacts-unanswered", port.contacts.unanswered as f64),
            ("chance", chance(port.contacts, others)),
        ]),
        samples: BTreeMap::from([(metric.to_owned(), samples)]),
        peers: victims.into_iter().map(|(ip, _)| ip).collect(),
        flows: scene.count(&selection),
        selection,
    })
}

/// The chance of at least so many unanswered contacts if each fails as often as the others do.
fn chance(port: Contacts, others: Contacts) -> f64 {
    // Laplace's rule keeps the rate off 0 and 1, and at a half where nothing is known.
    let rate = (others.unanswered + 1) as f64 / (others.all + 2) as f64;
    match port.unanswered.checked_sub(1) {
        None => 1.0,
        Some(fewer) => Binomial::new(rate, port.all).map_or(1.0, |null| null.sf(fewer)),
    }
}

/// How hosts of a system use ports over one transport.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// The reserved ones.
    ports: BTreeMap<u16, PortUse>,
    /// On all other ports.
    others: Contacts,
}

pub(crate) type UsesOf = BTreeMap<(SystemId, Transport), Uses>;

/// Those of every system, over either transport.
pub(crate) fn port_uses(scene: &Scene<'_>, of_hosts: &[Vec<Tried>]) -> UsesOf {
    let mut all = UsesOf::new();
    for (host, of_host) in scene.hosts().iter().zip(of_hosts) {
        let system = scene.system_name(host.system);
        for tried in of_host {
            let uses = all.entry((host.system, tried.transport)).or_default();
            uses.others.merge(tried.others);
            for contact in &tried.reserved {
                let of_port = uses
                    .ports
                    .entry(contact.port)
                    .or_insert_with(|| PortUse::new(system, tried.transport, contact.port));
                of_port.add(host.ip, scene.peer(contact.peer), contact);
            }
        }
    }
    for uses in all.values_mut() {
        let flows = uses.ports.values().map(|port| port.flows).sum();
        for port in uses.ports.values_mut() {
            port.share = share(port.flows, flows);
        }
    }
    all
}

/// What a host tried over one transport.
#[derive(Debug)]
pub(crate) struct Tried {
    transport: Transport,
    /// On ports that are not reserved, and on the family's own.
    others: Contacts,
    /// On all other ports up to 1024.
    reserved: Vec<Contact>,
}

/// What a host tried on one port of a peer.
#[derive(Clone, Copy, Debug)]
struct Contact {
    peer: PeerId,
    port: u16,
    flows: u64,
    unanswered: u64,
    /// First and last start of a flow.
    start: Timestamp,
    end: Timestamp,
}

impl Tried {
    /// What a host tried over TCP and over UDP, from its flows with each peer, by time; transports
    /// over which it tried nothing are left out.
    pub(crate) fn of<'f, F: Iterator<Item = &'f HostFlow>>(
        by_peer: impl Iterator<Item = (PeerId, F)>,
        family: &Family,
    ) -> Vec<Self> {
        let defaults = family.tcp_ports();
        let is_reserved =
            |port: u16| port <= RESERVED && !defaults.iter().any(|range| range.contains(port));
        let to = |flow: &&HostFlow| (flow.transport, flow.peer_port);
        let mut all: Vec<Self> = Vec::new();
        let mut tries: Vec<&HostFlow> = Vec::new();
        for (peer, flows) in by_peer {
            tries.clear();
            tries.extend(flows.filter(|flow| flow.is_initiated() && flow.is_decided()));
            // Stable: each port's flows stay in order of time.
            tries.sort_by_key(to);
            for flows in tries.chunk_by(|a, b| to(a) == to(b)) {
                let (transport, port) = to(&flows[0]);
                let contact = Contact {
                    peer,
                    port,
                    flows: flows.len() as u64,
                    unanswered: flows.iter().filter(|flow| has_no_response(flow)).count() as u64,
                    start: flows[0].start,
                    end: flows[flows.len() - 1].start,
                };
                let known = all.iter().position(|tried| tried.transport == transport);
                let index = known.unwrap_or_else(|| {
                    all.push(Self {
                        transport,
                        others: Contacts::default(),
                        reserved: Vec::new(),
                    });
                    all.len() - 1
                });
                if is_reserved(port) {
                    all[index].reserved.push(contact);
                } else {
                    all[index].others.add((contact.flows, contact.unanswered));
                }
            }
        }
        all
    }
}

impl PortUse {
    fn new(system: &str, transport: Transport, port: u16) -> Self {
        Self {
            system: system.to_owned(),
            transport,
            port,
            flows: 0,
            unanswered: 0,
            share: 0.0,
            hosts: BTreeSet::new(),
            destinations: BTreeMap::new(),
            start: Timestamp::MAX,
            end: Timestamp::MIN,
            contacts: Contacts::default(),
            reached: BTreeMap::new(),
        }
    }

    fn add(&mut self, host: IpAddr, peer: IpAddr, contact: &Contact) {
        self.flows += contact.flows;
        self.unanswered += contact.unanswered;
        self.contacts.add((contact.flows, contact.unanswered));
        self.hosts.insert(host);
        *self.destinations.entry(peer).or_default() += contact.flows;
        let reached = self.reached.entry(peer).or_default();
        reached.flows += contact.flows;
        reached.unanswered += contact.unanswered;
        reached.hosts.insert(host);
        self.start = self.start.min(contact.start);
        self.end = self.end.max(contact.end);
    }
}

fn has_no_response(flow: &HostFlow) -> bool {
    flow.is_in_vain() || flow.is_silent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_binomial_tail() {
        let others = Contacts {
            all: 98,
            unanswered: 49,
        };
        let port = |all, unanswered| Contacts { all, unanswered };
        // (49 + 1) / (98 + 2) is a half.
        assert!((chance(port(3, 3), others) - 0.125).abs() < 1e-12);
        assert!((chance(port(3, 2), others) - 0.5).abs() < 1e-12);
        assert!((chance(port(3, 0), others) - 1.0).abs() < 1e-12);
        assert!(chance(port(10_000, 10_000), others) <= 1e-300);
    }

    #[test]
    fn victims_are_silent_and_contacted_by_many() {
        let reached = |flows, unanswered, hosts: std::ops::Range<u8>| Reached {
            flows,
            unanswered,
            hosts: hosts.map(|host| IpAddr::from([10, 0, 0, host])).collect(),
        };
        let ip = |number| IpAddr::from([192, 0, 2, number]);
        let victims = |reached: &[Reached]| {
            let port = PortUse {
                system: String::new(),
                transport: Transport::Udp,
                port: 53,
                flows: 0,
                unanswered: 0,
                share: 0.0,
                hosts: BTreeSet::new(),
                destinations: BTreeMap::new(),
                start: Timestamp::MIN,
                end: Timestamp::MIN,
                contacts: Contacts::default(),
                reached: (0..).map(ip).zip(reached.iter().cloned()).collect(),
            };
            let victims = port.victims(0).into_iter().map(|(victim, _)| victim);
            victims.collect::<Vec<_>>()
        };
        let attacked = [
            reached(20, 19, 0..8),
            reached(30, 29, 0..8),
            // Answers, and has many callers; silent, and has one; silent, and each caller tries once.
            reached(20, 10, 0..8),
            reached(9, 9, 9..10),
            reached(3, 3, 0..3),
        ];
        assert_eq!(victims(&attacked), [ip(1), ip(0)]);
        // An attack so weak that every destination is contacted once.
        let weak = [reached(1, 1, 0..1), reached(1, 1, 1..2)];
        assert_eq!(victims(&weak), [ip(0), ip(1)]);
        assert!(victims(&[]).is_empty());
    }

    #[test]
    fn the_typical_pile_holds_the_thing_in_the_middle() {
        assert_eq!(typical(vec![]), 0);
        assert_eq!(typical(vec![3]), 3);
        assert_eq!(typical(vec![1, 1, 1, 5]), 5);
        assert_eq!(typical(vec![2, 1, 1]), 2);
        assert_eq!(typical(vec![4, 1, 1, 1, 1, 1]), 1);
    }

    #[test]
    fn a_contact_is_unanswered_by_the_majority_of_its_flows() {
        let mut contacts = Contacts::default();
        for counts in [(1, 1), (2, 1), (3, 2), (5, 0)] {
            contacts.add(counts);
        }
        assert_eq!(
            contacts,
            Contacts {
                all: 4,
                unanswered: 2
            }
        );
    }
}
