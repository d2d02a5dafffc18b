//! Zones of a network by longest-prefix match.

use ipnet::IpNet;

use crate::AddressBits;

/// Where an address lies, seen from the network under study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(clippy::exhaustive_enums, reason = "the three zones of the method")]
pub enum Zone {
    /// The hosts under study (the paper's MiniPoP).
    Monitored,
    /// The rest of the provider's network.
    Provider,
    /// Everything else.
    Internet,
}

impl Zone {
    /// Whether the zone is inside the provider's network; monitored hosts are.
    pub const fn is_inside_isp(self) -> bool {
        matches!(self, Self::Monitored | Self::Provider)
    }
}

/// Address plan of a network: monitored and provider prefixes, matched by the longest prefix.
///
/// Of two equal prefixes the monitored one wins. With feature `serde` it reads and writes the
/// canonical topology JSON `{"monitored": ["10.10.0.0/16"], "provider": ["10.0.0.0/8"]}`.
///
/// A lookup is a binary search over disjoint address ranges: O(log n) for n prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Prefixes", into = "Prefixes"))]
pub struct Topology {
    prefixes: Prefixes,
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
struct Prefixes {
    monitored: Vec<IpNet>,
    #[cfg_attr(feature = "serde", serde(default))]
    provider: Vec<IpNet>,
}

impl Topology {
    /// A topology from the prefixes of the monitored hosts and of the provider.
    pub fn new(
        monitored: impl IntoIterator<Item = IpNet>,
        provider: impl IntoIterator<Item = IpNet>,
    ) -> Self {
        Self::from(Prefixes {
            monitored: monitored.into_iter().collect(),
            provider: provider.into_iter().collect(),
        })
    }

    /// Every address is monitored: useful where the input holds the hosts of interest only.
    pub fn everything_monitored() -> Self {
        let all = [
            IpNet::V4(ipnet::Ipv4Net::default()),
            IpNet::V6(ipnet::Ipv6Net::default()),
        ];
        Self::new(all, [])
    }

    /// The zone of an address. IPv4-mapped IPv6 addresses count as IPv4.
    #[inline]
    pub fn zone(&self, ip: impl Into<AddressBits>) -> Zone {
        let bits = ip.into();
        match bits.to_v4_bits() {
            Some(v4) => self.v4.zone(v4),
            None => self.v6.zone(bits.to_bits()),
        }
    }

    /// The prefixes of the monitored hosts, as given.
    pub fn monitored(&self) -> &[IpNet] {
        &self.prefixes.monitored
    }

    /// The prefixes of the provider, as given.
    pub fn provider(&self) -> &[IpNet] {
        &self.prefixes.provider
    }
}

impl From<Prefixes> for Topology {
    fn from(prefixes: Prefixes) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        let zoned = [
            (&prefixes.monitored, Zone::Monitored),
            (&prefixes.provider, Zone::Provider),
        ];
        for (nets, zone) in zoned {
            for net in nets {
                match net {
                    IpNet::V4(net) => {
                        let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                        v4.push(Block { first, last, zone });
                    }
                    IpNet::V6(net) => {
                        let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                        v6.push(Block { first, last, zone });
                    }
                }
            }
        }
        Self {
            prefixes,
            v4: Ranges::new(v4, |a| a.checked_add(1)),
            v6: Ranges::new(v6, |a| a.checked_add(1)),
        }
    }
}

impl From<Topology> for Prefixes {
    fn from(topology: Topology) -> Self {
        topology.prefixes
    }
}

/// The addresses of one prefix.
#[derive(Clone, Copy)]
struct Block<A> {
    first: A,
    last: A,
    zone: Zone,
}

/// Ascending starts of disjoint ranges; each reaches to the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ranges<A> {
    starts: Vec<(A, Zone)>,
}

impl<A: Ord + Copy> Ranges<A> {
    /// Flattens nested prefixes: prefixes either contain one another or are disjoint, so one pass
    /// with a stack of the enclosing ones finds where each longest match begins and ends.
    fn new(mut blocks: Vec<Block<A>>, next: impl Fn(A) -> Option<A>) -> Self {
        // Outer before inner; of equal prefixes the monitored one last, hence innermost.
        blocks.sort_by(|a, b| {
            (
                a.first,
                std::cmp::Reverse(a.last),
                std::cmp::Reverse(a.zone),
            )
                .cmp(&(
                    b.first,
                    std::cmp::Reverse(b.last),
                    std::cmp::Reverse(b.zone),
                ))
        });
        let mut starts = Vec::new();
        let mut open: Vec<Block<A>> = Vec::new();
        let close = |open: &mut Vec<Block<A>>, starts: &mut Vec<(A, Zone)>| {
            if let Some(closed) = open.pop()
                && let Some(after) = next(closed.last)
            {
                starts.push((
                    after,
                    open.last().map_or(Zone::Internet, |outer| outer.zone),
                ));
            }
        };
        for block in blocks {
            while open.last().is_some_and(|outer| outer.last < block.first) {
                close(&mut open, &mut starts);
            }
            starts.push((block.first, block.zone));
            open.push(block);
        }
        while !open.is_empty() {
            close(&mut open, &mut starts);
        }
        // Several ranges may begin at one address: the last one pushed is the true one.
        let mut flat: Vec<(A, Zone)> = Vec::with_capacity(starts.len());
        for (start, zone) in starts {
            match flat.last_mut() {
                Some(last) if last.0 == start => last.1 = zone,
                _ => flat.push((start, zone)),
            }
        }
        flat.dedup_by(|later, earlier| later.1 == earlier.1);
        Self { starts: flat }
    }

    fn zone(&self, address: A) -> Zone {
        // Few ranges are counted without a branch to mispredict.
        let after = if self.starts.len() <= 16 {
            self.starts
                .iter()
                .map(|&(start, _)| usize::from(start <= address))
                .sum()
        } else {
            self.starts.partition_point(|&(start, _)| start <= address)
        };
        match after {
            0 => Zone::Internet,
            after => self.starts[after - 1].1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    use proptest::prelude::*;

    fn topology(monitored: &[&str], provider: &[&str]) -> Topology {
        let parse = |list: &[&str]| {
            list.iter()
                .map(|net| net.parse().unwrap())
                .collect::<Vec<_>>()
        };
        Topology::new(parse(monitored), parse(provider))
    }

    #[test]
    fn the_longest_prefix_decides() {
        let topology = topology(
            &["10.10.0.0/16", "2001:db8:1::/48"],
            &["10.0.0.0/8", "10.10.5.0/24", "2001:db8::/32"],
        );
        let zone = |ip: &str| topology.zone(ip.parse::<IpAddr>().unwrap());
        assert_eq!(zone("10.10.0.1"), Zone::Monitored);
        assert_eq!(zone("10.10.5.255"), Zone::Provider);
        assert_eq!(zone("10.10.6.0"), Zone::Monitored);
        assert_eq!(zone("10.255.255.255"), Zone::Provider);
        assert_eq!(zone("11.0.0.0"), Zone::Internet);
        assert_eq!(zone("9.255.255.255"), Zone::Internet);
        assert_eq!(zone("2001:db8:1::7"), Zone::Monitored);
        assert_eq!(zone("2001:db8:2::7"), Zone::Provider);
        assert_eq!(zone("2001:db9::"), Zone::Internet);
        assert_eq!(zone("::ffff:10.10.0.1"), Zone::Monitored);
    }

    #[test]
    fn equal_prefixes_are_monitored_and_the_whole_space_may_be_given() {
        assert_eq!(
            topology(&["10.0.0.0/8"], &["10.0.0.0/8"]).zone("10.1.1.1".parse::<IpAddr>().unwrap()),
            Zone::Monitored
        );
        let all = Topology::everything_monitored();
        for ip in ["0.0.0.0", "255.255.255.255", "::", "ffff::ffff"] {
            assert_eq!(all.zone(ip.parse::<IpAddr>().unwrap()), Zone::Monitored);
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn canonical_json_round_trips() {
        let text = r#"{"monitored":["10.10.0.0/16"],"provider":["10.0.0.0/8"]}"#;
        let topology: Topology = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&topology).unwrap(), text);
        assert!(serde_json::from_str::<Topology>(r#"{"monitored":["10.10.0.0/99"]}"#).is_err());
    }

    /// Textbook longest-prefix match.
    fn oracle(topology: &Topology, ip: IpAddr) -> Zone {
        let candidates = topology
            .monitored()
            .iter()
            .map(|net| (net, Zone::Monitored));
        candidates
            .chain(topology.provider().iter().map(|net| (net, Zone::Provider)))
            .filter(|(net, _)| net.contains(&ip))
            .max_by_key(|(net, zone)| (net.prefix_len(), *zone == Zone::Monitored))
            .map_or(Zone::Internet, |(_, zone)| zone)
    }

    fn net() -> impl Strategy<Value = IpNet> {
        (0_u32..64, 26_u8..=32)
            .prop_map(|(low, len)| IpNet::new(IpAddr::V4(low.into()), len).unwrap().trunc())
    }

    #[cfg(feature = "serde")]
    fn any_net() -> impl Strategy<Value = IpNet> {
        (any::<IpAddr>(), 0_u8..=128).prop_map(|(ip, len)| {
            let longest = if ip.is_ipv4() { 32 } else { 128 };
            IpNet::new(ip, len.min(longest)).unwrap()
        })
    }

    #[cfg(feature = "serde")]
    proptest! {
        #[test]
        fn topologies_survive_their_json(
            monitored in prop::collection::vec(any_net(), 0..6),
            provider in prop::collection::vec(any_net(), 0..6),
        ) {
            let topology = Topology::new(monitored, provider);
            let text = serde_json::to_string(&topology).unwrap();
            let read: Topology = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read, &topology);
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn flattened_ranges_equal_the_textbook(
            monitored in prop::collection::vec(net(), 0..6),
            provider in prop::collection::vec(net(), 0..6),
        ) {
            let topology = Topology::new(monitored, provider);
            for low in 0_u32..70 {
                let ip = IpAddr::V4(low.into());
                prop_assert_eq!(topology.zone(ip), oracle(&topology, ip));
            }
        }
    }
}
