//! The address plan, and peers that are computed instead of stored.
//!
//! Outside peers are too many to hold: address, ports and whether a peer is gone are functions of
//! its number, so memory does not depend on how many there are.

use std::net::{IpAddr, Ipv4Addr};

use peerscope_flow::{Endpoint, Topology, Zone};

use crate::rng::{mix, unit};

/// The network of every scenario: monitored 10.10.0.0/16, provider 10.0.0.0/8.
pub(crate) fn topology() -> Topology {
    let net = |bits: u32, length| {
        // Both lengths are valid, so the fallback (one address) is never taken.
        let ip = IpAddr::V4(Ipv4Addr::from_bits(bits));
        peerscope_flow::IpNet::new(ip, length).unwrap_or_else(|_| ip.into())
    };
    Topology::new([net(MONITORED, 16)], [net(0x0a00_0000, 8)])
}

/// At most so many monitored hosts.
pub(crate) const MAX_HOSTS: u32 = 60_000;
/// At most so many peers in one population.
pub(crate) const MAX_PEERS: u32 = BLOCK;
/// At most so many systems: one block of provider addresses each, one for services.
pub(crate) const MAX_SYSTEMS: usize = 7;

const MONITORED: u32 = 0x0a0a_0000;
const BLOCK: u32 = 1 << 20;

/// The address of a monitored host; neighbours in number are no neighbours in address.
pub(crate) const fn monitored(host: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(MONITORED + (host.wrapping_mul(40_503).wrapping_add(7_919) & 0xffff))
}

/// The address of one of the servers and victims, which are numbered across the scenario.
pub(crate) const fn service(zone: Zone, number: u32) -> Ipv4Addr {
    outside(zone, number)
}

/// Multiplication by an odd number permutes the addresses of a power of two.
const fn outside(zone: Zone, number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(match zone {
        Zone::Monitored | Zone::Provider => {
            0x0a80_0000 + (number.wrapping_mul(5_150_117) & 0x7f_ffff)
        }
        Zone::Internet => 0x4000_0000 + (number.wrapping_mul(20_771_093) & 0x1ff_ffff),
    })
}

/// The outside peers of one system in one zone.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    pub(crate) zone: Zone,
    /// First number of its block of addresses.
    base: u32,
    pub(crate) size: u32,
    ports: Ports,
    gone: f64,
}

/// Which ports the hosts of a system use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) default_udp: u16,
    pub(crate) default_tcp: u16,
    pub(crate) random: f64,
    pub(crate) reserved: f64,
}

/// Ports below 1024 that users choose to get through firewalls, evenly.
const RESERVED: [u16; 32] = [
    20, 21, 22, 23, 25, 37, 69, 80, 81, 88, 110, 113, 119, 123, 135, 143, 161, 220, 389, 411, 443,
    465, 500, 512, 554, 587, 636, 666, 873, 993, 995, 1023,
];

impl Ports {
    /// UDP and TCP port of the host that `draw`, a random number, stands for.
    pub(crate) fn of(self, draw: u64) -> (u16, u16) {
        let kind = unit(draw);
        let more = mix(draw ^ 0x706f_7274);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "sixteen bits at a time are wanted"
        )]
        let (a, b) = (more as u16, (more >> 16) as u16);
        if kind < self.random {
            let high = |bits: u16| 1025 + bits % (u16::MAX - 1025);
            (high(a), high(b))
        } else if kind < self.random + self.reserved {
            let port = RESERVED[usize::from(a) % RESERVED.len()];
            (port, port)
        } else {
            (self.default_udp, self.default_tcp)
        }
    }
}

/// One outside peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) udp: Endpoint,
    pub(crate) tcp: Endpoint,
    hash: u64,
    gone: f64,
}

/// Peers come and go in blocks of two hours.
const PRESENCE_MICROS: i64 = 7_200 * 1_000_000;

impl Population {
    /// The population of the given system. `gone` is the share of its peers that do not answer at
    /// any one time, being away or behind a NAT.
    pub(crate) fn new(zone: Zone, system: u32, size: u32, ports: Ports, gone: f64) -> Self {
        Self {
            zone,
            base: (system + 1) * BLOCK,
            size,
            ports,
            gone,
        }
    }

    pub(crate) fn peer(&self, index: u32) -> Peer {
        let number = self.base + index;
        let hash = mix(u64::from(number) ^ 0x7065_6572_0000_0000);
        let (udp, tcp) = self.ports.of(hash);
        let ip = IpAddr::V4(outside(self.zone, number));
        Peer {
            udp: Endpoint::new(ip, udp),
            tcp: Endpoint::new(ip, tcp),
            hash,
            gone: self.gone,
        }
    }
}

impl Peer {
    /// Whether the peer does not answer at a time, in microseconds.
    pub(crate) const fn is_gone(&self, now: i64) -> bool {
        #[expect(clippy::cast_sign_loss, reason = "the bits are hashed")]
        let block = (now / PRESENCE_MICROS) as u64;
        unit(mix(self.hash ^ mix(block))) < self.gone
    }
}

/// A host's way through half of a population: every peer of the half once before any comes again.
///
/// Half of the peers are contacted by the host and the other half contact it, so that two flows
/// never share one conversation by accident.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    at: u32,
    step: u32,
    half: u32,
    parity: u32,
}

impl Walk {
    pub(crate) fn new(size: u32, parity: u32, bits: u64) -> Self {
        let half = (size / 2).max(1);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is below a u32"
        )]
        let below = |bits: u64| (bits % u64::from(half)) as u32;
        let mut step = below(mix(bits)).max(1);
        while gcd(step, half) != 1 {
            step += 1;
        }
        Self {
            at: below(bits),
            step,
            half,
            parity: parity & 1,
        }
    }

    pub(crate) const fn next(&mut self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is below a u32"
        )]
        let next = ((self.at as u64 + self.step as u64) % self.half as u64) as u32;
        self.at = next;
        2 * next + self.parity
    }
}

const fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PORTS: Ports = Ports {
        default_udp: 4672,
        default_tcp: 4662,
        random: 0.3,
        reserved: 0.01,
    };

    #[test]
    fn addresses_are_distinct_and_in_their_zone() {
        let topology = topology();
        let mut seen = HashSet::new();
        for host in 0..MAX_HOSTS {
            let ip = monitored(host);
            assert_eq!(topology.zone(IpAddr::from(ip)), Zone::Monitored);
            assert!(seen.insert(ip));
        }
        for zone in [Zone::Provider, Zone::Internet] {
            for system in [0, 6] {
                let population = Population::new(zone, system, 200_000, PORTS, 0.2);
                for index in 0..population.size {
                    let ip = population.peer(index).udp.ip;
                    assert_eq!(topology.zone(ip), zone);
                    let IpAddr::V4(ip) = ip else { unreachable!() };
                    assert!(seen.insert(ip));
                }
            }
        }
    }

    #[test]
    fn shares_of_a_population_are_those_asked_for() {
        let population = Population::new(Zone::Internet, 2, 100_000, PORTS, 0.2);
        let share = |test: &dyn Fn(Peer) -> bool| {
            let count = (0..population.size)
                .filter(|&i| test(population.peer(i)))
                .count();
            count as f64 / f64::from(population.size)
        };
        assert!((share(&|peer| peer.udp.port == 4672) - 0.69).abs() < 0.01);
        assert!((share(&|peer| peer.udp.port <= 1024) - 0.01).abs() < 0.002);
        assert!((share(&|peer| peer.is_gone(0)) - 0.2).abs() < 0.01);
        assert!(
            (share(&|peer| peer.is_gone(0) == peer.is_gone(PRESENCE_MICROS)) - 0.68).abs() < 0.01
        );
    }

    #[test]
    fn a_walk_meets_every_peer_of_its_half_before_any_again() {
        for size in [2, 3, 10, 1_000, 1_001] {
            let mut walk = Walk::new(size, 1, 99);
            let seen: HashSet<u32> = (0..size / 2).map(|_| walk.next()).collect();
            assert_eq!(seen.len(), usize::try_from(size / 2).unwrap());
            assert!(seen.iter().all(|peer| peer % 2 == 1 && *peer < size));
        }
    }
}
