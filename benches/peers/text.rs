//! Canonical CSV and Zeek text to flows, on one thread: what `text.py` holds against `DuckDB`.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use peerscope_benches::{Trace, zeek_log};
use peerscope_read::{CsvWriter, ReadOptions, Source};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Make logs, or read one.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// flows.csv and conn.log, of the same flows.
    Generate {
        folder: PathBuf,
        #[arg(long)]
        flows: usize,
    },
    /// Prints the number of flows and of their packets.
    Read { log: PathBuf },
}

fn main() -> Result<(), Error> {
    match Arguments::parse().command {
        Command::Generate { folder, flows } => generate(&folder, flows),
        Command::Read { log } => read(&log),
    }
}

fn generate(folder: &Path, flows: usize) -> Result<(), Error> {
    let flows = Trace::new(flows, 614, 7).generate();
    let mut writer = CsvWriter::new(BufWriter::new(File::create(folder.join("flows.csv"))?))?;
    for flow in &flows {
        writer.write(flow)?;
    }
    writer.finish()?;
    Ok(std::fs::write(folder.join("conn.log"), zeek_log(&flows))?)
}

fn read(log: &Path) -> Result<(), Error> {
    let (mut flows, mut packets) = (0_u64, 0_u64);
    for flow in Source::open(log, &ReadOptions::new())?.into_flows()? {
        let flow = flow?;
        flows += 1;
        packets += flow.fwd.packets + flow.rev.packets;
    }
    println!("{flows} {packets}");
    Ok(())
}
