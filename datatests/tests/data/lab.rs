//! Totals of the lab captures beside their truth.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Endpoint, Flow, Handshake, InitiatorEvidence, Transport};
use peerscope_meter::MeterConfig;
use serde_json::Value;

use crate::metering::{meter, text};
use crate::test;

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    let captures = ["lab-a", "lab-smoke"];
    let trial = |name: &str| {
        test(
            &format!("lab::totals_{name}"),
            root,
            &format!("lab/{name}"),
            |folder| totals(&folder),
        )
    };
    captures.into_iter().map(trial).collect()
}

fn totals(folder: &Path) -> Result<(), Failed> {
    let truth: Value = serde_json::from_str(&text(&folder.join("truth.json"))?)?;
    let expected = |name: &str| truth["totals"][name].as_u64();
    let metered = meter(&folder.join("pop-wan.pcap.zst"), MeterConfig::new());
    if let Some(error) = metered.error {
        return Err(error.to_string().into());
    }
    let report = metered.report;
    let mut tuples = BTreeMap::<(Transport, Endpoint, Endpoint), u64>::new();
    let mut handshakes = BTreeMap::<Option<Handshake>, u64>::new();
    for flow in &metered.flows {
        let ends = (flow.src.min(flow.dst), flow.src.max(flow.dst));
        // The truth has no ports for protocols other than TCP and UDP.
        *tuples.entry((flow.transport, ends.0, ends.1)).or_default() += 1;
        *handshakes.entry(flow.handshake).or_default() += 1;
    }
    let syn_seen = |flow: &&Flow| flow.initiator == InitiatorEvidence::SynSeen;
    let with_syn = metered.flows.iter().filter(syn_seen).count();
    let found = [
        ("packets", report.metered.packets),
        ("ip_bytes", report.metered.bytes),
        ("non_ip_frames", report.skipped.total()),
        ("bidirectional_5tuples", tuples.len() as u64),
        ("tcp_connections", with_syn as u64),
    ];
    let handshakes: Vec<_> = handshakes.iter().collect();
    println!("lab: {report:?}, handshakes {handshakes:?}");
    for (name, found) in found {
        if expected(name) != Some(found) {
            return Err(format!("{name}: {found}, the truth is {:?}", expected(name)).into());
        }
    }
    Ok(())
}
