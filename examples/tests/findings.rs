//! Every behaviour planted in the shipped capture is found at its hosts and in time, and nothing else.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use peerscope::findings::{Detectors, Findings, FindingsConfig};
use peerscope::prelude::*;

#[path = "../shared/truth.rs"]
mod truth;
use truth::Truth;

const SLOT_SECS: f64 = 60.0;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/lab-a")
}

/// The findings of the README's first command.
fn findings() -> Findings {
    let topology = std::fs::read_to_string(folder().join("topology.json")).unwrap();
    let topology: Topology = serde_json::from_str(&topology).unwrap();
    let aggregation = Aggregation::new(Family::emule(), topology.clone())
        .with_slot_length(SlotLength::from_secs(SLOT_SECS).unwrap());
    let meter = MeterConfig::new().with_idle_timeout(std::time::Duration::from_mins(2));
    let pipeline = Pipeline::new(Family::emule(), topology)
        .with_aggregation(aggregation)
        .with_meter(meter)
        .with_findings(Detectors::built_in(&FindingsConfig::default()));
    let mut session = pipeline.session();
    session.add_file(folder().join("pop-wan.pcap.zst")).unwrap();
    session.finish().unwrap().findings
}

#[test]
fn planted_behaviour_is_found_at_its_hosts_and_in_time() {
    let truth = Truth::read(&folder().join("truth.json"), Some("emule")).unwrap();
    let findings = findings().active;
    assert_eq!(truth.slot_us, Some(SLOT_SECS * 1e6));
    assert!(truth.planted.len() >= 14, "{}", truth.planted.len());
    for planted in &truth.planted {
        for host in &planted.hosts {
            let found = findings.iter().find(|finding| {
                finding.kind.as_str() == planted.kind && finding.hosts.contains(host)
            });
            let found = found.unwrap_or_else(|| panic!("{} at {host}", planted.kind));
            #[expect(clippy::cast_precision_loss, reason = "times of 2026")]
            let late = (found.start.as_micros() as f64 - planted.start_us).abs() / 1e6;
            assert!(
                late <= 10.0 * SLOT_SECS,
                "{} at {host}: {late} s off",
                planted.kind
            );
        }
    }
    for finding in findings
        .iter()
        .filter(|finding| truth.judged.contains(&finding.kind.as_str()))
    {
        let planted = truth
            .planted
            .iter()
            .filter(|planted| planted.kind == finding.kind.as_str());
        let hosts: BTreeSet<IpAddr> = planted.flat_map(|planted| planted.hosts.clone()).collect();
        assert!(
            finding.hosts.iter().all(|host| hosts.contains(host)),
            "{}",
            finding.explanation
        );
    }
}
