//! Collecting flows and packets, in any order.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use peerscope_flow::{
    Flow, FlowKey, Handshake, InitiatorEvidence, SlotLength, Timestamp, Transport,
};

use crate::ports::Conversation;
use crate::{ActivitySource, PortRules};

/// Collects flows and packets, in any order.
///
/// ```
/// use peerscope_flow::{Endpoint, Flow, SlotLength, Span, Timestamp, Transport};
/// use peerscope_rules::ActivityBuilder;
///
/// let mut builder = ActivityBuilder::new(SlotLength::from_secs(1.0)?);
/// builder.push(&Flow::new(
///     Transport::Tcp,
///     Endpoint::new("10.0.0.1".parse()?, 50_000),
///     Endpoint::new("192.0.2.1".parse()?, 80),
///     Span::new(Timestamp::from_secs(100), Timestamp::from_secs(103))?,
/// ));
/// let activity = builder.finish()?;
/// assert_eq!(activity.windows(), 4);
/// assert_eq!(activity.groups()[0].group.to_string(), "10.0.0.1.* : 192.0.2.1.80");
/// assert_eq!(activity.groups()[0].new, [0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ActivityBuilder {
    pub(crate) window: SlotLength,
    pub(crate) idle_gap: i64,
    pub(crate) ports: PortRules,
    pub(crate) ids: HashMap<IpAddr, u32, FixedState>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) rows: Vec<Row>,
    pub(crate) open: HashMap<Talk, usize, FixedState>,
    pub(crate) source: ActivitySource,
}

/// A 5-tuple by host numbers: src, dst, protocol, ports.
pub(crate) type Talk = (u32, u32, u8, u16, u16);

/// A stretch of activity of one 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) talk: Talk,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) syn: bool,
    /// Cut at the front: what begins here is not new.
    pub(crate) cut: bool,
}

impl Row {
    pub(crate) fn conversation(&self) -> Conversation {
        let (src, dst, protocol, src_port, dst_port) = self.talk;
        Conversation {
            src,
            dst,
            transport: Transport::from_number(protocol),
            src_port,
            dst_port,
        }
    }
}

impl ActivityBuilder {
    /// Idle time after which a flow's next activity is new: 5 s.
    pub const IDLE_GAP: i64 = 5 * Timestamp::MICROS_PER_SEC;

    /// Windows of the given length, an idle gap of 5 s, and the default server-port rules.
    pub fn new(window: SlotLength) -> Self {
        Self {
            window,
            idle_gap: Self::IDLE_GAP,
            ports: PortRules::default(),
            ids: HashMap::with_hasher(FixedState::with_seed(0)),
            addresses: Vec::new(),
            rows: Vec::new(),
            open: HashMap::with_hasher(FixedState::with_seed(0)),
            source: ActivitySource::default(),
        }
    }

    /// Another idle gap, in microseconds; one below 1 makes every separate stretch new.
    #[must_use]
    pub fn with_idle_gap(mut self, micros: i64) -> Self {
        self.idle_gap = micros;
        self
    }

    /// Other rules for server ports.
    #[must_use]
    pub fn with_ports(mut self, ports: PortRules) -> Self {
        self.ports = ports;
        self
    }

    /// Adds a flow record, active from its first to its last packet.
    pub fn push(&mut self, flow: &Flow) {
        let syn = flow.transport == Transport::Tcp
            && (flow.initiator == InitiatorEvidence::SynSeen
                || matches!(
                    flow.handshake,
                    Some(Handshake::Complete | Handshake::Failed)
                ));
        let talk = self.talk(flow.key());
        self.source.records += 1;
        self.rows.push(Row {
            talk,
            start: flow.span.start().as_micros(),
            end: flow.span.end().as_micros(),
            syn,
            cut: false,
        });
    }

    /// Adds a packet of the flow with a key (its initiator first, whichever end sent the packet).
    ///
    /// Memory stays small while packets come in time order: those of one flow in the same or the
    /// next window are kept as one stretch.
    pub fn push_packet(&mut self, key: FlowKey, time: Timestamp, initiator: InitiatorEvidence) {
        let talk = self.talk(key);
        let syn = key.transport == Transport::Tcp && initiator == InitiatorEvidence::SynSeen;
        let micros = time.as_micros();
        self.source.packets += 1;
        if let Some(&at) = self.open.get(&talk) {
            let row = &mut self.rows[at];
            let window = |t| self.window.slot_of(Timestamp::from_micros(t)).0;
            if micros >= row.end
                && window(micros).saturating_sub(window(row.end)) <= 1
                && micros.saturating_sub(row.end) < self.idle_gap
            {
                row.end = micros;
                row.syn |= syn;
                return;
            }
        }
        self.open.insert(talk, self.rows.len());
        self.rows.push(Row {
            talk,
            start: micros,
            end: micros,
            syn,
            cut: false,
        });
    }

    /// Number of stretches of activity held.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Forgets all activity before a time; what began before it and lasts is not new.
    pub(crate) fn forget_before(&mut self, time: Timestamp) {
        let cutoff = time.as_micros();
        let addresses = std::mem::take(&mut self.addresses);
        self.ids = HashMap::with_hasher(FixedState::with_seed(0));
        self.open = HashMap::with_hasher(FixedState::with_seed(0));
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| row.end >= cutoff);
        rows.shrink_to(rows.len() * 2);
        for row in &mut rows {
            row.talk.0 = self.id(addresses[row.talk.0 as usize]);
            row.talk.1 = self.id(addresses[row.talk.1 as usize]);
            if row.start < cutoff {
                row.start = cutoff;
                row.cut = true;
            }
        }
        self.rows = rows;
    }

    /// The time before which the oldest `share` of the stretches ended.
    pub(crate) fn end_quantile(&self, share: f64) -> Option<Timestamp> {
        let mut ends: Vec<i64> = self.rows.iter().map(|row| row.end).collect();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length, and saturating is right"
        )]
        let at = (ends.len() as f64 * share) as usize;
        (at < ends.len()).then(|| Timestamp::from_micros(*ends.select_nth_unstable(at).1))
    }

    fn talk(&mut self, key: FlowKey) -> Talk {
        let src = self.id(key.src.ip);
        let dst = self.id(key.dst.ip);
        let (src_port, dst_port) = match key.transport {
            // Meters differ in what they write where there is no port (ICMP types, mostly).
            Transport::Other(_) => (0, 0),
            Transport::Tcp | Transport::Udp => (key.src.port, key.dst.port),
        };
        (src, dst, key.transport.number(), src_port, dst_port)
    }

    fn id(&mut self, ip: IpAddr) -> u32 {
        *self.ids.entry(ip.to_canonical()).or_insert_with_key(|&ip| {
            self.addresses.push(ip);
            // At 2^32 addresses memory has long run out.
            u32::try_from(self.addresses.len() - 1).unwrap_or(u32::MAX)
        })
    }
}
