//! Values of information elements, from their bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use peerscope_flow::Timestamp;

/// An unsigned number of 1 to 8 bytes.
pub(super) fn uint(bytes: &[u8]) -> Option<u64> {
    (1..=8)
        .contains(&bytes.len())
        .then(|| bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}

/// An IPv4 address.
pub(super) fn v4(bytes: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 4] = bytes.try_into().ok()?;
    Some(Ipv4Addr::from(octets).into())
}

/// An IPv6 address.
pub(super) fn v6(bytes: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 16] = bytes.try_into().ok()?;
    Some(Ipv6Addr::from(octets).into())
}

/// A floating-point number of 8 bytes, or 4 (RFC 7011, section 6.2).
pub(super) fn float(bytes: &[u8]) -> Option<f64> {
    match *bytes {
        [a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
        _ => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
    }
}

/// A time in the 64-bit format of NTP (RFC 7011, section 6.1.9). Seconds below those of 1970 are
/// of the era that begins in 2036.
pub(super) fn ntp(bytes: &[u8]) -> Option<Timestamp> {
    const UNIX_EPOCH: u32 = 2_208_988_800;
    let &[a, b, c, d, e, f, g, h] = bytes else {
        return None;
    };
    let seconds = u32::from_be_bytes([a, b, c, d]);
    let fraction = u32::from_be_bytes([e, f, g, h]);
    let secs = i64::from(seconds.wrapping_sub(UNIX_EPOCH));
    // To the nearest nanosecond, for the fraction is binary; then down to the microsecond.
    let nanos = (u64::from(fraction) * 1_000_000_000 + (1 << 31)) >> 32;
    let micros = i64::try_from(nanos / 1000).ok()?;
    Some(Timestamp::from_secs(secs).saturating_add_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_microsecond_survives_the_binary_fraction() {
        for micros in (0..1_000_000_u64).step_by(7).chain([999_999]) {
            // Encoders cut off or round.
            for fraction in [
                (micros << 32) / 1_000_000,
                ((micros << 32) + 500_000) / 1_000_000,
            ] {
                let seconds = 2_208_988_800_u64 + 1_700_000_000;
                let value = (seconds << 32 | fraction).to_be_bytes();
                let expected = 1_700_000_000_000_000 + i64::try_from(micros).unwrap();
                assert_eq!(ntp(&value).map(Timestamp::as_micros), Some(expected));
            }
        }
        assert_eq!(ntp(&[0; 8]), Some(Timestamp::from_secs(2_085_978_496)));
        assert_eq!(ntp(&[0; 4]), None);
    }

    #[test]
    fn a_value_has_a_length_that_fits() {
        assert_eq!(uint(&[1, 0]), Some(256));
        assert_eq!((uint(&[]), uint(&[0; 9])), (None, None));
        assert_eq!(v4(&[192, 0, 2, 7]), Some([192, 0, 2, 7].into()));
        assert_eq!((v4(&[0; 16]), v6(&[0; 4])), (None, None));
        assert_eq!(float(&0.25_f32.to_be_bytes()), Some(0.25));
        assert_eq!(float(&0.1_f64.to_be_bytes()), Some(0.1));
        assert_eq!(float(&[0; 3]), None);
    }
}
