//! The live flows: found by key, and in order of their last packet.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::key::Key;
use crate::live::LiveFlow;

/// More flows than this have no index.
pub(crate) const MAX_FLOWS: usize = NONE as usize - 1;

/// No neighbour in a list.
const NONE: u32 = u32::MAX;

/// The flows of a table are in one of two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Ordered by the last packet.
    Open,
    /// Ordered by the close.
    Closed,
}

/// Live flows with a hash index and two queues through them: one probe finds a flow, and the flows
/// to expire are always at the head of a queue.
#[derive(Debug)]
pub(crate) struct FlowTable {
    index: HashTable<u32>,
    hasher: FixedState,
    slots: Vec<Slot>,
    free: Vec<u32>,
    open: Ends,
    closed: Ends,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    queue: Queue,
    previous: u32,
    next: u32,
    /// Clock reading when the flow entered its place in the queue.
    since: i64,
    flow: LiveFlow,
}

#[derive(Debug)]
struct Ends {
    head: u32,
    tail: u32,
}

impl Ends {
    const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
    };
}

impl FlowTable {
    pub(crate) fn new() -> Self {
        Self {
            index: HashTable::new(),
            // Fixed: a run can be repeated; no result depends on it.
            hasher: FixedState::with_seed(0),
            slots: Vec::new(),
            free: Vec::new(),
            open: Ends::EMPTY,
            closed: Ends::EMPTY,
        }
    }

    /// Number of live flows.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn find(&self, key: &Key) -> Option<u32> {
        let found = self.index.find(hash(&self.hasher, key), |&at| {
            self.slots[at as usize].key == *key
        });
        found.copied()
    }

    pub(crate) fn flow(&self, at: u32) -> &LiveFlow {
        &self.slots[at as usize].flow
    }

    pub(crate) fn flow_mut(&mut self, at: u32) -> &mut LiveFlow {
        &mut self.slots[at as usize].flow
    }

    pub(crate) fn queue(&self, at: u32) -> Queue {
        self.slots[at as usize].queue
    }

    /// Adds a flow at the tail of the open queue; its key must not be in the table.
    pub(crate) fn insert(&mut self, key: Key, flow: LiveFlow, now: i64) -> u32 {
        let slot = Slot {
            key,
            queue: Queue::Open,
            previous: NONE,
            next: NONE,
            since: now,
            flow,
        };
        let at = if let Some(at) = self.free.pop() {
            self.slots[at as usize] = slot;
            at
        } else {
            self.slots.push(slot);
            // The number of live flows is limited to MAX_FLOWS.
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash(hasher, &key), at, |&at| {
            hash(hasher, &slots[at as usize].key)
        });
        self.append(at);
        at
    }

    /// Takes a flow out.
    pub(crate) fn remove(&mut self, at: u32) -> (Key, LiveFlow) {
        self.unlink(at);
        self.free.push(at);
        let slot = &mut self.slots[at as usize];
        let key = slot.key;
        if let Ok(entry) = self
            .index
            .find_entry(hash(&self.hasher, &key), |&other| other == at)
        {
            entry.remove();
        }
        (key, slot.flow.take())
    }

    /// Moves a flow to the tail of a queue.
    pub(crate) fn touch(&mut self, at: u32, queue: Queue, now: i64) {
        let slot = &mut self.slots[at as usize];
        slot.since = now;
        if slot.queue == queue && slot.next == NONE {
            return;
        }
        self.unlink(at);
        self.slots[at as usize].queue = queue;
        self.append(at);
    }

    /// The first flow of a queue, and since when it stands there.
    pub(crate) fn head(&self, queue: Queue) -> Option<(u32, i64)> {
        let at = match queue {
            Queue::Open => self.open.head,
            Queue::Closed => self.closed.head,
        };
        self.slots.get(at as usize).map(|slot| (at, slot.since))
    }

    const fn ends(&mut self, queue: Queue) -> &mut Ends {
        match queue {
            Queue::Open => &mut self.open,
            Queue::Closed => &mut self.closed,
        }
    }

    fn append(&mut self, at: u32) {
        let queue = self.slots[at as usize].queue;
        let ends = self.ends(queue);
        let tail = std::mem::replace(&mut ends.tail, at);
        if tail == NONE {
            ends.head = at;
        } else {
            self.slots[tail as usize].next = at;
        }
        let slot = &mut self.slots[at as usize];
        slot.previous = tail;
        slot.next = NONE;
    }

    fn unlink(&mut self, at: u32) {
        let Slot {
            queue,
            previous,
            next,
            ..
        } = self.slots[at as usize];
        if previous == NONE {
            self.ends(queue).head = next;
        } else {
            self.slots[previous as usize].next = next;
        }
        if next == NONE {
            self.ends(queue).tail = previous;
        } else {
            self.slots[next as usize].previous = previous;
        }
    }
}

fn hash(hasher: &FixedState, key: &impl Hash) -> u64 {
    hasher.hash_one(key)
}
