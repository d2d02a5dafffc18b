//! Flows from what was said: packets, IP bytes and times.

use peerscope_flow::{
    Application, Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};

use crate::host::micros;
use crate::rng::Rng;

/// The present of an activity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Microseconds from the begin of the trace.
    pub(crate) now: i64,
    /// Begin of the trace, since the epoch.
    pub(crate) begin: i64,
    /// End of the trace, from its begin.
    pub(crate) end: i64,
    /// End of the host's session (or other window); flows of a host end with it.
    pub(crate) until: i64,
}

impl Moment {
    /// A span from now on, ended by the window and the trace.
    fn span(&self, duration: i64) -> Span {
        let start = Timestamp::from_micros(self.begin + self.now);
        let length = duration
            .min(self.until - self.now)
            .min(self.end - self.now)
            .max(0);
        let end = start.saturating_add_micros(length);
        // The end lies after the start by construction.
        Span::new(start, end).unwrap_or(Span::at(start))
    }
}

/// A UDP conversation: datagrams and their payload, each way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Udp {
    pub(crate) sent: (u64, u64),
    pub(crate) received: (u64, u64),
    /// Microseconds.
    pub(crate) duration: i64,
}

impl Udp {
    const HEADERS: u64 = 28;

    /// One datagram and one answer.
    pub(crate) fn answered(request: u64, response: u64, rng: &mut Rng) -> Self {
        let duration = round_trip(rng);
        Self {
            sent: (1, request),
            received: (1, response),
            duration,
        }
    }

    /// A datagram that nobody answers, sent once, twice or three times.
    pub(crate) fn unanswered(request: u64, rng: &mut Rng) -> Self {
        let tries = match rng.below(10) {
            0..6 => 1,
            6..9 => 2,
            _ => 3,
        };
        let duration = i64::try_from(tries - 1).unwrap_or(0) * micros(rng.between(5e6, 15e6));
        Self {
            sent: (tries, tries * request),
            received: (0, 0),
            duration,
        }
    }

    pub(crate) fn flow(
        self,
        src: Endpoint,
        dst: Endpoint,
        label: Option<Application>,
        moment: &Moment,
    ) -> Flow {
        let volume = |(packets, payload)| Volume::new(packets, payload + packets * Self::HEADERS);
        Flow {
            initiator: InitiatorEvidence::FirstPacket,
            fwd: volume(self.sent),
            rev: volume(self.received),
            rev_payload_bytes: Some(self.received.1),
            app: label,
            ..Flow::new(Transport::Udp, src, dst, moment.span(self.duration))
        }
    }
}

/// A connection that was set up: payload each way and the time it would take. A session that ends
/// before cuts both in proportion.
pub(crate) fn tcp_complete(
    (src, dst): (Endpoint, Endpoint),
    label: Option<Application>,
    (sent, received): (f64, f64),
    duration: f64,
    moment: &Moment,
) -> Flow {
    const SEGMENT: u64 = 1_460;
    const HEADERS: u64 = 40;
    let duration = duration.max(2e5);
    let span = moment.span(micros(duration));
    let kept = (span.micros() as f64 / duration).min(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "payloads are finite and not negative"
    )]
    let [sent, received] = [sent, received].map(|payload| (payload * kept) as u64);
    let volume = |own: u64, other: u64| {
        // Handshake and close, data, and an acknowledgement for every other segment received.
        let packets = 3 + own.div_ceil(SEGMENT) + other.div_ceil(2 * SEGMENT);
        Volume::new(packets, own + packets * HEADERS)
    };
    Flow {
        handshake: Some(Handshake::Complete),
        initiator: InitiatorEvidence::SynSeen,
        fwd: volume(sent, received),
        rev: volume(received, sent),
        rev_payload_bytes: Some(received),
        app: label,
        ..Flow::new(Transport::Tcp, src, dst, span)
    }
}

/// An attempt that fails: refused at once, or met with silence and repeated after 3 and 6 s. It
/// carries no payload, hence no label.
pub(crate) fn tcp_failed(
    src: Endpoint,
    dst: Endpoint,
    refused: bool,
    moment: &Moment,
    rng: &mut Rng,
) -> Flow {
    const SYN: u64 = 48;
    const PENDING: i64 = 60_000_000;
    let (tries, duration) = if refused {
        (1, round_trip(rng))
    } else {
        (3, 9_000_000)
    };
    // A client that leaves stops trying.
    let span = moment.span(duration);
    let tries = match (tries, span.micros()) {
        (3, 9_000_000..) => 3,
        (3, 3_000_000..) => 2,
        _ => 1,
    };
    let pending = !refused && moment.end - moment.now < PENDING;
    Flow {
        handshake: Some(if pending {
            Handshake::Unknown
        } else {
            Handshake::Failed
        }),
        initiator: InitiatorEvidence::SynSeen,
        fwd: Volume::new(tries, tries * SYN),
        rev: if refused {
            Volume::new(1, 40)
        } else {
            Volume::ZERO
        },
        rev_payload_bytes: Some(0),
        ..Flow::new(Transport::Tcp, src, dst, span)
    }
}

/// 20 to 300 ms.
fn round_trip(rng: &mut Rng) -> i64 {
    20_000 + i64::from(rng.below(280_000))
}
