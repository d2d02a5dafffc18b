//! Whose turn it is among sequences that are in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use peerscope_flow::Timestamp;

/// Merges sequences by time: which one gives the next item.
///
/// A sequence is a number; the lower one has its turn first where times are equal. It stands in
/// line with the time of its next item, or, as long as it is not even opened, with the time it is
/// known to begin at: so no more sequences are open than overlap. One that is not in order inside
/// is read whole all the same; an item that comes late has its turn at once.
///
/// # Complexity
///
/// O(log n) an item with n sequences, one comparison as long as one of them stands alone.
///
/// ```
/// use peerscope_flow::Timestamp;
/// use peerscope_read::Turns;
///
/// let at = Timestamp::from_secs;
/// let sequences = [vec![at(1), at(5)], vec![at(2), at(5)]];
/// let mut left = sequences.each_ref().map(|items| items.iter());
/// let mut turns = Turns::new(sequences.iter().map(|items| items[0]));
/// let mut order = Vec::new();
/// while let Some(turn) = turns.next() {
///     order.extend(left[turn].next().map(|&item| (turn, item)));
///     if let Some(&next) = left[turn].clone().next() {
///         turns.add(next, turn);
///     }
/// }
/// assert_eq!(order, [(0, at(1)), (1, at(2)), (0, at(5)), (1, at(5))]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Turns {
    line: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

impl Turns {
    /// Sequences 0, 1, ... that begin at these times.
    pub fn new(starts: impl IntoIterator<Item = Timestamp>) -> Self {
        let starts = starts.into_iter().enumerate();
        Self {
            line: starts.map(|(i, start)| Reverse((start, i))).collect(),
        }
    }

    /// The sequence whose turn it is; it leaves the line until it is added again.
    #[expect(
        clippy::should_implement_trait,
        reason = "no iterator: sequences are added on the way"
    )]
    pub fn next(&mut self) -> Option<usize> {
        self.line.pop().map(|Reverse((_, sequence))| sequence)
    }

    /// Puts a sequence in line whose next item is of `time`.
    pub fn add(&mut self, time: Timestamp, sequence: usize) {
        self.line.push(Reverse((time, sequence)));
    }

    /// Whether a sequence that is not in line would be the next one with an item of `time`.
    pub fn goes_on(&self, time: Timestamp, sequence: usize) -> bool {
        self.line
            .peek()
            .is_none_or(|&Reverse(next)| (time, sequence) < next)
    }
}

/// Sequences that are in order of time as one, each item with the number of its sequence.
///
/// A sequence is asked for its first item when the time it is known to begin at has come, so it may
/// open what it reads only then. Errors have their turn at once, and their sequence goes on until
/// it ends. Items of equal times come by the number of their sequence.
///
/// ```
/// use peerscope_flow::Timestamp;
/// use peerscope_read::InOrder;
///
/// let sequences = [vec![1, 5], vec![2, 5]]
///     .map(|items| (Timestamp::from_secs(items[0]), items.into_iter().map(Ok::<_, ()>)));
/// let order: Vec<_> = InOrder::new(sequences, |&item| Timestamp::from_secs(item)).collect();
/// assert_eq!(order, [(0, Ok(1)), (1, Ok(2)), (0, Ok(5)), (1, Ok(5))]);
/// ```
pub struct InOrder<I, T> {
    sequences: Vec<I>,
    /// The item of a sequence that stands in line, none as long as it was not asked for one.
    heads: Vec<Option<T>>,
    turns: Turns,
    /// The sequence that gave the last item and has not been asked for the next one.
    current: Option<usize>,
    time: fn(&T) -> Timestamp,
}

impl<I, T> InOrder<I, T> {
    /// Sequences 0, 1, ... with the time that each begins at; `time` tells that of an item.
    pub fn new(
        sequences: impl IntoIterator<Item = (Timestamp, I)>,
        time: fn(&T) -> Timestamp,
    ) -> Self {
        let (starts, sequences): (Vec<_>, Vec<_>) = sequences.into_iter().unzip();
        Self {
            heads: starts.iter().map(|_| None).collect(),
            turns: Turns::new(starts),
            sequences,
            current: None,
            time,
        }
    }

    /// The sequences, for what they know.
    pub fn sequences(&self) -> &[I] {
        &self.sequences
    }

    /// The same, to keep.
    pub fn into_sequences(self) -> Vec<I> {
        self.sequences
    }
}

impl<T, E, I: Iterator<Item = Result<T, E>>> Iterator for InOrder<I, T> {
    type Item = (usize, Result<T, E>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(current) = self.current {
                match self.sequences[current].next() {
                    Some(Ok(item)) => {
                        let time = (self.time)(&item);
                        if self.turns.goes_on(time, current) {
                            return Some((current, Ok(item)));
                        }
                        self.heads[current] = Some(item);
                        self.turns.add(time, current);
                    }
                    Some(Err(error)) => return Some((current, Err(error))),
                    None => {}
                }
            }
            self.current = self.turns.next();
            if let Some(item) = self.heads[self.current?].take() {
                return self.current.map(|current| (current, Ok(item)));
            }
        }
    }
}

impl<I, T> fmt::Debug for InOrder<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InOrder")
            .field("turns", &self.turns)
            .finish_non_exhaustive()
    }
}
