//! The flows of interest of a trace, kept small, for the drill-downs.

use std::net::{IpAddr, Ipv6Addr};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::{AddressBits, Flow, Span};
use peerscope_slot::{Aggregation, Direction, FlowScope};
use rayon::prelude::*;

use crate::HostFlow;
use crate::host_flow::PeerId;

/// Takes flows in batches, in any order, and keeps what the drill-downs need of those of interest.
///
/// Two logs of parts of a trace merge into that of the whole.
///
/// Memory: about 100 bytes a flow of interest, and 60 bytes a peer of IPv6. A [`Scene`](crate::Scene) adds 4
/// bytes a flow, 16 bytes for each host and peer that have one, and some 200 bytes a host.
#[derive(Clone, Debug)]
pub struct FlowLog<'a> {
    aggregation: &'a Aggregation,
    own: Part,
    merged: Vec<Part>,
    span: Option<Span>,
}

/// Flows by host, and the places that peers of IPv6 have in them, as they came.
#[derive(Clone, Debug, Default)]
struct Part {
    hosts: HashMap<AddressBits, Vec<HostFlow>, RandomState>,
    places: HashMap<Ipv6Addr, usize, RandomState>,
}

/// A log in its final order: by address, then by time.
#[derive(Debug)]
pub(crate) struct Sorted {
    pub(crate) hosts: Vec<(IpAddr, Vec<HostFlow>)>,
    /// The peers of IPv6.
    pub(crate) table: Vec<Ipv6Addr>,
    /// First and last packet over every flow seen, of interest or not.
    pub(crate) span: Option<Span>,
}

impl<'a> FlowLog<'a> {
    /// A log of the flows that enter this aggregation.
    pub fn new(aggregation: &'a Aggregation) -> Self {
        Self {
            aggregation,
            own: Part::default(),
            merged: Vec::new(),
            span: None,
        }
    }

    /// The aggregation.
    pub fn aggregation(&self) -> &'a Aggregation {
        self.aggregation
    }

    /// Adds a batch of flows.
    pub fn add<'f>(&mut self, flows: impl IntoIterator<Item = &'f Flow>) {
        let aggregation = self.aggregation;
        let scope = |flow: &'f Flow| Some((flow, aggregation.scope(flow)?));
        self.add_within(flows.into_iter().filter_map(scope));
    }

    /// Adds flows with what [`Aggregation::scope`] says of each.
    pub fn add_within<'f>(&mut self, flows: impl IntoIterator<Item = (&'f Flow, FlowScope)>) {
        let Part { hosts, places } = &mut self.own;
        let mut whole = self.span;
        for (flow, scope) in flows {
            let span = flow.span;
            whole = Some(whole.map_or(span, |all| {
                all.including(span.start()).including(span.end())
            }));
            for (direction, enters) in Direction::BOTH.into_iter().zip(scope.enters) {
                if enters {
                    let [host, peer] = HostFlow::ends(flow, direction);
                    let peer = PeerId::of(peer, |ip| {
                        let next = places.len();
                        *places.entry(ip).or_insert(next)
                    });
                    let of_host = hosts.entry(self.aggregation.host_of(host)).or_default();
                    of_host.push(HostFlow::new(flow, direction, peer));
                }
            }
        }
        self.span = whole;
    }

    /// Adds the log of another part of the trace, made with the same aggregation.
    pub fn merge(&mut self, other: Self) {
        self.merged.push(other.own);
        self.merged.extend(other.merged);
        self.span = match (self.span, other.span) {
            (Some(a), Some(b)) => Some(a.including(b.start()).including(b.end())),
            (one, other) => one.or(other),
        };
    }

    pub(crate) fn sort(self) -> Sorted {
        let Self {
            own, mut merged, ..
        } = self;
        merged.push(own);
        let mut table: Vec<Ipv6Addr> = merged
            .iter()
            .flat_map(|part| part.places.keys().copied())
            .collect();
        table.sort_unstable();
        table.dedup();
        let mut hosts: HashMap<AddressBits, Vec<Piece>, RandomState> = HashMap::default();
        let mut ranks: Vec<Vec<PeerId>> = Vec::with_capacity(merged.len());
        for (part, Part { hosts: of, places }) in merged.into_iter().enumerate() {
            ranks.push(final_ids(&places, &table));
            for (host, flows) in of {
                hosts.entry(host).or_default().push((part, flows));
            }
        }
        let mut hosts: Vec<_> = hosts.into_iter().collect();
        hosts.sort_unstable_by_key(|(host, _)| *host);
        let joined = hosts
            .into_par_iter()
            .with_max_len(1)
            .map(|(host, pieces)| (host.into(), join(pieces, &ranks)));
        Sorted {
            hosts: joined.collect(),
            table,
            span: self.span,
        }
    }
}

/// Flows of one host, with the number of their part.
type Piece = (usize, Vec<HostFlow>);

/// The flows of one host in order of time.
fn join(pieces: Vec<Piece>, ids: &[Vec<PeerId>]) -> Vec<HostFlow> {
    let mut pieces = pieces.into_iter().map(|(part, mut flows)| {
        for flow in &mut flows {
            if let Some(place) = flow.peer.place() {
                flow.peer = ids[part][place];
            }
        }
        flows
    });
    let mut all = pieces.next().unwrap_or_default();
    pieces.for_each(|flows| all.extend(flows));
    // What came in order is merged, not sorted.
    all.sort();
    all
}

/// The number that each place of a part has in the table of all.
fn final_ids(places: &HashMap<Ipv6Addr, usize, RandomState>, table: &[Ipv6Addr]) -> Vec<PeerId> {
    let mut ids = vec![PeerId::v6(0); places.len()];
    for (ip, &place) in places {
        ids[place] = PeerId::v6(table.partition_point(|known| known < ip));
    }
    ids
}
