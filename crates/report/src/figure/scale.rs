//! Numbers and times to pixels, and the marks of axes.

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Evenly.
    Linear,
    /// By log10(1 + value): 0 has a place, powers of ten are evenly apart.
    Log,
    /// Evenly, microseconds since the epoch, marked at round times.
    Time,
}

/// An axis: a range of values on a range of pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

/// A mark of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: i32,
    pub(crate) label: String,
}

impl Scale {
    /// Values from `low` to `high` on pixels from `from` to `to`. A range without extent is widened.
    pub(crate) fn new(kind: Kind, (low, high): (f64, f64), (from, to): (i32, i32)) -> Self {
        let (low, high) = if high > low {
            (low, high)
        } else {
            let margin = if low == 0.0 { 1.0 } else { low.abs() * 0.5 };
            (
                if kind == Kind::Log { 0.0 } else { low - margin },
                low + margin,
            )
        };
        Self {
            kind,
            low,
            high,
            from,
            to,
        }
    }

    fn position(self, value: f64) -> f64 {
        match self.kind {
            Kind::Linear | Kind::Time => value,
            Kind::Log => (1.0 + value.max(0.0)).log10(),
        }
    }

    /// The pixel of a value; beyond the range, its end.
    #[expect(clippy::cast_possible_truncation, reason = "between two pixels")]
    pub(crate) fn at(self, value: f64) -> i32 {
        let (low, high) = (self.position(self.low), self.position(self.high));
        let part = ((self.position(value) - low) / (high - low)).clamp(0.0, 1.0);
        self.from + (part * f64::from(self.to - self.from)).round() as i32
    }

    /// The value at a part of the axis, from 0 to 1.
    pub(crate) fn value(self, part: f64) -> f64 {
        let (low, high) = (self.position(self.low), self.position(self.high));
        let position = low + part * (high - low);
        match self.kind {
            Kind::Linear | Kind::Time => position,
            Kind::Log => 10_f64.powf(position) - 1.0,
        }
    }

    /// Where in the axis a value lies, from 0 to 1.
    pub(crate) fn part(self, value: f64) -> f64 {
        let (low, high) = (self.position(self.low), self.position(self.high));
        ((self.position(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Marks at round values, at most `most` of them.
    pub(crate) fn ticks(self, most: usize) -> Vec<Tick> {
        let values = match self.kind {
            Kind::Linear => self.linear(most),
            Kind::Log => self.powers(most),
            Kind::Time => return self.times(most),
        };
        let tick = |value| Tick {
            at: self.at(value),
            label: number(value),
        };
        values.into_iter().map(tick).collect()
    }

    fn linear(self, most: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / most.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = steps.into_iter().find(|step| *step >= rough * 0.999);
        multiples(self.low, self.high, step.unwrap_or(10.0 * power))
    }

    fn powers(self, most: usize) -> Vec<f64> {
        let mut values = vec![0.0];
        let mut power = 1.0;
        while power <= self.high {
            values.push(power);
            power *= 10.0;
        }
        values.retain(|value| *value >= self.low);
        if values.len() <= 2 {
            return self.linear(most.min(4));
        }
        let every = values.len().div_ceil(most.max(2));
        values.into_iter().step_by(every).collect()
    }

    fn times(self, most: usize) -> Vec<Tick> {
        const STEPS: [f64; 17] = [
            1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 10_800.0,
            21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
        ];
        let rough = (self.high - self.low) / 1e6 / most.max(1) as f64;
        let last = STEPS[STEPS.len() - 1];
        let step = STEPS.into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or_else(|| (rough / last).ceil() * last);
        let pattern = match step {
            step if step < 60.0 => "%H:%M:%S",
            step if step >= 86_400.0 => "%m-%d",
            _ if self.high - self.low > 86_400e6 => "%m-%d %H:%M",
            _ => "%H:%M",
        };
        let tick = |value: f64| Tick {
            at: self.at(value),
            label: time(value, pattern),
        };
        multiples(self.low, self.high, step * 1e6)
            .into_iter()
            .map(tick)
            .collect()
    }
}

fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step - 1e-9).ceil();
    let values = (0..64).map(|i| (first + f64::from(i)) * step);
    let end = high + step * 1e-9;
    // Adding 0 makes -0 plain.
    values
        .take_while(|value| *value <= end)
        .map(|value| value + 0.0)
        .collect()
}

/// A time in microseconds since the epoch, UTC; seconds where the calendar ends.
pub(crate) fn time(micros: f64, pattern: &str) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; jiff checks the range"
    )]
    let time = jiff::Timestamp::from_microsecond(micros as i64);
    match time {
        Ok(time) => time.strftime(pattern).to_string(),
        Err(_) => format!("{:.0} s", micros / 1e6),
    }
}

/// A number in at most four digits, as `0.25`, `1,200`, `35k` or `1.2M`.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    let (value, unit) = match magnitude {
        m if m >= 1e12 => (value / 1e12, "T"),
        m if m >= 1e9 => (value / 1e9, "G"),
        m if m >= 1e6 => (value / 1e6, "M"),
        m if m >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = match value.abs() {
        m if m >= 100.0 => 0,
        m if m >= 10.0 => 1,
        m if m >= 1.0 => 2,
        _ if magnitude > 0.0 && magnitude < 0.001 => return format!("{value:.1e}"),
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    let text = if text == "-0" { "0" } else { text };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(kind: Kind, range: (f64, f64)) -> Vec<String> {
        let ticks = Scale::new(kind, range, (0, 600)).ticks(6);
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn marks_are_round() {
        assert_eq!(
            labels(Kind::Linear, (0.0, 1.0)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
        assert_eq!(
            labels(Kind::Linear, (-1.0, 1.0)),
            ["-1", "-0.5", "0", "0.5", "1"]
        );
        assert_eq!(
            labels(Kind::Log, (0.0, 2e4)),
            ["0", "1", "10", "100", "1000", "10k"]
        );
        assert_eq!(
            labels(Kind::Time, (0.0, 7200e6)),
            ["00:00", "00:30", "01:00", "01:30", "02:00"]
        );
        assert!(labels(Kind::Linear, (3.0, 3.0)).contains(&"3".to_owned()));
    }

    #[test]
    fn odd_ranges_end() {
        for range in [
            (f64::MIN, f64::MAX),
            (0.0, f64::MIN_POSITIVE),
            (1e300, 1e300),
            (-9e18, 9e18),
        ] {
            for kind in [Kind::Linear, Kind::Log, Kind::Time] {
                assert!(Scale::new(kind, range, (0, 100)).ticks(5).len() < 400);
            }
        }
    }

    #[test]
    fn values_and_pixels_agree() {
        let scale = Scale::new(Kind::Log, (0.0, 999.0), (10, 310));
        assert_eq!(
            [0.0, 9.0, 99.0, 999.0, 1e9].map(|v| scale.at(v)),
            [10, 110, 210, 310, 310]
        );
        assert!((scale.value(scale.part(99.0)) - 99.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (-1.5, "-1.5"),
            (1234.0, "1234"),
            (35_000.0, "35k"),
            (1.25e6, "1.25M"),
            (1e-5, "1.0e-5"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
