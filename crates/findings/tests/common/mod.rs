//! A network of sixty Kad hosts, with planted behaviour, from a seed.

use std::net::IpAddr;

use peerscope_correlate::{CorrelateConfig, Correlation, Rules, correlate};
use peerscope_findings::{Detectors, Findings, FindingsConfig, FlowLog, Scene};
use peerscope_flow::{
    Application, Endpoint, Family, Flow, Handshake, InitiatorEvidence, SlotLength, Span, Timestamp,
    Topology, Transport, Volume,
};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_slot::{Aggregation, aggregate};

/// Slots of 60 s; the trace has 50.
pub(crate) const SLOT: i64 = 60;
pub(crate) const SLOTS: i64 = 50;
pub(crate) const HOSTS: u8 = 60;

pub(crate) const DEPARTED: [u8; 2] = [3, 4];
pub(crate) const NATTED: [u8; 2] = [5, 6];
pub(crate) const FAKED: [u8; 1] = [7];
pub(crate) const CALLED: u8 = 8;
pub(crate) const GONE_AT: i64 = 20 * SLOT;

/// What is planted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plot {
    Nothing,
    All,
}

pub(crate) fn aggregation() -> Aggregation {
    let nets = ["10.0.0.0/24".parse().unwrap()];
    let topology = Topology::new(nets, ["10.0.0.0/8".parse().unwrap()]);
    Aggregation::new(Family::emule(), topology)
        .with_slot_length(SlotLength::from_secs(SLOT as f64).unwrap())
}

pub(crate) fn host(number: u8) -> IpAddr {
    [10, 0, 0, number].into()
}

pub(crate) fn peer(number: u64) -> IpAddr {
    let [.., a, b] = number.to_be_bytes();
    [192, 0, 2 + a, b].into()
}

/// A splitmix64 generator: tests need no better one.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

pub(crate) fn udp(src: Endpoint, dst: Endpoint, secs: i64, answered: bool) -> Flow {
    Flow {
        initiator: InitiatorEvidence::FirstPacket,
        app: Some(Application::Kad),
        fwd: Volume::new(1, 63),
        rev: if answered {
            Volume::new(1, 90)
        } else {
            Volume::ZERO
        },
        ..Flow::new(
            Transport::Udp,
            src,
            dst,
            Span::at(Timestamp::from_secs(secs)),
        )
    }
}

pub(crate) fn tcp(src: Endpoint, dst: Endpoint, secs: i64, lasts: i64, replies: u64) -> Flow {
    let span = Span::new(
        Timestamp::from_secs(secs),
        Timestamp::from_secs(secs + lasts),
    )
    .unwrap();
    Flow {
        initiator: InitiatorEvidence::SynSeen,
        handshake: Some(Handshake::Complete),
        app: Some(Application::EMule),
        fwd: Volume::new(4, 300),
        rev: Volume::new(4, 160 + replies),
        rev_payload_bytes: Some(replies),
        ..Flow::new(Transport::Tcp, src, dst, span)
    }
}

pub(crate) fn refused(src: Endpoint, dst: Endpoint, secs: i64) -> Flow {
    Flow {
        handshake: Some(Handshake::Failed),
        app: None,
        rev: Volume::new(1, 40),
        ..tcp(src, dst, secs, 0, 0)
    }
}

/// The trace.
pub(crate) fn trace(seed: u64, plot: Plot) -> Vec<Flow> {
    let mut rng = Rng(seed);
    let planted = plot == Plot::All;
    let end = SLOTS * SLOT;
    let mut flows = Vec::new();
    for number in 1..=HOSTS {
        let (own, server) = (
            Endpoint::new(host(number), 4672),
            Endpoint::new(host(number), 4662),
        );
        let left = planted && DEPARTED.contains(&number);
        let closed = planted && NATTED.contains(&number);
        let end_here = if left { GONE_AT } else { end };
        for slot in 0..SLOTS {
            let at = |rng: &mut Rng| slot * SLOT + i64::try_from(rng.below(60)).unwrap();
            let there = (slot + 1) * SLOT <= end_here;
            for _ in 0..2 + rng.below(3) {
                let to = Endpoint::new(peer(rng.below(400)), 4672);
                if there {
                    let (time, answered) = (at(&mut rng), rng.below(20) > 0);
                    flows.push(udp(own, to, time, answered));
                }
            }
            for _ in 0..2 {
                let from = Endpoint::new(peer(rng.below(400)), 4672);
                let (time, lost) = (at(&mut rng), rng.below(20) == 0);
                flows.push(udp(from, own, time, there && !closed && !lost));
            }
            if rng.below(3) == 0 {
                let caller = Endpoint::new(peer(rng.below(400)), 40_000);
                let time = at(&mut rng);
                flows.push(if there && !closed {
                    tcp(caller, server, time, 20, 5_000)
                } else {
                    refused(caller, server, time)
                });
            }
            if there && rng.below(3) == 0 {
                let to = Endpoint::new(peer(rng.below(400)), 4662);
                let time = at(&mut rng);
                flows.push(tcp(
                    Endpoint::new(host(number), 50_000),
                    to,
                    time,
                    20,
                    5_000,
                ));
            }
            if planted && there && slot >= 10 && number % 4 == 0 {
                let victim = Endpoint::new(peer(1_000 + rng.below(3)), 53);
                flows.push(udp(own, victim, at(&mut rng), false));
            }
            if planted && FAKED.contains(&number) {
                for half in 0..2 {
                    let bad = Endpoint::new(peer(1_010), 4661);
                    let time = slot * SLOT + 30 * half;
                    let port = u16::try_from(51_000 + 2 * slot + half).unwrap();
                    flows.push(tcp(Endpoint::new(host(number), port), bad, time, 10, 0));
                }
            }
            if planted && number == CALLED {
                let time = slot * SLOT + 7;
                let port = u16::try_from(52_000 + slot).unwrap();
                flows.push(tcp(Endpoint::new(peer(1_020), port), server, time, 5, 60));
                flows.push(udp(Endpoint::new(peer(1_020), 4672), own, time, true));
            }
        }
    }
    flows
}

pub(crate) struct Analysed {
    pub(crate) table: SampleTable,
    pub(crate) correlation: Correlation,
}

pub(crate) fn analyse(flows: &[Flow], aggregation: &Aggregation) -> Analysed {
    let host_slots = aggregate(flows, aggregation);
    let table = SampleTable::new(&host_slots, aggregation.family(), &MetricSet::paper());
    let family = aggregation.family().name();
    let config = CorrelateConfig::default();
    let correlation = correlate(&table, family, &Rules::built_in(), &config).unwrap();
    Analysed { table, correlation }
}

/// Findings of flows that come in parts.
pub(crate) fn findings(parts: &[&[Flow]], config: &FindingsConfig) -> Findings {
    let aggregation = aggregation();
    let analysed = analyse(&parts.concat(), &aggregation);
    let logs = parts.iter().map(|part| {
        let mut log = FlowLog::new(&aggregation);
        log.add(*part);
        log
    });
    let log = logs.reduce(|mut all, part| {
        all.merge(part);
        all
    });
    let scene = Scene::new(log.unwrap(), &analysed.table, &analysed.correlation);
    Detectors::built_in(config).run(&scene)
}
