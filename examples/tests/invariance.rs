//! Findings of every kind do not depend on order, parts, the origin of time, or addresses.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use peerscope::findings::{Detectors, Finding, FindingsConfig};
use peerscope::flow::{Endpoint, Span};
use peerscope::prelude::*;
use peerscope::simulate::{PlantedKind, Scenario, Simulation};

const SLOT_MICROS: i64 = 300_000_000;

/// What a finding says, but for its text and the order of addresses.
#[derive(Debug, PartialEq)]
struct Said {
    kind: String,
    system: String,
    hosts: BTreeSet<IpAddr>,
    peers: BTreeSet<IpAddr>,
    ports: Vec<u16>,
    times: [i64; 2],
    evidence: BTreeMap<String, f64>,
    samples: BTreeMap<String, BTreeSet<(IpAddr, i64)>>,
    flows: u64,
}

/// A way to tell of the same findings otherwise: later by some slots, and at other addresses.
struct Telling {
    slots: i64,
    name: fn(IpAddr) -> IpAddr,
}

const AS_IT_IS: Telling = Telling {
    slots: 0,
    name: |ip| ip,
};

impl Telling {
    fn tell(&self, finding: &Finding) -> Said {
        let name = |&ip: &IpAddr| (self.name)(ip);
        let time = |time: Timestamp| time.as_micros() + self.slots * SLOT_MICROS;
        let samples = finding.samples.iter().map(|(metric, samples)| {
            let named = samples.iter();
            let named = named.map(|sample| (name(&sample.host), sample.slot.0 + self.slots));
            (metric.clone(), named.collect())
        });
        Said {
            kind: finding.kind.to_string(),
            system: finding.system.clone(),
            hosts: finding.hosts.iter().map(name).collect(),
            peers: finding.peers.iter().map(name).collect(),
            ports: finding.ports.clone(),
            times: [time(finding.start), time(finding.end)],
            evidence: finding.evidence.clone(),
            samples: samples.collect(),
            flows: finding.flows,
        }
    }

    fn tell_all(&self, findings: &[Finding]) -> Vec<Said> {
        let mut said: Vec<Said> = findings.iter().map(|finding| self.tell(finding)).collect();
        said.sort_by(|a, b| {
            (&a.kind, &a.hosts, &a.peers, &a.ports).cmp(&(&b.kind, &b.hosts, &b.peers, &b.ports))
        });
        said
    }

    /// The same flow, told so.
    fn flow(&self, flow: &Flow) -> Flow {
        let time = |time: Timestamp| time.saturating_add_micros(self.slots * SLOT_MICROS);
        let end = |end: Endpoint| Endpoint::new((self.name)(end.ip), end.port);
        Flow {
            src: end(flow.src),
            dst: end(flow.dst),
            span: Span::new(time(flow.span.start()), time(flow.span.end())).unwrap(),
            ..flow.clone()
        }
    }
}

/// Another host of the same /16, hence of the same zone; neighbours change places.
fn other_host(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() ^ 0xffff).into(),
        IpAddr::V6(_) => ip,
    }
}

fn found(family: &Family, topology: &Topology, parts: &[&[Flow]]) -> Vec<Finding> {
    let pipeline = Pipeline::new(family.clone(), topology.clone())
        .with_findings(Detectors::built_in(&FindingsConfig::default()));
    let mut session = pipeline.session();
    for part in parts {
        session.add(part);
    }
    session.finish().unwrap().findings.active
}

#[test]
fn findings_depend_on_nothing_but_the_flows() {
    let mut simulation = Simulation::new(&Scenario::preset("tiny").unwrap(), 3).unwrap();
    let topology = simulation.topology();
    let flows: Vec<Flow> = simulation
        .by_ref()
        .map(|simulated| simulated.flow)
        .collect();
    let mut kinds = BTreeSet::new();
    for family in [Family::emule(), Family::bittorrent()] {
        let whole = found(&family, &topology, &[&flows]);
        kinds.extend(whole.iter().map(|finding| finding.kind.to_string()));
        let as_it_is = AS_IT_IS.tell_all(&whole);

        // Every third flow first, backwards.
        let mut mixed: Vec<Flow> = (0..3)
            .flat_map(|offset| flows.iter().skip(offset).step_by(3).rev().cloned())
            .collect();
        mixed.rotate_left(1_000);
        let (first, rest) = mixed.split_at(mixed.len() / 3);
        let parts = found(&family, &topology, &[rest, first]);
        assert_eq!(AS_IT_IS.tell_all(&parts), as_it_is);

        let other = Telling {
            slots: -777_777,
            name: other_host,
        };
        let told: Vec<Flow> = flows.iter().map(|flow| other.flow(flow)).collect();
        let told = AS_IT_IS.tell_all(&found(&family, &topology, &[&told]));
        assert_eq!(told, other.tell_all(&whole));
    }
    let all: BTreeSet<String> = PlantedKind::ALL.map(|kind| kind.to_string()).into();
    assert_eq!(kinds, all);
}
