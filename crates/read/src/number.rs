//! Whole numbers and decimal seconds from bytes, exactly.

use crate::Problem;

/// The largest number a file may hold: every whole number up to here is exact as a double.
pub(crate) const LARGEST: u64 = 1 << 53;

/// A whole number from 0 to 2^53.
pub(crate) fn whole(text: &[u8]) -> Result<u64, Problem> {
    let mut value = 0_u64;
    // 18 digits cannot overflow.
    if (1..=18).contains(&text.len()) {
        for &byte in text {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return Err(refused(text));
            }
            value = value * 10 + u64::from(digit);
        }
        if value <= LARGEST {
            return Ok(value);
        }
        return Err(Problem::TooLarge);
    }
    let (zeros, rest) = text.split_at(text.iter().take_while(|&&byte| byte == b'0').count());
    match rest {
        [] if !zeros.is_empty() => Ok(0),
        [_, ..] if !zeros.is_empty() => whole(rest),
        _ => Err(refused(text)),
    }
}

/// Why `text`, which is no whole number in range, is refused.
fn refused(text: &[u8]) -> Problem {
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match text {
        [b'-', rest @ ..] if digits(rest) => Problem::Negative,
        _ if digits(text) => Problem::TooLarge,
        _ => Problem::NotAnInteger,
    }
}

/// A port; 0 is one.
pub(crate) fn port(text: &[u8]) -> Result<u16, Problem> {
    whole(text)
        .ok()
        .and_then(|port| u16::try_from(port).ok())
        .ok_or(Problem::NotAPort)
}

/// Microseconds from decimal seconds such as `1713484795.943239` or `9.5e-05`, without a detour
/// through floating point. Digits below the microsecond are rounded, half away from zero.
pub(crate) fn micros(text: &[u8]) -> Result<u64, Problem> {
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        None => (text, 0),
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
    };
    if let [b'-', rest @ ..] = mantissa {
        // "-0.0" is a way to write 0.
        return match scaled(rest, exponent)? {
            0 => Ok(0),
            _ => Err(Problem::Negative),
        };
    }
    scaled(mantissa, exponent)
}

fn scaled(mantissa: &[u8], exponent: i32) -> Result<u64, Problem> {
    let point = memchr::memchr(b'.', mantissa).unwrap_or(mantissa.len());
    let fraction = mantissa.get(point + 1..).unwrap_or_default();
    if point == 0 || (point < mantissa.len() && fraction.is_empty()) {
        return Err(Problem::NotSeconds);
    }
    // The decimal place of the next digit, counted in powers of ten microseconds.
    let mut place = i64::try_from(point).map_err(|_| Problem::TooLarge)? + i64::from(exponent) + 6;
    let mut value = 0_u64;
    for &byte in mantissa[..point].iter().chain(fraction) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Problem::NotSeconds);
        }
        place -= 1;
        if place >= 0 {
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(u64::from(digit)))
                .ok_or(Problem::TooLarge)?;
        } else if place == -1 && digit >= 5 {
            value += 1;
        }
    }
    while place > 0 && value > 0 {
        value = value.checked_mul(10).ok_or(Problem::TooLarge)?;
        place -= 1;
    }
    if value > LARGEST {
        return Err(Problem::TooLarge);
    }
    Ok(value)
}

fn exponent(text: &[u8]) -> Result<i32, Problem> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    match whole(digits) {
        Ok(size) => Ok(sign * i32::try_from(size.min(1000)).unwrap_or(1000)),
        Err(_) => Err(Problem::NotSeconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_end_at_two_to_the_53() {
        assert_eq!(whole(b"9007199254740992"), Ok(LARGEST));
        assert_eq!(whole(b"9007199254740993"), Err(Problem::TooLarge));
        assert_eq!(whole(b"99999999999999999999999"), Err(Problem::TooLarge));
        assert_eq!(whole(b"00000000000000000000000"), Ok(0));
        assert_eq!(whole(b"00000000000000000000007"), Ok(7));
        for text in ["", "+1", "1.0", "1e3", " 1", "NaN", "-", "0x1", "--1"] {
            assert_eq!(whole(text.as_bytes()), Err(Problem::NotAnInteger), "{text}");
        }
        assert_eq!(whole(b"-1"), Err(Problem::Negative));
        assert_eq!(whole(b"-99999999999999999999999"), Err(Problem::Negative));
        assert_eq!(port(b"65536"), Err(Problem::NotAPort));
    }

    #[test]
    fn seconds_are_exact() {
        for (text, expected) in [
            ("0", 0),
            ("19.981745", 19_981_745),
            ("1713484795.943239", 1_713_484_795_943_239),
            ("9.5e-05", 95),
            ("9.5E-5", 95),
            ("1.5e3", 1_500_000_000),
            ("1591367999.3059881", 1_591_367_999_305_988),
            ("0.0000005", 1),
            ("0.00000049999", 0),
            ("0.9999999", 1_000_000),
            ("-0.000000", 0),
            ("0e999", 0),
            ("1e-999", 0),
            ("0000000000000000000000000001", 1_000_000),
        ] {
            assert_eq!(micros(text.as_bytes()), Ok(expected), "{text}");
        }
        for text in [
            "",
            ".",
            ".5",
            "5.",
            "XXXXXXXXXX.XXXXXX",
            "NaN",
            "inf",
            "1e",
            "1.2.3",
            "+1",
            "1e1.5",
            "-",
        ] {
            assert_eq!(micros(text.as_bytes()), Err(Problem::NotSeconds), "{text}");
        }
        assert_eq!(micros(b"-0.000001"), Err(Problem::Negative));
        assert_eq!(micros(b"1e30"), Err(Problem::TooLarge));
        assert_eq!(micros(b"9007199254.740993"), Err(Problem::TooLarge));
    }

    proptest! {
        #[test]
        fn whole_numbers_agree_with_std(value: u64, shift in 0_u32..64) {
            let value = value >> shift;
            let expected = if value <= LARGEST { Ok(value) } else { Err(Problem::TooLarge) };
            prop_assert_eq!(whole(value.to_string().as_bytes()), expected);
        }

        #[test]
        fn microseconds_survive_their_text(micros_in in 0..=LARGEST) {
            let text = format!("{}.{:06}", micros_in / 1_000_000, micros_in % 1_000_000);
            prop_assert_eq!(micros(text.as_bytes()), Ok(micros_in));
        }

        #[test]
        fn any_bytes_are_a_number_or_an_error(bytes: Vec<u8>) {
            let _ = (whole(&bytes), micros(&bytes), port(&bytes));
        }
    }
}
