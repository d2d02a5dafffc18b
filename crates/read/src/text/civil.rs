//! Civil time to microseconds, exactly.

use crate::{Problem, number};

/// Microseconds since the epoch from `2026-11-21 16:40:04.900`, with `T` for the blank, `/` for
/// the hyphens, or a zone (`Z`, `+0100`, `+01:00`) at the end; without a zone it is `offset`
/// seconds ahead of UTC. A number without any of these is seconds since the epoch.
pub(crate) fn micros(text: &[u8], offset: i32) -> Result<u64, Problem> {
    if !text.iter().any(|byte| matches!(byte, b':' | b'/')) {
        return number::micros(text);
    }
    let (local, offset) = zone(text, offset)?;
    civil(local)
        .ok_or(Problem::NotATime)?
        .checked_sub(i64::from(offset) * 1_000_000)
        .ok_or(Problem::TooLarge)?
        .try_into()
        .map_err(|_| Problem::Negative)
}

/// The text without its zone, and the zone's offset in seconds.
fn zone(text: &[u8], otherwise: i32) -> Result<(&[u8], i32), Problem> {
    if let [local @ .., b'Z'] = text {
        return Ok((local, 0));
    }
    let time = text.get(11..).unwrap_or_default();
    let Some(at) = memchr::memchr2(b'+', b'-', time) else {
        return Ok((text, otherwise));
    };
    let minutes = match time[at + 1..] {
        [a, b, c, d] | [a, b, b':', c, d] => digits(&[a, b])
            .zip(digits(&[c, d]))
            .map(|(hours, minutes)| hours * 60 + minutes),
        _ => None,
    };
    let seconds = minutes
        .and_then(|minutes| i32::try_from(minutes * 60).ok())
        .ok_or(Problem::NotATime)?;
    let sign = if time[at] == b'-' { -1 } else { 1 };
    Ok((&text[..11 + at], sign * seconds))
}

/// `YYYY-MM-DD HH:MM:SS[.fraction]` as if it were UTC.
fn civil(text: &[u8]) -> Option<i64> {
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text[10], b' ' | b'T') || date[4] != date[7] || !matches!(date[4], b'-' | b'/') {
        return None;
    }
    let (year, month, day) = (
        digits(&date[..4])?,
        digits(&date[5..7])?,
        digits(&date[8..])?,
    );
    let (hour, minute) = (digits(time.get(..2)?)?, digits(time.get(3..5)?)?);
    let second = number::micros(time.get(6..)?).ok()?;
    let colons = time[2] == b':' && time[5] == b':' && time[6].is_ascii_digit();
    // A leap second is the first one of the next minute.
    let sane = colons && hour < 24 && minute < 60 && second < 61_000_000;
    let last = days_in(year, month)?;
    if !sane || day == 0 || day > last {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60;
    seconds
        .checked_mul(1_000_000)?
        .checked_add(second.cast_signed())
}

fn digits(text: &[u8]) -> Option<i64> {
    let all = text.iter().all(u8::is_ascii_digit);
    all.then(|| {
        text.iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
    })
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        _ => None,
    }
}

/// Days since the epoch. The year begins in March, so that the leap day is its last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    before + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<u64, Problem> {
        micros(text.as_bytes(), 0)
    }

    #[test]
    fn zones_are_taken_off() {
        assert_eq!(parse("1970-01-01 01:00:00"), Ok(3_600_000_000));
        assert_eq!(micros(b"1970/01/01 01:00:00.000000", 3600), Ok(0));
        assert_eq!(micros(b"1970/01/01 01:00:00", 3601), Err(Problem::Negative));
        for text in [
            "2020-02-28T23:55:12.974271+0000",
            "2020-02-29T00:55:12.974271+0100",
            "2020-02-28T20:25:12.974271-03:30",
            "2020-02-28T23:55:12.974271Z",
            "2020/02/28 23:55:12.974271",
            "1582934112.974271",
        ] {
            // date -u -d 2020-02-28T23:55:12 +%s
            assert_eq!(parse(text), Ok(1_582_934_112_974_271), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "2020-02-30 00:00:00",
            "2021-02-29 00:00:00",
            "2020-13-01 00:00:00",
            "2020-00-01 00:00:00",
            "2020-01-00 00:00:00",
            "2020-01-01 24:00:00",
            "2020-01-01 00:60:00",
            "2020-01-01 00:00:61",
            "2020-01/01 00:00:00",
            "2020-01-01_00:00:00",
            "2020-01-01 00:00",
            "2020-01-01 00:00:00+1",
            "16:40:04",
            ":",
        ] {
            assert_eq!(parse(text), Err(Problem::NotATime), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_calendar_library(micros_in in 0..4_000_000_000_000_000_i64) {
            let time = jiff::Timestamp::from_microsecond(micros_in).unwrap();
            let text = time.strftime("%Y/%m/%d %H:%M:%S%.6f").to_string();
            prop_assert_eq!(parse(&text), Ok(micros_in.cast_unsigned()));
            prop_assert_eq!(parse(&time.to_string()), Ok(micros_in.cast_unsigned()));
        }

        #[test]
        fn any_bytes_are_a_time_or_an_error(text in "[0-9TZ:/.+ -]{0,30}", offset: i32) {
            let _ = micros(text.as_bytes(), offset);
        }
    }
}
