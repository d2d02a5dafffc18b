//! Time as integers: timestamps, spans and slots.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Microseconds since the Unix epoch, UTC.
///
/// Displayed and parsed as the plain integer; civil time belongs to the edges of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(i64);

impl Timestamp {
    /// Microseconds in a second.
    pub const MICROS_PER_SEC: i64 = 1_000_000;
    /// The earliest representable time.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable time.
    pub const MAX: Self = Self(i64::MAX);

    /// A timestamp from microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// A timestamp from whole seconds since the epoch, saturating at the representable range.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(Self::MICROS_PER_SEC))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Microseconds from `earlier` to `self`; negative if `self` is the earlier one. Saturates.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time moved by a signed number of microseconds, saturating.
    #[must_use]
    pub const fn saturating_add_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// First and last packet of a flow, both included: `end >= start` always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "RawSpan", into = "RawSpan"))]
pub struct Span {
    start: Timestamp,
    end: Timestamp,
}

/// A flow that would end before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("end {end} us is before start {start} us")]
#[non_exhaustive]
pub struct SpanError {
    /// The offered start.
    pub start: Timestamp,
    /// The offered end.
    pub end: Timestamp,
}

impl Span {
    /// A span from its first to its last instant.
    ///
    /// # Errors
    ///
    /// If `end` lies before `start`.
    pub const fn new(start: Timestamp, end: Timestamp) -> Result<Self, SpanError> {
        if end.0 < start.0 {
            Err(SpanError { start, end })
        } else {
            Ok(Self { start, end })
        }
    }

    /// A span of no length.
    pub const fn at(instant: Timestamp) -> Self {
        Self {
            start: instant,
            end: instant,
        }
    }

    /// The first instant.
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// The last instant.
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// Length in microseconds, exact even for the widest span.
    pub const fn micros(self) -> u64 {
        self.end.0.abs_diff(self.start.0)
    }

    /// The span grown to hold `instant`.
    #[must_use]
    pub fn including(self, instant: Timestamp) -> Self {
        Self {
            start: self.start.min(instant),
            end: self.end.max(instant),
        }
    }
}

#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct RawSpan {
    start_us: Timestamp,
    end_us: Timestamp,
}

#[cfg(feature = "serde")]
impl TryFrom<RawSpan> for Span {
    type Error = SpanError;

    fn try_from(raw: RawSpan) -> Result<Self, SpanError> {
        Self::new(raw.start_us, raw.end_us)
    }
}

#[cfg(feature = "serde")]
impl From<Span> for RawSpan {
    fn from(span: Span) -> Self {
        Self {
            start_us: span.start,
            end_us: span.end,
        }
    }
}

/// The number of a slot: slot i covers `[i * length, (i + 1) * length)`, counted from the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SlotIndex(pub i64);

/// The length of a time slot, a positive number of microseconds. Displayed and parsed in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "f64", into = "f64"))]
pub struct SlotLength {
    micros: i64,
}

/// A slot length that is not a positive number of microseconds below 2^51.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("slot length {0} is not positive and below 2^51 us (71 years)")]
#[non_exhaustive]
pub struct SlotLengthError(pub String);

impl SlotLength {
    /// Five minutes, the slot of the SIGMETRICS 2009 paper.
    pub const PAPER: Self = Self {
        micros: 300 * Timestamp::MICROS_PER_SEC,
    };

    /// Seventy years: below it, lengths in seconds stand for the microseconds they were made from.
    const LIMIT: i64 = 1 << 51;

    /// A slot length in microseconds.
    ///
    /// # Errors
    ///
    /// If `micros` is not in `1..2^51`.
    pub fn from_micros(micros: i64) -> Result<Self, SlotLengthError> {
        if (1..Self::LIMIT).contains(&micros) {
            Ok(Self { micros })
        } else {
            Err(SlotLengthError(format!("of {micros} us")))
        }
    }

    /// A slot length in seconds; fractions are rounded to the microsecond.
    ///
    /// # Errors
    ///
    /// If the result is not positive, not finite, or too large.
    pub fn from_secs(secs: f64) -> Result<Self, SlotLengthError> {
        let micros = (secs * 1e6).round();
        if (1.0..Self::LIMIT as f64).contains(&micros) {
            #[expect(clippy::cast_possible_truncation, reason = "checked on the line above")]
            Ok(Self {
                micros: micros as i64,
            })
        } else {
            Err(SlotLengthError(secs.to_string()))
        }
    }

    /// The length in microseconds.
    pub const fn as_micros(self) -> i64 {
        self.micros
    }

    /// The length in seconds.
    pub fn as_secs(self) -> f64 {
        self.micros as f64 / 1e6
    }

    /// The slot that holds `time`.
    #[inline]
    pub const fn slot_of(self, time: Timestamp) -> SlotIndex {
        SlotIndex(time.0.div_euclid(self.micros))
    }

    /// The first instant of a slot, saturating at the ends of representable time.
    pub const fn start_of(self, slot: SlotIndex) -> Timestamp {
        Timestamp(slot.0.saturating_mul(self.micros))
    }
}

impl Default for SlotLength {
    fn default() -> Self {
        Self::PAPER
    }
}

impl fmt::Display for SlotLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_secs().fmt(f)
    }
}

impl FromStr for SlotLength {
    type Err = SlotLengthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let secs: Option<f64> = text.parse().ok();
        secs.and_then(|secs| Self::from_secs(secs).ok())
            .ok_or_else(|| SlotLengthError(text.to_owned()))
    }
}

impl TryFrom<f64> for SlotLength {
    type Error = SlotLengthError;

    fn try_from(secs: f64) -> Result<Self, Self::Error> {
        Self::from_secs(secs)
    }
}

impl From<SlotLength> for f64 {
    fn from(length: SlotLength) -> Self {
        length.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_floor_on_both_sides_of_the_epoch() {
        for secs in [1.0, 7.0, 300.0, 86_400.0] {
            let length = SlotLength::from_secs(secs).unwrap();
            for i in [-3, -1, 0, 1, 5] {
                let start = length.start_of(SlotIndex(i));
                assert_eq!(length.slot_of(start), SlotIndex(i));
                assert_eq!(
                    length.slot_of(start.saturating_add_micros(-1)),
                    SlotIndex(i - 1)
                );
            }
        }
    }

    #[test]
    fn bad_lengths_are_refused_with_their_value() {
        for text in [
            "0",
            "-1",
            "NaN",
            "inf",
            "1e-9",
            "1e30",
            "4313484395.9434",
            "x",
        ] {
            let message = text.parse::<SlotLength>().unwrap_err().to_string();
            assert!(
                message.contains(text) || message.contains("1000000"),
                "{message}"
            );
        }
        assert_eq!("0.5".parse::<SlotLength>().unwrap().as_micros(), 500_000);
    }

    #[test]
    fn lengths_in_seconds_are_exact_to_the_microsecond() {
        for micros in [1, 2, 999_999, (1 << 50) + 1, SlotLength::LIMIT - 1] {
            let length = SlotLength::from_micros(micros).unwrap();
            assert_eq!(length.to_string().parse(), Ok(length));
        }
        assert!(SlotLength::from_micros(SlotLength::LIMIT).is_err());
    }

    #[test]
    fn a_span_cannot_run_backwards() {
        let (a, b) = (Timestamp::from_micros(5), Timestamp::from_micros(4));
        assert_eq!(
            Span::new(a, b).unwrap_err().to_string(),
            "end 4 us is before start 5 us"
        );
        assert_eq!(
            Span::new(Timestamp::MIN, Timestamp::MAX).unwrap().micros(),
            u64::MAX
        );
        assert_eq!(Span::at(a).including(b), Span::new(b, a).unwrap());
    }
}
