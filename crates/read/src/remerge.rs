//! Flows that a shorter timeout split, made whole.

use std::collections::VecDeque;
use std::iter::FusedIterator;

use peerscope_flow::{Flow, Handshake, InitiatorEvidence, Timestamp, Transport, Volume};

use crate::gather::Gather;

/// How flows are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Merging {
    gap: i64,
    lateness: i64,
    max_flows: usize,
}

impl Merging {
    /// Flows up to 600 s apart are one (the P2P paper's timeout), flows up to 31 minutes out of
    /// order by their start, at most 2^21 held.
    pub const fn new() -> Self {
        Self {
            gap: 600 * Timestamp::MICROS_PER_SEC,
            lateness: 31 * 60 * Timestamp::MICROS_PER_SEC,
            max_flows: 1 << 21,
        }
    }

    /// The longest time in microseconds between two parts of one flow.
    #[must_use]
    pub const fn with_gap(mut self, micros: u64) -> Self {
        self.gap = micros.cast_signed().saturating_abs();
        self
    }

    /// How much later than a flow another one may come that starts as many microseconds earlier.
    ///
    /// Logs written when a flow ends are out of order by their start: the longest part should fit.
    #[must_use]
    pub const fn with_lateness(mut self, micros: u64) -> Self {
        self.lateness = micros.cast_signed().saturating_abs();
        self
    }

    /// The most flows held at a time. Beyond, the oldest are given out before they are known to be
    /// complete, and counted in [`MergeReport::forced`].
    #[must_use]
    pub const fn with_max_flows(mut self, flows: usize) -> Self {
        self.max_flows = flows;
        self
    }
}

impl Default for Merging {
    fn default() -> Self {
        Self::new()
    }
}

/// What merging did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MergeReport {
    /// Flows taken in.
    pub parts: u64,
    /// Flows given out.
    pub flows: u64,
    /// Conversations given out early because too many flows were held.
    pub forced: u64,
}

/// Merges the flows of one 5-tuple, in either direction, that follow each other within a gap.
///
/// Parts are taken in order of their start. A part joins the flow before it if it starts no more
/// than the gap after the latest end so far, unless it is a TCP connection of its own: its SYN was
/// seen (handshake complete or failed, or the initiator is known by it) and the flow before it is
/// anything but an attempt that has no answer yet, for retransmitted SYNs belong to one attempt.
///
/// The merged flow:
///
/// | field | from |
/// |---|---|
/// | initiator, evidence | the earliest part |
/// | start, end | the earliest start, the latest end |
/// | packets, bytes | sums by end, whichever end each part begins with |
/// | handshake | complete if a part's is; unknown if an attempt goes on without a SYN and with an answer; else the earliest part's |
/// | responder's payload | the sum, if every part with packets of the responder tells it; a part whose direction is the other one does not |
/// | label | the earliest part's that has one |
///
/// Memory is bounded by the flows that are live: shorter than the gap and the lateness ago.
///
/// ```
/// use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Transport};
/// use peerscope_read::{Merging, Remerge};
///
/// let end = |last, port| Endpoint::new([192, 0, 2, last].into(), port);
/// let part = |secs| {
///     Flow::new(Transport::Udp, end(1, 4672), end(2, 4672), Span::at(Timestamp::from_secs(secs)))
/// };
/// // The first two are 600 s apart, the third one more.
/// let parts = [part(0), part(600), part(1201)].map(Ok::<_, std::io::Error>);
/// let flows: Vec<Flow> = Remerge::new(parts.into_iter(), Merging::new()).collect::<Result<_, _>>()?;
/// assert_eq!(flows.len(), 2);
/// assert_eq!(flows[0].span.micros(), 600_000_000);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Remerge<I> {
    flows: I,
    gap: i64,
    held: Gather<Flow>,
    ready: VecDeque<Flow>,
    report: MergeReport,
    ended: bool,
}

impl<I> Remerge<I> {
    /// Merges `flows`, which come in near-time order; errors are handed through.
    pub fn new(flows: I, merging: Merging) -> Self {
        let reach = merging.gap.saturating_add(merging.lateness);
        Self {
            flows,
            gap: merging.gap,
            held: Gather::new(reach, merging.max_flows),
            ready: VecDeque::new(),
            report: MergeReport::default(),
            ended: false,
        }
    }

    /// What merging did so far.
    pub const fn report(&self) -> &MergeReport {
        &self.report
    }

    /// The flows that are merged, for what their reader knows.
    pub const fn flows(&self) -> &I {
        &self.flows
    }

    /// The same, once the merging is done.
    pub fn into_flows(self) -> I {
        self.flows
    }

    fn resolve(&mut self, parts: Vec<Flow>) {
        for flow in merge(parts, self.gap) {
            self.report.flows += 1;
            self.ready.push_back(flow);
        }
    }
}

impl<I: Iterator<Item = Result<Flow, E>>, E> Iterator for Remerge<I> {
    type Item = Result<Flow, E>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(flow) = self.ready.pop_front() {
                return Some(Ok(flow));
            }
            if self.ended {
                let parts = self.held.first()?;
                self.resolve(parts);
                continue;
            }
            match self.flows.next() {
                Some(Ok(flow)) => {
                    self.report.parts += 1;
                    self.held.add(flow.key(), flow.span, flow);
                    while let Some(parts) = self.held.ready() {
                        self.resolve(parts);
                    }
                    self.report.forced = self.held.forced;
                }
                Some(Err(error)) => return Some(Err(error)),
                None => self.ended = true,
            }
        }
    }
}

impl<I: Iterator<Item = Result<Flow, E>>, E> FusedIterator for Remerge<I> {}

/// The flows that the parts of one 5-tuple make.
fn merge(mut parts: Vec<Flow>, gap: i64) -> Vec<Flow> {
    parts.sort_by_key(|part| {
        (
            (part.span.start(), part.span.end(), part.key()),
            (part.fwd, part.rev, part.handshake, part.initiator),
            (part.rev_payload_bytes, part.app.clone()),
        )
    });
    let mut flows: Vec<Flow> = Vec::new();
    for part in parts {
        match flows.last_mut() {
            Some(flow)
                if part.span.start().micros_since(flow.span.end()) <= gap && !anew(flow, &part) =>
            {
                join(flow, part);
            }
            _ => flows.push(part),
        }
    }
    flows
}

/// Whether `part` is a connection of its own.
fn anew(flow: &Flow, part: &Flow) -> bool {
    let pending = flow.handshake == Some(Handshake::Failed) && flow.rev.packets == 0;
    let syn =
        part.initiator == InitiatorEvidence::SynSeen || part.handshake != Some(Handshake::Unknown);
    part.transport == Transport::Tcp && syn && !pending
}

fn join(flow: &mut Flow, part: Flow) {
    let same = part.key() == flow.key();
    let (fwd, rev) = if same {
        (part.fwd, part.rev)
    } else {
        (part.rev, part.fwd)
    };
    let payload = if same { part.rev_payload_bytes } else { None };
    flow.rev_payload_bytes = match (flow.rev_payload_bytes, payload) {
        (Some(before), Some(more)) => Some(before.saturating_add(more)),
        (before, _) if rev == Volume::ZERO => before,
        (_, more) if flow.rev == Volume::ZERO => more,
        _ => None,
    };
    flow.fwd = sum(flow.fwd, fwd);
    flow.rev = sum(flow.rev, rev);
    flow.span = flow.span.including(part.span.end());
    let goes_on = part.handshake == Some(Handshake::Unknown) && rev != Volume::ZERO;
    if part.handshake == Some(Handshake::Complete)
        || (flow.handshake == Some(Handshake::Failed) && goes_on)
    {
        flow.handshake = part.handshake;
    }
    flow.app = flow.app.take().or(part.app);
}

const fn sum(a: Volume, b: Volume) -> Volume {
    Volume::new(
        a.packets.saturating_add(b.packets),
        a.bytes.saturating_add(b.bytes),
    )
}
