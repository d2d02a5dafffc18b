//! The records of one conversation, and the flow they make.

use peerscope_flow::{
    Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};

use super::Pairing;
use super::ports::ServedPorts;
use crate::{Record, StatedInitiator, TcpFlags};

/// An attempt younger than this when the trace ends may still succeed (methodology of the metering:
/// the same as for packets).
const PENDING: i64 = 60 * Timestamp::MICROS_PER_SEC;

/// Cuts the records of one 5-tuple into conversations.
pub(super) fn split(mut records: Vec<Record>, gap: i64) -> Vec<Vec<Record>> {
    records.sort_by_key(|record| {
        (
            record.span.start(),
            record.span.end(),
            record.key(),
            (record.fwd, record.rev),
            (record.fwd_flags, record.rev_flags),
            (record.initiator, record.app.clone(), record.source),
        )
    });
    let mut conversations: Vec<Vec<Record>> = Vec::new();
    let mut end = Timestamp::MIN;
    let mut closing = Closing::default();
    for record in records {
        let start = record.span.start();
        let anew = closing.closed() && start > end && has_syn(&record);
        match conversations.last_mut() {
            Some(last) if !anew && start.micros_since(end) <= gap => {
                end = end.max(record.span.end());
                closing.note(&record);
                last.push(record);
            }
            _ => {
                end = record.span.end();
                closing = Closing::default();
                closing.note(&record);
                conversations.push(vec![record]);
            }
        }
    }
    conversations
}

fn has_syn(record: &Record) -> bool {
    let syn = |flags: Option<TcpFlags>| flags.is_some_and(|flags| flags.contains(TcpFlags::SYN));
    record.transport == Transport::Tcp && (syn(record.fwd_flags) || syn(record.rev_flags))
}

/// Whether a TCP connection was closed: reset, or finished from both sides.
#[derive(Debug, Default)]
struct Closing {
    reset: bool,
    finished: [Option<Endpoint>; 2],
}

impl Closing {
    fn note(&mut self, record: &Record) {
        if record.transport != Transport::Tcp {
            return;
        }
        let sides = [
            (record.src, record.fwd_flags),
            (record.dst, record.rev_flags),
        ];
        for (end, flags) in sides {
            let flags = flags.unwrap_or_default();
            self.reset |= flags.contains(TcpFlags::RST);
            if flags.contains(TcpFlags::FIN) && !self.finished.contains(&Some(end)) {
                let free = usize::from(self.finished[0].is_some());
                self.finished[free] = Some(end);
            }
        }
    }

    const fn closed(&self) -> bool {
        self.reset || self.finished[1].is_some()
    }
}

/// What one end sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub(super) end: Endpoint,
    pub(super) sent: Volume,
    /// All flags sent; `None` if no record has any.
    pub(super) flags: Option<TcpFlags>,
    /// Some record has a SYN of this side and no ACK.
    bare_syn: bool,
    /// The start of its first unidirectional record, and of which source that is.
    start: Option<(Timestamp, u32)>,
}

impl Side {
    const fn new(end: Endpoint) -> Self {
        Self {
            end,
            sent: Volume::ZERO,
            flags: None,
            bare_syn: false,
            start: None,
        }
    }

    fn add(&mut self, sent: Volume, flags: Option<TcpFlags>) {
        self.sent.packets = self.sent.packets.saturating_add(sent.packets);
        self.sent.bytes = self.sent.bytes.saturating_add(sent.bytes);
        if let Some(flags) = flags {
            self.flags = Some(self.flags.unwrap_or_default().union(flags));
            self.bare_syn |= flags.contains(TcpFlags::SYN) && !flags.contains(TcpFlags::ACK);
        }
    }

    pub(super) fn sent(&self, flag: TcpFlags) -> bool {
        self.flags.is_some_and(|flags| flags.contains(flag))
    }

    fn silent(&self) -> bool {
        self.sent.packets == 0
    }
}

/// Both sides of a conversation; the lower endpoint is the first.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    records: &'a [Record],
    pub(super) transport: Transport,
    span: Span,
    pub(super) sides: [Side; 2],
}

impl<'a> Conversation<'a> {
    /// From the records of one conversation in order of time, at least one.
    pub(super) fn of(records: &'a [Record]) -> Self {
        let first = &records[0];
        let (low, high) = (first.src.min(first.dst), first.src.max(first.dst));
        let mut this = Self {
            records,
            transport: first.transport,
            span: first.span,
            sides: [Side::new(low), Side::new(high)],
        };
        for record in records {
            this.span = this.span.including(record.span.end());
            let from = usize::from(record.src != low);
            this.sides[from].add(record.fwd, record.fwd_flags);
            if let Some(rev) = record.rev {
                this.sides[1 - from].add(rev, record.rev_flags);
            } else {
                // Records are sorted: the first is the earliest.
                let start = (record.span.start(), record.source);
                this.sides[from].start.get_or_insert(start);
            }
        }
        this
    }

    /// The sources of the records with packets of a side that an earlier one has packets of, once for
    /// each such side.
    pub(super) fn joined(&self) -> impl Iterator<Item = u32> {
        let mut seen = [false; 2];
        self.records.iter().flat_map(move |record| {
            let from = usize::from(record.src != self.sides[0].end);
            let rev = record.rev.map_or(0, |rev| rev.packets);
            let mut join = |side: usize, packets| {
                (packets > 0 && std::mem::replace(&mut seen[side], true)).then_some(record.source)
            };
            let joined = [join(from, record.fwd.packets), join(1 - from, rev)];
            joined.into_iter().flatten()
        })
    }

    /// Whether some record is longer than an instant.
    pub(super) fn lasts(&self) -> bool {
        self.records.iter().any(|record| record.span.micros() > 0)
    }

    /// Whether two records count the same packets: those of one side, as many and as large, at the
    /// same time. One cache of an exporter holds one record of a side at a time.
    pub(super) fn is_repeated(&self) -> bool {
        let mut before = [None; 2];
        self.records.iter().any(|record| {
            let from = usize::from(record.src != self.sides[0].end);
            let twin: Option<&Record> = before[from].replace(record);
            twin.is_some_and(|twin| {
                (twin.fwd, twin.rev) == (record.fwd, record.rev)
                    && twin.span.start() < record.span.end()
                    && record.span.start() < twin.span.end()
            })
        })
    }

    pub(super) fn flow(&self, pairing: &Pairing, ports: &ServedPorts, latest: Timestamp) -> Flow {
        let (from, evidence) = self.initiator(pairing, ports);
        let (src, dst) = (&self.sides[from], &self.sides[1 - from]);
        let handshake =
            (self.transport == Transport::Tcp).then(|| self.handshake(src, dst, latest));
        Flow {
            handshake,
            initiator: evidence,
            fwd: src.sent,
            rev: dst.sent,
            rev_payload_bytes: (handshake == Some(Handshake::Complete)).then(|| payload(dst)),
            app: self.records.iter().find_map(|record| record.app.clone()),
            ..Flow::new(self.transport, src.end, dst.end, self.span)
        }
    }

    /// The side that began, and how that is known.
    fn initiator(&self, pairing: &Pairing, ports: &ServedPorts) -> (usize, InitiatorEvidence) {
        use InitiatorEvidence::{
            EarlierStart, Exporter, LearnedPort, PortHeuristic, SynSeen, Unknown,
        };
        if let Some(side) = self.stated() {
            return (side, Exporter);
        }
        if self.transport == Transport::Tcp
            && let Some(side) = self.opener(pairing)
        {
            return (side, SynSeen);
        }
        let [low, high] = &self.sides;
        if let Some(side) = self.earlier(pairing) {
            return (side, EarlierStart);
        }
        let serves = |side: &Side| ports.serves(self.transport, side.end);
        let guesses = [
            (serves(low), serves(high), LearnedPort),
            (low.end.port < 1024, high.end.port < 1024, PortHeuristic),
            (low.end.port < 32_768, high.end.port < 32_768, PortHeuristic),
        ];
        for (low, high, evidence) in guesses {
            if low != high {
                return (usize::from(low), evidence);
            }
        }
        (self.earlier_by_more_than(0).unwrap_or(0), Unknown)
    }

    /// The side that the earliest record with a statement names.
    fn stated(&self) -> Option<usize> {
        self.records.iter().find_map(|record| {
            let end = match record.initiator {
                StatedInitiator::Unstated => return None,
                StatedInitiator::Src => record.src,
                StatedInitiator::Dst => record.dst,
            };
            Some(usize::from(end != self.sides[0].end))
        })
    }

    /// The side whose SYN opened the connection.
    fn opener(&self, pairing: &Pairing) -> Option<usize> {
        let [low, high] = &self.sides;
        if low.bare_syn != high.bare_syn {
            return Some(usize::from(high.bare_syn));
        }
        let (side, other) = match (low.sent(TcpFlags::SYN), high.sent(TcpFlags::SYN)) {
            (true, false) => (0, 1),
            (false, true) => (1, 0),
            _ => return None,
        };
        let lone_answer = self.sides[side].sent.packets == 1
            && self.sides[side].sent(TcpFlags::ACK)
            && self.sides[other].silent();
        if lone_answer {
            return Some(other);
        }
        (self.earlier(pairing) != Some(other)).then_some(side)
    }

    /// The side whose first record starts earlier, beyond what the clocks may differ.
    fn earlier(&self, pairing: &Pairing) -> Option<usize> {
        let [low, high] = self.sides.each_ref().map(|side| side.start);
        let one_clock = low.zip(high).is_none_or(|(low, high)| low.1 == high.1);
        self.earlier_by_more_than(if one_clock {
            pairing.clock_tolerance()
        } else {
            pairing.source_tolerance()
        })
    }

    /// The side whose first record starts earlier; a side without records never does.
    fn earlier_by_more_than(&self, tolerance: i64) -> Option<usize> {
        let [low, high] = self.sides.each_ref().map(|side| side.start);
        let time = |start: Option<(Timestamp, u32)>| start.map(|(time, _)| time);
        match (time(low), time(high)) {
            (Some(low), Some(high)) if low.micros_since(high).saturating_abs() > tolerance => {
                Some(usize::from(high < low))
            }
            (Some(_), None) if self.sides[1].silent() => Some(0),
            (None, Some(_)) if self.sides[0].silent() => Some(1),
            _ => None,
        }
    }

    fn handshake(&self, src: &Side, dst: &Side, latest: Timestamp) -> Handshake {
        if !src.sent(TcpFlags::SYN) {
            return Handshake::Unknown;
        }
        let reset = src.sent(TcpFlags::RST) || dst.sent(TcpFlags::RST);
        let pending = !reset && latest.micros_since(self.span.start()) < PENDING;
        let acknowledged = src.sent(TcpFlags::ACK) && src.sent.packets >= 2;
        if dst.sent(TcpFlags::SYN) && acknowledged {
            // A SYN, and the RST that refuses the answer: no third step.
            return if src.sent.packets == 2 && src.sent(TcpFlags::RST) {
                Handshake::Failed
            } else {
                Handshake::Complete
            };
        }
        // It may acknowledge something that the records do not hold, or the rest is still to come.
        let elsewhere = !dst.sent(TcpFlags::SYN) && src.sent(TcpFlags::ACK);
        if elsewhere || pending {
            Handshake::Unknown
        } else {
            Handshake::Failed
        }
    }
}

/// The payload of TCP packets, at least: 20 bytes of IPv4 or 40 of IPv6 header, 20 of TCP header, 12
/// of options in every packet and 20 in the SYN. Where that leaves nothing, PSH tells of data.
fn payload(side: &Side) -> u64 {
    let header = if side.end.ip.is_ipv4() { 52 } else { 72 };
    let headers = side.sent.packets.saturating_mul(header).saturating_add(8);
    let rest = side.sent.bytes.saturating_sub(headers);
    rest.max(u64::from(side.sent(TcpFlags::PSH)))
}
