#![doc = include_str!("../README.md")]
//!
//! # What the examples share

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use peerscope::flow::{IpNet, Timestamp, Topology};

/// An error of any kind, on its way to the person at the terminal.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// Runs a program and prints its error, with its causes, as `error: ...`.
pub fn run(program: impl FnOnce() -> Result<ExitCode, AnyError>) -> ExitCode {
    match program() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Prints a report. Whoever stops reading it half-way (`| head`) does no harm.
pub fn say(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// An error and its causes in a line. Causes that the error repeats are left out.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            // Writing into a string cannot fail.
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}

/// An error that names the file it is about.
pub fn about(path: &std::path::Path, error: impl std::fmt::Display) -> AnyError {
    format!("{}: {error}", path.display()).into()
}

/// Reads a topology from its canonical JSON, parsed by `parse`.
///
/// # Errors
///
/// If the file cannot be read or is no topology; the message names the file and the place.
pub fn topology<E: std::fmt::Display>(
    path: &std::path::Path,
    parse: impl FnOnce(&str) -> Result<Topology, E>,
) -> Result<Topology, AnyError> {
    let text = std::fs::read_to_string(path).map_err(|error| about(path, error))?;
    parse(&text).map_err(|error| about(path, error))
}

/// A time as a person writes it: `2008-03-26T14:00:00Z`, or seconds since the epoch.
///
/// # Errors
///
/// If it is neither.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    let bad = || format!("{text:?} is no time such as 2008-03-26T14:00:00Z or 1206540000.5");
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_micros(time.as_microsecond()));
    }
    let seconds: f64 = text.parse().map_err(|_| bad())?;
    let micros = seconds * 1e6;
    #[expect(clippy::cast_possible_truncation, reason = "in range, checked before")]
    if micros.abs() < 9e18 {
        Ok(Timestamp::from_micros(micros.round() as i64))
    } else {
        Err(bad())
    }
}

/// An address or a prefix.
///
/// # Errors
///
/// If it is neither.
pub fn parse_hosts(text: &str) -> Result<IpNet, String> {
    let host = text.parse::<std::net::IpAddr>().map(IpNet::from);
    host.or_else(|_| text.parse())
        .map_err(|_| format!("{text:?} is no address or CIDR prefix"))
}

/// A positive number of seconds.
///
/// # Errors
///
/// If it is not positive or not a number.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| format!("{text:?} is not a positive number of seconds"))
}

/// A number in at most four significant digits, with thousands set apart.
pub fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1000.0 {
        let digits = format!("{magnitude:.0}");
        let mut text = String::from(if value < 0.0 { "-" } else { "" });
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        return text;
    }
    let decimals = if magnitude >= 100.0 {
        1
    } else if magnitude >= 10.0 {
        2
    } else {
        3
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0001, "0"),
            (0.25, "0.25"),
            (12_345.6, "12,346"),
            (-1_000_000.0, "-1,000,000"),
            (99.999, "100"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn times_are_civil_or_seconds() {
        assert_eq!(
            parse_time("1970-01-01T00:00:01.5Z").unwrap().as_micros(),
            1_500_000
        );
        assert_eq!(parse_time("1.5").unwrap().as_micros(), 1_500_000);
        for text in ["", "yesterday", "NaN", "1e300"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_metric_is_documented() {
        let docs = include_str!("../docs/metrics.md");
        for metric in peerscope::metric::Metric::ALL {
            assert!(docs.contains(&format!("`{metric}`")), "{metric}");
        }
    }
}
