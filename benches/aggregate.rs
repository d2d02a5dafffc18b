//! Flows in memory to the table of 44 metrics.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peerscope_benches::{Trace, sizes};
use peerscope_flow::Family;
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_slot::{Aggregation, aggregate};

fn aggregation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aggregate");
    group.sample_size(10);
    let config = Aggregation::new(Family::emule(), Trace::topology());
    for hosts in [614, 1_000_000] {
        for size in sizes(&[100_000, 1_000_000, 10_000_000]) {
            let flows = Trace::new(size, hosts, 1).generate();
            group.throughput(Throughput::Elements(size as u64));
            for threads in [1, 2] {
                let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(threads).build() else {
                    continue;
                };
                let id = BenchmarkId::new(format!("{hosts}-hosts/{threads}-threads"), size);
                group.bench_function(id, |bencher| {
                    bencher.iter(|| {
                        pool.install(|| {
                            let host_slots = aggregate(&flows, &config);
                            SampleTable::new(&host_slots, config.family(), &MetricSet::paper())
                        })
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, aggregation);
criterion_main!(benches);
