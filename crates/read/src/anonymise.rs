//! Prefix-preserving anonymisation of addresses (Crypto-PAn).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use aes::Aes128Enc;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use peerscope_flow::{Endpoint, Flow, IpNet, Topology};
use thiserror::Error;

/// The secret of an [`Anonymiser`]: 32 bytes, as text 64 hexadecimal digits.
///
/// Whoever has it can undo the anonymisation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AnonymiserKey([u8; 32]);

/// Text that is no key. It is not repeated in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a key is 64 hexadecimal digits (32 bytes), not {0} characters of any kind")]
#[non_exhaustive]
pub struct KeyError(pub usize);

impl AnonymiserKey {
    /// A key from its bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for AnonymiserKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let bad = KeyError(text.chars().count());
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(bad)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for AnonymiserKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnonymiserKey(..)")
    }
}

/// Replaces addresses by others, one to one: two addresses that share a prefix of n bits, and no
/// more, are replaced by two that share a prefix of n bits, and no more.
///
/// Hence subnets stay subnets and a topology that is anonymised with the same key gives every
/// address the zone it had. Ports, times, volumes and labels are not touched: they may betray a
/// host to someone who has seen its traffic elsewhere. IPv4 and IPv6 addresses are mapped apart.
///
/// The mapping is Crypto-PAn (J. Xu, J. Fan, M. Ammar, S. Moon: Prefix-Preserving IP Address
/// Anonymization, ICNP 2002), with AES-128, the same as other implementations give for the key.
///
/// ```
/// use peerscope_read::{Anonymiser, AnonymiserKey};
///
/// let anonymiser = Anonymiser::new(&AnonymiserKey::new([7; 32])).with_groups_kept();
/// let [a, b] = ["192.0.2.1", "192.0.2.130"].map(|ip| anonymiser.address(ip.parse().unwrap()));
/// let subnet = anonymiser.prefix("192.0.2.0/24".parse()?);
/// assert!(subnet.contains(&a) && subnet.contains(&b) && a != b);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Anonymiser {
    cipher: Aes128Enc,
    pad: u128,
    groups: Groups,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Groups {
    Mapped,
    Kept,
}

impl Anonymiser {
    /// The mapping of a key, exactly Crypto-PAn.
    pub fn new(key: &AnonymiserKey) -> Self {
        let mut halves = [[0; 16]; 2];
        for (half, bytes) in halves.iter_mut().zip(key.0.chunks_exact(16)) {
            half.copy_from_slice(bytes);
        }
        let cipher = Aes128Enc::new(&halves[0].into());
        let mut pad = halves[1].into();
        cipher.encrypt_block(&mut pad);
        Self {
            cipher,
            pad: u128::from_be_bytes(pad.into()),
            groups: Groups::Mapped,
        }
    }

    /// Keeps multicast addresses multicast, the limited broadcast as it is, and all others neither.
    ///
    /// An analysis that leaves group addresses out then gives the same after anonymisation. The
    /// price is that the number of leading ones of an address shows, for IPv4 its class. It is
    /// still prefix-preserving, but no longer what other implementations give.
    #[must_use]
    pub const fn with_groups_kept(mut self) -> Self {
        self.groups = Groups::Kept;
        self
    }

    /// The address that stands for this one. IPv4-mapped IPv6 addresses count as IPv4.
    ///
    /// # Complexity
    ///
    /// One block of AES for each bit of the address.
    pub fn address(&self, ip: IpAddr) -> IpAddr {
        match ip.to_canonical() {
            IpAddr::V4(v4) => self.v4(v4).into(),
            IpAddr::V6(v6) => self.v6(v6).into(),
        }
    }

    /// The prefix that holds the replaced addresses of this one's addresses, and no others.
    pub fn prefix(&self, net: IpNet) -> IpNet {
        let network = match net.network() {
            IpAddr::V4(v4) => self.v4(v4).into(),
            IpAddr::V6(v6) => self.v6(v6).into(),
        };
        IpNet::new(network, net.prefix_len()).map_or(net, |net| net.trunc())
    }

    /// A topology in which replaced addresses have the zones that they had before.
    pub fn topology(&self, topology: &Topology) -> Topology {
        let replaced =
            |nets: &[IpNet]| nets.iter().map(|&net| self.prefix(net)).collect::<Vec<_>>();
        Topology::new(
            replaced(topology.monitored()),
            replaced(topology.provider()),
        )
    }

    /// The flow between the replaced addresses.
    #[must_use]
    pub fn flow(&self, flow: Flow) -> Flow {
        let replaced = |end: Endpoint| Endpoint {
            ip: self.address(end.ip),
            ..end
        };
        Flow {
            src: replaced(flow.src),
            dst: replaced(flow.dst),
            ..flow
        }
    }

    /// Any stream of flows, replaced one by one; errors pass unchanged.
    pub fn flows<E>(
        &self,
        flows: impl IntoIterator<Item = Result<Flow, E>>,
    ) -> impl Iterator<Item = Result<Flow, E>> {
        flows
            .into_iter()
            .map(|flow| flow.map(|flow| self.flow(flow)))
    }

    fn v4(&self, address: Ipv4Addr) -> Ipv4Addr {
        let flips = self.flips::<32>(u128::from(address.to_bits()) << 96) >> 96;
        Ipv4Addr::from_bits(address.to_bits() ^ flips as u32)
    }

    fn v6(&self, address: Ipv6Addr) -> Ipv6Addr {
        Ipv6Addr::from_bits(address.to_bits() ^ self.flips::<128>(address.to_bits()))
    }

    /// The bits to flip in a left-aligned address of `BITS` bits: bit i by the i bits before it,
    /// filled up with the pad, encrypted.
    fn flips<const BITS: usize>(&self, address: u128) -> u128 {
        let mut blocks = [Block::<Aes128Enc>::default(); BITS];
        for (i, block) in blocks.iter_mut().enumerate() {
            let before = u128::MAX.checked_shl(128 - u32_of(i)).unwrap_or(0);
            let input = (address & before) | (self.pad & !before);
            *block = input.to_be_bytes().into();
        }
        self.cipher.encrypt_blocks(&mut blocks);
        let mut flips = 0;
        for (i, block) in blocks.iter().enumerate() {
            flips |= u128::from(block[0] >> 7) << (127 - i);
        }
        match self.groups {
            Groups::Mapped => flips,
            // The leading ones and the zero that ends them.
            Groups::Kept => {
                flips
                    & u128::MAX
                        .checked_shr(address.leading_ones() + 1)
                        .unwrap_or(0)
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "an index of a bit, below 128"
)]
const fn u32_of(i: usize) -> u32 {
    i as u32
}

impl fmt::Debug for Anonymiser {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anonymiser")
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_flow::is_group_address;
    use proptest::prelude::*;

    /// The key of the sample that comes with the authors' implementation.
    const SAMPLE: AnonymiserKey = AnonymiserKey::new([
        21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131,
        121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2,
    ]);

    #[test]
    fn published_sample() {
        let anonymiser = Anonymiser::new(&SAMPLE);
        for (original, replaced) in [
            ("128.11.68.132", "135.242.180.132"),
            ("129.118.74.4", "134.136.186.123"),
            ("130.132.252.244", "133.68.164.234"),
            ("141.223.7.43", "141.167.8.160"),
            ("141.233.145.108", "141.129.237.235"),
            ("152.163.225.39", "151.140.114.167"),
            ("156.29.3.236", "147.225.12.42"),
            ("165.247.96.84", "162.9.99.234"),
            ("166.107.77.190", "160.132.178.185"),
            ("192.102.249.13", "252.138.62.131"),
            ("192.215.32.125", "252.43.47.189"),
            ("198.51.77.238", "249.18.186.254"),
            ("204.29.20.4", "243.33.20.123"),
            // Not of the sample, which has no IPv6: as yacryptopan 1.0 gives.
            ("::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"),
            ("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"),
            ("fe80::1", "cf7f:c0e:1fc3:da1c:70:b18e:f7f3:2101"),
        ] {
            let given = anonymiser.address(original.parse().unwrap());
            assert_eq!(given.to_string(), replaced, "{original}");
        }
    }

    /// The definition, bit by bit and with no batches.
    fn oracle(key: &AnonymiserKey, ip: Ipv4Addr) -> Ipv4Addr {
        let cipher = Aes128Enc::new_from_slice(&key.0[..16]).unwrap();
        let mut pad = Block::<Aes128Enc>::try_from(&key.0[16..]).unwrap();
        cipher.encrypt_block(&mut pad);
        let pad_bits = u32::from_be_bytes([pad[0], pad[1], pad[2], pad[3]]);
        let mut result = 0;
        for i in 0..32 {
            let own = if i == 0 {
                0
            } else {
                ip.to_bits() >> (32 - i) << (32 - i)
            };
            let mut block = pad;
            block[..4].copy_from_slice(&(own | pad_bits << i >> i).to_be_bytes());
            cipher.encrypt_block(&mut block);
            result = result << 1 | u32::from(block[0] >> 7);
        }
        Ipv4Addr::from_bits(result ^ ip.to_bits())
    }

    fn common_prefix(a: IpAddr, b: IpAddr) -> Option<u32> {
        match (a, b) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
            (IpAddr::V6(a), IpAddr::V6(b)) => Some((a.to_bits() ^ b.to_bits()).leading_zeros()),
            _ => None,
        }
    }

    fn nets() -> impl Strategy<Value = Vec<IpNet>> {
        prop::collection::vec(
            (any::<IpAddr>(), 0_u8..=32)
                .prop_map(|(ip, len)| IpNet::new(ip.to_canonical(), len).unwrap()),
            0..4,
        )
    }

    proptest! {
        #[test]
        fn equals_the_definition(key: [u8; 32], ip: Ipv4Addr) {
            let key = AnonymiserKey::new(key);
            prop_assert_eq!(Anonymiser::new(&key).address(ip.into()), IpAddr::V4(oracle(&key, ip)));
        }

        #[test]
        fn prefixes_and_zones_survive(
            key: [u8; 32],
            a: IpAddr,
            low in 0_u32..=128,
            noise: u128,
            monitored in nets(),
            provider in nets(),
        ) {
            let a = a.to_canonical();
            let b = match a {
                IpAddr::V4(v4) => {
                    #[expect(clippy::cast_possible_truncation, reason = "noise")]
                    let noise = (noise as u32).checked_shr(low).unwrap_or(0);
                    IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() ^ noise))
                }
                IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() ^ noise.checked_shr(low).unwrap_or(0))),
            };
            let key = AnonymiserKey::new(key);
            for anonymiser in [Anonymiser::new(&key), Anonymiser::new(&key).with_groups_kept()] {
                let (x, y) = (anonymiser.address(a), anonymiser.address(b));
                prop_assert_eq!(common_prefix(a, b), common_prefix(x, y));
                // Nested prefixes around the address, so that zones differ.
                let nets = |nets: &[IpNet]| -> Vec<IpNet> {
                    nets.iter().copied().chain([IpNet::new(a, 20).unwrap()]).collect()
                };
                let topology = Topology::new(nets(&monitored), provider.iter().copied().chain([IpNet::new(a, 9).unwrap(), IpNet::new(b, 24).unwrap()]));
                let replaced = anonymiser.topology(&topology);
                prop_assert_eq!(topology.zone(a), replaced.zone(x));
                prop_assert_eq!(topology.zone(b), replaced.zone(y));
            }
            let kept = Anonymiser::new(&key).with_groups_kept();
            prop_assert_eq!(is_group_address(a), is_group_address(kept.address(a)));
        }
    }

    #[test]
    fn groups_are_kept_on_demand() {
        let key = AnonymiserKey::new([9; 32]);
        let kept = Anonymiser::new(&key).with_groups_kept();
        for ip in [
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "ff02::fb",
            "223.255.255.255",
            "240.0.0.1",
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(
                is_group_address(ip),
                is_group_address(kept.address(ip)),
                "{ip}"
            );
        }
        let broadcast = IpAddr::V4(Ipv4Addr::BROADCAST);
        assert_eq!(kept.address(broadcast), broadcast);
    }

    #[test]
    fn keys_are_hexadecimal_and_secret() {
        let text = "00".repeat(31) + "fF\n";
        let mut bytes = [0; 32];
        bytes[31] = 0xff;
        assert_eq!(text.parse(), Ok(AnonymiserKey::new(bytes)));
        for text in ["", "00", &"0g".repeat(32), &"é".repeat(64)] {
            assert!(text.parse::<AnonymiserKey>().is_err(), "{text}");
        }
        assert!(!format!("{:?}", AnonymiserKey::new([77; 32])).contains("77"));
    }
}
