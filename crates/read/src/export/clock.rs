//! The time of an exporter: from milliseconds of its uptime to time of day.

use peerscope_flow::Timestamp;

/// What a message says of time, and what was learned before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// When the message was exported.
    pub(super) exported: Timestamp,
    /// The uptime then, in milliseconds modulo 2^32 (v5, v9).
    pub(super) uptime: Option<u32>,
    /// When the exporter started (IPFIX).
    pub(super) started: Option<Started>,
}

/// When an exporter started, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Started {
    /// As it says.
    Stated(i64),
    /// As its exports suggest.
    Guessed(i64),
}

impl Started {
    const fn millis(self) -> i64 {
        match self {
            Self::Stated(millis) | Self::Guessed(millis) => millis,
        }
    }
}

impl Clock {
    /// The time of day at an uptime, which may lie on either side of a wrap of the counter (every
    /// 49.7 days) from the message: the nearer one is meant.
    pub(super) fn at_uptime(&self, uptime: u32) -> Option<Timestamp> {
        if let Some(now) = self.uptime {
            let ago = i64::from(now.wrapping_sub(uptime).cast_signed());
            return Some(self.exported.saturating_add_micros(-ago * 1000));
        }
        let started = self.started?.millis().checked_mul(1000)?;
        let since = i64::from(uptime) * 1000;
        Some(Timestamp::from_micros(started).saturating_add_micros(since))
    }
}

/// The start of a v9 exporter's uptime counter, held while headers agree with it.
///
/// Header times are whole seconds: computed from each header alone, the times of two records of one
/// conversation would be off by up to a second against each other, and the wrong one first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Boot {
    millis: Option<i64>,
}

impl Boot {
    /// The time of a message, consistent with the earlier ones of the same exporter.
    pub(super) fn exported(&mut self, secs: u32, uptime: u32) -> Timestamp {
        let boot = i64::from(secs) * 1000 - i64::from(uptime);
        let held = match self.millis {
            // Header seconds are cut off: headers of one uptime differ by less than a second.
            Some(held) if held.abs_diff(boot) < 1000 => held,
            _ => boot,
        };
        self.millis = Some(held);
        Timestamp::from_micros((held + i64::from(uptime)) * 1000)
    }
}

/// The start of an exporter that counts uptimes and says nothing of when it started: no flow ends
/// after its export, so the latest start with which none does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guess {
    millis: Option<i64>,
}

impl Guess {
    /// So much later a start is a new one: a flow is exported within the hour.
    const RESTART: i64 = 3_600_000;

    /// The start, given a record that ended at an uptime and was exported in a whole second.
    pub(super) fn started(&mut self, exported: Timestamp, end: u32) -> Started {
        let latest = exported.as_micros().div_euclid(1000) + 999 - i64::from(end);
        let held = match self.millis {
            Some(held) if latest - held < Self::RESTART => held.min(latest),
            _ => latest,
        };
        self.millis = Some(held);
        Started::Guessed(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(exported_ms: i64, uptime: u32) -> Clock {
        Clock {
            exported: Timestamp::from_micros(exported_ms * 1000),
            uptime: Some(uptime),
            started: None,
        }
    }

    #[test]
    fn uptimes_count_back_from_the_export_across_a_wrap() {
        let at = |clock: Clock, uptime| clock.at_uptime(uptime).unwrap().as_micros() / 1000;
        assert_eq!(at(clock(1_000_000, 5000), 3000), 998_000);
        // The counter wrapped 1 s ago, the flow began 4 s before that.
        assert_eq!(at(clock(1_000_000, 1000), u32::MAX - 3999), 995_000);
        // A record stamped after its header.
        assert_eq!(at(clock(1_000_000, u32::MAX), 9), 1_000_010);
        assert_eq!(at(clock(1_000_000, 5000), 5007), 1_000_007);
    }

    #[test]
    fn ipfix_counts_from_the_stated_start() {
        let clock = Clock {
            exported: Timestamp::from_secs(9),
            uptime: None,
            started: Some(Started::Stated(1_700_000_000_123)),
        };
        assert_eq!(
            clock.at_uptime(1000).map(Timestamp::as_micros),
            Some(1_700_000_001_123_000)
        );
        let none = Clock {
            started: None,
            ..clock
        };
        assert_eq!(none.at_uptime(1000), None);
        let absurd = Clock {
            started: Some(Started::Stated(i64::MAX)),
            ..clock
        };
        assert_eq!(absurd.at_uptime(1000), None);
    }

    #[test]
    fn a_start_is_guessed_from_ends_and_exports() {
        let mut guess = Guess::default();
        let mut started = |secs, end| guess.started(Timestamp::from_secs(secs), end).millis();
        assert_eq!(started(1000, 400_000), 600_999);
        // Exported 30 s late: the earlier record was not as late.
        assert_eq!(started(1060, 430_000), 600_999);
        // Exported sooner after its end.
        assert_eq!(started(1060, 460_500), 600_499);
        // A restart, and a clock that jumps back a day.
        assert_eq!(started(10_000, 5000), 9_995_999);
        assert_eq!(started(10_000 - 86_400, 6000), -76_405_001);
    }

    #[test]
    fn whole_seconds_do_not_shift_records_against_each_other() {
        let mut boot = Boot::default();
        // True start of the counter: 100.4 s. Seconds are cut off.
        let times: Vec<i64> = [700, 1650, 2100, 59_599, 4_000_000]
            .map(|uptime: u32| {
                let secs = (100_400 + uptime) / 1000;
                boot.exported(secs, uptime).as_micros() / 1000 - i64::from(uptime)
            })
            .to_vec();
        assert!(times.windows(2).all(|pair| pair[0] == pair[1]), "{times:?}");
        assert!((99_400..=100_400).contains(&times[0]), "{times:?}");
        // A restart, a clock that jumps back a day, and a wrap are believed at once.
        assert_eq!(boot.exported(200_000, 5).as_micros(), 200_000_000_000);
        assert_eq!(boot.exported(113_600, 6).as_micros(), 113_600_000_000);
    }
}
