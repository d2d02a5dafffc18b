//! What is to be counted of the flows that started in a slot.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::AddressBits;

use crate::distinct::{Start, Starts, group_in};
use crate::hosts::next_index;
use crate::spill::{Segment, Spilled};

/// The flows that started in a slot, seen from its hosts, until what is distinct among them is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Started {
    starts: Starts,
    v6_peers: Vec<AddressBits>,
    v6_numbers: HashMap<AddressBits, u32, RandomState>,
    /// Where those lie that were written to a file.
    spilled: Vec<Segment>,
}

impl Started {
    /// Adds a flow of a group that goes to a port.
    #[inline]
    pub(crate) fn push(&mut self, group: u32, peer: AddressBits, port: u16, peer_in_isp: bool) {
        let (peer, peer_is_v6) = match peer.to_v4_bits() {
            Some(v4) => (v4, false),
            None => (self.v6_number(peer), true),
        };
        self.starts.push(Start {
            group,
            peer,
            port,
            peer_is_v6,
            peer_in_isp,
        });
    }

    /// Adds starts whose IPv6 peers are numbered by a list of their own.
    fn add(&mut self, starts: impl Iterator<Item = Start>, v6_peers: &[AddressBits]) {
        let numbers = v6_peers.iter().map(|&ip| self.v6_number(ip));
        let numbers: Vec<u32> = numbers.collect();
        for mut start in starts {
            if start.peer_is_v6 {
                start.peer = numbers[start.peer as usize];
            }
            self.starts.push(start);
        }
    }

    /// Gives the rows other numbers.
    pub(crate) fn renumber(&mut self, own_row: impl Fn(usize) -> u32) {
        debug_assert!(self.spilled.is_empty(), "what lies in files keeps its rows");
        for start in self.starts.iter_mut() {
            start.group = group_in(&own_row, start.group);
        }
    }

    /// Adds those of another part of the trace, whose rows have other numbers here.
    pub(crate) fn merge(&mut self, other: &Self, own_row: impl Fn(usize) -> u32) {
        debug_assert!(
            other.spilled.is_empty(),
            "what lies in files keeps its rows"
        );
        let starts = other.starts.iter().map(|start| Start {
            group: group_in(&own_row, start.group),
            ..*start
        });
        self.add(starts, &other.v6_peers);
    }

    /// Whether there is nothing to be counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.starts.len() == 0 && self.spilled.is_empty()
    }

    /// Those that are in memory.
    pub(crate) fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Takes out those that are in memory, with the IPv6 peers that they number.
    pub(crate) fn take(&mut self) -> (Starts, Vec<AddressBits>) {
        self.v6_numbers = HashMap::default();
        let peers = std::mem::take(&mut self.v6_peers);
        (std::mem::take(&mut self.starts), peers)
    }

    /// Memory for starts and their IPv6 peers, in starts.
    pub(crate) fn held(&self) -> usize {
        self.starts.len() + Self::V6_PEER * self.v6_peers.len()
    }

    /// What an IPv6 peer takes, in starts.
    pub(crate) const V6_PEER: usize = 5;

    /// Writes down where those lie that were taken out.
    pub(crate) fn spill(&mut self, segment: Segment) {
        self.spilled.push(segment);
    }

    /// Takes out where those lie that were written to a file.
    pub(crate) fn take_spilled(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.spilled)
    }

    /// Adds what was read back.
    pub(crate) fn add_spilled(&mut self, spilled: &Spilled) {
        self.add(spilled.starts(), &spilled.v6_peers());
    }

    fn v6_number(&mut self, ip: AddressBits) -> u32 {
        *self.v6_numbers.entry(ip).or_insert_with(|| {
            self.v6_peers.push(ip);
            next_index(self.v6_peers.len() - 1)
        })
    }
}
