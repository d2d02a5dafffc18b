//! Packets to flows: meters captures and writes the flows as canonical CSV.
//!
//! `cargo run --release --example meter -- trace.pcap --out flows.csv`

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use peerscope::meter::{Capture, Meter, MeterConfig};
use peerscope::read::CsvWriter;
use peerscope_examples::{AnyError, about, parse_seconds, run};

/// Meter packet captures into flows.
#[derive(Parser)]
struct Arguments {
    /// Captures (pcap or pcapng, also .gz, .zst or .xz), in order of time.
    #[arg(required = true)]
    captures: Vec<PathBuf>,
    /// Where to write the flows, by start time.
    #[arg(long)]
    out: PathBuf,
    /// Seconds without packets after which a flow ends.
    #[arg(long, default_value = "600", value_parser = parse_seconds)]
    idle_timeout: Duration,
}

fn main() -> ExitCode {
    run(|| meter(&Arguments::parse()))
}

fn meter(arguments: &Arguments) -> Result<ExitCode, AnyError> {
    let mut meter = Meter::new(MeterConfig::new().with_idle_timeout(arguments.idle_timeout));
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.captures {
        let mut capture = Capture::open(path)?;
        // What was read before a fault is not lost.
        if let Err(error) = meter.read(&mut capture) {
            eprintln!("error: {error}; the packets before are metered");
            code = ExitCode::from(2);
        }
    }
    let (mut flows, report) = meter.finish();
    flows.sort_by_key(|flow| (flow.span, flow.key()));

    let file = File::create(&arguments.out).map_err(|error| about(&arguments.out, error))?;
    let mut writer = CsvWriter::new(BufWriter::new(file))?;
    for flow in &flows {
        writer.write(flow)?;
    }
    writer.finish()?;

    println!(
        "{} packets in {} flows",
        report.metered.packets,
        flows.len()
    );
    for (reason, packets) in report.skipped.iter() {
        println!("skipped {packets} packets: {reason}");
    }
    if report.evicted > 0 {
        println!(
            "{} flows were cut short: too many at a time",
            report.evicted
        );
    }
    Ok(code)
}
