//! The groups of a pattern taken together: what arrives at a host from any client.

use crate::Runs;
use crate::bucket::Series;
use crate::table::Table;

/// The groups of a pattern taken together.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) pattern: u32,
    pub(crate) members: Vec<u32>,
    /// Each member's events, and the windows that have any.
    pub(crate) starts: Vec<u32>,
    pub(crate) events: Vec<u32>,
    pub(crate) present: Runs,
}

impl Pool {
    pub(crate) fn new(table: &Table<'_>, pattern: u32, members: Vec<u32>) -> Self {
        let mut starts: Vec<u32> = members
            .iter()
            .flat_map(|&id| table.events(id).iter().copied())
            .collect();
        starts.sort_unstable();
        let mut events = starts.clone();
        events.dedup();
        let present = Runs::from_ranges(members.iter().flat_map(|&id| table.present(id).ranges()));
        Self {
            pattern,
            members,
            starts,
            events,
            present,
        }
    }

    pub(crate) const fn series(&self) -> Series<'_> {
        Series {
            id: self.pattern,
            events: self.events.as_slice(),
            present: &self.present,
        }
    }
}

/// What arrives at a host, pooled over clients.
pub(crate) fn pools(table: &Table<'_>, host: usize) -> Vec<Pool> {
    let mut patterns: Vec<u32> = table
        .ins(host)
        .iter()
        .map(|&id| table.pattern_of[id as usize])
        .collect();
    patterns.sort_unstable();
    patterns.dedup();
    patterns
        .into_iter()
        .filter_map(|number| {
            let pattern = &table.patterns[number as usize];
            (table.can_lead_pool(pattern) || table.can_follow_pool(pattern))
                .then(|| Pool::new(table, number, pattern.members.clone()))
        })
        .collect()
}
