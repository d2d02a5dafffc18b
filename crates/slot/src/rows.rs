//! Where the hosts of a slot have their rows.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::Transport;

/// What a row is of: a host, by its number, and TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u32);

impl Key {
    #[inline]
    pub(crate) fn new(host: u32, transport: Transport) -> Self {
        Self(2 * host + u32::from(transport == Transport::Udp))
    }

    #[inline]
    pub(crate) const fn host(self) -> u32 {
        self.0 / 2
    }

    #[inline]
    pub(crate) const fn transport(self) -> Transport {
        match self.transport_index() {
            0 => Transport::Tcp,
            _ => Transport::Udp,
        }
    }

    /// 0 for TCP, 1 for UDP.
    #[inline]
    pub(crate) const fn transport_index(self) -> usize {
        self.0 as usize % 2
    }

    /// The same, where hosts have other numbers.
    pub(crate) fn renumbered(self, numbers: &[u32]) -> Self {
        Self::new(numbers[self.host() as usize], self.transport())
    }
}

/// Rows by their key, given one after the other from 0 on.
///
/// Nearly all are found by one load: a flow that spans slots waits for it in each. Numbers far above
/// the number of rows would make a list for that too long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// By number; `NONE` for no row, or for one that is in `high`.
    low: Vec<u32>,
    high: HashMap<Key, u32, RandomState>,
}

/// The list's length, at most: so many for each row, and so many more.
const PER_ROW: usize = 4;
const MORE: usize = 128;

const NONE: u32 = u32::MAX;

impl Rows {
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<u32> {
        match self.low.get(key.0 as usize) {
            Some(&row) if row != NONE => Some(row),
            _ if self.high.is_empty() => None,
            _ => self.high.get(&key).copied(),
        }
    }

    /// Gives a key that has none the next row.
    pub(crate) fn insert(&mut self, key: Key, row: u32) {
        let number = key.0 as usize;
        if number >= PER_ROW * row as usize + MORE {
            self.high.insert(key, row);
            return;
        }
        if self.low.len() <= number {
            self.low.resize(number + 1, NONE);
        }
        self.low[number] = row;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![0_u32..20, 800_u32..2000, any::<u32>()].prop_map(Key)
    }

    proptest! {
        #[test]
        fn a_key_names_a_host_and_a_transport(host in 0_u32..1 << 31, udp in any::<bool>()) {
            let transport = if udp { Transport::Udp } else { Transport::Tcp };
            let key = Key::new(host, transport);
            prop_assert_eq!((key.host(), key.transport()), (host, transport));
        }
    }

    proptest! {
        #[test]
        fn rows_are_those_of_a_map(
            keys in prop::collection::vec(key(), 0..60),
            others in prop::collection::vec(key(), 0..60),
        ) {
            let mut rows = Rows::default();
            let mut expected = BTreeMap::new();
            for &key in &keys {
                let row = u32::try_from(expected.len()).unwrap();
                if rows.get(key).is_none() {
                    rows.insert(key, row);
                    expected.insert(key, row);
                }
            }
            prop_assert!(rows.low.len() <= PER_ROW * expected.len() + MORE);
            for key in keys.iter().chain(&others) {
                prop_assert_eq!(rows.get(*key), expected.get(key).copied());
            }
        }
    }
}
