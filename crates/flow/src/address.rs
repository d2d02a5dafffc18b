//! Addresses as numbers.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

/// An address as one number: IPv6 as it is, IPv4 mapped into `::ffff:0:0/96`.
///
/// An IPv4-mapped IPv6 address and its IPv4 address are the same number. IPv4 sorts before IPv6,
/// as in [`IpAddr`]. Cheaper to copy, compare and hash than an [`IpAddr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressBits(u128);

const V4_MAPPED: u128 = 0xFFFF_0000_0000;

impl AddressBits {
    /// The number, as [`Ipv6Addr::to_bits`] gives it.
    #[inline]
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// The IPv4 address as a number, or `None` for IPv6.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the mapped address")]
    pub const fn to_v4_bits(self) -> Option<u32> {
        if self.0 >> 32 == V4_MAPPED >> 32 {
            Some(self.0 as u32)
        } else {
            None
        }
    }

    /// Its place among all addresses: IPv4 before IPv6.
    #[inline]
    const fn rank(self) -> u128 {
        match self.to_v4_bits() {
            Some(v4) => v4 as u128,
            // The addresses before the mapped ones make room for these.
            None if self.0 < V4_MAPPED => self.0 + (1 << 32),
            None => self.0,
        }
    }

    /// Whether it names a group (multicast, or the limited IPv4 broadcast), not one host.
    #[inline]
    pub const fn is_group(self) -> bool {
        match self.to_v4_bits() {
            Some(v4) => v4 >> 28 == 0xE || v4 == u32::MAX,
            None => self.0 >> 120 == 0xFF,
        }
    }

    /// The address without the host part of an IPv6 prefix; IPv4 addresses stay as they are.
    #[inline]
    #[must_use]
    pub const fn masked_v6(self, mask: u128) -> Self {
        match self.to_v4_bits() {
            Some(_) => self,
            None => Self(self.0 & mask),
        }
    }
}

impl From<IpAddr> for AddressBits {
    #[inline]
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self(V4_MAPPED | u128::from(v4.to_bits())),
            IpAddr::V6(v6) => Self(v6.to_bits()),
        }
    }
}

impl From<AddressBits> for IpAddr {
    fn from(bits: AddressBits) -> Self {
        Self::V6(Ipv6Addr::from_bits(bits.0)).to_canonical()
    }
}

impl Ord for AddressBits {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for AddressBits {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
            (0_u32..3).prop_map(|low| IpAddr::V4((u32::MAX - low).into())),
            (0xDFFF_FFFE_u32..0xE000_0002).prop_map(|bits| IpAddr::V4(bits.into())),
            (0xEFFF_FFFE_u32..0xF000_0002).prop_map(|bits| IpAddr::V4(bits.into())),
            any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
            (0xFD_u128..=0xFF).prop_map(|top| IpAddr::V6((top << 120 | 1).into())),
            (0_u128..4).prop_map(|low| IpAddr::V6((V4_MAPPED - 2 + low).into())),
        ]
    }

    proptest! {
        #[test]
        fn numbers_mean_what_addresses_mean(a in ip(), b in ip()) {
            let (x, y) = (AddressBits::from(a), AddressBits::from(b));
            prop_assert_eq!(IpAddr::from(x), a.to_canonical());
            prop_assert_eq!(x.cmp(&y), a.to_canonical().cmp(&b.to_canonical()));
            let group = match a.to_canonical() {
                IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
                IpAddr::V6(v6) => v6.is_multicast(),
            };
            prop_assert_eq!(x.is_group(), group);
            prop_assert_eq!(x.to_v4_bits().is_some(), a.to_canonical().is_ipv4());
            if let IpAddr::V6(v6) = a.to_canonical() {
                let mask = u128::MAX << 64;
                prop_assert_eq!(x.masked_v6(mask).to_bits(), v6.to_bits() & mask);
            }
        }
    }
}
