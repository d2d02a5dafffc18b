//! Canonical flows to the table of 44 metrics, timed as the peers beside this file are: from the
//! file, and from flows in memory, without writing. Beside it the same from the file with
//! its digest; the file alone, all its columns through Arrow's reader and into flows; the way
//! from the file to findings; and a whole analysis.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Parser;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::{FileReader, SerializedFileReader};
use peerscope::Pipeline;
use peerscope_benches::process::{cpu_seconds, peak_rss};
use peerscope_correlate::{CorrelateConfig, Rules, correlate};
use peerscope_findings::{Detectors, FindingsConfig, FlowLog, Scene};
use peerscope_flow::{Family, Flow, SlotLength, Topology, Transport};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_read::{ParquetFile, Policy, ReadError, ReadOptions, ReadReport, Source};
use peerscope_slot::{Aggregation, Aggregator, ParallelAggregator, SpillingAggregator, aggregate};
use rayon::prelude::*;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Time our own way from flows to metrics.
#[derive(Parser)]
struct Arguments {
    /// Canonical flows, CSV or Parquet.
    input: PathBuf,
    #[arg(long)]
    topology: PathBuf,
    #[arg(long, default_value = "emule")]
    family: String,
    #[arg(long, default_value = "300")]
    slot: SlotLength,
    /// Samples CSV.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where timings go.
    #[arg(long)]
    time_json: Option<PathBuf>,
    #[arg(long, default_value = "1")]
    repeat: usize,
    #[arg(long, default_value = "0")]
    threads: usize,
    /// Only `arrow`, `pages`, `flows`, `file`, `source`, `findings`, `analysis`, `walk` or `memory`.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(arguments.threads)
        .build()?;
    pool.install(|| measure(&arguments))
}

fn measure(arguments: &Arguments) -> Result<(), Error> {
    let topology: Topology = serde_json::from_reader(File::open(&arguments.topology)?)?;
    let family = Family::built_in()
        .into_iter()
        .find(|family| family.name() == arguments.family);
    let family = family.ok_or("no such family")?;
    let config = Aggregation::new(family, topology).with_slot_length(arguments.slot);
    let wants = |variant: &str| arguments.only.as_deref().is_none_or(|only| only == variant);
    let mut seconds_of = serde_json::Map::new();
    let mut table = None;
    if wants("arrow") {
        let mut rows = Err("not read".into());
        let seconds = timed(arguments.repeat, || rows = arrow(&arguments.input));
        println!("{} rows through Arrow's reader", rows?);
        seconds_of.insert("arrow".into(), serde_json::json!(seconds));
    }
    if wants("pages") {
        let mut bytes = Err("not read".into());
        let seconds = timed(arguments.repeat, || bytes = pages(&arguments.input));
        println!("{} bytes of pages", bytes?);
        seconds_of.insert("pages".into(), serde_json::json!(seconds));
    }
    if wants("flows") {
        let mut flows = Err("not read".into());
        let seconds = timed(arguments.repeat, || flows = flows_alone(&arguments.input));
        println!("{} flows", flows?);
        seconds_of.insert("flows".into(), serde_json::json!(seconds));
    }
    for (variant, read) in [("file", read_file as Read), ("source", read_source)] {
        if wants(variant) {
            let mut made = Err("not read".into());
            let seconds = timed(arguments.repeat, || {
                made = from_file(&arguments.input, &config, read);
            });
            table = Some(made?);
            seconds_of.insert(variant.into(), serde_json::json!(seconds));
        }
    }
    for (variant, way) in [("findings", findings as Way), ("analysis", analysis)] {
        if wants(variant) {
            let mut found = Err("not read".into());
            let seconds = timed(arguments.repeat, || found = way(arguments, &config));
            println!("{} findings", found?);
            seconds_of.insert(variant.into(), serde_json::json!(seconds));
        }
    }
    let mut input_rss = None;
    let mut flows: Vec<Flow> = Vec::new();
    if wants("walk") || wants("memory") {
        let reader = Source::open(&arguments.input, &ReadOptions::new())?.into_flows()?;
        flows = reader.collect::<Result<_, _>>()?;
        input_rss = peak_rss();
    }
    if wants("walk") {
        let mut seen = (0, 0);
        let seconds = timed(arguments.repeat, || seen = walk(&flows));
        println!("{} UDP flows, {} bytes forward", seen.0, seen.1);
        seconds_of.insert("walk".into(), serde_json::json!(seconds));
    }
    if wants("memory") {
        let seconds = timed(arguments.repeat, || {
            let host_slots = aggregate(&flows, &config);
            table = Some(SampleTable::new(
                &host_slots,
                config.family(),
                &MetricSet::paper(),
            ));
        });
        seconds_of.insert("memory".into(), serde_json::json!(seconds));
    }
    for (variant, seconds) in &seconds_of {
        println!("{variant}: [wall, CPU] seconds {seconds}");
    }
    let samples = table.as_ref().map_or(0, SampleTable::len);
    println!("{samples} samples, peak RSS {:?} bytes", peak_rss());
    if let Some(path) = &arguments.time_json {
        let facts = serde_json::json!({
            "samples": samples,
            "wall_and_cpu_s": seconds_of,
            "rss_with_input_bytes": input_rss,
            "peak_rss_bytes": peak_rss(),
        });
        serde_json::to_writer_pretty(File::create(path)?, &facts)?;
    }
    if let (Some(path), Some(table)) = (&arguments.out, &table) {
        table.write_csv(BufWriter::new(File::create(path)?))?;
    }
    Ok(())
}

/// Decodes all columns, each thread a row group at a time, as a reader would who wants Arrow's
/// arrays: the number of rows.
fn arrow(path: &Path) -> Result<usize, Error> {
    let metadata = ArrowReaderMetadata::load(&File::open(path)?, ArrowReaderOptions::new())?;
    let rows_of = |group: usize| -> Result<usize, Error> {
        let file = File::open(path)?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
            .with_row_groups(vec![group])
            .build()?
            .map(|batch| Ok(batch?.num_rows()))
            .sum()
    };
    let groups = 0..metadata.metadata().num_row_groups();
    groups.into_par_iter().map(rows_of).sum()
}

/// Reads and decompresses all pages and decodes nothing, each thread a row group at a time: their bytes.
fn pages(path: &Path) -> Result<usize, Error> {
    let groups = SerializedFileReader::new(File::open(path)?)?.num_row_groups();
    let bytes_of = |group: usize| -> Result<usize, Error> {
        let file = SerializedFileReader::new(File::open(path)?)?;
        let group = file.get_row_group(group)?;
        let mut bytes = 0;
        for column in 0..group.num_columns() {
            for page in group.get_column_page_reader(column)? {
                bytes += page?.buffer().len();
            }
        }
        Ok(bytes)
    };
    (0..groups).into_par_iter().map(bytes_of).sum()
}

/// Reads all flows from memory on all threads, and does next to nothing with them: the number of UDP flows and the
/// bytes forward, for which each flow's two cache lines have to be there.
fn walk(flows: &[Flow]) -> (usize, u64) {
    let of_chunk = |chunk: &[Flow]| {
        let is_udp = |flow: &&Flow| flow.transport == Transport::Udp;
        let bytes = chunk.iter().map(|flow| flow.fwd.bytes);
        (
            chunk.iter().filter(is_udp).count(),
            bytes.fold(0, u64::wrapping_add),
        )
    };
    // Chunks that stay in the cache.
    let chunks = flows.par_chunks(512).map(of_chunk);
    chunks.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1.wrapping_add(b.1)))
}

/// Reads the file into flows on all threads: their number.
fn flows_alone(path: &Path) -> Result<usize, Error> {
    let mut counts = vec![0; rayon::current_num_threads()];
    let report =
        ParquetFile::open(path)?.share_out(&mut counts, |count, flows| *count += flows.len());
    report
        .ended_by
        .map_or(Ok(counts.iter().sum()), |error| Err(error.into()))
}

/// A way from a file into aggregators.
type Read = fn(&Path, &mut [Aggregator<'_>]) -> Result<ReadReport, ReadError>;

/// What is known to be Parquet.
fn read_file(path: &Path, parts: &mut [Aggregator<'_>]) -> Result<ReadReport, ReadError> {
    Ok(ParquetFile::open(path)?.share_out(parts, Aggregator::add))
}

/// Whatever it is, with its digest.
fn read_source(path: &Path, parts: &mut [Aggregator<'_>]) -> Result<ReadReport, ReadError> {
    let options = ReadOptions::new().with_policy(Policy::Skip);
    Source::open(path, &options)?.share_out(parts, Aggregator::add)
}

fn from_file(path: &Path, config: &Aggregation, read: Read) -> Result<SampleTable, Error> {
    let mut aggregator = ParallelAggregator::new(config);
    let report = read(path, aggregator.parts_mut())?;
    if report.flows != report.records || report.ended_by.is_some() {
        return Err(format!("not all could be read: {report:?}").into());
    }
    Ok(SampleTable::new(
        &aggregator.finish(),
        config.family(),
        &MetricSet::paper(),
    ))
}

/// A way from the file to findings: their number.
type Way = fn(&Arguments, &Aggregation) -> Result<usize, Error>;

/// Samples, clusters and what is interesting of them, and findings.
fn findings(arguments: &Arguments, config: &Aggregation) -> Result<usize, Error> {
    let mut aggregator = SpillingAggregator::new(config, usize::MAX, || {
        Err(std::io::Error::other("memory is not bounded"))
    });
    let parts = aggregator.parts_mut().iter_mut();
    let mut parts: Vec<_> = parts.map(|part| (part, FlowLog::new(config))).collect();
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let source = Source::open(&arguments.input, &options)?;
    source.share_out(&mut parts, |(part, log), flows| {
        let mut scopes = Vec::with_capacity(flows.len());
        part.add_and_scope(flows, &mut scopes);
        let scoped = flows.iter().zip(scopes);
        log.add_within(scoped.filter_map(|(flow, scope)| Some((flow, scope?))));
    })?;
    let mut log = FlowLog::new(config);
    for (_, part) in parts {
        log.merge(part);
    }
    let family = config.family();
    let table = SampleTable::new(&aggregator.finish()?, family, &MetricSet::paper());
    let settings = CorrelateConfig::default();
    let correlation = correlate(&table, family.name(), &Rules::built_in(), &settings)?;
    let detectors = Detectors::built_in(&FindingsConfig::default());
    let found = detectors.run(&Scene::new(log, &table, &correlation));
    Ok(found.active.len())
}

/// All that an analysis does: overview, stability, changes and proposals too.
fn analysis(arguments: &Arguments, config: &Aggregation) -> Result<usize, Error> {
    let pipeline = Pipeline::new(config.family().clone(), config.topology().clone())
        .with_aggregation(config.clone())
        .with_findings(Detectors::built_in(&FindingsConfig::default()));
    let mut session = pipeline.session();
    session.add_file(&arguments.input)?;
    Ok(session.finish()?.findings.active.len())
}

/// Wall and CPU seconds of each run.
fn timed(repeat: usize, mut job: impl FnMut()) -> Vec<[f64; 2]> {
    let run = |_| {
        #[expect(clippy::disallowed_methods, reason = "a measurement")]
        let begin = (std::time::Instant::now(), cpu_seconds());
        job();
        [begin.0.elapsed().as_secs_f64(), cpu_seconds() - begin.1]
    };
    (0..repeat).map(run).collect()
}
