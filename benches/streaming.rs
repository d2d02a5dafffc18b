//! Flows that need not fit into memory to host slots: as a stream in order, and in any order or from a file with
//! what does not fit written to files; beside the same flows as one batch. Times, counts and peak memory.
//!
//! `cargo run --release -p peerscope-benches --example streaming -- stream --flows 100000000`

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use peerscope_benches::Trace;
use peerscope_benches::process::{cpu_seconds, peak_rss};
use peerscope_flow::{Family, Flow, Watermark};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_read::{ParquetFile, ParquetOptions, ParquetWriter};
use peerscope_slot::{
    Aggregation, HostSlots, SpillingAggregator, SpillingPart, StreamingAggregator, aggregate,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Time flows to samples, without making the flows.
#[derive(Parser)]
struct Arguments {
    way: Way,
    #[arg(long, default_value = "10000000")]
    flows: usize,
    #[arg(long, default_value = "614")]
    hosts: u32,
    #[arg(long, default_value = "2")]
    threads: usize,
    /// Memory for the flows themselves, MiB, where these are spilled.
    #[arg(long, default_value = "512")]
    memory: usize,
    /// Canonical Parquet, that `write` writes and `file` reads.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Flows made at a time.
    #[arg(long, default_value = "1048576")]
    batch: usize,
}

impl Arguments {
    fn file(&self) -> Result<&Path, Error> {
        Ok(self.file.as_deref().ok_or("--file is missing")?)
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Way {
    /// All flows in memory, as one batch.
    Batch,
    /// In order; samples are counted and forgotten.
    Stream,
    /// In no order at all, spilled.
    Spill,
    /// Writes the flows to a file, in order.
    Write,
    /// From that file, spilled.
    File,
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(arguments.threads)
        .build()?;
    pool.install(|| measure(&arguments))
}

fn measure(arguments: &Arguments) -> Result<(), Error> {
    let config = Aggregation::new(Family::emule(), Trace::topology());
    let samples = |host_slots: &HostSlots| {
        SampleTable::new(host_slots, config.family(), &MetricSet::paper()).len()
    };
    let trace = Trace::new(arguments.flows, arguments.hosts, 1);
    let mut watch = Watch::default();
    let mut count = 0;
    let last = match arguments.way {
        Way::Batch => {
            let flows = trace.generate();
            watch.time(|| {
                let all = aggregate(&flows, &config);
                count += samples(&all);
                all
            })
        }
        Way::Stream => {
            let mut stream = StreamingAggregator::new(&config, Watermark::new(0));
            each_batch(trace.iter(), arguments.batch, |flows| {
                count += watch.time(|| samples(&stream.push(flows)));
            });
            watch.time(|| {
                let rest = stream.finish();
                count += samples(&rest);
                rest
            })
        }
        Way::Write => return write(trace.iter(), arguments.file()?),
        Way::Spill | Way::File => {
            let memory = arguments.memory << 20;
            let mut spilling = SpillingAggregator::new(&config, memory, tempfile::tempfile);
            if let Way::File = arguments.way {
                let file = arguments.file()?;
                watch.time(|| read(file, spilling.parts_mut()))?;
            } else {
                each_batch(trace.scattered(), arguments.batch, |flows| {
                    watch.time(|| spilling.add(flows));
                });
            }
            println!("{} MiB spilled", spilling.spilled() >> 20);
            watch.time(|| {
                let all = spilling.finish()?;
                count += samples(&all);
                Ok::<_, Error>(all)
            })?
        }
    };
    let per_flow = |seconds: f64| seconds * 1e9 / last.flows() as f64;
    println!(
        "{} flows, {} late, {count} samples: {:.2} s wall, {:.2} s CPU ({:.0} and {:.0} ns a flow), peak {} MiB",
        last.flows(),
        last.skipped().late,
        watch.wall,
        watch.cpu,
        per_flow(watch.wall),
        per_flow(watch.cpu),
        peak_rss().unwrap_or(0) >> 20,
    );
    Ok(())
}

/// All flows of a file, on all threads.
fn read(path: &Path, parts: &mut [SpillingPart<'_>]) -> Result<(), Error> {
    let report = ParquetFile::open(path)?.share_out(parts, SpillingPart::add);
    if report.flows != report.records || report.ended_by.is_some() {
        return Err(format!("not all could be read: {report:?}").into());
    }
    Ok(())
}

fn write(trace: impl Iterator<Item = Flow>, path: &Path) -> Result<(), Error> {
    let mut writer = ParquetWriter::new(File::create(path)?, &ParquetOptions::default())?;
    for flow in trace {
        writer.write(&flow)?;
    }
    writer.finish()?;
    Ok(())
}

/// Hands the flows of a trace on, so many at a time.
fn each_batch(trace: impl Iterator<Item = Flow>, size: usize, mut use_them: impl FnMut(&[Flow])) {
    let mut batch = Vec::with_capacity(size);
    for flow in trace {
        batch.push(flow);
        if batch.len() == size {
            use_them(&batch);
            batch.clear();
        }
    }
    use_them(&batch);
}

/// Seconds of some jobs together.
#[derive(Default)]
struct Watch {
    wall: f64,
    cpu: f64,
}

impl Watch {
    fn time<T>(&mut self, job: impl FnOnce() -> T) -> T {
        #[expect(clippy::disallowed_methods, reason = "a measurement")]
        let begin = (Instant::now(), cpu_seconds());
        let result = job();
        self.wall += begin.0.elapsed().as_secs_f64();
        self.cpu += cpu_seconds() - begin.1;
        result
    }
}
