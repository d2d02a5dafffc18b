//! A simulated network with planted behaviour: flows, topology and the truth about them.
//!
//! `cargo run --release --example simulate -- --scenario minipop-2008 --flows 1000000 --seed 1 --out out`

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use peerscope::read::{CsvWriter, ParquetOptions, ParquetWriter};
use peerscope::simulate::{CauseWriter, Scenario, Simulation};
use peerscope_examples::{AnyError, about, run};

/// Simulate a provider's network with planted behaviour.
#[derive(Parser)]
struct Arguments {
    /// minipop-2008, quiet, bittorrent-week, dcpp-week or tiny, or a TOML file.
    #[arg(long, default_value = "minipop-2008")]
    scenario: String,
    /// About how many flows; what is planted keeps its share of them. Default: the scenario's.
    #[arg(long)]
    flows: Option<u64>,
    /// Seed of everything random.
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Write flows.parquet instead of flows.csv.
    #[arg(long)]
    parquet: bool,
    /// Directory for the flows, `topology.json`, `truth.json` and `truth_flows.csv`.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    run(|| simulate(&Arguments::parse()))
}

fn simulate(arguments: &Arguments) -> Result<ExitCode, AnyError> {
    let mut scenario = scenario(&arguments.scenario)?;
    if let Some(flows) = arguments.flows {
        scenario = scenario.with_flows(flows)?;
    }
    let mut simulation = Simulation::new(&scenario, arguments.seed)?;
    let out = &arguments.out;
    fs::create_dir_all(out).map_err(|error| about(out, error))?;

    let mut causes = CauseWriter::new(create(&out.join("truth_flows.csv"))?)?;
    let mut count = 0_u64;
    if arguments.parquet {
        let file = create(&out.join("flows.parquet"))?;
        let mut writer = ParquetWriter::new(file, &ParquetOptions::default())?;
        for simulated in &mut simulation {
            writer.write(&simulated.flow)?;
            causes.write(simulated.cause)?;
            count += 1;
        }
        writer.finish()?;
    } else {
        let mut writer = CsvWriter::new(create(&out.join("flows.csv"))?)?;
        for simulated in &mut simulation {
            writer.write(&simulated.flow)?;
            causes.write(simulated.cause)?;
            count += 1;
        }
        writer.finish()?;
    }
    causes.finish()?;
    let truth = simulation.truth();
    serde_json::to_writer_pretty(create(&out.join("topology.json"))?, &simulation.topology())?;
    serde_json::to_writer_pretty(create(&out.join("truth.json"))?, &truth)?;
    println!(
        "{count} flows, {} planted behaviours, in {}",
        truth.planted.len(),
        out.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn create(path: &Path) -> Result<BufWriter<File>, AnyError> {
    File::create(path)
        .map(BufWriter::new)
        .map_err(|error| about(path, error))
}

/// A preset by its name, else a file.
fn scenario(name: &str) -> Result<Scenario, AnyError> {
    let path = Path::new(name);
    if Scenario::PRESETS.contains(&name) || !path.exists() {
        return Ok(Scenario::preset(name)?);
    }
    let text = fs::read_to_string(path).map_err(|error| about(path, error))?;
    Scenario::from_toml(&text).map_err(|error| about(path, error))
}
