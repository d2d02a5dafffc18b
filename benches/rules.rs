//! Flows in memory to communication rules: a day's network, and one busy server.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peerscope_benches::sizes;
use peerscope_flow::Flow;
use peerscope_rules::{Miner, Parameters};
use peerscope_simulate::{RulesScenario, RulesTrace};

/// A network of clients in sessions, or one server with 100,000 clients, of a day each.
fn scenario(busy: bool, flows: usize) -> RulesScenario {
    let day = RulesScenario {
        hours: 24.0,
        servers: 0,
        long_lived: 0,
        shapes: Vec::new(),
        ..RulesScenario::default()
    };
    if busy {
        // Two visits to each request of its own.
        return RulesScenario {
            clients: 0,
            servers: 1,
            server_clients: 100_000,
            server_rate: flows as f64 / 1.5 / 86_400.0,
            ..day
        };
    }
    // At 0.3 visits a second and a fifth of the day a client gives 5,184 flows.
    let clients = u32::try_from(flows / 5184).unwrap_or(u32::MAX);
    RulesScenario {
        clients,
        sites: 2000,
        ..day
    }
}

fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(10);
    let Ok(miner) = Miner::new(Parameters::default()) else {
        return;
    };
    for (name, busy) in [("network", false), ("busy-server", true)] {
        for size in sizes(&[100_000, 300_000, 1_000_000]) {
            let Ok(trace) = RulesTrace::new(&scenario(busy, size), 1) else {
                continue;
            };
            let flows: Vec<Flow> = trace.collect();
            group.throughput(Throughput::Elements(flows.len() as u64));
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| {
                    let mut activity = miner.activity();
                    for flow in &flows {
                        activity.push(flow);
                    }
                    activity.finish().map(|activity| miner.mine(&activity))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, rules);
criterion_main!(benches);
