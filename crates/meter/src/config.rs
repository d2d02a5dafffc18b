//! How a meter cuts packets into flows.

use std::time::Duration;

use crate::classify::Classifiers;

/// Which length of a packet its flow's bytes count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ByteCount {
    /// Length of the IP packet, headers included.
    #[default]
    Ip,
    /// Length of the frame on the wire, link layer included.
    Frame,
    /// Captured bytes of the frame.
    CapturedFrame,
}

/// Whether the end of a TCP connection ends its flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TcpClose {
    /// A reset, or a FIN from both sides, ends the flow.
    #[default]
    EndsFlow,
    /// Only the idle timeout ends a flow.
    Ignored,
}

/// Which fragments of a packet are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fragments {
    /// All of them, if the first was seen first.
    #[default]
    All,
    /// The first one only.
    FirstOnly,
}

/// What happens to packets that were captured in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CutPackets {
    /// They count with their length on the wire, if their headers were captured.
    #[default]
    Count,
    /// They are skipped.
    Skip,
}

/// What tells conversations apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlowIdentity {
    /// The 5-tuple.
    #[default]
    FiveTuple,
    /// The 5-tuple and the innermost VLAN identifier.
    FiveTupleAndVlan,
}

/// Who counts as the initiator of a TCP flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Initiator {
    /// The sender of the SYN, or the receiver of a SYN-ACK; without either the sender of the first
    /// packet seen.
    #[default]
    TcpFlags,
    /// The sender of the first packet seen.
    FirstPacket,
}

/// Whose addresses make the flow of a tunnelled packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tunnels {
    /// Those of the tunnel's ends.
    #[default]
    Outer,
    /// The innermost ones: IP in IP in every combination of versions, and IP, Ethernet or PPP in
    /// GRE (RFC 2784, 2890, 2637).
    Inner,
}

/// How a [`Meter`](crate::Meter) cuts packets into flows; the default is the method of the
/// SIGMETRICS 2009 paper.
///
/// ```
/// use std::time::Duration;
/// use peerscope_meter::{Classifiers, MeterConfig};
///
/// let config = MeterConfig::new()
///     .with_idle_timeout(Duration::from_secs(120))
///     .with_classifiers(Classifiers::none());
/// ```
#[derive(Clone, Debug)]
pub struct MeterConfig {
    pub(crate) idle_timeout: i64,
    pub(crate) close_linger: i64,
    pub(crate) handshake_grace: i64,
    pub(crate) duplicate_window: i64,
    pub(crate) max_live_flows: usize,
    pub(crate) payloads_per_side: u8,
    pub(crate) byte_count: ByteCount,
    pub(crate) tcp_close: TcpClose,
    pub(crate) fragments: Fragments,
    pub(crate) cut_packets: CutPackets,
    pub(crate) identity: FlowIdentity,
    pub(crate) initiator: Initiator,
    pub(crate) tunnels: Tunnels,
    pub(crate) classifiers: Classifiers,
}

impl MeterConfig {
    /// A flow ends after this time without packets.
    pub const IDLE_TIMEOUT: Duration = Duration::from_mins(10);
    /// Packets still belong to a closed TCP flow for this long.
    pub const CLOSE_LINGER: Duration = Duration::from_secs(5);
    /// A handshake pending for less than this when the trace ends is unknown, not failed.
    pub const HANDSHAKE_GRACE: Duration = Duration::from_mins(1);
    /// Flows kept at a time; about 200 bytes each.
    pub const MAX_LIVE_FLOWS: usize = 4_000_000;
    /// Payloads of each side that are offered to the classifiers.
    pub const PAYLOADS_PER_SIDE: u8 = 4;

    /// The default configuration.
    pub fn new() -> Self {
        Self {
            idle_timeout: micros(Self::IDLE_TIMEOUT),
            close_linger: micros(Self::CLOSE_LINGER),
            handshake_grace: micros(Self::HANDSHAKE_GRACE),
            duplicate_window: 0,
            max_live_flows: Self::MAX_LIVE_FLOWS,
            payloads_per_side: Self::PAYLOADS_PER_SIDE,
            byte_count: ByteCount::default(),
            tcp_close: TcpClose::default(),
            fragments: Fragments::default(),
            cut_packets: CutPackets::default(),
            identity: FlowIdentity::default(),
            initiator: Initiator::default(),
            tunnels: Tunnels::default(),
            classifiers: Classifiers::built_in(),
        }
    }

    /// A flow ends after this time without packets: a packet after a gap of exactly the timeout
    /// still belongs to it. [`Duration::MAX`] never ends a flow.
    #[must_use]
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = micros(timeout);
        self
    }

    /// Packets up to this long after its close, exactly this long included, still belong to a
    /// closed TCP flow.
    #[must_use]
    pub fn with_close_linger(mut self, linger: Duration) -> Self {
        self.close_linger = micros(linger);
        self
    }

    /// A handshake pending for less than this when the trace ends is unknown, not failed.
    #[must_use]
    pub fn with_handshake_grace(mut self, grace: Duration) -> Self {
        self.handshake_grace = micros(grace);
        self
    }

    /// Leaves out packets that equal an earlier one within `window`: the same IP packet, but for
    /// its hop count and checksum, as a mirror port shows it twice.
    ///
    /// Some hosts send equal datagrams on purpose (no IP identification, the same payload); a
    /// window of a few milliseconds keeps nearly all of those. Zero, the default, keeps all.
    #[must_use]
    pub fn with_duplicate_window(mut self, window: Duration) -> Self {
        self.duplicate_window = micros(window);
        self
    }

    /// Flows kept at a time, at least 1. Above it the flow without packets for longest ends early,
    /// closed ones first, and is counted in [`MeterReport::evicted`](crate::MeterReport::evicted).
    #[must_use]
    pub fn with_max_live_flows(mut self, flows: usize) -> Self {
        self.max_live_flows = flows.clamp(1, crate::table::MAX_FLOWS);
        self
    }

    /// Payloads of each side that are offered to the classifiers until one names the flow.
    #[must_use]
    pub const fn with_payloads_per_side(mut self, payloads: u8) -> Self {
        self.payloads_per_side = payloads;
        self
    }

    /// Which length of a packet is counted.
    #[must_use]
    pub const fn with_byte_count(mut self, count: ByteCount) -> Self {
        self.byte_count = count;
        self
    }

    /// Whether the end of a TCP connection ends its flow.
    #[must_use]
    pub const fn with_tcp_close(mut self, close: TcpClose) -> Self {
        self.tcp_close = close;
        self
    }

    /// Which fragments are counted.
    #[must_use]
    pub const fn with_fragments(mut self, fragments: Fragments) -> Self {
        self.fragments = fragments;
        self
    }

    /// What happens to packets that were captured in part.
    #[must_use]
    pub const fn with_cut_packets(mut self, cut: CutPackets) -> Self {
        self.cut_packets = cut;
        self
    }

    /// What tells conversations apart.
    #[must_use]
    pub const fn with_identity(mut self, identity: FlowIdentity) -> Self {
        self.identity = identity;
        self
    }

    /// Who counts as the initiator of a TCP flow.
    #[must_use]
    pub const fn with_initiator(mut self, initiator: Initiator) -> Self {
        self.initiator = initiator;
        self
    }

    /// Whose addresses make the flow of a tunnelled packet.
    #[must_use]
    pub const fn with_tunnels(mut self, tunnels: Tunnels) -> Self {
        self.tunnels = tunnels;
        self
    }

    /// Who names the application of a flow.
    #[must_use]
    pub fn with_classifiers(mut self, classifiers: Classifiers) -> Self {
        self.classifiers = classifiers;
        self
    }
}

impl Default for MeterConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Microseconds, saturating.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
