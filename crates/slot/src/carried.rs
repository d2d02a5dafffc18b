//! What a stream holds open: few slots, and the flows that go on behind them.

use peerscope_flow::{Flow, SlotIndex, SystemId};

use crate::hosts::Hosts;
use crate::open_slot::{OpenSlot, View};
use crate::{Aggregator, Direction};

/// A flow as one of its monitored ends sees it, of which slots to come have not had their part.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    flow: Flow,
    direction: Direction,
    control: Option<SystemId>,
    first: SlotIndex,
    number: u32,
    /// The slots before have had their part.
    next: SlotIndex,
    last: SlotIndex,
}

impl Carried {
    /// What is left of a flow behind a slot.
    pub(crate) fn new(view: &View<'_>, behind: SlotIndex, last: SlotIndex) -> Self {
        Self {
            flow: view.flow.clone(),
            direction: view.direction,
            control: view.control,
            first: view.first,
            number: view.number,
            next: SlotIndex(behind.0 + 1),
            last,
        }
    }

    /// The flow in slots that it does not start in: these take hosts by number, and no peers.
    fn view(&self) -> View<'_> {
        View {
            flow: &self.flow,
            peer_in_isp: false,
            direction: self.direction,
            control: self.control,
            first: self.first,
            number: self.number,
            place: 0,
            row: 0,
        }
    }
}

/// Hosts forgotten at once, at least: fewer are not worth the work.
const FORGET: usize = 4096;

impl Aggregator<'_> {
    /// Opens slots up to this one, from now on and for the flows carried.
    pub(crate) fn reach(&mut self, horizon: SlotIndex) {
        if self.horizon == horizon {
            return;
        }
        self.horizon = horizon;
        let mut carried = std::mem::take(&mut self.carried);
        carried.retain_mut(|one| {
            let reach = one.last.min(horizon);
            let mut parts = Vec::new();
            self.add_portions(one.view(), (one.next, reach), &mut parts);
            self.add_parts(&mut parts);
            one.next = one.next.max(SlotIndex(reach.0.saturating_add(1)));
            reach < one.last
        });
        self.carried = carried;
    }

    /// Forgets the hosts that neither an open slot nor a carried flow knows, if they are many.
    pub(crate) fn forget_hosts(&mut self) {
        let rows: usize = self.open.iter().map(|open| open.keys().len()).sum();
        let known = self.hosts.addresses().len();
        if known <= 2 * (rows + self.carried.len()) + FORGET {
            return;
        }
        let mut hosts = Hosts::default();
        let of_carried = self.carried.iter().map(|one| one.number);
        let keys = self.open.iter().flat_map(OpenSlot::keys);
        let of_rows = keys.map(|key| key.host());
        let numbers = hosts.numbers_of(self.hosts.addresses(), of_rows.chain(of_carried));
        self.open.renumber(&numbers);
        for one in &mut self.carried {
            one.number = numbers[one.number as usize];
        }
        self.hosts = hosts;
    }
}
