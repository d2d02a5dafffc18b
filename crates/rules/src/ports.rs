//! Which ports name a service, and which are ephemeral.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use peerscope_flow::{PortRange, Transport};

/// Ports above 1023 that services are known to use; all below 1024 count as listed.
///
/// Source: IANA's service name registry, and for file sharing the clients' default ports.
const REGISTERED: [(u16, u16); 28] = [
    (1080, 1081), // SOCKS, PVUNIWIEN; WinHole
    (1194, 1194), // OpenVPN
    (1433, 1434), // Microsoft SQL Server
    (1521, 1521), // Oracle
    (1723, 1723), // PPTP
    (1812, 1813), // RADIUS
    (1863, 1863), // MSN Messenger
    (1900, 1900), // SSDP
    (2049, 2049), // NFS
    (3128, 3128), // Squid
    (3306, 3306), // MySQL
    (3389, 3389), // Remote Desktop
    (3478, 3478), // STUN
    (4661, 4662), // eDonkey
    (4672, 4672), // eMule, Kad
    (5060, 5061), // SIP
    (5190, 5190), // AIM
    (5222, 5223), // XMPP
    (5353, 5353), // multicast DNS
    (5355, 5355), // LLMNR
    (5432, 5432), // PostgreSQL
    (6346, 6349), // Gnutella
    (6379, 6379), // Redis
    (6660, 6669), // IRC
    (6881, 6889), // BitTorrent
    (8080, 8081), // HTTP
    (8443, 8443), // HTTPS
    (9001, 9001), // Tor
];

/// How server ports are told from ephemeral ones.
///
/// A *responder's* port names a service if, in order: TCP flows whose SYN was seen go to it and it
/// is used at least `min_uses` times (a passive FTP data port is a responder's port too, but is
/// used once); it is below 1024 or listed; at least `min_peers` distinct peers talk to it.
///
/// An *initiator's* port names a service if it is below 1024; over TCP if it is listed and the
/// responder's names none (a flow met in its midst, whose initiator is a guess); over UDP if it is
/// listed and both ends use it (5353 to 5353), or if `min_peers` distinct peers are reached from
/// it (a peer-to-peer client's one port). Protocols without ports keep their port 0.
///
/// What is counted (uses and peers) tells only of a port that carries at least one in
/// [`PortRules::CROWD`] of its host's uses: over a day a resolver asks many servers from each of
/// thousands of ports, and each port of a passive FTP server's range is used again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain parameters")]
pub struct PortRules {
    /// Ports of known services, beside all below 1024.
    pub services: Vec<PortRange>,
    /// Distinct peers that make any port a server port.
    pub min_peers: u32,
    /// Activities (starts, or returns after an idle gap) that make a SYN's target a server port.
    pub min_uses: u32,
}

impl PortRules {
    /// At most so many ports of a host are told by counts, for each must carry such a part of it.
    pub const CROWD: u32 = 20;
}

impl Default for PortRules {
    fn default() -> Self {
        Self {
            services: REGISTERED
                .iter()
                .filter_map(|&(first, last)| PortRange::new(first, last).ok())
                .collect(),
            min_peers: 10,
            min_uses: 3,
        }
    }
}

/// An endpoint by the number of its host.
pub(crate) type EndpointId = (u32, Transport, u16);

/// What the whole trace says about ports; filled in order of (src, dst).
#[derive(Debug)]
pub(crate) struct PortEvidence {
    listed: BTreeSet<u16>,
    rules: PortRules,
    responders: Uses,
    initiators: Uses,
}

/// Uses of ports, and of hosts' ports together.
#[derive(Debug)]
struct Uses {
    ports: HashMap<EndpointId, Use, FixedState>,
    hosts: HashMap<(u32, Transport), u64, FixedState>,
}

impl Uses {
    fn new() -> Self {
        Self {
            ports: HashMap::with_hasher(FixedState::with_seed(0)),
            hosts: HashMap::with_hasher(FixedState::with_seed(0)),
        }
    }

    fn add(&mut self, id: EndpointId, peer: u32, uses: u32, syn: bool) {
        self.ports
            .entry(id)
            .or_insert(Use::NONE)
            .add(peer, uses, syn);
        *self.hosts.entry((id.0, id.1)).or_default() += u64::from(uses);
    }

    /// The uses of a port, unless it is one of a crowd.
    fn of(&self, id: EndpointId) -> Option<Use> {
        let seen = *self.ports.get(&id)?;
        let all = *self.hosts.get(&(id.0, id.1))?;
        (u64::from(seen.uses) * u64::from(PortRules::CROWD) >= all).then_some(seen)
    }
}

#[derive(Clone, Copy, Debug)]
struct Use {
    syn: bool,
    uses: u32,
    peers: u32,
    last_peer: u32,
}

impl Use {
    const NONE: Self = Self {
        syn: false,
        uses: 0,
        peers: 0,
        last_peer: u32::MAX,
    };

    fn add(&mut self, peer: u32, uses: u32, syn: bool) {
        self.syn |= syn;
        self.uses = self.uses.saturating_add(uses);
        // Conversations come ordered by host, so a new peer differs from the last one.
        if self.last_peer != peer {
            self.last_peer = peer;
            self.peers += 1;
        }
    }
}

/// One 5-tuple over the whole trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversation {
    pub(crate) src: u32,
    pub(crate) dst: u32,
    pub(crate) transport: Transport,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
}

impl PortEvidence {
    pub(crate) fn new(rules: &PortRules) -> Self {
        Self {
            listed: rules
                .services
                .iter()
                .flat_map(|range| range.first()..=range.last())
                .collect(),
            rules: rules.clone(),
            responders: Uses::new(),
            initiators: Uses::new(),
        }
    }

    /// Adds a conversation with its number of activities. Calls come ordered by (src, dst).
    pub(crate) fn add(&mut self, talk: &Conversation, uses: u32, syn: bool) {
        if matches!(talk.transport, Transport::Other(_)) {
            return;
        }
        if !self.is_listed(talk.dst_port) {
            let id = (talk.dst, talk.transport, talk.dst_port);
            self.responders.add(id, talk.src, uses, syn);
        }
        // Of a TCP client's ports nothing is counted: only UDP clients live on one port.
        if talk.transport == Transport::Udp && talk.src_port >= 1024 {
            let id = (talk.src, talk.transport, talk.src_port);
            self.initiators.add(id, talk.dst, uses, syn);
        }
    }

    /// The ports that stand in the conversation's flow group.
    pub(crate) fn ports(&self, talk: &Conversation) -> (Option<u16>, Option<u16>) {
        let dst = self.is_responder_port(talk).then_some(talk.dst_port);
        let src = self.is_initiator_port(talk).then_some(talk.src_port);
        (src, dst)
    }

    fn is_responder_port(&self, talk: &Conversation) -> bool {
        matches!(talk.transport, Transport::Other(_))
            || self.is_listed(talk.dst_port)
            || self
                .responders
                .of((talk.dst, talk.transport, talk.dst_port))
                .is_some_and(|seen| {
                    (seen.syn && seen.uses >= self.rules.min_uses)
                        || seen.peers >= self.rules.min_peers
                })
    }

    fn is_initiator_port(&self, talk: &Conversation) -> bool {
        match talk.transport {
            Transport::Other(_) => true,
            _ if talk.src_port < 1024 => true,
            Transport::Tcp => self.is_listed(talk.src_port) && !self.is_responder_port(talk),
            Transport::Udp => {
                (talk.src_port == talk.dst_port && self.is_listed(talk.src_port))
                    || self
                        .initiators
                        .of((talk.src, talk.transport, talk.src_port))
                        .is_some_and(|seen| seen.peers >= self.rules.min_peers)
            }
        }
    }

    fn is_listed(&self, port: u16) -> bool {
        port < 1024 || self.listed.contains(&port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(
        transport: Transport,
        src: u32,
        src_port: u16,
        dst: u32,
        dst_port: u16,
    ) -> Conversation {
        Conversation {
            src,
            dst,
            transport,
            src_port,
            dst_port,
        }
    }

    #[test]
    fn every_kind_of_evidence_names_a_port() {
        let mut evidence = PortEvidence::new(&PortRules::default());
        let service = talk(Transport::Tcp, 1, 50_000, 2, 7777);
        let passive = talk(Transport::Tcp, 1, 50_001, 2, 50_123);
        let midstream = talk(Transport::Tcp, 1, 50_002, 3, 7777);
        evidence.add(&service, 3, true);
        evidence.add(&passive, 1, true);
        evidence.add(&midstream, 9, false);
        assert_eq!(evidence.ports(&service), (None, Some(7777)));
        assert_eq!(evidence.ports(&passive), (None, None));
        assert_eq!(evidence.ports(&midstream), (None, None));
        for src in 10..20 {
            evidence.add(&talk(Transport::Udp, src, 50_000, 4, 9999), 1, false);
        }
        assert_eq!(
            evidence.ports(&talk(Transport::Udp, 10, 50_000, 4, 9999)),
            (None, Some(9999))
        );
        for dst in 10..20 {
            evidence.add(&talk(Transport::Udp, 30, 51_413, dst, 40_000), 1, false);
        }
        assert_eq!(
            evidence.ports(&talk(Transport::Udp, 30, 51_413, 10, 40_000)),
            (Some(51_413), None)
        );
    }

    #[test]
    fn listed_ports_and_protocols_without_ports_stand_as_they_are() {
        let evidence = PortEvidence::new(&PortRules::default());
        for (talk, expected) in [
            (talk(Transport::Udp, 1, 137, 2, 137), (Some(137), Some(137))),
            (
                talk(Transport::Udp, 1, 5353, 2, 5353),
                (Some(5353), Some(5353)),
            ),
            (talk(Transport::Udp, 1, 5353, 2, 53), (None, Some(53))),
            (talk(Transport::Tcp, 1, 22, 2, 22), (Some(22), Some(22))),
            (talk(Transport::Tcp, 1, 5190, 2, 1863), (None, Some(1863))),
            (talk(Transport::Tcp, 1, 9001, 2, 40_000), (Some(9001), None)),
            (talk(Transport::ICMP, 1, 0, 2, 0), (Some(0), Some(0))),
        ] {
            assert_eq!(evidence.ports(&talk), expected, "{talk:?}");
        }
    }

    #[test]
    fn one_port_of_a_crowd_names_no_service() {
        let mut evidence = PortEvidence::new(&PortRules::default());
        // A resolver on ever new ports, and a passive FTP server with a range of 50.
        let ask = |port: u16, server: u32| talk(Transport::Udp, 1, 30_000 + port, 100 + server, 53);
        for server in 0..12 {
            (0..50).for_each(|port| evidence.add(&ask(port, server), 1, false));
        }
        let transfer =
            |port: u16, client: u32| talk(Transport::Tcp, client, 40_000, 2, 50_000 + port);
        for client in 3..20 {
            (0..50).for_each(|port| evidence.add(&transfer(port, client), 1, true));
        }
        assert_eq!(evidence.ports(&ask(7, 3)), (None, Some(53)));
        assert_eq!(evidence.ports(&transfer(7, 5)), (None, None));
    }
}
