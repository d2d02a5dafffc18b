//! Trace time as a clock that never runs backwards.

/// Microseconds of trace time that have passed, told by the packets' own times.
///
/// The clock follows the latest packet. A packet a little earlier than that leaves it where it is;
/// one that lies back by more than `tolerance` sets it anew: time goes on from there, and what has
/// passed stays passed.
#[derive(Debug)]
pub(crate) struct TraceClock {
    tolerance: i64,
    latest: Option<i64>,
    passed: i64,
}

/// How a packet's time lies to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Forward,
    Late,
    Jump,
}

impl TraceClock {
    pub(crate) const fn new(tolerance: i64) -> Self {
        Self {
            tolerance,
            latest: None,
            passed: 0,
        }
    }

    /// Takes in the time of a packet.
    pub(crate) const fn observe(&mut self, time: i64) -> Order {
        let latest = match self.latest {
            Some(latest) => latest,
            None => time,
        };
        if time >= latest {
            self.latest = Some(time);
            self.passed = self.passed.saturating_add(time.saturating_sub(latest));
            Order::Forward
        } else if latest.saturating_sub(time) > self.tolerance {
            self.latest = Some(time);
            Order::Jump
        } else {
            Order::Late
        }
    }

    /// The latest time, or that of the epoch before any packet.
    pub(crate) const fn latest(&self) -> i64 {
        match self.latest {
            Some(latest) => latest,
            None => 0,
        }
    }

    /// Microseconds passed since the first packet.
    pub(crate) const fn passed(&self) -> i64 {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_packets_do_not_move_it_and_jumps_do_not_turn_it_back() {
        let mut clock = TraceClock::new(100);
        assert_eq!(clock.observe(1000), Order::Forward);
        assert_eq!(clock.observe(1050), Order::Forward);
        assert_eq!(clock.observe(950), Order::Late);
        assert_eq!((clock.latest(), clock.passed()), (1050, 50));
        assert_eq!(clock.observe(949), Order::Jump);
        assert_eq!((clock.latest(), clock.passed()), (949, 50));
        assert_eq!(clock.observe(959), Order::Forward);
        assert_eq!(clock.passed(), 60);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let mut clock = TraceClock::new(i64::MAX);
        for time in [i64::MIN, i64::MAX, i64::MIN, i64::MAX, 0] {
            clock.observe(time);
        }
        assert_eq!(clock.passed(), i64::MAX);
    }
}
