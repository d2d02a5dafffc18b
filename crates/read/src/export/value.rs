//! Values of information elements, whatever type the parser gave them.

use std::net::IpAddr;

use netflow_parser::FieldValue;
use netflow_parser::variable_versions::field_value::DurationValue;
use peerscope_flow::Timestamp;

/// An unsigned number of up to 8 bytes.
pub(super) fn uint(value: &FieldValue) -> Option<u64> {
    match value {
        FieldValue::DataNumber(number) => number.as_u64(),
        FieldValue::Duration(
            DurationValue::Seconds { value, .. } | DurationValue::Millis { value, .. },
        ) => Some(*value),
        FieldValue::ProtocolType(protocol) => Some(u64::from(u8::from(*protocol))),
        FieldValue::TcpControlBits(bits, _) => Some(u64::from(u16::from(*bits))),
        FieldValue::FirewallEvent(event) => Some(u64::from(u8::from(*event))),
        FieldValue::Vec(bytes) => big_endian(bytes),
        _ => None,
    }
}

fn big_endian(bytes: &[u8]) -> Option<u64> {
    (1..=8)
        .contains(&bytes.len())
        .then(|| bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}

/// An address.
pub(super) fn address(value: &FieldValue) -> Option<IpAddr> {
    match value {
        FieldValue::Ip4Addr(v4) => Some((*v4).into()),
        FieldValue::Ip6Addr(v6) => Some((*v6).into()),
        _ => None,
    }
}

/// A number between 0 and 1, as `samplingProbability` is.
pub(super) fn float(value: &FieldValue) -> Option<f64> {
    match value {
        FieldValue::Float64(value) => Some(*value),
        _ => None,
    }
}

/// A time in the 64-bit format of NTP (RFC 7011, section 6.1.9). Seconds below those of 1970 are
/// of the era that begins in 2036.
pub(super) fn ntp(value: &FieldValue) -> Option<Timestamp> {
    const UNIX_EPOCH: u32 = 2_208_988_800;
    let FieldValue::Duration(
        DurationValue::MicrosNtp { seconds, fraction }
        | DurationValue::NanosNtp { seconds, fraction },
    ) = *value
    else {
        return None;
    };
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
                let value = FieldValue::Duration(DurationValue::MicrosNtp {
                    seconds: 2_208_988_800 + 1_700_000_000,
                    fraction: u32::try_from(fraction).unwrap(),
                });
                let expected = 1_700_000_000_000_000 + i64::try_from(micros).unwrap();
                assert_eq!(ntp(&value).map(Timestamp::as_micros), Some(expected));
            }
        }
        let era_1 = FieldValue::Duration(DurationValue::NanosNtp {
            seconds: 0,
            fraction: 0,
        });
        assert_eq!(ntp(&era_1), Some(Timestamp::from_secs(2_085_978_496)));
    }

    #[test]
    fn bytes_are_numbers_up_to_eight() {
        assert_eq!(uint(&FieldValue::Vec(vec![1, 0])), Some(256));
        assert_eq!(uint(&FieldValue::Vec(vec![])), None);
        assert_eq!(uint(&FieldValue::Vec(vec![0; 9])), None);
    }
}
