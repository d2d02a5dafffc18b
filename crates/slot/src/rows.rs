//! Where the hosts of a slot have their rows.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Rows by the number of their host, given one after the other from 0 on.
///
/// Nearly all are found by one load: a flow that spans slots waits for it in each. Numbers far above
/// the number of rows would make a list for that too long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// By number; `NONE` for no row, or for one that is in `high`.
    low: Vec<u32>,
    high: HashMap<u32, u32, RandomState>,
}

/// The list's length, at most: so many for each row, and so many more.
const PER_ROW: usize = 8;
const MORE: usize = 64;

const NONE: u32 = u32::MAX;

impl Rows {
    #[inline]
    pub(crate) fn get(&self, host: u32) -> Option<u32> {
        match self.low.get(host as usize) {
            Some(&row) if row != NONE => Some(row),
            _ if self.high.is_empty() => None,
            _ => self.high.get(&host).copied(),
        }
    }

    /// Gives a host that has none the next row.
    pub(crate) fn insert(&mut self, host: u32, row: u32) {
        let number = host as usize;
        if number >= PER_ROW * row as usize + MORE {
            self.high.insert(host, row);
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

    fn host() -> impl Strategy<Value = u32> {
        prop_oneof![0_u32..20, 50_u32..500, any::<u32>()]
    }

    proptest! {
        #[test]
        fn rows_are_those_of_a_map(
            hosts in prop::collection::vec(host(), 0..60),
            others in prop::collection::vec(host(), 0..60),
        ) {
            let mut rows = Rows::default();
            let mut expected = BTreeMap::new();
            for &host in &hosts {
                let row = u32::try_from(expected.len()).unwrap();
                if rows.get(host).is_none() {
                    rows.insert(host, row);
                    expected.insert(host, row);
                }
            }
            prop_assert!(rows.low.len() <= PER_ROW * expected.len() + MORE);
            for host in hosts.iter().chain(&others) {
                prop_assert_eq!(rows.get(*host), expected.get(host).copied());
            }
        }
    }
}
