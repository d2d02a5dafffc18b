//! Gathers what stands behind each finding.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use peerscope_flow::Timestamp;
use peerscope_slot::Direction;
use rayon::prelude::*;

use crate::evidence::{Activity, Contact, Exhibit, FlowRow, PartyCount};
use crate::host::Host;
use crate::{Finding, FlowSelection, PeerId, Scene};

/// Flows listed of a finding; [`Findings::write_flows`](crate::Findings::write_flows) has all.
const FLOWS: usize = 50;
/// Peers listed of a finding.
const PEERS: usize = 50;
/// Peers of the leading host that get a series of their own.
const TOP: usize = 4;
/// Points of a series at the most.
const BINS: i64 = 120;

/// The bins of every series of a scene.
#[derive(Clone, Copy)]
pub(crate) struct Bins {
    pub(crate) start: i64,
    pub(crate) length: i64,
    count: usize,
}

impl Bins {
    pub(crate) fn of(scene: &Scene<'_>) -> Option<Self> {
        let span = scene.span()?;
        let slots = scene.aggregation().slot_length();
        let start = slots.start_of(slots.slot_of(span.start())).as_micros();
        let covered = i128::from(span.end().as_micros()) - i128::from(start);
        let slot = i128::from(slots.as_micros());
        // Times beyond all reason end in the last bin.
        let length = slot * (covered / slot / i128::from(BINS) + 1);
        Some(Self {
            start,
            length: i64::try_from(length).unwrap_or(i64::MAX),
            count: usize::try_from(covered / length + 1).unwrap_or(1),
        })
    }

    fn empty(self) -> Vec<u64> {
        vec![0; self.count]
    }

    fn add(self, series: &mut [u64], time: Timestamp) {
        let since = time.as_micros().saturating_sub(self.start);
        let bin = usize::try_from(since / self.length).unwrap_or(0);
        series[bin.min(self.count - 1)] += 1;
    }

    /// All flows of the hosts of each finding. A host's are looked at once, however many findings it
    /// is in.
    pub(crate) fn activities(self, scene: &Scene<'_>, findings: &[Finding]) -> Vec<Activity> {
        let findings_of = findings.iter().enumerate();
        let mut members: Vec<(IpAddr, usize)> = findings_of
            .flat_map(|(finding, of)| of.hosts.iter().map(move |&host| (host, finding)))
            .collect();
        members.sort_unstable();
        // Series stay empty where a thread has none of a finding's hosts.
        let none = || vec![Activity::default(); findings.len()];
        let mut all = members
            .par_chunk_by(|a, b| a.0 == b.0)
            .fold(none, |mut all, of_host| {
                if let Some(host) = scene.host(of_host[0].0) {
                    let own = self.activity(host);
                    for &(_, finding) in of_host {
                        all[finding].merge(&own);
                    }
                }
                all
            })
            .reduce(none, |mut all, part| {
                for (own, other) in all.iter_mut().zip(&part) {
                    own.merge(other);
                }
                all
            });
        for activity in &mut all {
            for series in activity.series_mut() {
                series.resize(self.count, 0);
            }
        }
        all
    }

    fn activity(self, host: &Host) -> Activity {
        let mut activity = Activity {
            initiated: self.empty(),
            answered: self.empty(),
            in_vain: self.empty(),
        };
        for flow in &host.flows {
            let series = match flow.direction {
                Direction::InOut => &mut activity.initiated,
                Direction::OutIn if flow.is_in_vain() => &mut activity.in_vain,
                Direction::OutIn => &mut activity.answered,
            };
            self.add(series, flow.start);
        }
        activity
    }

    /// What stands behind one finding.
    pub(crate) fn exhibit(
        self,
        scene: &Scene<'_>,
        finding: &Finding,
        activity: Activity,
    ) -> Exhibit {
        let selection = &finding.selection;
        let wanted = scene.peers_of(selection);
        let hosts = finding.hosts.par_iter().filter_map(|&ip| scene.host(ip));
        let mut all = hosts
            .fold(
                || Gathered::new(self),
                |mut all, host| {
                    all.add(self, scene, host, selection, wanted.as_deref());
                    all
                },
            )
            .reduce(|| Gathered::new(self), Gathered::merge);
        let peers = summed(all.peers);
        all.hosts.sort_by_key(|party| Reverse(party.flows));
        let leading = all.hosts.first().and_then(|party| scene.host(party.ip));
        let contacts = leading.map(|host| self.contacts(scene, selection, host));
        Exhibit {
            activity,
            supporting: all.supporting,
            contacts: contacts.unwrap_or_default(),
            hosts: all.hosts,
            all_peers: peers.len(),
            peers: parties(scene, finding, leading_peers(peers, PEERS)),
            flows: all.flows,
        }
    }

    /// The series of the peers that a host has most flows with: beside the finding's own peers those that it
    /// treats the same way.
    fn contacts(self, scene: &Scene<'_>, selection: &FlowSelection, host: &Host) -> Vec<Contact> {
        let alike = FlowSelection {
            peers: BTreeSet::new(),
            ports: BTreeSet::new(),
            ..selection.clone()
        };
        let leading = leading_peers(scene.seen_by_peer(host, &alike, None), TOP).into_iter();
        leading
            .map(|peer| {
                let mut series = self.empty();
                for flow in scene.seen(host, &alike, Some(&[peer])) {
                    self.add(&mut series, flow.start);
                }
                Contact {
                    host: host.ip,
                    peer: scene.peer(peer),
                    flows: series,
                }
            })
            .collect()
    }
}

/// What is gathered of some hosts for one finding.
struct Gathered {
    supporting: Vec<u64>,
    hosts: Vec<PartyCount>,
    /// Flows with each peer, host by host.
    peers: Vec<(PeerId, u64)>,
    /// The first supporting flows.
    flows: Vec<FlowRow>,
}

impl Gathered {
    fn new(bins: Bins) -> Self {
        Self {
            supporting: bins.empty(),
            hosts: Vec::new(),
            peers: Vec::new(),
            flows: Vec::new(),
        }
    }

    fn add(
        &mut self,
        bins: Bins,
        scene: &Scene<'_>,
        host: &Host,
        selection: &FlowSelection,
        peers: Option<&[PeerId]>,
    ) {
        let mut own: Option<PartyCount> = None;
        for (place, flow) in scene.seen(host, selection, peers).enumerate() {
            bins.add(&mut self.supporting, flow.start);
            own.get_or_insert_with(|| PartyCount::new(host.ip))
                .add(flow);
            if place < FLOWS {
                self.flows
                    .push(FlowRow::new(host.ip, scene.peer(flow.peer), flow));
            }
        }
        self.peers
            .extend(scene.seen_by_peer(host, selection, peers));
        self.hosts.extend(own);
        self.keep_the_first();
    }

    fn merge(mut self, other: Self) -> Self {
        add_series(&mut self.supporting, &other.supporting);
        self.hosts.extend(other.hosts);
        self.peers.extend(other.peers);
        self.flows.extend(other.flows);
        self.keep_the_first();
        self
    }

    fn keep_the_first(&mut self) {
        self.flows
            .sort_by_key(|flow| (flow.start_us, flow.end_us, flow.src, flow.dst));
        self.flows.truncate(FLOWS);
    }
}

impl Activity {
    fn series_mut(&mut self) -> [&mut Vec<u64>; 3] {
        [&mut self.initiated, &mut self.answered, &mut self.in_vain]
    }

    fn merge(&mut self, other: &Self) {
        let others = [&other.initiated, &other.answered, &other.in_vain];
        for (own, other) in self.series_mut().into_iter().zip(others) {
            add_series(own, other);
        }
    }
}

/// Adds one series to another, which may still be empty.
fn add_series(sums: &mut Vec<u64>, series: &[u64]) {
    sums.resize(sums.len().max(series.len()), 0);
    for (sum, count) in sums.iter_mut().zip(series) {
        *sum += count;
    }
}

/// The sum of each peer's counts.
fn summed(mut counts: Vec<(PeerId, u64)>) -> Vec<(PeerId, u64)> {
    counts.sort_unstable();
    counts.dedup_by(|next, sum| {
        let same = next.0 == sum.0;
        sum.1 += if same { next.1 } else { 0 };
        same
    });
    counts
}

/// So many peers, those with most flows first.
fn leading_peers(counts: Vec<(PeerId, u64)>, number: usize) -> Vec<PeerId> {
    let ranked = counts
        .into_iter()
        .map(|(peer, flows)| (Reverse(flows), peer));
    let mut ranked: Vec<_> = ranked.collect();
    if ranked.len() > number {
        ranked.select_nth_unstable(number);
        ranked.truncate(number);
    }
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, peer)| peer).collect()
}

/// What some peers have to do with a finding, those with most flows first.
fn parties(scene: &Scene<'_>, finding: &Finding, mut peers: Vec<PeerId>) -> Vec<PartyCount> {
    peers.sort_unstable();
    let parties = peers.iter().map(|&peer| PartyCount::new(scene.peer(peer)));
    let mut parties: Vec<PartyCount> = parties.collect();
    for host in finding.hosts.iter().filter_map(|&ip| scene.host(ip)) {
        for flow in scene.seen(host, &finding.selection, Some(&peers)) {
            if let Ok(index) = peers.binary_search(&flow.peer) {
                parties[index].add(flow);
            }
        }
    }
    rank(&mut parties);
    parties
}

/// Puts those with most flows first.
pub(crate) fn rank(parties: &mut [PartyCount]) {
    parties.sort_unstable_by_key(|party| (Reverse(party.flows), party.ip));
}
