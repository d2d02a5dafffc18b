//! Ports that serve, learned from how many distinct peers they have.

use std::collections::HashMap;
use std::net::IpAddr;

use peerscope_flow::{Endpoint, Transport};

use crate::Record;

/// The peers of every endpoint seen, up to [`ServedPorts::ENOUGH`] each.
///
/// Memory is bounded: of the endpoints only those of the last [`GENERATION`] to twice as many new
/// ones are remembered.
#[derive(Debug, Default)]
pub(super) struct ServedPorts {
    young: HashMap<(Transport, Endpoint), Vec<IpAddr>>,
    old: HashMap<(Transport, Endpoint), Vec<IpAddr>>,
}

const GENERATION: usize = 1 << 18;

impl ServedPorts {
    /// So many distinct peers make a port one that serves.
    pub(super) const ENOUGH: usize = 8;

    pub(super) fn observe(&mut self, record: &Record) {
        self.note(record.transport, record.src, record.dst.ip);
        self.note(record.transport, record.dst, record.src.ip);
    }

    fn note(&mut self, transport: Transport, end: Endpoint, peer: IpAddr) {
        let key = (transport, end);
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let peers = self
            .young
            .entry(key)
            .or_insert_with(|| self.old.remove(&key).unwrap_or_default());
        if peers.len() < Self::ENOUGH && !peers.contains(&peer) {
            peers.push(peer);
        }
    }

    pub(super) fn serves(&self, transport: Transport, end: Endpoint) -> bool {
        let key = (transport, end);
        let peers = self.young.get(&key).or_else(|| self.old.get(&key));
        peers.is_some_and(|peers| peers.len() >= Self::ENOUGH)
    }
}
