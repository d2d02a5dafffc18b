//! Numbers, times and names as a person reads them.

pub(crate) use crate::figure::{cut, number, time};

/// A count with thousands set apart.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

/// A time to the second, UTC.
pub(crate) fn moment(micros: i64) -> String {
    time(micros as f64, "%Y-%m-%d %H:%M:%S")
}

/// A length of time.
pub(crate) fn duration(micros: i64) -> String {
    let seconds = micros as f64 / 1e6;
    match seconds.abs() {
        s if s >= 172_800.0 => format!("{:.1} days", seconds / 86_400.0),
        s if s >= 7200.0 => format!("{} h", number(seconds / 3600.0)),
        s if s >= 120.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{} s", number(seconds)),
    }
}

/// Bytes with a unit.
pub(crate) fn bytes(value: u64) -> String {
    format!("{}B", {
        let text = number(value as f64);
        match text.find(|c: char| c.is_ascii_alphabetic()) {
            Some(at) => format!("{} {}", &text[..at], &text[at..]),
            None => format!("{text} "),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(percent(0.2714), "27.1 %");
        assert_eq!(duration(90_000_000), "90 s");
        assert_eq!(duration(7_200_000_000), "2 h");
        assert_eq!(
            (bytes(512).as_str(), bytes(1_700_000).as_str()),
            ("512 B", "1.7 MB")
        );
        assert_eq!(moment(0), "1970-01-01 00:00:00");
    }
}
