//! Records ahead of a stream's time, kept until it has come to them.

use crate::Timestamp;

/// Keeps what comes [ahead](crate::Arrival::Ahead) of a [`Watermark`](crate::Watermark), and gives it
/// when the latest time has reached it: at a confirmed jump, or because time went on. Until then
/// nothing says that its time is right, and so it moves no time itself.
///
/// At most [`LIMIT`](Self::LIMIT) are kept; beyond, the half that came first is given up.
///
/// ```
/// use peerscope_flow::{Held, Timestamp};
///
/// let at = Timestamp::from_secs;
/// let mut held = Held::new();
/// assert!(held.push(at(7200), "two hours ahead").is_empty());
/// assert!(held.release(at(7199)).is_empty());
/// assert_eq!(held.release(at(7200)), ["two hours ahead"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<T> {
    /// In the order in which they came.
    records: Vec<(Timestamp, T)>,
    /// The earliest time among them.
    from: Timestamp,
}

impl<T> Held<T> {
    /// Records kept at most.
    pub const LIMIT: usize = 4096;

    /// Nothing.
    pub const fn new() -> Self {
        Self {
            records: Vec::new(),
            from: Timestamp::MAX,
        }
    }

    /// Keeps a record, and gives those that are given up for it, as they came.
    pub fn push(&mut self, time: Timestamp, record: T) -> Vec<T> {
        let mut given_up = Vec::new();
        if self.records.len() == Self::LIMIT {
            given_up.extend(self.records.drain(..Self::LIMIT / 2));
            self.find_first();
        }
        self.from = self.from.min(time);
        self.records.push((time, record));
        without_times(given_up)
    }

    /// Whether time has come to some of the records.
    #[inline]
    pub fn is_due(&self, latest: Timestamp) -> bool {
        !self.records.is_empty() && self.from <= latest
    }

    /// Gives the records that time has come to, as they came.
    ///
    /// # Complexity
    ///
    /// Linear in the number kept; constant where none [is due](Self::is_due).
    pub fn release(&mut self, latest: Timestamp) -> Vec<T> {
        if !self.is_due(latest) {
            return Vec::new();
        }
        let due = self.records.extract_if(.., |(time, _)| *time <= latest);
        let due = due.collect();
        self.find_first();
        without_times(due)
    }

    /// Gives all that is kept, as it came.
    pub fn into_records(self) -> Vec<T> {
        without_times(self.records)
    }

    fn find_first(&mut self) {
        let times = self.records.iter().map(|(time, _)| *time);
        self.from = times.min().unwrap_or(Timestamp::MAX);
    }
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn without_times<T>(records: Vec<(Timestamp, T)>) -> Vec<T> {
    records.into_iter().map(|(_, record)| record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_is_given_up_first() {
        let mut held = Held::new();
        let at = |number: usize| Timestamp::from_secs(1_000_000 - i64::try_from(number).unwrap());
        let mut given_up = Vec::new();
        for number in 0..=Held::<usize>::LIMIT {
            given_up.extend(held.push(at(number), number));
        }
        let half = Held::<usize>::LIMIT / 2;
        assert_eq!(given_up, (0..half).collect::<Vec<_>>());
        assert!(!held.is_due(at(2 * half + 1)) && held.is_due(at(2 * half)));
        let due = held.release(at(2 * half - 1));
        assert_eq!(due, [2 * half - 1, 2 * half]);
        assert!(held.is_due(at(2 * half - 2)) && !held.is_due(at(2 * half)));
        assert_eq!(
            held.into_records(),
            (half..2 * half - 1).collect::<Vec<_>>()
        );
    }
}
