//! Into flows: text in memory (canonical CSV, and Zeek's conn.log of the same flows), and canonical
//! Parquet from a file on two threads.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peerscope_benches::{Trace, sizes, zeek_log};
use peerscope_flow::Flow;
use peerscope_read::{
    CsvReader, CsvWriter, ParquetFile, ParquetOptions, ParquetWriter, ReadError, ReadOptions,
    WriteError, ZeekReader,
};
use tempfile::NamedTempFile;

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

fn parquet(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    group.sample_size(10);
    let Ok(threads) = rayon::ThreadPoolBuilder::new().num_threads(2).build() else {
        return;
    };
    for size in sizes(&[100_000, 1_000_000, 10_000_000]) {
        let Ok(file) = parquet_file(&Trace::new(size, 614, 7).generate()) else {
            continue;
        };
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("parquet", size), |bencher| {
            bencher.iter(|| threads.install(|| shared_out(&file)));
        });
    }
    group.finish();
}

fn shared_out(file: &NamedTempFile) -> usize {
    let mut counts = [0; 2];
    if let Ok(file) = ParquetFile::open(file.path()) {
        file.share_out(&mut counts, |count, flows| *count += flows.len());
    }
    counts.iter().sum()
}

fn parquet_file(flows: &[Flow]) -> Result<NamedTempFile, WriteError> {
    let file = NamedTempFile::new()?;
    let mut writer = ParquetWriter::new(file.reopen()?, &ParquetOptions::new())?;
    flows.iter().try_for_each(|flow| writer.write(flow))?;
    writer.finish()?;
    Ok(file)
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

criterion_group!(benches, reading, parquet);
criterion_main!(benches);
