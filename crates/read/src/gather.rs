//! Parts of one conversation, held together until no further part can come.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use peerscope_flow::{FlowKey, Span, Timestamp};

/// Holds parts by conversation. Parts come in near-time order: a conversation is given out when
/// the clock, the latest start of a part, is `reach` beyond its end.
///
/// A part that lies more than `reach` from the clock on either side does not move it, unless
/// [`STRIKE`] of them come in a row: one wrong time among many right ones must not make every
/// conversation look ended, and a pause in the trace must not stop the clock.
#[derive(Debug)]
pub(crate) struct Gather<T> {
    live: HashMap<FlowKey, Group<T>>,
    /// One entry for each live conversation; its time may be too early, never too late.
    deadlines: BinaryHeap<Reverse<(Timestamp, FlowKey)>>,
    clock: Option<Timestamp>,
    strays: u32,
    reach: i64,
    parts: usize,
    limit: usize,
    /// Conversations given out before their time because too many parts were held.
    pub(crate) forced: u64,
}

#[derive(Debug)]
struct Group<T> {
    end: Timestamp,
    parts: Vec<T>,
}

/// So many parts in a row with times far off the clock set it anew.
const STRIKE: u32 = 64;

impl<T> Gather<T> {
    /// `reach` in microseconds; at most `limit` parts are held.
    pub(crate) fn new(reach: i64, limit: usize) -> Self {
        Self {
            live: HashMap::new(),
            deadlines: BinaryHeap::new(),
            clock: None,
            strays: 0,
            reach,
            parts: 0,
            limit: limit.max(1),
            forced: 0,
        }
    }

    /// Adds a part to its conversation, whichever end `key` begins with.
    pub(crate) fn add(&mut self, key: FlowKey, span: Span, part: T) {
        let key = either_way(key);
        self.advance(span.start());
        self.parts += 1;
        if let Some(group) = self.live.get_mut(&key) {
            group.end = group.end.max(span.end());
            group.parts.push(part);
            return;
        }
        let end = span.end();
        self.deadlines.push(Reverse((self.deadline(end), key)));
        let parts = vec![part];
        self.live.insert(key, Group { end, parts });
    }

    /// The next conversation that is complete, or has to go because too many parts are held.
    pub(crate) fn ready(&mut self) -> Option<Vec<T>> {
        let clock = self.clock?;
        let full = self.parts > self.limit;
        while let Some(&Reverse((deadline, key))) = self.deadlines.peek() {
            if deadline >= clock && !full {
                return None;
            }
            let actual = self.live.get(&key).map(|group| self.deadline(group.end));
            if actual.is_some_and(|actual| actual > deadline) {
                self.deadlines.pop();
                self.deadlines
                    .extend(actual.map(|actual| Reverse((actual, key))));
                continue;
            }
            self.forced += u64::from(deadline >= clock);
            return self.first();
        }
        None
    }

    /// Any conversation left, the earliest deadline known first.
    pub(crate) fn first(&mut self) -> Option<Vec<T>> {
        let Reverse((_, key)) = self.deadlines.pop()?;
        let parts = self.live.remove(&key)?.parts;
        self.parts -= parts.len();
        Some(parts)
    }

    fn deadline(&self, end: Timestamp) -> Timestamp {
        end.saturating_add_micros(self.reach)
    }

    fn advance(&mut self, start: Timestamp) {
        let Some(clock) = self.clock else {
            self.clock = Some(start);
            return;
        };
        if start.micros_since(clock).saturating_abs() <= self.reach {
            self.clock = Some(clock.max(start));
            self.strays = 0;
        } else {
            self.strays += 1;
            if self.strays == STRIKE {
                self.clock = Some(start);
                self.strays = 0;
            }
        }
    }
}

/// The same key for both directions.
pub(crate) fn either_way(key: FlowKey) -> FlowKey {
    if key.dst < key.src {
        key.reversed()
    } else {
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_flow::{Endpoint, Transport};

    fn key(port: u16) -> FlowKey {
        let end = |port| Endpoint::new([10, 0, 0, 1].into(), port);
        FlowKey {
            transport: Transport::Udp,
            src: end(port),
            dst: end(7),
        }
    }

    fn at(secs: i64) -> Span {
        Span::at(Timestamp::from_secs(secs))
    }

    fn gather(limit: usize) -> Gather<i64> {
        Gather::new(10 * Timestamp::MICROS_PER_SEC, limit)
    }

    #[test]
    fn a_conversation_waits_for_its_last_part() {
        let mut gather = gather(100);
        for secs in [0, 9, 18] {
            gather.add(key(1), at(secs), secs);
        }
        gather.add(key(2), at(28), 28);
        assert_eq!(gather.ready(), None);
        gather.add(key(3), at(29), 29);
        assert_eq!(gather.ready(), Some(vec![0, 9, 18]));
        assert_eq!(gather.ready(), None);
        assert_eq!(gather.first(), Some(vec![28]));
        assert_eq!(gather.first(), Some(vec![29]));
        assert_eq!(gather.first(), None);
        assert_eq!((gather.forced, gather.parts), (0, 0));
    }

    #[test]
    fn one_wrong_time_does_not_move_the_clock_and_many_do() {
        let mut gather = gather(1000);
        gather.add(key(1), at(0), 0);
        gather.add(key(2), at(1_000_000), 0);
        assert_eq!(gather.ready(), None);
        for stray in 0..STRIKE {
            gather.add(key(3), at(500), i64::from(stray));
        }
        assert_eq!(gather.ready(), Some(vec![0]));
        assert_eq!(gather.ready(), None);
    }

    #[test]
    fn no_more_parts_are_held_than_the_limit_and_the_oldest_go_first() {
        let mut gather = gather(3);
        for port in 1..=5 {
            gather.add(key(port), at(0), i64::from(port));
            while gather.ready().is_some() {}
            assert!(gather.parts <= 3);
        }
        assert_eq!(gather.forced, 2);
        assert_eq!(gather.first(), Some(vec![3]));
    }
}
