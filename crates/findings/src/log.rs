//! The flows of interest of a trace, kept small, for the drill-downs.

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::{Flow, Span};
use peerscope_slot::Aggregation;
use rayon::prelude::*;

use crate::HostFlow;
use crate::host_flow::PeerId;

/// Takes flows in batches, in any order, and keeps what the drill-downs need of those of interest.
///
/// Two logs of parts of a trace merge into that of the whole.
///
/// Memory: about 100 bytes a flow of interest, and 40 bytes a peer.
#[derive(Clone, Debug)]
pub struct FlowLog<'a> {
    aggregation: &'a Aggregation,
    hosts: HashMap<IpAddr, Vec<HostFlow>, RandomState>,
    ids: HashMap<IpAddr, PeerId, RandomState>,
    peers: Vec<IpAddr>,
    span: Option<Span>,
}

/// A log in its final order: by address, then by time.
#[derive(Debug)]
pub(crate) struct Sorted {
    pub(crate) hosts: Vec<(IpAddr, Vec<HostFlow>)>,
    pub(crate) peers: Vec<IpAddr>,
    /// First and last packet over every flow seen, of interest or not.
    pub(crate) span: Option<Span>,
}

impl<'a> FlowLog<'a> {
    /// A log of the flows that enter this aggregation.
    pub fn new(aggregation: &'a Aggregation) -> Self {
        Self {
            aggregation,
            hosts: HashMap::default(),
            ids: HashMap::default(),
            peers: Vec::new(),
            span: None,
        }
    }

    /// The aggregation.
    pub fn aggregation(&self) -> &'a Aggregation {
        self.aggregation
    }

    /// Adds a batch of flows.
    ///
    /// # Panics
    ///
    /// With more than 2^32 distinct peers.
    pub fn add<'f>(&mut self, flows: impl IntoIterator<Item = &'f Flow>) {
        for flow in flows {
            let span = flow.span;
            let within = self.aggregation.slots_of(flow).is_some();
            if within {
                let grown = self.span.map_or(span, |all| {
                    all.including(span.start()).including(span.end())
                });
                self.span = Some(grown);
            }
            let (ids, peers) = (&mut self.ids, &mut self.peers);
            let views = HostFlow::views(flow, self.aggregation, |ip| intern(ids, peers, ip));
            for (host, view) in views.into_iter().flatten() {
                self.hosts.entry(host).or_default().push(view);
            }
        }
    }

    /// Adds the log of another part of the trace, made with the same aggregation.
    pub fn merge(&mut self, other: Self) {
        let ids: Vec<PeerId> = other
            .peers
            .iter()
            .map(|&ip| intern(&mut self.ids, &mut self.peers, ip))
            .collect();
        for (host, flows) in other.hosts {
            let own = self.hosts.entry(host).or_default();
            own.extend(flows.into_iter().map(|flow| renumbered(flow, &ids)));
        }
        self.span = match (self.span, other.span) {
            (Some(a), Some(b)) => Some(a.including(b.start()).including(b.end())),
            (one, other) => one.or(other),
        };
    }

    pub(crate) fn sort(self) -> Sorted {
        let mut order: Vec<(IpAddr, usize)> = self.peers.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let mut ids = vec![PeerId(0); order.len()];
        for (rank, &(_, old)) in (0..).zip(&order) {
            ids[old] = PeerId(rank);
        }
        let mut hosts: Vec<_> = self.hosts.into_iter().collect();
        hosts.sort_unstable_by_key(|(host, _)| *host);
        hosts.par_iter_mut().for_each(|(_, flows)| {
            for flow in flows.iter_mut() {
                *flow = renumbered(*flow, &ids);
            }
            flows.sort_unstable();
        });
        Sorted {
            hosts,
            peers: order.into_iter().map(|(ip, _)| ip).collect(),
            span: self.span,
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "documented: more peers than IPv4 has addresses"
)]
fn intern(
    ids: &mut HashMap<IpAddr, PeerId, RandomState>,
    peers: &mut Vec<IpAddr>,
    ip: IpAddr,
) -> PeerId {
    *ids.entry(ip).or_insert_with(|| {
        peers.push(ip);
        PeerId(u32::try_from(peers.len() - 1).expect("fewer than 2^32 peers"))
    })
}

fn renumbered(flow: HostFlow, ids: &[PeerId]) -> HostFlow {
    HostFlow {
        peer: ids[flow.peer.0 as usize],
        ..flow
    }
}
