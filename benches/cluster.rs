//! One-dimensional DBSCAN beside the sort it cannot do without.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peerscope_benches::{Random, sizes};
use peerscope_cluster::{Dbscan1d, MinPoints, Radius, Scale, Search, Sensitivity, SortedValues};

fn clustering(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cluster");
    group.sample_size(10);
    for size in sizes(&[10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]) {
        let mut random = Random::new(1);
        let values: Vec<f64> = (0..size).map(|_| random.unit()).collect();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("sort-alone", size), |bencher| {
            bencher.iter(|| {
                let mut keys: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
                keys.sort_unstable();
                keys
            });
        });
        group.bench_function(BenchmarkId::new("sort-alone-as-floats", size), |bencher| {
            bencher.iter(|| {
                let mut copy = values.clone();
                copy.sort_unstable_by(f64::total_cmp);
                copy
            });
        });
        let Some(setting) = setting(size) else {
            continue;
        };
        group.bench_function(BenchmarkId::new("sort-and-cluster", size), |bencher| {
            bencher.iter(|| {
                SortedValues::new(values.iter().copied()).map(|sorted| setting.fit(&sorted))
            });
        });
        let Ok(sorted) = SortedValues::new(values.iter().copied()) else {
            continue;
        };
        group.bench_function(BenchmarkId::new("sensitivity-grid", size), |bencher| {
            bencher.iter(|| {
                Sensitivity::new(
                    &sorted,
                    Scale::Range,
                    &Sensitivity::PAPER_RADII,
                    &Sensitivity::PAPER_PERCENTS,
                )
            });
        });
        group.bench_function(BenchmarkId::new("search", size), |bencher| {
            bencher.iter(|| Search::default().run(&sorted));
        });
    }
    group.finish();
}

/// A radius of about ten neighbours, a density of five: work for every value.
fn setting(size: usize) -> Option<Dbscan1d> {
    let radius = Radius::new(5.0 / size as f64).ok()?;
    Some(Dbscan1d::new(radius, MinPoints::new(5).ok()?))
}

criterion_group!(benches, clustering);
criterion_main!(benches);
