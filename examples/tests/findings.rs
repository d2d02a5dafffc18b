//! Every behaviour planted in the shipped capture is found at its hosts and in time, and nothing else;
//! communication rules stand beside it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use peerscope::RuleContext;
use peerscope::findings::{Detectors, Finding, Findings, FindingsConfig, SampleRef};
use peerscope::flow::SlotIndex;
use peerscope::meter::{Capture, Classifiers, Meter};
use peerscope::prelude::*;
use peerscope::rules::{Activity, Miner, Parameters, RuleSet};

#[path = "../shared/truth.rs"]
mod truth;
use truth::Truth;

const SLOT_SECS: f64 = 60.0;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/lab-a")
}

/// The findings of the README's first command.
fn findings() -> &'static Findings {
    static FINDINGS: OnceLock<Findings> = OnceLock::new();
    FINDINGS.get_or_init(analysed)
}

fn analysed() -> Findings {
    let topology = std::fs::read_to_string(folder().join("topology.json")).unwrap();
    let topology: Topology = serde_json::from_str(&topology).unwrap();
    let aggregation = Aggregation::new(Family::emule(), topology.clone())
        .with_slot_length(SlotLength::from_secs(SLOT_SECS).unwrap());
    let meter = MeterConfig::new().with_idle_timeout(Duration::from_mins(2));
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
    let findings = &findings().active;
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

/// The rules of the capture; a silent second ends a flow, as its record would hide when packets came.
fn rules() -> (RuleSet, Activity) {
    let config = MeterConfig::new()
        .with_classifiers(Classifiers::none())
        .with_idle_timeout(Duration::from_secs(1));
    let mut meter = Meter::new(config);
    let mut capture = Capture::open(folder().join("pop-wan.pcap.zst")).unwrap();
    while let Some(packet) = capture.next_packet().unwrap() {
        meter.push(&packet);
    }
    let miner = Miner::new(Parameters::default()).unwrap();
    let mut activity = miner.activity();
    for flow in &meter.finish().0 {
        activity.push(flow);
    }
    let activity = activity.finish().unwrap();
    (miner.mine(&activity), activity)
}

/// The finding of a kind that a peer is in.
fn about<'a>(kind: &str, peer: &str) -> &'a Finding {
    let peer: IpAddr = peer.parse().unwrap();
    let mut all = findings().active.iter();
    let found = all.find(|one| one.kind.as_str() == kind && one.peers.contains(&peer));
    found.unwrap()
}

/// The peer that connects again and again greets by Kad each time: 85 times by `truth.json`. The
/// clients of a bad server try it 348 times.
#[test]
fn findings_have_the_rules_of_their_hosts_and_time() {
    let (found, activity) = rules();
    let context = RuleContext::new(&found, &activity);
    let says = |rule: usize, parts: &[&str]| {
        let text = found.rules[rule].to_string();
        parts.iter().all(|part| text.contains(part))
    };
    let count = |finding: &Finding, parts: &[&str]| {
        let touches = context.of_finding(finding);
        let named = touches.iter().filter(|touch| says(touch.rule, parts));
        named.map(|touch| touch.count).max().unwrap_or(0)
    };
    let peer = "100.106.201.189";
    let (buddy, parts) = (about("buddy", peer), [peer, ".4662", ".4672"]);
    assert!(count(buddy, &parts) >= 75, "{}", count(buddy, &parts));
    assert!(
        count(
            about("fake-server", "100.101.151.84"),
            &["100.101.151.84.4661"]
        ) >= 60
    );

    let slot = SlotLength::from_secs(SLOT_SECS).unwrap();
    let first = slot.slot_of(buddy.start).0;
    let [before, after] = [first - 2, first + 2].map(|slot_index| {
        let sample = SampleRef {
            host: buddy.hosts[0],
            slot: SlotIndex(slot_index),
        };
        let touches = context.of_sample(sample, slot);
        touches.iter().any(|touch| says(touch.rule, &parts))
    });
    assert_eq!((before, after), (false, true));
}
