//! First fragments, remembered for the ports that later ones lack.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::decode::{Decoded, Fragment};

/// A later fragment may follow its first this many microseconds later (RFC 8200, section 4.5).
const LIFETIME: i64 = 60_000_000;
/// First fragments remembered at a time.
const CAPACITY: usize = 1 << 16;

/// What the fragments of a packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PacketId {
    src: u128,
    dst: u128,
    id: u32,
    vlan: u16,
    protocol: u8,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    src: u16,
    dst: u16,
    since: i64,
}

/// The ports of recent first fragments, in bounded memory.
#[derive(Debug)]
pub(crate) struct FirstFragments {
    ports: HashMap<PacketId, Ports, FixedState>,
    /// By age; an entry is stale if the map has a later one.
    queue: VecDeque<(i64, PacketId)>,
}

impl FirstFragments {
    pub(crate) fn new() -> Self {
        Self {
            ports: HashMap::with_hasher(FixedState::with_seed(0)),
            queue: VecDeque::new(),
        }
    }

    /// Remembers the ports of a first fragment, or gives them to a later one. False: no first
    /// fragment is known.
    pub(crate) fn resolve(&mut self, packet: &mut Decoded<'_>, now: i64) -> bool {
        let key = |id| PacketId {
            src: packet.src,
            dst: packet.dst,
            id,
            vlan: packet.vlan,
            protocol: packet.protocol,
        };
        match packet.fragment {
            Fragment::None => true,
            Fragment::First { id } => {
                let ports = Ports {
                    src: packet.src_port,
                    dst: packet.dst_port,
                    since: now,
                };
                self.forget(now);
                self.queue.push_back((now, key(id)));
                self.ports.insert(key(id), ports);
                true
            }
            Fragment::Later { id } => {
                self.forget(now);
                let Some(&ports) = self.ports.get(&key(id)) else {
                    return false;
                };
                packet.src_port = ports.src;
                packet.dst_port = ports.dst;
                true
            }
        }
    }

    fn forget(&mut self, now: i64) {
        while let Some(&(since, id)) = self.queue.front()
            && (now - since > LIFETIME || self.queue.len() >= CAPACITY)
        {
            self.queue.pop_front();
            if self
                .ports
                .get(&id)
                .is_some_and(|ports| ports.since == since)
            {
                self.ports.remove(&id);
            }
        }
    }
}
