//! From flows and packets to activity: which flow group is present, and newly so, in which window.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use peerscope_flow::{
    Flow, FlowKey, Handshake, InitiatorEvidence, SlotLength, Timestamp, Transport,
};
use rayon::prelude::*;
use thiserror::Error;

use crate::ports::{Conversation, PortEvidence};
use crate::{End, FlowGroup, PortRules, Runs};

/// Activity of every flow group of a trace, sparse.
///
/// Window 0 holds the earliest activity. It depends on the set of flows and packets added, not on
/// their order.
#[derive(Clone, Debug)]
pub struct Activity {
    pub(crate) window: SlotLength,
    pub(crate) first_window: i64,
    pub(crate) windows: u32,
    pub(crate) hosts: Vec<IpAddr>,
    pub(crate) groups: Vec<GroupActivity>,
    pub(crate) source: ActivitySource,
}

/// What the activity of a trace was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a pair of counts")]
pub struct ActivitySource {
    /// Flow records: a flow counts as active from its first to its last packet, silence included.
    pub records: u64,
    /// Packet times.
    pub packets: u64,
}

/// Activity of one flow group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupActivity {
    /// The flows it stands for.
    pub group: FlowGroup,
    /// Number of the initiator and the responder among [`Activity::hosts`].
    pub(crate) src: u32,
    pub(crate) dst: u32,
    /// Windows in which one of its flows began, or returned after an idle gap; ascending.
    pub new: Vec<u32>,
    /// Windows with any activity.
    pub present: Runs,
}

/// Why activity cannot be laid out in windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ActivityError {
    /// The trace is longer than 2^32 - 2 windows.
    #[error("activity from {first} us to {last} us does not fit in 2^32 windows of {window} s")]
    TooLong {
        /// The earliest activity.
        first: Timestamp,
        /// The latest activity.
        last: Timestamp,
        /// The window.
        window: SlotLength,
    },
}

impl Activity {
    /// Number of windows from the first to the last activity, both included.
    pub fn windows(&self) -> u32 {
        self.windows
    }

    /// Length of a window.
    pub fn window(&self) -> SlotLength {
        self.window
    }

    /// Start of window 0.
    pub fn start(&self) -> Timestamp {
        self.window
            .start_of(peerscope_flow::SlotIndex(self.first_window))
    }

    /// The flow groups, ascending.
    pub fn groups(&self) -> &[GroupActivity] {
        &self.groups
    }

    /// The hosts, ascending.
    pub fn hosts(&self) -> &[IpAddr] {
        &self.hosts
    }

    /// What it was read from.
    pub fn source(&self) -> ActivitySource {
        self.source
    }
}

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
    window: SlotLength,
    idle_gap: i64,
    ports: PortRules,
    ids: HashMap<IpAddr, u32, FixedState>,
    addresses: Vec<IpAddr>,
    rows: Vec<Row>,
    open: HashMap<Talk, usize, FixedState>,
    source: ActivitySource,
}

/// A 5-tuple by host numbers: src, dst, protocol, ports.
type Talk = (u32, u32, u8, u16, u16);

/// A stretch of activity of one 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    talk: Talk,
    start: i64,
    end: i64,
    syn: bool,
    /// Cut at the front: what begins here is not new.
    cut: bool,
}

impl Row {
    fn conversation(&self) -> Conversation {
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

    /// Lays the activity out in windows.
    ///
    /// # Errors
    ///
    /// If the trace is too long for its window.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n stretches of activity; independent of how long they last.
    pub fn finish(mut self) -> Result<Activity, ActivityError> {
        self.open.clear();
        self.rank_hosts();
        self.rows.par_sort_unstable();
        let first = self.rows.iter().map(|row| row.start).min().unwrap_or(0);
        let last = self.rows.iter().map(|row| row.end).max().unwrap_or(0);
        let slot = |micros| self.window.slot_of(Timestamp::from_micros(micros)).0;
        let origin = slot(first);
        let Some(windows) = slot(last)
            .checked_sub(origin)
            .and_then(|span| u32::try_from(span).ok())
            .and_then(|span| span.checked_add(1))
            .filter(|&windows| windows < u32::MAX)
        else {
            return Err(ActivityError::TooLong {
                first: Timestamp::from_micros(first),
                last: Timestamp::from_micros(last),
                window: self.window,
            });
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "every time lies between the first and the last, whose distance fits"
        )]
        let number = |micros| (slot(micros) - origin) as u32;

        let mut evidence = PortEvidence::new(&self.ports);
        let conversations = self.conversations();
        for (rows, news) in &conversations {
            evidence.add(
                &rows[0].conversation(),
                u32::try_from(news.len()).unwrap_or(u32::MAX),
                rows.iter().any(|row| row.syn),
            );
        }
        let mut stretches: Vec<Stretch> = Vec::with_capacity(self.rows.len());
        for (rows, news) in &conversations {
            let talk = rows[0].conversation();
            let (src_port, dst_port) = evidence.ports(&talk);
            let key = (talk.src, src_port, talk.dst, dst_port, talk.transport);
            let mut news = news.iter().peekable();
            for (at, row) in rows.iter().enumerate() {
                stretches.push(Stretch {
                    key,
                    first: number(row.start),
                    last: number(row.end),
                    new: news.next_if_eq(&&at).is_some(),
                });
            }
        }
        drop(conversations);
        stretches.par_sort_unstable_by_key(|s| (s.key, s.first, s.last, s.new));
        let groups = stretches
            .par_chunk_by(|a, b| a.key == b.key)
            .map(|chunk| group_activity(chunk, &self.addresses))
            .collect();
        Ok(Activity {
            window: self.window,
            first_window: origin,
            windows: if self.rows.is_empty() { 0 } else { windows },
            hosts: self.addresses,
            groups,
            source: self.source,
        })
    }

    /// Stretches of each 5-tuple, and which of them are new.
    fn conversations(&self) -> Vec<(&[Row], Vec<usize>)> {
        self.rows
            .chunk_by(|a, b| a.talk == b.talk)
            .map(|rows| {
                let mut news = Vec::new();
                let mut end = None;
                for (at, row) in rows.iter().enumerate() {
                    let idle = end.is_none_or(|end| row.start.saturating_sub(end) >= self.idle_gap);
                    if idle && !row.cut {
                        news.push(at);
                    }
                    end = end.max(Some(row.end));
                }
                (rows, news)
            })
            .collect()
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

    /// Renumbers hosts in the order of their addresses, so that nothing depends on input order.
    fn rank_hosts(&mut self) {
        self.ids = HashMap::with_hasher(FixedState::with_seed(0));
        let mut order: Vec<(IpAddr, usize)> = self
            .addresses
            .iter()
            .enumerate()
            .map(|(id, &ip)| (ip, id))
            .collect();
        order.sort_unstable();
        let mut rank = vec![0_u32; order.len()];
        for (new, &(_, old)) in (0..).zip(&order) {
            rank[old] = new;
        }
        self.addresses = order.into_iter().map(|(ip, _)| ip).collect();
        for row in &mut self.rows {
            row.talk.0 = rank[row.talk.0 as usize];
            row.talk.1 = rank[row.talk.1 as usize];
        }
    }
}

/// A group by host numbers, in the order of [`FlowGroup`].
type GroupKey = (u32, Option<u16>, u32, Option<u16>, Transport);

#[derive(Clone, Copy, Debug)]
struct Stretch {
    key: GroupKey,
    first: u32,
    last: u32,
    new: bool,
}

fn group_activity(stretches: &[Stretch], addresses: &[IpAddr]) -> GroupActivity {
    let (src, src_port, dst, dst_port, transport) = stretches[0].key;
    let end = |host: u32, port| End {
        ip: Some(addresses[host as usize]),
        port,
    };
    let mut new: Vec<u32> = stretches
        .iter()
        .filter(|stretch| stretch.new)
        .map(|stretch| stretch.first)
        .collect();
    new.dedup();
    new.shrink_to_fit();
    GroupActivity {
        group: FlowGroup {
            src: end(src, src_port),
            dst: end(dst, dst_port),
            transport,
        },
        src,
        dst,
        new,
        present: Runs::from_ranges(stretches.iter().map(|s| (s.first, s.last))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_flow::{Endpoint, Span};

    fn flow(src_port: u16, start: f64, end: f64) -> Flow {
        #[expect(clippy::cast_possible_truncation, reason = "small test times")]
        let at = |secs: f64| Timestamp::from_micros((secs * 1e6) as i64);
        Flow::new(
            Transport::Tcp,
            Endpoint::new("10.0.0.1".parse().unwrap(), src_port),
            Endpoint::new("192.0.2.1".parse().unwrap(), 80),
            Span::new(at(start), at(end)).unwrap(),
        )
    }

    fn activity(flows: &[Flow]) -> Activity {
        let mut builder = ActivityBuilder::new(SlotLength::from_secs(1.0).unwrap());
        for flow in flows {
            builder.push(flow);
        }
        builder.finish().unwrap()
    }

    #[test]
    fn a_heartbeat_on_one_5_tuple_is_new_each_time() {
        let beats: Vec<_> = (0..4)
            .map(|i| flow(40_000, f64::from(i) * 30.0, f64::from(i) * 30.0))
            .collect();
        assert_eq!(activity(&beats).groups()[0].new, [0, 30, 60, 90]);
        // Pauses below the idle gap continue the flow.
        let close: Vec<_> = (0..4)
            .map(|i| flow(40_000, f64::from(i) * 4.0, f64::from(i) * 4.0))
            .collect();
        let groups = activity(&close).groups;
        assert_eq!(groups[0].new, [0]);
        assert_eq!(
            groups[0].present.windows().collect::<Vec<_>>(),
            [0, 4, 8, 12]
        );
    }

    #[test]
    fn new_is_the_union_over_the_flows_of_a_group() {
        let flows = [
            flow(50_000, 0.5, 7.2),
            flow(50_001, 2.0, 2.0),
            flow(50_002, 2.9, 3.0),
        ];
        let activity = activity(&flows);
        assert_eq!(activity.groups().len(), 1);
        assert_eq!(activity.groups()[0].new, [0, 2]);
        assert_eq!(
            activity.groups()[0].present.ranges().collect::<Vec<_>>(),
            [(0, 7)]
        );
    }

    #[test]
    fn packets_and_order_do_not_matter_but_time_does() {
        let key = flow(50_000, 0.0, 0.0).key();
        let mut forth = ActivityBuilder::new(SlotLength::from_secs(1.0).unwrap());
        let mut back = forth.clone();
        let times = [0_i64, 300_000, 1_100_000, 3_000_000, 20_000_000, 20_400_000];
        for (at, time) in times.iter().enumerate() {
            forth.push_packet(
                key,
                Timestamp::from_micros(*time),
                InitiatorEvidence::SynSeen,
            );
            let time = times[times.len() - 1 - at];
            back.push_packet(
                key,
                Timestamp::from_micros(time),
                InitiatorEvidence::SynSeen,
            );
        }
        let (forth, back) = (forth.finish().unwrap(), back.finish().unwrap());
        assert_eq!(forth.groups, back.groups);
        assert_eq!(forth.groups[0].new, [0, 20]);
        assert_eq!(
            forth.groups[0].present.windows().collect::<Vec<_>>(),
            [0, 1, 3, 20]
        );
    }

    #[test]
    fn nothing_and_too_much_are_defined() {
        assert_eq!(activity(&[]).windows(), 0);
        let mut builder = ActivityBuilder::new(SlotLength::from_secs(1.0).unwrap());
        for time in [Timestamp::MIN, Timestamp::MAX] {
            builder.push_packet(flow(1, 0.0, 0.0).key(), time, InitiatorEvidence::Unknown);
        }
        let message = builder.finish().unwrap_err().to_string();
        assert!(message.contains("-9223372036854775808"), "{message}");
    }
}
