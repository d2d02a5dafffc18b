//! Any input to canonical CSV or Parquet; on demand with split flows made whole, and with
//! addresses replaced so that the flows can be shared.
//!
//! `cargo run --release --example convert -- conn.log.gz --out flows.parquet --remerge 600`

use std::fs::File;
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use peerscope::SourceReport;
use peerscope::meter::MeterConfig;
use peerscope::prelude::*;
use peerscope::read::{
    Anonymiser, AnonymiserKey, CsvWriter, Format, Merging, ParquetOptions, ParquetWriter, Remerge,
    WriteError,
};
use peerscope::{InputError, InputReport};
use peerscope_examples::{AnyError, about, parse_seconds, run, topology};

/// Convert captures and flow logs of any known format.
#[derive(Parser)]
struct Arguments {
    /// Captures, flow logs or folders of Tstat, read as one source in order of time; also .gz, .zst
    /// or .xz; - is the standard input.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Where to write the flows: .csv or .parquet.
    #[arg(long)]
    out: PathBuf,
    /// Format of the inputs: auto (by content), csv, parquet, zeek, tstat, nfdump, argus, suricata,
    /// netflow or pcap.
    #[arg(long, default_value = "auto")]
    format: Format,
    /// Join flows of one 5-tuple that are at most so many seconds apart.
    #[arg(long, value_parser = parse_seconds)]
    remerge: Option<Duration>,
    /// Captures: seconds without packets after which a flow ends.
    #[arg(long, default_value = "600", value_parser = parse_seconds)]
    idle_timeout: Duration,
    /// Replace addresses by a secret key: a file of 32 bytes, or of 64 hexadecimal digits.
    #[arg(long)]
    anonymise_key: Option<PathBuf>,
    /// A topology to be anonymised with the same key, so that zones stay as they are.
    #[arg(long, requires = "anonymise_key", requires = "topology_out")]
    topology: Option<PathBuf>,
    /// Where to write it.
    #[arg(long, requires = "topology")]
    topology_out: Option<PathBuf>,
}

fn main() -> ExitCode {
    run(|| convert(&Arguments::parse()))
}

fn convert(arguments: &Arguments) -> Result<ExitCode, AnyError> {
    let key = arguments.anonymise_key.as_deref().map(key).transpose()?;
    let anonymiser = key.map(|key| Anonymiser::new(&key).with_groups_kept());
    if let (Some(anonymiser), Some(from), Some(to)) =
        (&anonymiser, &arguments.topology, &arguments.topology_out)
    {
        let replaced = anonymiser.topology(&topology(from, |text| serde_json::from_str(text))?);
        let file = File::create(to).map_err(|error| about(to, error))?;
        serde_json::to_writer_pretty(file, &replaced).map_err(|error| about(to, error))?;
    }

    // Written beside, so that a failure leaves no half a file under the name asked for.
    let mut part = arguments.out.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut writer = Writer::create(&arguments.out, &part)?;

    // Inputs are read on a thread of their own; a few batches wait at most.
    let (sender, receiver) = sync_channel::<Vec<Flow>>(4);
    let result = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            read(arguments, |batch| {
                // Nobody takes them only after an error in writing, which is told below.
                drop(sender.send(batch.to_vec()));
            })
        });
        let flows = receiver.into_iter().flatten().map(Ok::<_, WriteError>);
        let written = match arguments.remerge {
            Some(gap) => {
                let micros = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
                let merging = Merging::new().with_gap(micros);
                write_all(
                    &mut writer,
                    Remerge::new(flows, merging),
                    anonymiser.as_ref(),
                )
            }
            None => write_all(&mut writer, flows, anonymiser.as_ref()),
        };
        let report = reading.join().map_err(|_| "reading failed")??;
        Ok::<_, AnyError>((written.map_err(|error| about(&part, error))?, report))
    });
    let finished = result.and_then(|(written, report)| {
        writer.finish().map_err(|error| about(&part, error))?;
        std::fs::rename(&part, &arguments.out).map_err(|error| about(&arguments.out, error))?;
        Ok((written, report))
    });
    let (written, report) = finished.inspect_err(|_| drop(std::fs::remove_file(&part)))?;
    println!("{written} flows written: {}", arguments.out.display());
    Ok(account(&report))
}

/// Reads all inputs and hands on their flows.
fn read(arguments: &Arguments, mut sink: impl FnMut(&[Flow])) -> Result<InputReport, InputError> {
    let progress = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} flows read {elapsed}") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(100));
    let options = ReadOptions::new()
        .with_format(arguments.format)
        .with_policy(Policy::Skip);
    let meter = MeterConfig::new().with_idle_timeout(arguments.idle_timeout);
    let mut files = FlowFiles::new(options, meter);
    files.read_all(&arguments.inputs, |batch| {
        progress.inc(batch.len() as u64);
        sink(batch);
    })?;
    progress.finish_and_clear();
    Ok(files.finish(sink))
}

fn write_all(
    writer: &mut Writer,
    flows: impl Iterator<Item = Result<Flow, WriteError>>,
    anonymiser: Option<&Anonymiser>,
) -> Result<u64, WriteError> {
    let mut written = 0;
    for flow in flows {
        let flow = flow?;
        match anonymiser {
            Some(anonymiser) => writer.write(&anonymiser.flow(flow))?,
            None => writer.write(&flow)?,
        }
        written += 1;
    }
    Ok(written)
}

enum Writer {
    Csv(CsvWriter<BufWriter<File>>),
    Parquet(Box<ParquetWriter<BufWriter<File>>>),
}

impl Writer {
    /// A writer to `part` of the format that the name of `out` asks for.
    fn create(out: &Path, part: &Path) -> Result<Self, AnyError> {
        let extension = out.extension().and_then(|extension| extension.to_str());
        let create = || {
            File::create(part)
                .map(BufWriter::new)
                .map_err(|error| about(part, error))
        };
        match extension {
            Some("csv") => Ok(Self::Csv(CsvWriter::new(create()?)?)),
            Some("parquet") => {
                let options = ParquetOptions::new();
                let writer = ParquetWriter::new(create()?, &options)?;
                Ok(Self::Parquet(Box::new(writer)))
            }
            _ => Err(about(out, "the name must end in .csv or .parquet")),
        }
    }

    fn write(&mut self, flow: &Flow) -> Result<(), WriteError> {
        match self {
            Self::Csv(writer) => writer.write(flow),
            Self::Parquet(writer) => writer.write(flow),
        }
    }

    fn finish(self) -> Result<(), WriteError> {
        match self {
            Self::Csv(writer) => writer.finish().map(drop),
            Self::Parquet(writer) => writer.finish().map(drop),
        }
    }
}

fn key(path: &Path) -> Result<AnonymiserKey, AnyError> {
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(1024).read_to_end(&mut content))
        .map_err(|error| about(path, error))?;
    if let Ok(bytes) = <[u8; 32]>::try_from(content.as_slice()) {
        return Ok(AnonymiserKey::new(bytes));
    }
    let text = String::from_utf8_lossy(&content);
    text.parse().map_err(|error| about(path, error))
}

/// What was read and what was not. Exit status 2 tells that a source ended in a fault.
fn account(report: &InputReport) -> ExitCode {
    for source in &report.sources {
        let digest = source
            .digest()
            .map_or("-".to_owned(), |digest| digest.to_string());
        println!("  {digest}  {}", source.name());
        match source {
            SourceReport::Log(log) => {
                println!(
                    "    {}: {} records, {} flows",
                    log.format, log.records, log.flows
                );
                if let Some(feed) = &log.feed
                    && let Some(one_in) = feed.stated_sampling
                {
                    println!("    sampled, one packet in {one_in}: volumes are as exported");
                }
                if let Some(feed) = &log.feed
                    && feed.is_seen_twice()
                {
                    println!(
                        "    {} of {} flows were seen by several exporters: volumes are too high",
                        feed.repeated, feed.lasting
                    );
                }
                for (kind, count) in &log.skipped {
                    println!("    skipped {count} records: {kind}");
                }
                log.first_errors
                    .iter()
                    .for_each(|error| println!("      {error}"));
            }
            SourceReport::Capture(capture) => println!("    {} packets", capture.offered.packets),
            SourceReport::Repeat(repeat) => {
                println!("    the content of {}: not read again", repeat.of);
            }
            _ => {}
        }
    }
    let mut code = ExitCode::SUCCESS;
    for fault in report.faults() {
        eprintln!("error: {fault}; what was read before is written");
        code = ExitCode::from(2);
    }
    code
}
