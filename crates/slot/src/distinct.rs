//! Exact distinct counts of a slot's started flows, group by group.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// What is counted of one started flow, seen from one host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// The row of the host and transport in the slot, twice, and the direction.
    pub(crate) group: u32,
    /// An IPv4 address, or the number of an IPv6 address in the list of its `Started`.
    pub(crate) peer: u32,
    /// The responder's port.
    pub(crate) port: u16,
    pub(crate) peer_is_v6: bool,
    pub(crate) peer_in_isp: bool,
}

/// Started flows in the order they came, in pieces: a list that grows never moves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Starts {
    pieces: Vec<Vec<Start>>,
    len: usize,
}

impl Starts {
    /// Pieces double in size, between these bounds.
    const PIECE: std::ops::RangeInclusive<usize> = 8..=2048;

    #[inline]
    pub(crate) fn push(&mut self, start: Start) {
        self.len += 1;
        match self.pieces.last_mut() {
            Some(piece) if piece.len() < piece.capacity() => piece.push(start),
            _ => self.push_piece(start),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Start> {
        self.pieces.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Start> {
        self.pieces.iter_mut().flatten()
    }

    #[cold]
    fn push_piece(&mut self, start: Start) {
        let mut piece =
            Vec::with_capacity(self.len.clamp(*Self::PIECE.start(), *Self::PIECE.end()));
        piece.push(start);
        self.pieces.push(piece);
    }
}

/// Distinct counts of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distinct {
    pub(crate) peers: u32,
    pub(crate) isp_peers: u32,
    pub(crate) ports: u32,
    pub(crate) reserved_ports: u32,
}

/// Each direction of a row is a group of its own.
pub(crate) const GROUPS_PER_ROW: u32 = 2;

/// The group of the same direction where rows have other numbers.
pub(crate) fn group_in(own_row: impl Fn(usize) -> u32, group: u32) -> u32 {
    own_row((group / GROUPS_PER_ROW) as usize) * GROUPS_PER_ROW + group % GROUPS_PER_ROW
}

/// Whether the paper counts a port as reserved.
pub(crate) const fn is_reserved(port: u16) -> bool {
    port <= 1024
}

/// Scratch memory, reused from slot to slot.
///
/// Peers go into an open-addressing table whose entries carry the number of their group, so that
/// it is never cleared; a small group uses a small part of it and stays in cache. Ports go into a
/// bitmap that is cleared by walking the group again.
#[derive(Debug, Default)]
pub(crate) struct DistinctCounter {
    /// Stamp (high 31 bits), family and address (low 33 bits).
    table: Vec<u64>,
    stamp: u32,
    ports: Vec<u64>,
    // Seeded at random against crafted collisions; counts do not depend on the seed.
    hasher: RandomState,
    sorted: Vec<Start>,
    offsets: Vec<u32>,
}

const ADDRESS_BITS: u32 = 33;
const LAST_STAMP: u32 = (1 << (64 - ADDRESS_BITS)) - 1;

impl DistinctCounter {
    /// Calls `visit` with every non-empty group of `starts` and its counts.
    ///
    /// # Complexity
    ///
    /// O(starts + groups) expected.
    pub(crate) fn count(
        &mut self,
        starts: &Starts,
        groups: usize,
        mut visit: impl FnMut(u32, Distinct),
    ) {
        self.sort_by_group(starts, groups);
        let sorted = std::mem::take(&mut self.sorted);
        for group in sorted.chunk_by(|a, b| a.group == b.group) {
            let peers = self.peers(group);
            let ports = self.ports(group);
            visit(
                group[0].group,
                Distinct {
                    ports: ports.0,
                    reserved_ports: ports.1,
                    ..peers
                },
            );
        }
        self.sorted = sorted;
    }

    /// Counting sort into `self.sorted`.
    fn sort_by_group(&mut self, starts: &Starts, groups: usize) {
        self.offsets.clear();
        self.offsets.resize(groups + 1, 0);
        for start in starts.iter() {
            self.offsets[start.group as usize + 1] += 1;
        }
        for group in 0..groups {
            self.offsets[group + 1] += self.offsets[group];
        }
        self.sorted.clear();
        if let Some(&any) = starts.iter().next() {
            self.sorted.resize(starts.len, any);
        }
        for start in starts.iter() {
            let offset = &mut self.offsets[start.group as usize];
            self.sorted[*offset as usize] = *start;
            *offset += 1;
        }
    }

    fn peers(&mut self, group: &[Start]) -> Distinct {
        let capacity = (group.len() * 2).next_power_of_two();
        if self.table.len() < capacity {
            self.table.resize(capacity, 0);
        }
        if self.stamp == LAST_STAMP {
            self.table.fill(0);
            self.stamp = 0;
        }
        self.stamp += 1;
        let mut distinct = Distinct::default();
        for start in group {
            let address = u64::from(start.peer) | (u64::from(start.peer_is_v6) << 32);
            let entry = (u64::from(self.stamp) << ADDRESS_BITS) | address;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "masked to the table's size"
            )]
            let mut place = self.hasher.hash_one(address) as usize & (capacity - 1);
            loop {
                let found = self.table[place];
                if found == entry {
                    break;
                }
                if found >> ADDRESS_BITS != u64::from(self.stamp) {
                    self.table[place] = entry;
                    distinct.peers += 1;
                    distinct.isp_peers += u32::from(start.peer_in_isp);
                    break;
                }
                place = (place + 1) & (capacity - 1);
            }
        }
        distinct
    }

    /// Distinct ports, and those of them that are reserved.
    fn ports(&mut self, group: &[Start]) -> (u32, u32) {
        self.ports.resize((usize::from(u16::MAX) + 1) / 64, 0);
        let (mut all, mut reserved) = (0, 0);
        for start in group {
            let word = &mut self.ports[usize::from(start.port) / 64];
            let bit = 1 << (start.port % 64);
            let fresh = u32::from(*word & bit == 0);
            *word |= bit;
            all += fresh;
            reserved += fresh & u32::from(is_reserved(start.port));
        }
        for start in group {
            self.ports[usize::from(start.port) / 64] = 0;
        }
        (all, reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn start() -> impl Strategy<Value = Start> {
        let port = prop_oneof![0_u16..4, 1022_u16..1028, Just(u16::MAX)];
        (0_u32..6, 0_u32..9, port, any::<bool>()).prop_map(|(group, peer, port, peer_is_v6)| {
            Start {
                group,
                peer,
                port,
                peer_is_v6,
                peer_in_isp: peer % 3 == 0,
            }
        })
    }

    fn size(count: usize) -> u32 {
        u32::try_from(count).unwrap()
    }

    proptest! {
        #[test]
        fn counts_equal_sets(
            first in prop::collection::vec(start(), 0..80),
            second in prop::collection::vec(start(), 0..80),
            stamp in prop_oneof![Just(0), Just(LAST_STAMP - 2)],
        ) {
            let mut counter = DistinctCounter { stamp, ..DistinctCounter::default() };
            for starts in [first, second] {
                let mut expected: BTreeMap<u32, Distinct> = BTreeMap::new();
                for group in starts.iter().map(|s| s.group).collect::<BTreeSet<_>>() {
                    let of = || starts.iter().filter(move |s| s.group == group);
                    let peers: BTreeSet<_> = of().map(|s| (s.peer_is_v6, s.peer)).collect();
                    let ports: BTreeSet<_> = of().map(|s| s.port).collect();
                    expected.insert(group, Distinct {
                        peers: size(peers.len()),
                        isp_peers: size(peers.iter().filter(|(_, peer)| peer % 3 == 0).count()),
                        ports: size(ports.len()),
                        reserved_ports: size(ports.iter().filter(|&&port| port <= 1024).count()),
                    });
                }
                let mut counted = BTreeMap::new();
                let mut list = Starts::default();
                for start in &starts { list.push(*start); }
                counter.count(&list, 6, |group, distinct| {
                    counted.insert(group, distinct);
                });
                prop_assert_eq!(counted, expected);
            }
        }
    }
}
