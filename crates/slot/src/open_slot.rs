//! A slot that still takes flows.

use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use peerscope_flow::{Family, Flow, SlotIndex, SystemId, Transport};

use crate::distinct::{Distinct, DistinctCounter, Start};
use crate::sums::{Fractions, Portion, Sums};
use crate::{Direction, HostSlot};

/// The slots that take flows, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenSlots {
    slots: Vec<(SlotIndex, OpenSlot)>,
    places: HashMap<i64, usize, RandomState>,
    /// Where the last flow went: the next one mostly goes there too.
    latest: usize,
}

impl OpenSlots {
    pub(crate) fn slot(&mut self, slot: SlotIndex) -> &mut OpenSlot {
        if self
            .slots
            .get(self.latest)
            .is_none_or(|(latest, _)| *latest != slot)
        {
            self.latest = *self.places.entry(slot.0).or_insert_with(|| {
                self.slots.push((slot, OpenSlot::default()));
                self.slots.len() - 1
            });
        }
        &mut self.slots[self.latest].1
    }

    pub(crate) fn into_slots(self) -> Vec<(SlotIndex, OpenSlot)> {
        self.slots
    }
}

/// Sums per host and the keys for distinct counts. Cheap to merge, finished once.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenSlot {
    /// Row numbers by their host; the host itself stands in the row, which is needed anyway.
    rows_of: HashTable<u32>,
    rows: Vec<Row>,
    /// TCP, UDP of each row.
    fractions: Vec<[Fractions; 2]>,
    starts: Vec<Start>,
    v6_peers: Vec<u128>,
    v6_numbers: HashMap<u128, u32, RandomState>,
    hasher: RandomState,
}

#[derive(Clone, Debug)]
struct Row {
    host: u128,
    /// Bit i: control system i was active.
    control: u32,
    /// TCP, UDP.
    transports: [Sums; 2],
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

const GROUPS_PER_ROW: u32 = 4;

impl OpenSlot {
    /// Counts a flow that starts and ends in this slot.
    pub(crate) fn add_whole(&mut self, view: &View<'_>) {
        let number = self.row(view.host);
        let row = &mut self.rows[number as usize];
        row.see(view.control);
        let sums = &mut row.transports[transport_index(view.flow.transport)];
        sums.add_whole(view.flow, view.direction);
        sums.add_started(view.flow, view.direction);
        self.add_start(number, view);
    }

    /// Counts the part of a flow that overlaps this slot.
    pub(crate) fn add_portion(&mut self, view: &View<'_>, portion: &Portion, starts_here: bool) {
        let number = self.row(view.host);
        let row = &mut self.rows[number as usize];
        row.see(view.control);
        let transport = transport_index(view.flow.transport);
        let sums = &mut row.transports[transport];
        let fractions = &mut self.fractions[number as usize][transport];
        sums.add_portion(fractions, portion, view.direction);
        if starts_here {
            sums.add_started(view.flow, view.direction);
            self.add_start(number, view);
        }
    }

    fn add_start(&mut self, row: u32, view: &View<'_>) {
        let transport = transport_index(view.flow.transport);
        let (peer, peer_is_v6) = match view.peer {
            IpAddr::V4(v4) => (v4.to_bits(), false),
            IpAddr::V6(v6) => (self.v6_number(v6.to_bits()), true),
        };
        self.starts.push(Start {
            group: group(row, transport, view.direction),
            peer,
            port: view.flow.dst.port,
            peer_is_v6,
            peer_in_isp: view.peer_in_isp,
        });
    }

    /// Adds everything another part of the trace brought into the same slot.
    pub(crate) fn merge(&mut self, other: Self) {
        let rows: Vec<u32> = other.rows.iter().map(|row| self.row(row.host)).collect();
        for ((row, fractions), &number) in other.rows.iter().zip(&other.fractions).zip(&rows) {
            let own = &mut self.rows[number as usize];
            let own_fractions = &mut self.fractions[number as usize];
            own.control |= row.control;
            for transport in 0..2 {
                own.transports[transport].merge(
                    &mut own_fractions[transport],
                    &row.transports[transport],
                    &fractions[transport],
                );
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
        self,
        slot: SlotIndex,
        family: &Family,
        counter: &mut DistinctCounter,
    ) -> Vec<HostSlot> {
        let groups = self.rows.len() * GROUPS_PER_ROW as usize;
        let mut distinct = vec![Distinct::default(); groups];
        counter.count(&self.starts, groups, |group, counts| {
            distinct[group as usize] = counts;
        });
        let finished = self.rows.iter().zip(&self.fractions).zip((0..).step_by(4));
        finished
            .map(|((row, fractions), first)| {
                let transport = |transport: usize| {
                    let first = first + 2 * transport;
                    let distinct = [distinct[first], distinct[first + 1]];
                    row.transports[transport].finish(&fractions[transport], &distinct)
                };
                HostSlot {
                    host: IpAddr::V6(Ipv6Addr::from_bits(row.host)).to_canonical(),
                    slot,
                    system: family.system_of(row.control),
                    tcp: transport(0),
                    udp: transport(1),
                }
            })
            .collect()
    }

    fn row(&mut self, host: u128) -> u32 {
        let Self {
            rows_of,
            rows,
            fractions,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(host);
        if let Some(&row) = rows_of.find(hash, |&row| rows[row as usize].host == host) {
            return row;
        }
        let number = next_index(rows.len());
        rows_of.insert_unique(hash, number, |&row| {
            hasher.hash_one(rows[row as usize].host)
        });
        rows.push(Row {
            host,
            control: 0,
            transports: Default::default(),
        });
        fractions.push(Default::default());
        number
    }

    fn v6_number(&mut self, ip: u128) -> u32 {
        *self.v6_numbers.entry(ip).or_insert_with(|| {
            self.v6_peers.push(ip);
            next_index(self.v6_peers.len() - 1)
        })
    }
}

impl Row {
    fn see(&mut self, control: Option<SystemId>) {
        if let Some(system) = control {
            self.control |= 1 << system.0;
        }
    }
}

fn transport_index(transport: Transport) -> usize {
    usize::from(transport == Transport::Udp)
}

fn group(row: u32, transport: usize, direction: Direction) -> u32 {
    row * GROUPS_PER_ROW + 2 * u32::from(transport == 1) + direction as u32
}

/// Rows and addresses of one slot are far fewer than 2^30: each needs memory of its own.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
fn next_index(len: usize) -> u32 {
    len as u32
}
