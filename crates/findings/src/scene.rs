//! Everything a drill-down looks at: flows by host, samples, and what is interesting of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use peerscope_correlate::{
    Correlation, Interesting, MetricOutcome, Reading, Severity, SystemCorrelation,
};
use peerscope_flow::{SlotIndex, Span, SystemId, Timestamp, Topology, Zone};
use peerscope_metric::SampleTable;
use peerscope_slot::Aggregation;
use rayon::prelude::*;

use crate::host::Host;
use crate::host_flow::PeerId;
use crate::kinds::{Tried, UsesOf, port_uses};
use crate::log::Sorted;
use crate::{Finding, FlowLog, FlowSelection, HostFlow, Kind, SampleRef};

/// Everything a drill-down looks at.
///
/// Flows are those of interest to the family, of samples that are not clustered too.
#[derive(Debug)]
pub struct Scene<'a> {
    aggregation: &'a Aggregation,
    table: &'a SampleTable,
    correlation: &'a Correlation,
    hosts: Vec<Host>,
    /// The peers of IPv6.
    table_v6: Vec<Ipv6Addr>,
    span: Option<Span>,
    /// How the hosts of every system use ports.
    port_uses: UsesOf,
}

impl<'a> Scene<'a> {
    /// Brings the flows, the samples and what is interesting of them together, on the threads of the
    /// current rayon pool. All three have to be of the same trace and settings.
    ///
    /// # Panics
    ///
    /// With more than 2^31 flows of one host, 160 GiB of them, or 2^32 peers of IPv6.
    pub fn new(log: FlowLog<'a>, table: &'a SampleTable, correlation: &'a Correlation) -> Self {
        let aggregation = log.aggregation();
        let Sorted {
            hosts,
            table: table_v6,
            span,
        } = log.sort();
        assert!(
            u32::try_from(table_v6.len()).is_ok(),
            "{} peers of IPv6",
            table_v6.len()
        );
        let family = aggregation.family();
        // One by one: some have a thousand times the flows of others.
        let hosts = hosts.into_par_iter().with_max_len(1);
        let hosts = hosts.map(|(ip, flows)| {
            let rows = table.rows_of(ip);
            let host = Host::new(ip, system_of(table, rows.clone()), flows, rows);
            let tried = Tried::of(host.peers(), family);
            (host, tried)
        });
        let (hosts, tried): (Vec<Host>, Vec<Vec<Tried>>) = hosts.unzip();
        let mut scene = Self {
            aggregation,
            table,
            correlation,
            hosts,
            table_v6,
            span,
            port_uses: UsesOf::new(),
        };
        scene.port_uses = port_uses(&scene, &tried);
        scene
    }

    pub(crate) const fn port_uses(&self) -> &UsesOf {
        &self.port_uses
    }

    /// How flows were aggregated.
    pub fn aggregation(&self) -> &'a Aggregation {
        self.aggregation
    }

    /// The network.
    pub fn topology(&self) -> &'a Topology {
        self.aggregation.topology()
    }

    /// The samples.
    pub fn table(&self) -> &'a SampleTable {
        self.table
    }

    /// What is interesting of them.
    pub fn correlation(&self) -> &'a Correlation {
        self.correlation
    }

    /// The monitored hosts, by address.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// A monitored host.
    pub fn host(&self, ip: IpAddr) -> Option<&Host> {
        let found = self.hosts.binary_search_by_key(&ip, |host| host.ip);
        found.ok().map(|index| &self.hosts[index])
    }

    /// The address of a peer.
    ///
    /// # Panics
    ///
    /// If the peer is of another scene.
    pub fn peer(&self, id: PeerId) -> IpAddr {
        id.ip(&self.table_v6)
    }

    fn peer_id(&self, ip: IpAddr) -> Option<PeerId> {
        match ip {
            IpAddr::V4(ip) => Some(PeerId::v4(ip)),
            IpAddr::V6(ip) => self.table_v6.binary_search(&ip).ok().map(PeerId::v6),
        }
    }

    /// Where a peer is.
    ///
    /// # Panics
    ///
    /// If the peer is of another scene.
    pub fn zone(&self, id: PeerId) -> Zone {
        self.topology().zone(self.peer(id))
    }

    /// First and last packet of the trace, over flows of interest or not.
    pub fn span(&self) -> Option<Span> {
        self.span
    }

    /// The name of a system.
    pub fn system_name(&self, system: SystemId) -> &'a str {
        self.table.system_name(system)
    }

    /// The length of some slots in microseconds.
    pub fn slots(&self, count: u32) -> i64 {
        let length = self.aggregation.slot_length().as_micros();
        length.saturating_mul(i64::from(count))
    }

    /// What stands out in a system; `None` if it is not clustered.
    pub fn of_system(&self, system: SystemId) -> Option<&'a SystemCorrelation> {
        self.correlation.system(self.system_name(system))
    }

    /// The interesting samples of a host in a metric.
    pub fn interesting(&self, host: &Host, metric: &str) -> Vec<SampleRef> {
        self.rows(host, metric, |_, _| true)
    }

    /// Those of them that a rule explains: no outliers.
    pub fn explained(&self, host: &Host, metric: &str) -> Vec<SampleRef> {
        let column = self.table.metric_index(metric);
        self.rows(host, metric, |interesting, row| {
            let value = column.and_then(|column| self.table.value(row, column));
            value.is_some_and(|value| is_explained(interesting, value))
        })
    }

    /// Whether the samples point to a host: one of the metrics is interesting there. Where the
    /// reading of one of them is open, for want of values or of a rule, they cannot rule it out.
    pub fn points_to(&self, host: &Host, metrics: &[&str]) -> bool {
        let Some(system) = self.of_system(host.system) else {
            return true;
        };
        metrics.iter().any(|metric| {
            let settled = system.metric(metric).and_then(MetricOutcome::interesting);
            settled.is_none() || !self.interesting(host, metric).is_empty()
        })
    }

    /// The values of a metric in a host's samples, with the start of their slot, by time.
    pub fn values(&self, host: &Host, metric: &str) -> Vec<(Timestamp, f64)> {
        let Some(column) = self.table.metric_index(metric) else {
            return Vec::new();
        };
        let value = |row| {
            let start = self.table.slot_start(&self.table.key(row));
            Some((start, self.table.value(row, column)?))
        };
        host.rows().filter_map(value).collect()
    }

    /// Number of flows that a selection holds for.
    pub fn count(&self, selection: &FlowSelection) -> u64 {
        self.select(selection).count() as u64
    }

    /// The flows that a selection holds for, each once, with the host that sees it: by host, then by
    /// time.
    pub fn select<'s>(
        &'s self,
        selection: &'s FlowSelection,
    ) -> impl Iterator<Item = (&'s Host, &'s HostFlow)> + 's {
        let all = selection.hosts.is_empty();
        let everyone = self.hosts.iter().filter(move |_| all);
        let listed = selection.hosts.iter().filter_map(|&ip| self.host(ip));
        let peers = self.peers_of(selection);
        everyone.chain(listed).flat_map(move |host| {
            let seen = self.seen(host, selection, peers.as_deref());
            seen.filter(move |flow| !self.is_counted_by_initiator(host, flow, selection))
                .map(move |flow| (host, flow))
        })
    }

    /// The peers of a selection that are in the scene; `None` for all.
    pub(crate) fn peers_of(&self, selection: &FlowSelection) -> Option<Vec<PeerId>> {
        let ids = selection.peers.iter().filter_map(|&ip| self.peer_id(ip));
        (!selection.peers.is_empty()).then(|| ids.collect())
    }

    /// The flows of a host that a selection holds for, by time; one between two monitored hosts is
    /// seen by both. `peers` are those of the selection, or some of them.
    pub(crate) fn seen<'s>(
        &'s self,
        host: &'s Host,
        selection: &'s FlowSelection,
        peers: Option<&[PeerId]>,
    ) -> impl Iterator<Item = &'s HostFlow> + use<'s, 'a> {
        let peers = if selection.holds_of_host(host.ip) {
            peers
        } else {
            Some(&[][..])
        };
        let anywhere = selection.peer_zone.is_none();
        host.with(peers).filter(move |flow| {
            selection.holds_of(flow)
                && (anywhere || selection.holds_of_peer(self.peer(flow.peer), self.topology()))
        })
    }

    /// How many flows of a host a selection holds for, by peer; those without any are left out.
    pub(crate) fn seen_by_peer(
        &self,
        host: &Host,
        selection: &FlowSelection,
        peers: Option<&[PeerId]>,
    ) -> Vec<(PeerId, u64)> {
        if !selection.holds_of_host(host.ip) {
            return Vec::new();
        }
        let count = |(peer, places): (PeerId, &[u32])| {
            let flows = places.iter().map(|&place| &host.flows[place as usize]);
            let count = flows.filter(|flow| selection.holds_of(flow)).count() as u64;
            let holds = count > 0 && selection.holds_of_peer(self.peer(peer), self.topology());
            holds.then_some((peer, count))
        };
        host.groups(peers).filter_map(count).collect()
    }

    /// A finding about one host with all its flows, for a kind to fill in with struct syntax.
    pub fn finding(&self, kind: impl Into<Kind>, host: &Host) -> Finding {
        let last = host.flows.iter().map(|flow| flow.end).max();
        Finding {
            end: last.unwrap_or_default(),
            ..self.resting_on(kind, host, FlowSelection::of_host(host.ip))
        }
    }

    /// A finding about one host that rests on some of its flows. It ends with the host's last flow to start, until
    /// the kind knows better.
    pub(crate) fn resting_on(
        &self,
        kind: impl Into<Kind>,
        host: &Host,
        selection: FlowSelection,
    ) -> Finding {
        let first = host.flows.first().map(|flow| flow.start);
        Finding {
            kind: kind.into(),
            severity: Severity::Info,
            explanation: String::new(),
            system: self.system_name(host.system).to_owned(),
            hosts: vec![host.ip],
            peers: Vec::new(),
            ports: Vec::new(),
            start: first.unwrap_or_default(),
            end: host.flows.last().map(|flow| flow.end).unwrap_or_default(),
            evidence: BTreeMap::new(),
            samples: BTreeMap::new(),
            flows: self.count(&selection),
            selection,
        }
    }

    /// The interesting samples of a host in some metrics; metrics without any are left out.
    pub fn samples(&self, host: &Host, metrics: &[&str]) -> BTreeMap<String, Vec<SampleRef>> {
        let of = |metric: &&str| ((*metric).to_owned(), self.interesting(host, metric));
        let all = metrics.iter().map(of);
        all.filter(|(_, samples)| !samples.is_empty()).collect()
    }

    /// A flow between two monitored hosts is seen twice: its initiator counts it.
    fn is_counted_by_initiator(
        &self,
        host: &Host,
        flow: &HostFlow,
        selection: &FlowSelection,
    ) -> bool {
        if selection.direction.is_some()
            || flow.is_initiated()
            || self.zone(flow.peer) != Zone::Monitored
        {
            return false;
        }
        let initiator = self.aggregation.host_of(self.peer(flow.peer).into()).into();
        let there = HostFlow {
            direction: peerscope_slot::Direction::InOut,
            host_port: flow.peer_port,
            peer_port: flow.host_port,
            sent: flow.rcvd,
            rcvd: flow.sent,
            ..*flow
        };
        self.host(initiator).is_some()
            && selection.holds(initiator, &there, host.ip, self.topology())
    }

    fn rows(
        &self,
        host: &Host,
        metric: &str,
        wanted: impl Fn(&Interesting, usize) -> bool,
    ) -> Vec<SampleRef> {
        let mut found = Vec::new();
        for system in &self.correlation.systems {
            let outcome = system.metric(metric);
            let Some(interesting) = outcome.and_then(MetricOutcome::interesting) else {
                continue;
            };
            let first = interesting
                .rows
                .partition_point(|&row| row < host.rows().start);
            let rows = interesting.rows[first..].iter();
            for &row in rows.take_while(|&&row| row < host.rows().end) {
                if wanted(interesting, row) {
                    let slot: SlotIndex = self.table.key(row).slot;
                    found.push(SampleRef {
                        host: host.ip,
                        slot,
                    });
                }
            }
        }
        found.sort_unstable();
        found
    }
}

fn is_explained(interesting: &Interesting, value: f64) -> bool {
    interesting.regions.iter().any(|region| {
        region.reading == Reading::Rule && region.low <= value && value <= region.high
    })
}

/// The most frequent system of some samples, clustered ones first; of equal ones the first.
fn system_of(table: &SampleTable, rows: std::ops::Range<usize>) -> SystemId {
    let clustered: Vec<SystemId> = table.clustered_systems().collect();
    let mut counts = vec![0_usize; table.systems().len()];
    for row in rows {
        counts[usize::from(table.key(row).system.0)] += 1;
    }
    let ids = (0..=u8::MAX).map(SystemId).zip(counts);
    let best = ids.max_by_key(|&(id, count)| {
        (
            count > 0 && clustered.contains(&id),
            count,
            std::cmp::Reverse(id),
        )
    });
    best.map_or(SystemId(0), |(id, _)| id)
}
