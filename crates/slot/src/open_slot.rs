//! A slot that still takes flows.

use std::net::{IpAddr, Ipv6Addr};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::{Family, Flow, Handshake, SlotIndex, SystemId, Transport};

use crate::distinct::{DistinctCounter, Start};
use crate::{Amount, Direction, DirectionSlot, HostSlot, TransportSlot};

/// Sums per host and the keys for distinct counts. Cheap to merge, finished once.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenSlot {
    rows_of: HashMap<u128, u32, RandomState>,
    rows: Vec<Row>,
    starts: Vec<Start>,
    v6_peers: Vec<u128>,
    v6_numbers: HashMap<u128, u32, RandomState>,
}

#[derive(Clone, Debug)]
struct Row {
    host: u128,
    /// Bit i: control system i was active.
    control: u32,
    /// TCP, UDP.
    transports: [TransportSlot; 2],
}

/// A flow as one of its monitored ends sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) flow: &'a Flow,
    /// The host, as an IPv4-mapped or IPv6 address.
    pub(crate) host: u128,
    pub(crate) peer: IpAddr,
    pub(crate) peer_in_isp: bool,
    pub(crate) direction: Direction,
    pub(crate) control: Option<SystemId>,
}

/// What a flow brings into one slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portion {
    pub(crate) fwd_bytes: Amount,
    pub(crate) rev_bytes: Amount,
    pub(crate) packets: Amount,
}

const GROUPS_PER_ROW: u32 = 4;

impl OpenSlot {
    /// Counts a flow that is active in this slot.
    pub(crate) fn add_active(&mut self, view: &View<'_>, portion: &Portion) -> u32 {
        let row_number = self.row(view.host);
        let row = &mut self.rows[row_number as usize];
        if let Some(system) = view.control {
            row.control |= 1 << system.0;
        }
        let sums = &mut row.transports[transport_index(view.flow.transport)];
        sums.live = sums.live.saturating_add(1);
        let (sent, rcvd) = match view.direction {
            Direction::InOut => (portion.fwd_bytes, portion.rev_bytes),
            Direction::OutIn => (portion.rev_bytes, portion.fwd_bytes),
        };
        sums.sent += sent;
        sums.rcvd += rcvd;
        sums.packets += portion.packets;
        row_number
    }

    /// Counts a flow that starts in this slot; `row` is what `add_active` returned for it.
    pub(crate) fn add_started(&mut self, row: u32, view: &View<'_>) {
        let flow = view.flow;
        let transport = transport_index(flow.transport);
        let sums = &mut self.rows[row as usize].transports[transport];
        sums.duration_micros = sums.duration_micros.saturating_add(flow.span.micros());
        count_outcome(sums.direction_mut(view.direction), flow);
        let (peer, peer_is_v6) = match view.peer {
            IpAddr::V4(v4) => (v4.to_bits(), false),
            IpAddr::V6(v6) => (self.v6_number(v6.to_bits()), true),
        };
        self.starts.push(Start {
            group: row * GROUPS_PER_ROW + group_offset(transport, view.direction),
            peer,
            port: flow.dst.port,
            peer_is_v6,
            peer_in_isp: view.peer_in_isp,
        });
    }

    /// Adds everything another part of the trace brought into the same slot.
    pub(crate) fn merge(&mut self, other: Self) {
        let rows: Vec<u32> = other.rows.iter().map(|row| self.row(row.host)).collect();
        for (row, &number) in other.rows.iter().zip(&rows) {
            let own = &mut self.rows[number as usize];
            own.control |= row.control;
            for (own, more) in own.transports.iter_mut().zip(&row.transports) {
                own.merge(more);
            }
        }
        let v6_numbers: Vec<u32> = other
            .v6_peers
            .iter()
            .map(|&ip| self.v6_number(ip))
            .collect();
        self.starts.extend(other.starts.into_iter().map(|start| {
            let (row, offset) = (start.group / GROUPS_PER_ROW, start.group % GROUPS_PER_ROW);
            Start {
                group: rows[row as usize] * GROUPS_PER_ROW + offset,
                peer: if start.peer_is_v6 {
                    v6_numbers[start.peer as usize]
                } else {
                    start.peer
                },
                ..start
            }
        }));
    }

    /// Counts what is distinct and returns one aggregate a host, in no particular order.
    pub(crate) fn finish(
        mut self,
        slot: SlotIndex,
        family: &Family,
        counter: &mut DistinctCounter,
    ) -> impl Iterator<Item = HostSlot> {
        let rows = &mut self.rows;
        counter.count(
            &self.starts,
            rows.len() * GROUPS_PER_ROW as usize,
            |group, distinct| {
                let row = &mut rows[(group / GROUPS_PER_ROW) as usize];
                let (transport, direction) = group_parts(group % GROUPS_PER_ROW);
                let counts = row.transports[transport].direction_mut(direction);
                counts.peers = distinct.peers;
                counts.isp_peers = distinct.isp_peers;
                counts.dest_ports = distinct.ports;
                counts.reserved_ports = distinct.reserved_ports;
            },
        );
        self.rows.into_iter().map(move |row| {
            let [tcp, udp] = row.transports;
            let host = IpAddr::V6(Ipv6Addr::from_bits(row.host)).to_canonical();
            HostSlot {
                host,
                slot,
                system: family.system_of(row.control),
                tcp,
                udp,
            }
        })
    }

    fn row(&mut self, host: u128) -> u32 {
        *self.rows_of.entry(host).or_insert_with(|| {
            self.rows.push(Row {
                host,
                control: 0,
                transports: Default::default(),
            });
            last_index(self.rows.len())
        })
    }

    fn v6_number(&mut self, ip: u128) -> u32 {
        *self.v6_numbers.entry(ip).or_insert_with(|| {
            self.v6_peers.push(ip);
            last_index(self.v6_peers.len())
        })
    }
}

fn count_outcome(counts: &mut DirectionSlot, flow: &Flow) {
    counts.started = counts.started.saturating_add(1);
    counts.unanswered = counts
        .unanswered
        .saturating_add(u32::from(flow.rev.packets == 0));
    match flow.handshake {
        Some(Handshake::Failed) => counts.failed = counts.failed.saturating_add(1),
        Some(Handshake::Complete) => {
            counts.complete = counts.complete.saturating_add(1);
            if let Some(bytes) = flow.rev_payload_bytes {
                counts.payload_known = counts.payload_known.saturating_add(1);
                counts.payload_none = counts.payload_none.saturating_add(u32::from(bytes == 0));
            }
        }
        Some(Handshake::Unknown) | None => {}
    }
}

fn transport_index(transport: Transport) -> usize {
    usize::from(transport == Transport::Udp)
}

fn group_offset(transport: usize, direction: Direction) -> u32 {
    let udp = u32::from(transport == 1);
    udp * 2 + u32::from(direction == Direction::OutIn)
}

fn group_parts(offset: u32) -> (usize, Direction) {
    let direction = if offset.is_multiple_of(2) {
        Direction::InOut
    } else {
        Direction::OutIn
    };
    (usize::from(offset >= 2), direction)
}

/// Rows and addresses of one slot are far fewer than 2^30: each needs memory of its own.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
fn last_index(len: usize) -> u32 {
    (len - 1) as u32
}
