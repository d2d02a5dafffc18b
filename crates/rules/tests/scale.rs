//! A day of a million flows, and a busy server. Run with
//! `command time -v cargo test --release -p peerscope-rules --test scale -- --ignored --nocapture NAME`.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    dead_code,
    reason = "helpers of tests; a stopwatch around the library, not in it"
)]

#[path = "planted/mod.rs"]
mod trace;

use std::time::Instant;

use peerscope_flow::{Endpoint, Flow, InitiatorEvidence, Span, Timestamp, Transport};
use peerscope_rules::{Miner, Parameters, RuleBook, StreamMiner};
use trace::{Dice, v4};

const DAY: f64 = 86_400.0;

fn flow(dice: &mut Dice, client: u32, server: (u32, u16), start: f64) -> Flow {
    let [a, b, c, d] = (0x0a00_0000 + client).to_be_bytes();
    let [e, f, g, h] = (0xc600_0000 + server.0).to_be_bytes();
    let at = |secs: f64| Timestamp::from_micros((secs * 1e6) as i64);
    let port = 32_768 + dice.below(28_000) as u16;
    let length = dice.pareto(0.3, 1.1, 1800.0);
    let mut flow = Flow::new(
        Transport::Tcp,
        Endpoint::new(v4(a, b, c, d), port),
        Endpoint::new(v4(e, f, g, h), server.1),
        Span::new(at(start), at(start + length)).unwrap(),
    );
    flow.initiator = InitiatorEvidence::SynSeen;
    flow
}

/// 1,000 clients in sessions, 2,000 servers of Zipf popularity.
fn network(flows: u32) -> Vec<Flow> {
    let mut dice = Dice(1);
    let sessions: Vec<(u32, f64)> = (0..flows / 250)
        .map(|i| (i % 1000, dice.within(0.0, DAY - 1200.0)))
        .collect();
    (0..flows)
        .map(|i| {
            let (client, from) = sessions[i as usize % sessions.len()];
            let start = from + dice.within(0.0, 1200.0);
            // A cheap Zipf: log-uniform ranks.
            let server = (2000_f64.powf(dice.unit()) - 1.0) as u32;
            flow(&mut dice, client, (server, 443), start)
        })
        .collect()
}

/// One server, 100,000 clients in short visits, and requests of its own.
fn busy(flows: u32) -> Vec<Flow> {
    let mut dice = Dice(2);
    (0..flows)
        .map(|i| {
            let start = dice.within(0.0, DAY);
            if i % 20 == 0 {
                let backend = dice.below(5) as u32;
                let mut own = flow(&mut dice, 0, (backend + 1, 5432), start);
                own.src.ip = v4(198, 0, 0, 0);
                own
            } else {
                let client = dice.below(100_000) as u32;
                flow(&mut dice, client, (0, 443), start)
            }
        })
        .collect()
}

fn time(name: &str, flows: &[Flow]) {
    let miner = Miner::new(Parameters::default()).unwrap();
    let start = Instant::now();
    let mut builder = miner.activity();
    for flow in flows {
        builder.push(flow);
    }
    let activity = builder.finish().unwrap();
    let laid_out = start.elapsed();
    let found = miner.mine(&activity);
    println!(
        "{name}: {} flows, {} groups; activity {laid_out:.2?}, all {:.2?}; {} rules of {} tests, {} buckets sampled",
        flows.len(),
        activity.groups().len(),
        start.elapsed(),
        found.rules.len(),
        found.tests,
        found.sampled.len(),
    );
}

#[test]
#[ignore = "for measurement"]
fn million_flows() {
    for flows in [250_000, 500_000, 1_000_000] {
        time("network", &network(flows));
    }
}

#[test]
#[ignore = "for measurement"]
fn busy_server() {
    for flows in [250_000, 500_000, 1_000_000, 2_000_000] {
        time("busy server", &busy(flows));
    }
}

#[test]
#[ignore = "for measurement"]
fn stream_of_live_flows() {
    let mut flows = busy(1_000_000);
    flows.sort_by_key(|flow| flow.span.end());
    let miner = Miner::new(Parameters::default()).unwrap();
    let mut stream = StreamMiner::new(miner, RuleBook::new());
    let start = Instant::now();
    let mut novel = 0;
    for flow in &flows {
        novel += stream.push(flow).unwrap().len();
    }
    println!(
        "stream: {:.2?}, {novel} novel rules, {:?}",
        start.elapsed(),
        stream.counts()
    );
}
