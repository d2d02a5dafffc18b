//! A monitored host with its flows, by time and by peer.

use std::net::IpAddr;
use std::ops::Range;

use peerscope_flow::{SystemId, Transport};

use crate::HostFlow;
use crate::host_flow::PeerId;
use crate::kinds::Facts;

/// A monitored host with its flows.
#[derive(Debug)]
#[non_exhaustive]
pub struct Host {
    /// Its address.
    pub ip: IpAddr,
    /// The system that most of its samples are labelled with; a clustered one if any is.
    pub system: SystemId,
    /// Its flows of interest, by time.
    pub flows: Vec<HostFlow>,
    by_peer: ByPeer,
    facts: Facts,
    /// The rows of its samples.
    rows: Range<usize>,
}

/// The flows of a host by peer.
#[derive(Debug, Default)]
struct ByPeer {
    /// The places of the flows, by peer and then by time.
    places: Vec<u32>,
    /// Every peer, and where its places end.
    peers: Vec<(PeerId, u32)>,
}

impl Host {
    /// `flows` are in order of time.
    pub(crate) fn new(
        ip: IpAddr,
        system: SystemId,
        flows: Vec<HostFlow>,
        rows: Range<usize>,
    ) -> Self {
        Self {
            ip,
            system,
            by_peer: ByPeer::of(&flows),
            facts: Facts::of(&flows),
            flows,
            rows,
        }
    }

    /// Its flows with each peer, by time; peers by address.
    pub fn peers(
        &self,
    ) -> impl Iterator<Item = (PeerId, impl ExactSizeIterator<Item = &HostFlow> + Clone)> {
        let flow = |&place: &u32| &self.flows[place as usize];
        let groups = self.by_peer.iter();
        groups.map(move |(peer, places)| (peer, places.iter().map(flow)))
    }

    /// Its flows with some peers, in order of address, or with all of them; by time.
    pub(crate) fn with<'s>(
        &'s self,
        peers: Option<&[PeerId]>,
    ) -> impl Iterator<Item = &'s HostFlow> + use<'s> {
        let groups = self.groups(Some(peers.unwrap_or_default()));
        let mut places: Vec<u32> = groups.flat_map(|(_, places)| places).copied().collect();
        places.sort_unstable();
        let all = peers.map_or(self.flows.as_slice(), |_| &[]);
        let some = places.into_iter().map(|place| &self.flows[place as usize]);
        some.chain(all)
    }

    /// The places of its flows with some peers, in order of address, or with all of them.
    pub(crate) fn groups<'s>(
        &'s self,
        peers: Option<&[PeerId]>,
    ) -> impl Iterator<Item = (PeerId, &'s [u32])> + use<'s> {
        self.by_peer.among(peers)
    }

    pub(crate) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    pub(crate) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Number of its samples.
    pub fn samples(&self) -> usize {
        self.rows.len()
    }

    /// The host's flows of one transport.
    pub fn of(&self, transport: Transport) -> impl Iterator<Item = &HostFlow> {
        self.flows
            .iter()
            .filter(move |flow| flow.transport == transport)
    }
}

impl ByPeer {
    fn of(flows: &[HostFlow]) -> Self {
        assert!(
            flows.len() <= PeerId::PLACES,
            "{} flows of a host",
            flows.len()
        );
        // One number each, which sorts faster than two.
        let keys = flows
            .iter()
            .zip(0..)
            .map(|(flow, place)| flow.peer.with_place(place));
        let mut keys: Vec<u64> = keys.collect();
        keys.sort_unstable();
        let places: Vec<u32> = keys.into_iter().map(PeerId::place_in).collect();
        let mut peers: Vec<(PeerId, u32)> = Vec::new();
        for (&place, end) in places.iter().zip(1..) {
            let peer = flows[place as usize].peer;
            match peers.last_mut() {
                Some(last) if last.0 == peer => last.1 = end,
                _ => peers.push((peer, end)),
            }
        }
        peers.shrink_to_fit();
        Self { places, peers }
    }

    /// The places of the flows with each peer.
    fn iter(&self) -> impl Iterator<Item = (PeerId, &[u32])> {
        let mut begin = 0;
        self.peers.iter().map(move |&(peer, end)| {
            let before = std::mem::replace(&mut begin, end);
            (peer, &self.places[before as usize..end as usize])
        })
    }

    /// The same, only with some peers if any are named; these come in order of address.
    fn among<'s>(
        &'s self,
        wanted: Option<&[PeerId]>,
    ) -> impl Iterator<Item = (PeerId, &'s [u32])> + use<'s> {
        // The longer list is searched for the peers of the shorter one.
        let some: Vec<(PeerId, &[u32])> = match wanted {
            None => Vec::new(),
            Some(wanted) if wanted.len() < self.peers.len() => wanted
                .iter()
                .map(|&peer| (peer, self.of_peer(peer)))
                .collect(),
            Some(wanted) => self
                .iter()
                .filter(|(peer, _)| wanted.binary_search(peer).is_ok())
                .collect(),
        };
        let all = wanted.is_none().then(|| self.iter());
        some.into_iter().chain(all.into_iter().flatten())
    }

    /// The places of the flows with a peer, by time.
    fn of_peer(&self, peer: PeerId) -> &[u32] {
        let found = self.peers.binary_search_by_key(&peer, |&(peer, _)| peer);
        found.map_or(&[], |group| {
            let begin = group
                .checked_sub(1)
                .map_or(0, |before| self.peers[before].1);
            &self.places[begin as usize..self.peers[group].1 as usize]
        })
    }
}
