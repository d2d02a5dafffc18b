//! Packets in, flows out.

use peerscope_flow::{Flow, Handshake, Transport};

use crate::capture::{Capture, CaptureError, Packet};
use crate::classify::Payload;
use crate::clock::{Order, TraceClock};
use crate::config::{ByteCount, CutPackets, Fragments, MeterConfig, TcpClose, Tunnels};
use crate::continuation::Interrupted;
use crate::decode::{Decoded, Depth, Fragment, decode};
use crate::duplicates::RecentPackets;
use crate::fragments::FirstFragments;
use crate::key::Key;
use crate::live::{Contribution, LiveFlow};
use crate::report::{MeterReport, SkipReason};
use crate::table::{FlowTable, Queue};
use crate::tcp::{Opening, Progress};

/// Turns packets into flows.
///
/// A TCP flow starts at its SYN, any other flow at the first packet seen of it. A flow ends after
/// the idle timeout. A TCP flow closes on a reset or on a FIN from both sides; packets within the
/// linger time still belong to it, later ones start a new flow, and a new SYN starts one at once.
/// Repeated SYNs belong to one attempt. Where the first packet seen is a SYN-ACK, its receiver is
/// the initiator.
///
/// Time is that of the packets. A packet whose time lies more than the idle timeout before the
/// flow of its 5-tuple starts a new one; one that lies so far before the latest packet sets the
/// clock anew without turning it back, so flows live on and expire by what comes after.
///
/// Flows come out in the order in which they ended, which depends on the packets alone; those that
/// were still live at the end come last, the closed ones first, then by their last packet.
///
/// # Complexity
///
/// Expected constant time per packet, without allocation once the table has grown; memory is
/// bounded by the live flows and the ended ones that were not drained.
///
/// ```
/// use peerscope_meter::{LinkType, Meter, MeterConfig, Packet};
/// use peerscope_flow::Timestamp;
///
/// // An IPv4 header and a UDP header: 10.0.0.1:1000 to 10.0.0.2:53, without payload.
/// let datagram = [
///     0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, //
///     0x03, 0xe8, 0, 53, 0, 8, 0, 0,
/// ];
/// let mut meter = Meter::new(MeterConfig::new());
/// meter.push(&Packet {
///     time: Timestamp::from_secs(0),
///     link: LinkType::RAW,
///     data: &datagram,
///     original_length: 28,
/// });
/// let (flows, report) = meter.finish();
/// assert_eq!(flows[0].key().to_string(), "udp 10.0.0.1:1000 > 10.0.0.2:53");
/// assert_eq!((flows[0].fwd.bytes, report.metered.packets), (28, 1));
/// ```
#[derive(Debug)]
pub struct Meter {
    config: MeterConfig,
    depth: Depth,
    clock: TraceClock,
    table: FlowTable,
    first_fragments: FirstFragments,
    recent: RecentPackets,
    interrupted: Interrupted,
    ended: Vec<Flow>,
    report: MeterReport,
}

impl Meter {
    /// A meter that has seen no packet.
    pub fn new(config: MeterConfig) -> Self {
        Self {
            depth: match config.tunnels {
                Tunnels::Outer => Depth::Outer,
                Tunnels::Inner => Depth::Tunnels,
            },
            clock: TraceClock::new(config.idle_timeout),
            table: FlowTable::new(),
            first_fragments: FirstFragments::new(),
            recent: RecentPackets::new(config.duplicate_window),
            interrupted: Interrupted::default(),
            ended: Vec::new(),
            report: MeterReport::default(),
            config,
        }
    }

    /// Counts one packet.
    pub fn push(&mut self, packet: &Packet<'_>) {
        let frame = packet.wire_length();
        self.report.offered.packets += 1;
        self.report.offered.bytes += u64::from(frame);
        let time = packet.time.as_micros();
        match self.clock.observe(time) {
            Order::Forward => self.expire(),
            Order::Late => self.report.out_of_order += 1,
            Order::Jump => {
                self.report.out_of_order += 1;
                self.report.clock_jumps += 1;
            }
        }
        let mut decoded = match decode(packet, self.depth) {
            Ok(decoded) => decoded,
            Err(reason) => return self.report.skipped.count(reason),
        };
        match self.admit(&mut decoded) {
            Ok(()) => {
                let bytes = match self.config.byte_count {
                    ByteCount::Ip => decoded.ip_length.into(),
                    ByteCount::Frame => frame.into(),
                    ByteCount::CapturedFrame => packet.data.len() as u64,
                };
                self.report.metered.packets += 1;
                self.report.metered.bytes += bytes;
                self.count(&decoded, time, bytes);
            }
            Err(reason) => self.report.skipped.count(reason),
        }
    }

    /// Counts every packet of a capture that is left to read.
    ///
    /// # Errors
    ///
    /// If the capture is truncated or damaged; the packets before that place are counted.
    pub fn read(&mut self, capture: &mut Capture) -> Result<(), CaptureError> {
        while let Some(packet) = capture.next_packet()? {
            self.push(&packet);
        }
        Ok(())
    }

    /// Takes the flows that have ended since the last call.
    ///
    /// Long traces are read in bounded memory if this is called now and then.
    pub fn drain(&mut self) -> impl Iterator<Item = Flow> {
        self.ended.drain(..)
    }

    /// What the meter has seen so far.
    pub const fn report(&self) -> &MeterReport {
        &self.report
    }

    /// Ends the trace: the flows not drained yet, the live ones among them, and the report.
    pub fn finish(mut self) -> (Vec<Flow>, MeterReport) {
        for queue in [Queue::Closed, Queue::Open] {
            while let Some((at, _)) = self.table.head(queue) {
                self.cut_short(at);
            }
        }
        (self.ended, self.report)
    }

    /// Applies the rules that leave packets out, and gives later fragments their ports.
    fn admit(&mut self, packet: &mut Decoded<'_>) -> Result<(), SkipReason> {
        if self.config.cut_packets == CutPackets::Skip && packet.is_cut() {
            return Err(SkipReason::CutPacket);
        }
        if packet.fragment != Fragment::None {
            let later = matches!(packet.fragment, Fragment::Later { .. });
            if later && self.config.fragments == Fragments::FirstOnly {
                return Err(SkipReason::LaterFragment);
            }
            if !self.first_fragments.resolve(packet, self.clock.passed()) {
                return Err(SkipReason::FragmentWithoutFirst);
            }
        }
        if self.config.duplicate_window > 0 && self.recent.is_copy(packet, self.clock.passed()) {
            return Err(SkipReason::Duplicate);
        }
        Ok(())
    }

    /// Adds a packet to its flow.
    fn count(&mut self, packet: &Decoded<'_>, time: i64, bytes: u64) {
        let (key, sender) = Key::of(packet, self.config.identity);
        let contribution = Contribution {
            time,
            bytes,
            payload: packet.payload_length.into(),
            flags: packet.flags,
            sender,
        };
        let live = self.table.find(&key);
        let continued = live.filter(|&at| self.continues(at, &contribution));
        let at = continued.unwrap_or_else(|| {
            if let Some(at) = live {
                self.end(at);
            }
            self.make_room();
            let mut flow = LiveFlow::new(key.transport(), &contribution, self.config.initiator);
            if key.transport() == Transport::Tcp {
                match Opening::of(packet.flags) {
                    Opening::Syn | Opening::SynAck => self.interrupted.forget(&key),
                    Opening::MidStream => flow.label(self.interrupted.application(&key)),
                }
            }
            self.table.insert(key, flow, self.clock.passed())
        });
        let progress = self.table.flow_mut(at).add(&contribution);
        self.classify(at, key, packet, &contribution);
        if self.table.queue(at) == Queue::Open {
            let queue = match progress {
                Progress::Closes if self.config.tcp_close == TcpClose::EndsFlow => {
                    self.table.flow_mut(at).close(time);
                    Queue::Closed
                }
                Progress::Closes | Progress::Open => Queue::Open,
            };
            self.table.touch(at, queue, self.clock.passed());
        }
    }

    /// Whether a packet belongs to the live flow of its key.
    fn continues(&self, at: u32, packet: &Contribution) -> bool {
        let flow = self.table.flow(at);
        flow.reaches(packet.time, self.config.idle_timeout)
            && (self.table.queue(at) == Queue::Open
                || flow.lingers(packet.time, packet.flags, self.config.close_linger))
    }

    fn classify(&mut self, at: u32, key: Key, packet: &Decoded<'_>, count: &Contribution) {
        if packet.payload.is_empty() || matches!(packet.fragment, Fragment::Later { .. }) {
            return;
        }
        let flow = self.table.flow_mut(at);
        let direction = flow.direction(count.sender);
        let Some(ordinal) = flow.offers(direction, self.config.payloads_per_side) else {
            return;
        };
        let directed = key.directed(count.sender);
        let app = self.config.classifiers.classify(&Payload {
            transport: directed.transport,
            direction,
            ordinal,
            src: directed.src,
            dst: directed.dst,
            bytes: packet.payload,
            length: packet.payload_length as usize,
        });
        flow.label(app);
    }

    /// Ends the flows whose time is over.
    fn expire(&mut self) {
        let now = self.clock.passed();
        let limits = [
            (Queue::Closed, self.config.close_linger),
            (Queue::Open, self.config.idle_timeout),
        ];
        for (queue, limit) in limits {
            while let Some((at, since)) = self.table.head(queue)
                && now - since > limit
            {
                self.end(at);
            }
        }
    }

    /// Keeps the table below its limit.
    fn make_room(&mut self) {
        while self.table.len() >= self.config.max_live_flows {
            let oldest = self.table.head(Queue::Closed);
            let Some((at, _)) = oldest.or_else(|| self.table.head(Queue::Open)) else {
                break;
            };
            self.report.evicted += 1;
            self.cut_short(at);
        }
    }

    /// Ends a flow.
    fn end(&mut self, at: u32) {
        let interrupted = self.table.queue(at) == Queue::Open;
        let (key, flow) = self.table.remove(at);
        self.report.flows += 1;
        let flow = flow.into_flow(key);
        if interrupted
            && flow.transport == Transport::Tcp
            && let Some(application) = &flow.app
        {
            self.interrupted.remember(key, application.clone());
        }
        self.ended.push(flow);
    }

    /// Ends a flow that might have gone on.
    fn cut_short(&mut self, at: u32) {
        let flow = self.table.flow(at);
        let pending = flow.is_pending(self.clock.latest(), self.config.handshake_grace);
        self.end(at);
        if pending && let Some(flow) = self.ended.last_mut() {
            flow.handshake = Some(Handshake::Unknown);
        }
    }
}
