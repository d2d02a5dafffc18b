//! The streaming aggregator: flows as they come, host slots as soon as they are final.

use peerscope_flow::{Arrival, Flow, Held, SlotIndex, Timestamp, Watermark};
use rayon::prelude::*;

use crate::admission::Skip;
use crate::aggregator::Totals;
use crate::close::{PartSlots, Slots, close, in_memory};
use crate::host_slots::Closed;
use crate::{Aggregation, Aggregator, HostSlots, SkippedFlows};

/// Takes flows as they come, and gives host slots when no flow in time can change them any more.
///
/// The starts of flows move the [`Watermark`]. A slot is **final** when the watermark has passed its
/// end; a flow that starts in a final slot is late: it enters no slot, not even those still open, and
/// is counted ([`SkippedFlows::late`]). So what is given is exactly what [`aggregate`](crate::aggregate)
/// makes of the flows that were not late, bit for bit, however they are cut into batches and on any
/// number of threads.
///
/// **What lateness is needed** depends on the order in which flows come:
///
/// | order | lateness |
/// |---|---|
/// | by start: sorted files | 0 |
/// | by end, as exporters send them | the exporter's active timeout (30 min by default on many), as a flow may start as long before it is sent; and as much as records are delayed and clocks differ |
/// | as a [meter](https://docs.rs/peerscope-meter) without active timeout ends them | the longest flow and the idle timeout |
///
/// The watermark has the lateness, and the limit of jumps that keeps one wrong clock from making all
/// other flows late. Flows ahead of that limit are [`Held`] until time has come to them, and enter
/// then; those given up are skipped and counted ([`SkippedFlows::ahead`]). At the end of the stream
/// there is nothing left to protect, and those still held enter, as in a batch.
///
/// **Memory** is that of an [`Aggregator`] for the open slots: from the watermark to 8 slots after that
/// of the latest start. A flow that goes on for longer costs about 200 bytes until then, not a row in
/// every slot to come. These rows are given in the end, as many as the batch would give:
/// [`Aggregation::with_max_slots_per_flow`] limits them.
///
/// ```
/// use peerscope_flow::{Endpoint, Family, Flow, Span, Timestamp, Topology, Transport, Watermark};
/// use peerscope_slot::{Aggregation, StreamingAggregator};
///
/// let config = Aggregation::new(Family::any(), Topology::everything_monitored());
/// let flow = |start| Flow::new(
///     Transport::Udp,
///     Endpoint::new([192, 0, 2, 1].into(), 4672),
///     Endpoint::new([192, 0, 2, 2].into(), 4672),
///     Span::at(Timestamp::from_secs(start)),
/// );
/// // Slots are 300 s long, and flows may start a minute before those that came earlier.
/// let mut stream = StreamingAggregator::new(&config, Watermark::new(60_000_000));
/// assert_eq!(stream.push(&[flow(10), flow(310), flow(290)]).len(), 0);
/// let first_slot = stream.push(&[flow(360)]);
/// assert_eq!(first_slot.len(), 2);
/// assert_eq!(first_slot.row(0).udp.live, 2);
/// let rest = stream.push(&[flow(299)]);
/// assert_eq!(rest.skipped().late, 1);
/// assert_eq!(stream.finish().row(0).udp.live, 2);
/// ```
#[derive(Clone, Debug)]
pub struct StreamingAggregator<'a> {
    config: &'a Aggregation,
    parts: Vec<Aggregator<'a>>,
    watermark: Watermark,
    /// The first slot that is not final, whether those before are closed, and its bounds.
    open_from: SlotIndex,
    closed: bool,
    bounds: [Timestamp; 2],
    /// Flows ahead.
    held: Held<Flow>,
    /// Late flows, and those given up ahead.
    refused: u64,
    skipped: SkippedFlows,
}

/// Flows shared out among threads between two looks for slots to close.
const BATCH: usize = 1 << 20;
/// Flows not worth sharing out.
const SMALL: usize = 1 << 10;
/// Slots after that of the latest start that are opened for flows that go on.
const REACH: i64 = 8;

impl<'a> StreamingAggregator<'a> {
    /// An aggregator that has seen no flows, for the threads of the current rayon pool.
    pub fn new(config: &'a Aggregation, watermark: Watermark) -> Self {
        let mut part = Aggregator::new(config);
        part.settles = false;
        Self {
            config,
            parts: vec![part; rayon::current_num_threads()],
            watermark,
            open_from: SlotIndex(i64::MIN),
            closed: true,
            bounds: [Timestamp::MIN; 2],
            held: Held::new(),
            refused: 0,
            skipped: SkippedFlows::default(),
        }
    }

    /// Adds flows, and gives the host slots that became final, by host, then slot. The counts beside
    /// them ([`HostSlots::flows`], [`HostSlots::skipped`]) are those of the stream so far.
    ///
    /// # Complexity
    ///
    /// As for [`aggregate`](crate::aggregate). Large batches keep all threads busy: flows of one slot
    /// are brought together and counted on one.
    pub fn push(&mut self, flows: &[Flow]) -> HostSlots {
        let mut closed = Vec::new();
        for batch in flows.chunks(BATCH) {
            self.add(batch);
            closed.extend(self.close_final());
        }
        self.host_slots(Closed::union(closed))
    }

    /// Gives the host slots that were not final yet.
    pub fn finish(mut self) -> HostSlots {
        let held = std::mem::take(&mut self.held).into_records();
        self.parts[0].add(&held);
        self.reach(SlotIndex(i64::MAX));
        let taken = |part: &mut Aggregator<'_>| std::mem::take(&mut part.open).into_slots();
        let closed = self.close(taken);
        self.host_slots(closed)
    }

    /// How far time has come.
    pub fn watermark(&self) -> &Watermark {
        &self.watermark
    }

    /// The first slot that is not final; `None` before the first flow in time.
    pub fn open_from(&self) -> Option<SlotIndex> {
        self.watermark.latest().map(|_| self.open_from)
    }

    /// The number of open slots, summed over the threads.
    pub fn open_slots(&self) -> usize {
        self.parts.iter().map(|part| part.open.len()).sum()
    }

    fn add(&mut self, batch: &[Flow]) {
        let mut in_time: Vec<&[Flow]> = Vec::new();
        let mut released = Vec::new();
        let mut rest = 0;
        for (place, flow) in batch.iter().enumerate() {
            if let Some(reason) = self.judge(flow) {
                in_time.push(&batch[rest..place]);
                rest = place + 1;
                if reason == Skip::Ahead {
                    self.hold(flow);
                } else {
                    self.refuse(flow, reason);
                }
            }
            // Time was before them until now, so that their slots are open.
            if let Some(latest) = self.watermark.latest()
                && self.held.is_due(latest)
            {
                released.extend(self.held.release(latest));
            }
        }
        in_time.push(&batch[rest..]);
        if let Some(latest) = self.watermark.latest() {
            let slot = self.config.slot_length.slot_of(latest);
            self.reach(SlotIndex(slot.0.saturating_add(REACH)));
        }
        self.parts[0].add(&released);
        if batch.len() <= SMALL {
            for flows in in_time {
                self.parts[0].add(flows);
            }
            return;
        }
        let shares = deal(in_time, self.parts.len());
        self.parts
            .par_iter_mut()
            .zip(shares)
            .for_each(|(part, share)| {
                for flows in share {
                    part.add(flows);
                }
            });
    }

    /// Moves time on to a flow, and says why it is not to be added.
    fn judge(&mut self, flow: &Flow) -> Option<Skip> {
        let start = flow.span.start();
        if self.watermark.observe(start) == Arrival::Ahead {
            return Some(Skip::Ahead);
        }
        if let Some(passed) = self.watermark.passed()
            && self.bounds[1] <= passed
        {
            let length = self.config.slot_length;
            self.open_from = length.slot_of(passed);
            self.closed = false;
            let next = SlotIndex(self.open_from.0.saturating_add(1));
            self.bounds = [length.start_of(self.open_from), length.start_of(next)];
        }
        (start < self.bounds[0]).then_some(Skip::Late)
    }

    fn refuse(&mut self, flow: &Flow, reason: Skip) {
        self.refused += 1;
        self.skipped.count(self.config.refuse(flow, reason));
    }

    #[cold]
    fn hold(&mut self, flow: &Flow) {
        for given_up in self.held.push(flow.span.start(), flow.clone()) {
            self.refuse(&given_up, Skip::Ahead);
        }
    }

    fn reach(&mut self, horizon: SlotIndex) {
        self.parts
            .par_iter_mut()
            .for_each(|part| part.reach(horizon));
    }

    /// Closes the slots that became final.
    fn close_final(&mut self) -> Option<Closed> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        let end = self.open_from;
        let closed = self.close(|part| part.open.take_before(end));
        for part in &mut self.parts {
            part.forget_hosts();
        }
        Some(closed)
    }

    /// Closes the slots taken out of each part.
    fn close(&mut self, take: impl FnMut(&mut Aggregator<'a>) -> Slots) -> Closed {
        let taken: Vec<Slots> = self.parts.iter_mut().map(take).collect();
        let hosts = self.parts.iter().map(|part| &part.hosts);
        let parts = hosts.zip(taken).map(|(hosts, open)| PartSlots {
            hosts,
            open,
            settled: Vec::new(),
        });
        let Ok(closed) = close(self.config, parts, in_memory);
        closed
    }

    fn host_slots(&self, closed: Closed) -> HostSlots {
        let mut totals = Totals::of(&self.parts);
        totals.flows += self.refused;
        totals.skipped.merge(&self.skipped);
        HostSlots::new(closed, totals, self.config)
    }
}

/// Shares flows out in equal parts, each in the order of the whole.
fn deal(flows: Vec<&[Flow]>, parts: usize) -> Vec<Vec<&[Flow]>> {
    let total: usize = flows.iter().map(|some| some.len()).sum();
    let share = total.div_ceil(parts).max(1);
    let mut shares = vec![Vec::new(); parts];
    let (mut part, mut room) = (0, share);
    for mut some in flows {
        while !some.is_empty() {
            if room == 0 {
                (part, room) = (part + 1, share);
            }
            let (first, rest) = some.split_at(room.min(some.len()));
            shares[part].push(first);
            (some, room) = (rest, room - first.len());
        }
    }
    shares
}
