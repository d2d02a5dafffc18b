//! Addresses from text and back, fast for IPv4.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Problem;

/// An address in the forms that `IpAddr::from_str` takes; IPv4-mapped addresses become IPv4.
pub(crate) fn parse(text: &[u8]) -> Result<IpAddr, Problem> {
    if let Some(address) = parse_v4(text) {
        return Ok(IpAddr::V4(address));
    }
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<Ipv6Addr>().ok())
        .map(|address| IpAddr::V6(address).to_canonical())
        .ok_or(Problem::NotAnAddress)
}

/// Four decimal octets without leading zeros.
fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    if !(7..=15).contains(&text.len()) {
        return None;
    }
    let mut bits = 0_u32;
    let mut octet = 0_u32;
    let mut digits = 0;
    let mut points = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            if digits > 0 && octet == 0 {
                return None;
            }
            octet = octet * 10 + u32::from(digit);
            digits += 1;
            if octet > 255 {
                return None;
            }
        } else if byte == b'.' && digits > 0 {
            bits = (bits << 8) | octet;
            (octet, digits) = (0, 0);
            points += 1;
        } else {
            return None;
        }
    }
    (points == 3 && digits > 0).then(|| Ipv4Addr::from_bits((bits << 8) | octet))
}

/// Appends an address: dotted decimal, or RFC 5952 text.
pub(crate) fn push(out: &mut String, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            for (i, octet) in v4.octets().into_iter().enumerate() {
                if i > 0 {
                    out.push('.');
                }
                if octet >= 100 {
                    out.push(char::from(b'0' + octet / 100));
                }
                if octet >= 10 {
                    out.push(char::from(b'0' + octet / 10 % 10));
                }
                out.push(char::from(b'0' + octet % 10));
            }
        }
        // Writing to a string cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn std_parse(text: &str) -> Result<IpAddr, Problem> {
        text.parse::<IpAddr>()
            .map(|address| address.to_canonical())
            .map_err(|_| Problem::NotAnAddress)
    }

    proptest! {
        #[test]
        fn addresses_round_trip(address: IpAddr) {
            let address = address.to_canonical();
            let mut text = String::new();
            push(&mut text, address);
            prop_assert_eq!(&text, &address.to_string());
            prop_assert_eq!(parse(text.as_bytes()), Ok(address));
        }

        #[test]
        fn near_addresses_agree_with_std(text in "[0-9]{0,4}(\\.[0-9]{0,3}){2,4}|[0-9a-f:.]{0,20}") {
            prop_assert_eq!(parse(text.as_bytes()), std_parse(&text));
        }
    }
}
