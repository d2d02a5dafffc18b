//! Text in memory to flows: canonical CSV, and Zeek's conn.log of the same flows.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peerscope_benches::{Trace, sizes, zeek_log};
use peerscope_flow::Flow;
use peerscope_read::{CsvReader, CsvWriter, ReadError, ReadOptions, ZeekReader};

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    group.sample_size(10);
    let options = ReadOptions::new();
    for size in sizes(&[100_000, 1_000_000]) {
        let flows = Trace::new(size, 614, 7).generate();
        let (csv, zeek) = (csv(&flows), zeek_log(&flows));
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("csv", size), |bencher| {
            bencher.iter(|| count(CsvReader::new("csv", &csv[..], &options)));
        });
        group.bench_function(BenchmarkId::new("zeek", size), |bencher| {
            bencher.iter(|| count(ZeekReader::new("zeek", zeek.as_bytes(), &options)));
        });
    }
    group.finish();
}

fn count(flows: impl Iterator<Item = Result<Flow, ReadError>>) -> usize {
    flows.flatten().count()
}

fn csv(flows: &[Flow]) -> Vec<u8> {
    let written = || {
        let mut writer = CsvWriter::new(Vec::new())?;
        flows.iter().try_for_each(|flow| writer.write(flow))?;
        writer.finish()
    };
    // A vector takes everything, and the flows are canonical.
    written().unwrap_or_default()
}

criterion_group!(benches, reading);
criterion_main!(benches);
