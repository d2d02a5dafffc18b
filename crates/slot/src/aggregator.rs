//! The aggregator: batches of flows in, host slots out.

use peerscope_flow::{Flow, SlotIndex, SlotLength, Span, Timestamp};
use rayon::prelude::*;
use thiserror::Error;

use crate::admission::{FlowScope, Skip};
use crate::carried::Carried;
use crate::close::{PartSlots, close, in_memory};
use crate::hosts::Hosts;
use crate::open_slot::{OpenSlot, OpenSlots, View};
use crate::settled::Settled;
use crate::started::Started;
use crate::sums::Portion;
use crate::{Aggregation, Direction, HostSlots, Precision, Share, SkippedFlows};

/// Takes flows in batches, in any order, and holds their partial aggregates.
///
/// Memory: about 200 bytes a host, slot and transport, some 60 where flows come in order of time and peers are counted
/// exactly; 12 bytes for each monitored end of a flow started (more for new IPv6 peers), or the sketches of giant
/// hosts; and some 600 bytes a slot.
#[derive(Clone, Debug)]
pub struct Aggregator<'a> {
    config: &'a Aggregation,
    pub(crate) hosts: Hosts,
    pub(crate) open: OpenSlots,
    /// First and last slot over every flow in the time range that is not too long.
    slots: Option<(SlotIndex, SlotIndex)>,
    latest: Window,
    flows: u64,
    skipped: SkippedFlows,
    /// The last slot that is opened now; flows that go on behind it are carried. Of streams only.
    pub(crate) horizon: SlotIndex,
    pub(crate) carried: Vec<Carried>,
    settled: Vec<Settled>,
    /// Flows that entered since slots were looked at that may settle, and the first slot of these.
    entered: usize,
    earliest: SlotIndex,
    /// Whether slots settle: streams close them themselves, and sketches have to grow.
    pub(crate) settles: bool,
    /// Flows that may come before giant hosts are looked for, where these are counted approximately.
    until_condensed: usize,
}

/// The slot of the latest flow: the next one mostly starts there too, which saves a division.
#[derive(Clone, Copy, Debug)]
struct Window {
    slot: SlotIndex,
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    const EMPTY: Self = Self {
        slot: SlotIndex(0),
        start: Timestamp::MAX,
        end: Timestamp::MIN,
    };

    /// The first and last slot of a span.
    fn slots_of(&mut self, span: Span, length: SlotLength) -> (SlotIndex, SlotIndex) {
        if span.start() < self.start || self.end <= span.start() {
            let slot = length.slot_of(span.start());
            let start = length.start_of(slot);
            let end = length.start_of(SlotIndex(slot.0.saturating_add(1)));
            *self = Self { slot, start, end };
        }
        let last = if span.end() < self.end {
            self.slot
        } else {
            length.slot_of(span.end())
        };
        (self.slot, last)
    }
}

/// Two partial aggregates that were made under different settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("partial aggregates with different settings cannot be merged")]
#[non_exhaustive]
pub struct MergeError;

/// Aggregates flows on the threads of the current rayon pool.
///
/// # Complexity
///
/// O(flows + active slots of all flows) expected time, plus sorting the samples; memory as for
/// [`Aggregator`].
pub fn aggregate(flows: &[Flow], config: &Aggregation) -> HostSlots {
    let mut aggregator = ParallelAggregator::new(config);
    aggregator.add(flows);
    aggregator.finish()
}

/// An [`Aggregator`] for each thread of the rayon pool it is made in: large batches are shared out
/// among them, and nothing is locked.
#[derive(Clone, Debug)]
pub struct ParallelAggregator<'a> {
    config: &'a Aggregation,
    parts: Vec<Aggregator<'a>>,
}

impl<'a> ParallelAggregator<'a> {
    /// An aggregator that has seen no flows.
    pub fn new(config: &'a Aggregation) -> Self {
        let parts = vec![Aggregator::new(config); rayon::current_num_threads()];
        Self { config, parts }
    }

    /// Adds a batch of flows; tens of thousands at a time keep all threads busy.
    pub fn add(&mut self, flows: &[Flow]) {
        let share = flows.len().div_ceil(self.parts.len()).max(1);
        let chunks = flows.par_chunks(share);
        self.parts
            .par_iter_mut()
            .zip(chunks)
            .for_each(|(part, chunk)| part.add(chunk));
    }

    /// The aggregator of each thread, for callers that share out flows themselves.
    pub fn parts_mut(&mut self) -> &mut [Aggregator<'a>] {
        &mut self.parts
    }

    /// Closes every slot, on the threads of the current rayon pool.
    pub fn finish(self) -> HostSlots {
        finish_all(self.config, self.parts)
    }
}

impl<'a> Aggregator<'a> {
    /// An aggregator that has seen no flows.
    pub fn new(config: &'a Aggregation) -> Self {
        Self {
            config,
            hosts: Hosts::default(),
            open: OpenSlots::default(),
            slots: None,
            latest: Window::EMPTY,
            flows: 0,
            skipped: SkippedFlows::default(),
            horizon: SlotIndex(i64::MAX),
            carried: Vec::new(),
            settled: Vec::new(),
            entered: 0,
            earliest: SlotIndex(i64::MAX),
            settles: config.approximate.is_none(),
            until_condensed: CONDENSE,
        }
    }

    /// Adds a batch of flows.
    pub fn add(&mut self, flows: &[Flow]) {
        self.add_batch(flows, None);
    }

    /// Adds a batch of flows, and appends what [`Aggregation::scope`] says of each, which has to be found
    /// out anyway.
    pub fn add_and_scope(&mut self, flows: &[Flow], scopes: &mut Vec<Option<FlowScope>>) {
        self.add_batch(flows, Some(scopes));
    }

    fn add_batch(&mut self, flows: &[Flow], mut scopes: Option<&mut Vec<Option<FlowScope>>>) {
        let mut views = Views::default();
        for block in flows.chunks(BLOCK) {
            self.add_block(block, &mut views, scopes.as_deref_mut());
            if self.entered >= SETTLE && self.settles {
                self.settle();
            }
        }
    }

    /// Packs the slots before all of the latest flows. Where flows come in order of time, no more of them
    /// enter these; where they do not, those that come make another part of the slot, which stays open.
    #[cold]
    fn settle(&mut self) {
        let passed = self.open.take_passed(self.earliest);
        self.settled
            .extend(passed.map(|(slot, open)| open.settle(slot)));
        (self.entered, self.earliest) = (0, SlotIndex(i64::MAX));
    }

    /// Works step by step: a step's loads from memory do not wait for each other, and a wrongly
    /// guessed branch of the first step throws away no work of the others.
    fn add_block<'f>(
        &mut self,
        block: &'f [Flow],
        views: &mut Views<'f>,
        mut scopes: Option<&mut Vec<Option<FlowScope>>>,
    ) {
        for flow in block {
            if let Err(reason) = self.admit(flow, views, scopes.as_deref_mut()) {
                self.skipped.count(reason);
            }
        }
        let Views {
            whole,
            spanning,
            parts,
        } = views;
        // Hosts first: of very many, each waits for memory, which only little work between lets overlap.
        for view in whole.iter_mut() {
            view.number = self.hosts.number(self.config.host_of(view.host()));
        }
        for view in whole.iter_mut() {
            view.place = self.open.place(view.first);
            view.row = self.open.at(view.place).row(view.key());
        }
        for view in whole.drain(..) {
            self.open.at(view.place).add_whole(&view);
        }
        for (view, last) in spanning.drain(..) {
            self.add_spanning(view, last, parts);
        }
        self.add_parts(parts);
        self.flows += block.len() as u64;
        if let Some(precision) = self.config.approximate {
            self.condense(block.len(), precision);
        }
    }

    /// Looks for giant hosts from time to time.
    #[cold]
    fn condense(&mut self, added: usize, precision: Precision) {
        self.until_condensed = self.until_condensed.saturating_sub(added);
        if self.until_condensed == 0 {
            self.until_condensed = CONDENSE;
            let grown = |open: &&mut OpenSlot| open.has_grown();
            for open in self.open.iter_mut().filter(grown) {
                open.condense(precision);
            }
        }
    }

    /// Adds the partial aggregates of another part of the trace.
    ///
    /// # Errors
    ///
    /// If the two were made under different settings.
    pub fn merge(&mut self, other: Self) -> Result<(), MergeError> {
        if self.config != other.config {
            return Err(MergeError);
        }
        let numbers = other.hosts.addresses().iter();
        let numbers: Vec<u32> = numbers.map(|&host| self.hosts.number(host)).collect();
        for (slot, part) in other.open.into_slots() {
            let place = self.open.place(slot);
            self.open.at(place).merge(&part, &numbers);
        }
        if !other.settled.is_empty() {
            let theirs = other.settled.into_iter();
            let theirs = theirs.map(|part| part.renumbered(&numbers));
            let own = std::mem::take(&mut self.settled);
            self.settled = Settled::joined(own.into_iter().chain(theirs).collect());
        }
        self.flows += other.flows;
        self.skipped.merge(&other.skipped);
        self.slots = union(self.slots, other.slots);
        Ok(())
    }

    /// Closes every slot. Distinct counting runs on the threads of the current rayon pool.
    pub fn finish(self) -> HostSlots {
        finish_all(self.config, vec![self])
    }

    /// Every slot, with the hosts that they name.
    pub(crate) fn into_slots(self) -> PartSlots<Hosts> {
        PartSlots {
            hosts: self.hosts,
            open: self.open.into_slots(),
            settled: self.settled,
        }
    }

    #[cfg(test)]
    pub(crate) fn settled_rows(&self) -> usize {
        self.settled.iter().map(|part| part.keys().len()).sum()
    }

    /// What is to be counted of each slot.
    pub(crate) fn started_mut(&mut self) -> impl Iterator<Item = &mut Started> {
        let open = self.open.iter_mut().map(|open| &mut open.started);
        open.chain(self.settled.iter_mut().map(Settled::started_mut))
    }

    /// Appends what the monitored ends see of a flow, and what [`Aggregation::scope`] says of it.
    #[inline]
    fn admit<'f>(
        &mut self,
        flow: &'f Flow,
        views: &mut Views<'f>,
        scopes: Option<&mut Vec<Option<FlowScope>>>,
    ) -> Result<(), Skip> {
        let config = self.config;
        if !config.covers(flow.span.start()) {
            if let Some(scopes) = scopes {
                scopes.push(None);
            }
            return Err(Skip::OutsideTime);
        }
        let (first, last) = self.latest.slots_of(flow.span, config.slot_length);
        // A record with an absurd end does not move the end of the trace.
        let is_short = last.0.abs_diff(first.0) < config.max_slots_per_flow;
        if is_short {
            self.slots = union(self.slots, Some((first, last)));
        }
        let (zones, admitted) = config.admit(flow, (first, last));
        if let Some(scopes) = scopes {
            scopes.push(is_short.then(|| FlowScope::new((first, last), zones, admitted)));
        }
        let admitted = admitted?;
        self.entered += 1;
        self.earliest = self.earliest.min(first);
        // Which end it is would be guessed wrongly half of the time: one end is no branch.
        let ends = match admitted.counts_for {
            [true, true] => 0..2,
            [_, responder] => usize::from(responder)..usize::from(responder) + 1,
        };
        for end in ends {
            let view = View {
                flow,
                peer_in_isp: admitted.inside_isp[1 - end],
                direction: Direction::BOTH[end],
                control: admitted.control,
                first,
                number: 0,
                place: 0,
                row: 0,
            };
            if first == last {
                views.whole.push(view);
            } else {
                views.spanning.push((view, last));
            }
        }
        Ok(())
    }

    fn add_spanning<'f>(&mut self, mut view: View<'f>, last: SlotIndex, parts: &mut Vec<Part<'f>>) {
        view.number = self.hosts.number(self.config.host_of(view.host()));
        let reach = last.min(self.horizon).max(view.first);
        self.add_portions(view, (view.first, reach), parts);
        if reach < last {
            self.carried.push(Carried::new(&view, reach, last));
        }
    }

    /// Finds what a flow that spans slots brings into those of a range, and where it belongs; adds
    /// it when there is much of it. A slot to come is in no near cache: these waits overlap too.
    pub(crate) fn add_portions<'f>(
        &mut self,
        mut view: View<'f>,
        (from, to): (SlotIndex, SlotIndex),
        parts: &mut Vec<Part<'f>>,
    ) {
        for slot in (from.0..=to.0).map(SlotIndex) {
            view.place = self.open.place(slot);
            view.row = self.open.at(view.place).row(view.key());
            parts.push(Part {
                view,
                portion: portion(view.flow, self.config, slot),
                starts_here: slot == view.first,
            });
            if parts.len() == BLOCK {
                self.add_parts(parts);
            }
        }
    }

    /// Adds the portions that were found.
    pub(crate) fn add_parts(&mut self, parts: &mut Vec<Part<'_>>) {
        for part in parts.drain(..) {
            let Part { view, portion, .. } = &part;
            let open = self.open.at(view.place);
            open.add_portion(view, portion, part.starts_here);
        }
    }
}

/// What the monitored ends see of a block's flows.
#[derive(Debug, Default)]
struct Views<'f> {
    /// Flows that lie in one slot.
    whole: Vec<View<'f>>,
    /// Flows that do not, with their last slot.
    spanning: Vec<(View<'f>, SlotIndex)>,
    /// What these bring into each slot, and where it belongs.
    parts: Vec<Part<'f>>,
}

/// What a flow that spans slots brings into one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'f> {
    view: View<'f>,
    portion: Portion,
    starts_here: bool,
}

/// Flows of a block: what is kept of them between the steps stays in the first cache.
const BLOCK: usize = 128;

/// Flows that enter between two looks for slots that are done. Tests have few.
const SETTLE: usize = if cfg!(test) { 8 } else { 1 << 11 };

/// Flows between two looks for giant hosts.
const CONDENSE: usize = 1 << 16;

/// Brings the parts together and closes every slot.
fn finish_all(config: &Aggregation, parts: Vec<Aggregator<'_>>) -> HostSlots {
    let totals = Totals::of(&parts);
    let parts = parts.into_iter().map(Aggregator::into_slots);
    let Ok(closed) = close(config, parts, in_memory);
    HostSlots::new(closed, totals, config)
}

/// What is counted of a trace as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) flows: u64,
    pub(crate) skipped: SkippedFlows,
    pub(crate) slots: Option<(SlotIndex, SlotIndex)>,
}

impl Totals {
    pub(crate) fn of(parts: &[Aggregator<'_>]) -> Self {
        let mut totals = Self::default();
        for part in parts {
            totals.flows += part.flows;
            totals.skipped.merge(&part.skipped);
            totals.slots = union(totals.slots, part.slots);
        }
        totals
    }
}

fn union(
    a: Option<(SlotIndex, SlotIndex)>,
    b: Option<(SlotIndex, SlotIndex)>,
) -> Option<(SlotIndex, SlotIndex)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}

/// The part of a flow that overlaps a slot; the flow spans several, so it has a length.
fn portion(flow: &Flow, config: &Aggregation, slot: SlotIndex) -> Portion {
    let slot_start = config.slot_length.start_of(slot);
    let slot_end = slot_start.saturating_add_micros(config.slot_length.as_micros());
    let from = flow.span.start().max(slot_start);
    let to: Timestamp = flow.span.end().min(slot_end);
    let overlap = to.as_micros().abs_diff(from.as_micros());
    let share = Share::new(overlap, flow.span.micros());
    Portion {
        fwd_bytes: share.of(flow.fwd.bytes),
        rev_bytes: share.of(flow.rev.bytes),
        packets: share.of(flow.fwd.packets.saturating_add(flow.rev.packets)),
    }
}
