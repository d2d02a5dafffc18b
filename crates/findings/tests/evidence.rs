//! What stands behind a finding, against counts of the flows themselves.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use peerscope_correlate::{CorrelateConfig, Correlation, Rules, correlate};
use peerscope_findings::{Detectors, Finding, FindingsConfig, FlowLog, FlowSelection, Kind, Scene};
use peerscope_flow::{
    Application, Endpoint, Family, Flow, Span, Timestamp, Topology, Transport, Volume,
};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_slot::{Aggregation, aggregate};

fn flow(host: u8, peer: u8, port: u16, answers: u64, second: i64) -> Flow {
    Flow {
        app: Some(Application::Kad),
        fwd: Volume::new(1, 63),
        rev: Volume::new(answers, 63 * answers),
        ..Flow::new(
            Transport::Udp,
            Endpoint::new([10, 0, 0, host].into(), 4672),
            Endpoint::new([192, 0, 2, peer].into(), port),
            Span::at(Timestamp::from_secs(second)),
        )
    }
}

fn aggregation() -> Aggregation {
    let topology = Topology::new(["10.0.0.0/24".parse().unwrap()], []);
    Aggregation::new(Family::emule(), topology)
}

fn analyse(flows: &[Flow], aggregation: &Aggregation) -> (SampleTable, Correlation) {
    let family = aggregation.family();
    let table = SampleTable::new(&aggregate(flows, aggregation), family, &MetricSet::paper());
    let (rules, config) = (Rules::built_in(), CorrelateConfig::default());
    let correlation = correlate(&table, family.name(), &rules, &config).unwrap();
    (table, correlation)
}

#[test]
fn evidence_counts_the_flows_of_its_finding() {
    // Sixty hosts speak with ten peers that answer, every fifth with three victims too, in a day.
    let mut flows = Vec::new();
    for host in 1..=60 {
        let second = i64::from(host) * 1440;
        flows.extend((1..=10).map(|peer| flow(host, peer, 4672, 1, second)));
        if host % 5 == 0 {
            flows.extend((0..9).map(|i| flow(host, 53 + i % 3 / 2, 53, 0, second + i64::from(i))));
        }
    }
    let aggregation = aggregation();
    let (table, correlation) = analyse(&flows, &aggregation);
    let mut log = FlowLog::new(&aggregation);
    log.add(&flows);
    let scene = Scene::new(log, &table, &correlation);
    let found = Detectors::built_in(&FindingsConfig::default()).run(&scene);

    let evidence = &found.evidence;
    assert_eq!(evidence.exhibits.len(), found.active.len());
    assert_eq!(found.active[0].kind, Kind::DdosReservedPort);
    let (finding, exhibit) = (&found.active[0], &evidence.exhibits[0]);
    let behind: Vec<&Flow> = finding.flows_in(&flows, &aggregation).collect();
    assert_eq!(behind.len(), 108);
    assert_eq!(exhibit.supporting.iter().sum::<u64>(), 108);
    assert_eq!(exhibit.hosts.len(), 12);
    assert!(
        exhibit
            .hosts
            .iter()
            .all(|host| (host.flows, host.in_vain, host.sent) == (9, 9, 567))
    );
    // Two of three flows go to the first victim.
    let peers: Vec<(IpAddr, u64)> = exhibit
        .peers
        .iter()
        .map(|peer| (peer.ip, peer.flows))
        .collect();
    assert_eq!(
        peers,
        [([192, 0, 2, 53].into(), 72), ([192, 0, 2, 54].into(), 36)]
    );
    assert_eq!(exhibit.all_peers, 2);
    // The first 50 in order of time, each one of those behind the finding.
    assert_eq!(exhibit.flows.len(), 50);
    assert!(exhibit.flows.is_sorted_by_key(|flow| flow.start_us));
    assert!(exhibit.flows.iter().all(|row| behind.iter().any(|flow| {
        (flow.src, flow.dst, flow.span.start().as_micros()) == (row.src, row.dst, row.start_us)
    })));
    let port = evidence.ports.iter().find(|port| port.port == 53).unwrap();
    assert_eq!(
        (port.flows, port.unanswered, port.hosts, port.destinations),
        (108, 108, 12, 2)
    );

    // All of them as CSV, those of the finding under its number.
    let lines = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut text = Vec::new();
        write(&mut text);
        let text = String::from_utf8(text).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let rows = lines(&|text| found.write_flows(&scene, text).unwrap());
    let all: u64 = found.active.iter().map(|finding| finding.flows).sum();
    assert_eq!(rows.len() as u64, 1 + all);
    for flow in &behind {
        let (start, peer) = (flow.span.start().as_micros(), flow.dst.ip);
        let host = flow.src.ip;
        let row = format!("1,{start},{start},udp,{host},4672,{peer},53,1,63,0,0,unanswered");
        assert!(rows.contains(&row), "{row}");
    }
    assert_eq!(
        rows.iter().filter(|row| row.starts_with("1,")).count(),
        behind.len()
    );
    let rows = lines(&|text| found.write_peers(&scene, text).unwrap());
    let victims: Vec<&String> = rows.iter().filter(|row| row.starts_with("1,")).collect();
    assert!(victims.len() == 2 && victims[0].starts_with("1,192.0.2.53,72,72,4536,0,"));

    // Series: at most 120 bins of whole slots, each flow in the bin of its start.
    let slot = aggregation.slot_length().as_micros();
    assert_eq!((evidence.bin_us % slot, evidence.start_us % slot), (0, 0));
    assert!(exhibit.supporting.len() <= 120);
    for (bin, count) in (0..).zip(&exhibit.supporting) {
        let from = evidence.start_us + bin * evidence.bin_us;
        let within = from..from + evidence.bin_us;
        let slow = behind
            .iter()
            .filter(|flow| within.contains(&flow.span.start().as_micros()));
        assert_eq!(slow.count() as u64, *count);
    }
    let leading = &exhibit.contacts[0];
    assert_eq!(
        (leading.host, leading.peer),
        ([10, 0, 0, 5].into(), [192, 0, 2, 53].into())
    );
    assert_eq!(leading.flows.iter().sum::<u64>(), 6);
}

#[test]
fn findings_of_ones_own_have_what_their_hosts_and_selections_have() {
    let flows: Vec<Flow> = (1..=60)
        .flat_map(|host| (1..=10).map(move |peer| flow(host, peer, 4672, 1, i64::from(host) * 60)))
        .collect();
    let aggregation = aggregation();
    let (table, correlation) = analyse(&flows, &aggregation);
    let mut log = FlowLog::new(&aggregation);
    log.add(&flows);
    let scene = Scene::new(log, &table, &correlation);
    let ip = |host: u8| IpAddr::from([10, 0, 0, host]);
    let own = Detectors::built_in(&FindingsConfig::default()).with(move |scene| {
        let about = |kind: &str, hosts: Vec<IpAddr>| Finding {
            selection: FlowSelection {
                hosts: BTreeSet::from([ip(1), ip(2)]),
                peers: BTreeSet::from([IpAddr::from([192, 0, 2, 7])]),
                ..FlowSelection::default()
            },
            hosts,
            ..scene.finding(kind, &scene.hosts()[0])
        };
        // One host is in two findings, one is unknown, and one is not selected.
        vec![
            about("a", vec![ip(1), ip(2)]),
            about("b", vec![ip(2), ip(200)]),
            about("c", vec![ip(3)]),
        ]
    });
    let found = own.run(&scene);
    let of = |i: usize| {
        let exhibit = &found.evidence.exhibits[i];
        let sum = |series: &[u64]| series.iter().sum::<u64>();
        let bins = exhibit.supporting.len();
        assert_eq!(exhibit.activity.in_vain, vec![0; bins]);
        assert_eq!(exhibit.activity.answered, vec![0; bins]);
        (
            sum(&exhibit.activity.initiated),
            sum(&exhibit.supporting),
            exhibit.hosts.len(),
            exhibit.peers.len(),
        )
    };
    assert_eq!(
        [of(0), of(1), of(2)],
        [(20, 2, 2, 1), (10, 1, 1, 1), (10, 0, 0, 0)]
    );
}
