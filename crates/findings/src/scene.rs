//! Everything a drill-down looks at: flows by host, samples, and what is interesting of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::OnceLock;

use peerscope_correlate::{
    Correlation, Interesting, MetricOutcome, Reading, Severity, SystemCorrelation,
};
use peerscope_flow::{SlotIndex, Span, SystemId, Timestamp, Topology, Transport, Zone};
use peerscope_metric::SampleTable;
use peerscope_slot::Aggregation;
use rayon::prelude::*;

use crate::host_flow::PeerId;
use crate::kinds::{self, UsesOf};
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
    /// Made when first asked for.
    port_uses: OnceLock<UsesOf>,
}

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
    /// The places of these flows, by peer and then by time.
    by_peer: Vec<u32>,
    /// The rows of its samples.
    rows: std::ops::Range<usize>,
}

impl<'a> Scene<'a> {
    /// Brings the flows, the samples and what is interesting of them together, on the threads of the
    /// current rayon pool. All three have to be of the same trace and settings.
    ///
    /// # Panics
    ///
    /// With more than 2^32 flows of one host: 320 GiB of them.
    pub fn new(log: FlowLog<'a>, table: &'a SampleTable, correlation: &'a Correlation) -> Self {
        let aggregation = log.aggregation();
        let Sorted {
            hosts,
            table: table_v6,
            span,
        } = log.sort();
        let keys = table.keys();
        let hosts = hosts.into_par_iter().map(|(ip, flows)| {
            let first = keys.partition_point(|key| key.host < ip);
            let end = keys.partition_point(|key| key.host <= ip);
            Host {
                ip,
                system: system_of(table, first..end),
                by_peer: by_peer(&flows),
                flows,
                rows: first..end,
            }
        });
        Self {
            aggregation,
            table,
            correlation,
            hosts: hosts.collect(),
            table_v6,
            span,
            port_uses: OnceLock::new(),
        }
    }

    /// How the hosts of every system use ports.
    pub(crate) fn port_uses(&self) -> &UsesOf {
        self.port_uses.get_or_init(|| kinds::port_uses(self))
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
            let start = self.table.slot_start(&self.table.keys()[row]);
            Some((start, self.table.value(row, column)?))
        };
        host.rows.clone().filter_map(value).collect()
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
        everyone.chain(listed).flat_map(move |host| {
            self.select_of(host, selection)
                .map(move |flow| (host, flow))
        })
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

    fn select_of<'s>(
        &'s self,
        host: &'s Host,
        selection: &'s FlowSelection,
    ) -> impl Iterator<Item = &'s HostFlow> + 's {
        let holds = |ip: IpAddr, flow: &HostFlow, peer: IpAddr| {
            selection.holds(ip, flow, peer, self.topology())
        };
        host.flows.iter().filter(move |flow| {
            let peer = self.peer(flow.peer);
            if !holds(host.ip, flow, peer) {
                return false;
            }
            // A flow between two monitored hosts is seen twice: its initiator counts it.
            let initiator = self.aggregation.host_of(peer);
            let seen_there = selection.direction.is_none()
                && !flow.is_initiated()
                && self.zone(flow.peer) == Zone::Monitored
                && self.host(initiator).is_some();
            let there = HostFlow {
                direction: peerscope_slot::Direction::InOut,
                host_port: flow.peer_port,
                peer_port: flow.host_port,
                sent: flow.rcvd,
                rcvd: flow.sent,
                ..**flow
            };
            !(seen_there && holds(initiator, &there, host.ip))
        })
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
                .partition_point(|&row| row < host.rows.start);
            let rows = interesting.rows[first..].iter();
            for &row in rows.take_while(|&&row| row < host.rows.end) {
                if wanted(interesting, row) {
                    let slot: SlotIndex = self.table.keys()[row].slot;
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

impl Host {
    /// Starts of the flows that the host initiated, by time.
    pub fn initiations(&self) -> Vec<Timestamp> {
        let initiated = self.flows.iter().filter(|flow| flow.is_initiated());
        initiated.map(|flow| flow.start).collect()
    }

    /// Its flows with each peer, by time; peers by address.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, impl Iterator<Item = &HostFlow> + Clone)> {
        let flow = |&place: &u32| &self.flows[place as usize];
        let groups = self
            .by_peer
            .chunk_by(move |a, b| flow(a).peer == flow(b).peer);
        groups.map(move |group| (flow(&group[0]).peer, group.iter().map(flow)))
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

/// The places of flows, by peer and then by time.
#[expect(clippy::expect_used, reason = "documented in Scene::new")]
fn by_peer(flows: &[HostFlow]) -> Vec<u32> {
    let places = 0..u32::try_from(flows.len()).expect("fewer than 2^32 flows of a host");
    let mut keys: Vec<(PeerId, u32)> = flows.iter().map(|flow| flow.peer).zip(places).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, place)| place).collect()
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
    for key in &table.keys()[rows] {
        counts[usize::from(key.system.0)] += 1;
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
