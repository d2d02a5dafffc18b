//! Which flows enter the aggregates, and of which hosts.

use peerscope_flow::{AddressBits, Flow, Interest, SlotIndex, SystemId, Transport, Zone};

use crate::{Aggregation, SkippedFlows};

/// A flow that enters the aggregate of one of its ends, or of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    /// Of initiator and responder: whether the end lies inside the provider's network.
    pub(crate) inside_isp: [bool; 2],
    /// Whether the end's aggregate takes the flow.
    pub(crate) counts_for: [bool; 2],
    /// The system that the flow is control traffic of.
    pub(crate) control: Option<SystemId>,
}

/// What a flow is to an aggregation; see [`Aggregation::scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowScope {
    /// The first slot in which it is active.
    pub first_slot: SlotIndex,
    /// The last slot in which it is active.
    pub last_slot: SlotIndex,
    /// Where its initiator and its responder are.
    pub zones: [Zone; 2],
    /// Whether it enters an aggregate of its initiator, and of its responder.
    pub enters: [bool; 2],
}

impl FlowScope {
    pub(crate) fn new(
        (first_slot, last_slot): (SlotIndex, SlotIndex),
        zones: [Zone; 2],
        admitted: Result<Admitted, Skip>,
    ) -> Self {
        Self {
            first_slot,
            last_slot,
            zones,
            enters: admitted.map_or([false; 2], |admitted| admitted.counts_for),
        }
    }
}

/// Why a flow enters no aggregate; of several reasons the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    OutsideTime,
    OtherTransport,
    NotOfInterest,
    NotMonitored,
    NotSelected,
    GroupPeer,
    Internal,
    TooLong,
    Late,
    Ahead,
}

impl Aggregation {
    /// Decides on a flow that starts in the time range, by its first and last slot too; and where its ends are.
    #[inline]
    pub(crate) fn admit(
        &self,
        flow: &Flow,
        slots: (SlotIndex, SlotIndex),
    ) -> ([Zone; 2], Result<Admitted, Skip>) {
        let ends = [flow.src.ip.into(), flow.dst.ip.into()];
        let zones = [self.topology.zone(ends[0]), self.topology.zone(ends[1])];
        let interest = self.interest(flow);
        let admitted =
            interest.and_then(|interest| self.admit_between(ends, zones, interest, slots));
        (zones, admitted)
    }

    #[inline]
    fn interest(&self, flow: &Flow) -> Result<Interest, Skip> {
        if !matches!(flow.transport, Transport::Tcp | Transport::Udp) {
            return Err(Skip::OtherTransport);
        }
        self.family.interest(flow).ok_or(Skip::NotOfInterest)
    }

    /// Decides on a flow of interest by its ends.
    #[inline]
    fn admit_between(
        &self,
        ends: [AddressBits; 2],
        zones: [Zone; 2],
        interest: Interest,
        (first, last): (SlotIndex, SlotIndex),
    ) -> Result<Admitted, Skip> {
        let monitored = zones.map(|zone| zone == Zone::Monitored);
        if monitored == [false; 2] {
            return Err(Skip::NotMonitored);
        }
        let counts_for = match self.hosts {
            None => monitored,
            Some(_) => [0, 1].map(|end| monitored[end] && self.selects(ends[end])),
        };
        if counts_for == [false; 2] {
            return Err(Skip::NotSelected);
        }
        if !self.keep_group_peers && (ends[0].is_group() || ends[1].is_group()) {
            return Err(Skip::GroupPeer);
        }
        if self.ignore_internal && monitored == [true; 2] {
            return Err(Skip::Internal);
        }
        if last.0.abs_diff(first.0) >= self.max_slots_per_flow {
            return Err(Skip::TooLong);
        }
        Ok(Admitted {
            inside_isp: zones.map(Zone::is_inside_isp),
            counts_for,
            control: interest.control,
        })
    }

    /// Why a flow is skipped that is to be skipped for a reason behind all others.
    pub(crate) fn refuse(&self, flow: &Flow, last: Skip) -> Skip {
        if !self.covers(flow.span.start()) {
            return Skip::OutsideTime;
        }
        let slot_of = |time| self.slot_length.slot_of(time);
        let slots = (slot_of(flow.span.start()), slot_of(flow.span.end()));
        self.admit(flow, slots).1.err().unwrap_or(last)
    }

    /// Whether a flow enters an aggregate of its initiator, and of its responder.
    ///
    /// What drills down from samples to flows asks here which flows the samples were made of.
    pub fn enters(&self, flow: &Flow) -> [bool; 2] {
        self.scope(flow).map_or([false; 2], |scope| scope.enters)
    }

    /// When and where a flow is, and whether it enters aggregates; `None` if it starts outside the
    /// time range or is active in more slots than the limit.
    ///
    /// ```
    /// use peerscope_flow::{
    ///     Application, Endpoint, Family, Flow, Span, Timestamp, Topology, Transport, Zone,
    /// };
    /// use peerscope_slot::Aggregation;
    ///
    /// let topology = Topology::new(["10.0.0.0/24".parse()?], []);
    /// let aggregation = Aggregation::new(Family::emule(), topology);
    /// let flow = Flow {
    ///     app: Some(Application::Kad),
    ///     ..Flow::new(
    ///         Transport::Udp,
    ///         Endpoint::new([192, 0, 2, 1].into(), 4672),
    ///         Endpoint::new([10, 0, 0, 1].into(), 4672),
    ///         Span::at(Timestamp::from_secs(60)),
    ///     )
    /// };
    /// let scope = aggregation.scope(&flow).ok_or("outside the time range")?;
    /// assert_eq!(scope.zones, [Zone::Internet, Zone::Monitored]);
    /// assert_eq!(scope.enters, [false, true]);
    /// assert_eq!(scope.first_slot, scope.last_slot);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn scope(&self, flow: &Flow) -> Option<FlowScope> {
        let slots = self.slots_of(flow)?;
        let (zones, admitted) = self.admit(flow, slots);
        Some(FlowScope::new(slots, zones, admitted))
    }
}

impl SkippedFlows {
    pub(crate) fn count(&mut self, reason: Skip) {
        let counter = match reason {
            Skip::OutsideTime => &mut self.outside_time,
            Skip::OtherTransport => &mut self.other_transport,
            Skip::NotOfInterest => &mut self.not_of_interest,
            Skip::NotMonitored => &mut self.not_monitored,
            Skip::NotSelected => &mut self.not_selected,
            Skip::GroupPeer => &mut self.group_peer,
            Skip::Internal => &mut self.internal,
            Skip::TooLong => &mut self.too_long,
            Skip::Late => &mut self.late,
            Skip::Ahead => &mut self.ahead,
        };
        *counter += 1;
    }
}
