//! The planted behaviour of the shipped capture shows in its samples, where `truth.json` says.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::OnceLock;

use peerscope::correlate::MetricOutcome;
use peerscope::flow::{SystemId, Timestamp};
use peerscope::prelude::*;
use serde_json::Value;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/lab-a")
}

fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

/// The analysis of the README's first command.
fn analysis() -> &'static Analysis {
    static ANALYSIS: OnceLock<Analysis> = OnceLock::new();
    ANALYSIS.get_or_init(|| {
        let topology: Topology = serde_json::from_value(json("topology.json")).unwrap();
        let aggregation = Aggregation::new(Family::emule(), topology.clone())
            .with_slot_length(SlotLength::from_secs(60.0).unwrap());
        let meter = MeterConfig::new().with_idle_timeout(std::time::Duration::from_mins(2));
        let pipeline = Pipeline::new(Family::emule(), topology)
            .with_aggregation(aggregation)
            .with_meter(meter);
        let mut session = pipeline.session();
        session.add_file(folder().join("pop-wan.pcap.zst")).unwrap();
        session.finish().unwrap()
    })
}

/// Behaviours of a kind.
fn planted(kind: &str) -> Vec<Value> {
    let truth = json("truth.json");
    let behaviours = truth["behaviours"].as_array().unwrap();
    behaviours
        .iter()
        .filter(|behaviour| behaviour["kind"] == kind)
        .cloned()
        .collect()
}

fn hosts(behaviour: &Value) -> Vec<IpAddr> {
    let hosts = behaviour["hosts"].as_array().unwrap();
    hosts
        .iter()
        .map(|host| host["ip"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "times of 2026")]
fn time(seconds: &Value) -> Timestamp {
    Timestamp::from_micros((seconds.as_f64().unwrap() * 1e6) as i64)
}

/// A host's defined values of a metric, by the start of their slot, whatever the system.
fn series(host: IpAddr, metric: &str) -> BTreeMap<Timestamp, f64> {
    let table = &analysis().table;
    let column = table.metric_index(metric).unwrap();
    let value = |row| Some((table.slot_start(&table.key(row)), table.value(row, column)?));
    table.rows_of(host).filter_map(value).collect()
}

#[test]
fn departed_hosts_stop_answering() {
    let mut monitored = 0;
    for departure in planted("departure")
        .iter()
        .filter(|departure| departure["monitored"] == true)
    {
        let left = time(&departure["start"]);
        for host in hosts(departure) {
            let series = series(host, "outin-fract-unanswered-UDP");
            // A flow of before may still be answered in the slots around the departure.
            let (before, after): (Vec<_>, Vec<_>) =
                series.iter().partition(|(slot, _)| **slot < left);
            let late: Vec<f64> = after.iter().skip(3).map(|(_, value)| **value).collect();
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            let early: Vec<f64> = before
                .iter()
                .rev()
                .skip(2)
                .map(|(_, value)| **value)
                .collect();
            assert!(mean(&early) < 0.2, "{host} before: {early:?}");
            assert!(mean(&late) > 0.95, "{host} after: {late:?}");
            monitored += 1;
        }
    }
    assert!(monitored >= 4, "{monitored} departures tried");
}

/// Figure 9: what comes in is answered up to the departure and not from then on.
#[test]
fn the_jump_of_a_departed_host_is_found_at_its_time() {
    let changes = &analysis().changes.hosts;
    let mut monitored = 0;
    for departure in planted("departure")
        .iter()
        .filter(|departure| departure["monitored"] == true)
    {
        let left = time(&departure["start"]);
        for host in hosts(departure) {
            let rises = changes.iter().filter(|jump| {
                jump.host == host
                    && jump.metric == "outin-fract-unanswered-UDP"
                    && jump.change.effect > 0.0
            });
            let slots: Vec<i64> = rises
                .map(|jump| jump.change.at.micros_since(left).div_euclid(60_000_000))
                .collect();
            assert!(
                slots.iter().any(|slots| slots.abs() <= 3),
                "{host}: {slots:?}"
            );
            monitored += 1;
        }
    }
    assert!(monitored >= 4, "{monitored} departures tried");
}

#[test]
fn clients_of_fake_servers_connect_again_and_again() {
    let clients: BTreeSet<IpAddr> = planted("ed2k-server-fake").iter().flat_map(hosts).collect();
    let table = &analysis().table;
    let all: BTreeSet<IpAddr> = table.keys().map(|key| key.host).collect();
    let mean = |host: IpAddr| {
        let series = series(host, "inout-avg-conn-per-IP-TCP");
        let values: Vec<f64> = series.into_values().collect();
        (values.len() > 5).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let (own, other): (Vec<_>, Vec<_>) = all
        .iter()
        .filter_map(|&host| Some((host, mean(host)?)))
        .partition(|(host, _)| clients.contains(host));
    assert_eq!(own.len(), clients.len());
    for (host, mean) in own {
        assert!((1.5..3.0).contains(&mean), "{host}: {mean}");
    }
    for (host, mean) in other {
        assert!(mean < 1.4, "{host}: {mean}");
    }
}

#[test]
fn poisoned_contacts_show_at_the_hosts_that_followed_them() {
    let truth = &planted("p2p-ddos")[0];
    let sources = truth["observed"]["sources"].as_object().unwrap();
    for source in sources.keys() {
        let series = series(source.parse().unwrap(), "inout-1024-dest-ports-UDP");
        assert!(series.values().any(|&ports| ports >= 1.0), "{source}");
        // One reserved port and nothing else.
        assert!(series.values().all(|&ports| ports <= 1.0), "{source}");
        let start = time(&truth["start"]);
        let slot = Timestamp::from_micros(start.as_micros() - 60_000_000);
        assert!(
            series.range(..slot).all(|(_, &ports)| ports == 0.0),
            "{source} before"
        );
    }
}

#[test]
fn clusters_have_the_shape_of_the_papers_table_4() {
    let kad = analysis().correlation.system("kad").unwrap();
    let found = |metric: &str| kad.metric(metric).and_then(MetricOutcome::found).unwrap();
    let unanswered = &found("outin-fract-unanswered-UDP").clustering.clusters;
    assert_eq!(unanswered.len(), 2, "{unanswered:?}");
    assert!(unanswered[0].contains(0.0) && unanswered[1].contains(1.0));
    let ports = found("inout-1024-dest-ports-UDP");
    assert_eq!(ports.clustering.clusters.len(), 2);
    let interesting = kad
        .metric("inout-1024-dest-ports-UDP")
        .and_then(|m| m.interesting())
        .unwrap();
    assert_eq!(interesting.count, ports.clustering.clusters[1].count);
}

#[test]
fn the_very_active_host_is_heavy() {
    let [host] = hosts(&planted("very-active")[0]).try_into().unwrap();
    let heavy = &analysis().correlation.heavy_hosts;
    assert!(heavy.iter().any(|heavy| heavy.host == host), "{heavy:?}");
}

#[test]
fn every_packet_and_flow_is_accounted_for() {
    let truth = json("truth.json");
    let input = &analysis().input;
    let meter = input.report.meter.as_ref().unwrap();
    assert_eq!(
        meter.metered.packets,
        truth["totals"]["packets"].as_u64().unwrap()
    );
    assert_eq!(
        meter.metered.bytes,
        truth["totals"]["ip_bytes"].as_u64().unwrap()
    );
    assert_eq!(
        input.flows,
        input.of_interest + input.skipped.values().sum::<u64>()
    );
    let samples = &analysis().samples;
    assert_eq!(samples.total, samples.by_system.values().sum::<usize>());
    assert!(analysis().table.count(SystemId(0)) > 500, "Kad samples");
}
