//! Copies of packets, as mirror ports make them.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::decode::Decoded;

/// Packets remembered at a time.
const CAPACITY: usize = 1 << 16;

/// Digests of recent packets, in bounded memory.
#[derive(Debug)]
pub(crate) struct RecentPackets {
    window: i64,
    hasher: FixedState,
    seen: HashMap<u64, i64, FixedState>,
    /// By age; every entry is in the map.
    queue: VecDeque<(i64, u64)>,
}

impl RecentPackets {
    pub(crate) fn new(window: i64) -> Self {
        Self {
            window,
            hasher: FixedState::with_seed(1),
            seen: HashMap::with_hasher(FixedState::with_seed(2)),
            queue: VecDeque::new(),
        }
    }

    /// Whether an equal packet was seen within the window; remembers this one if not.
    pub(crate) fn is_copy(&mut self, packet: &Decoded<'_>, now: i64) -> bool {
        while let Some(&(since, digest)) = self.queue.front()
            && (now - since > self.window || self.queue.len() >= CAPACITY)
        {
            self.queue.pop_front();
            self.seen.remove(&digest);
        }
        let digest = self.digest(packet);
        if self.seen.contains_key(&digest) {
            return true;
        }
        self.seen.insert(digest, now);
        self.queue.push_back((now, digest));
        false
    }

    /// Everything of the IP packet but what a router on the way changes: hop count and checksum.
    fn digest(&self, packet: &Decoded<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let hops = match packet.ip.first() {
            Some(first) if first >> 4 == 4 => [8..9, 10..12],
            _ => [7..8, 8..8],
        };
        let mut from = 0;
        for skipped in hops {
            hasher.write(packet.ip.get(from..skipped.start).unwrap_or_default());
            from = skipped.end;
        }
        hasher.write(packet.ip.get(from..).unwrap_or_default());
        hasher.write_u32(packet.ip_length);
        hasher.finish()
    }
}
