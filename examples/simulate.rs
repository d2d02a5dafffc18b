//! A simulated network with planted behaviour: flows, topology and the truth about them.
//!
//! `cargo run --release --example simulate -- --scenario minipop-2008 --flows 1000000 --seed 1 --out out`

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use peerscope::flow::Flow;
use peerscope::read::{CsvWriter, ParquetOptions, ParquetWriter};
use peerscope::simulate::{CauseWriter, RulesScenario, RulesTrace, Scenario, Simulation};
use peerscope_examples::{AnyError, about, run};

/// Simulate a provider's network with planted behaviour.
#[derive(Parser)]
struct Arguments {
    /// minipop-2008, quiet, bittorrent-week, dcpp-week or tiny; rules or rules-quiet, a trace with
    /// communication rules; or a TOML file, of rules if it has a table [rules].
    #[arg(long, default_value = "minipop-2008")]
    scenario: String,
    /// About how many flows; what is planted keeps its share of them. Default: the scenario's. Not
    /// for rules, where the scenario's rates say it.
    #[arg(long)]
    flows: Option<u64>,
    /// Seed of everything random.
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Write flows.parquet instead of flows.csv.
    #[arg(long)]
    parquet: bool,
    /// Directory for the flows, `topology.json`, `truth.json` and `truth_flows.csv`; of rules the
    /// flows and `truth.json`.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    run(|| simulate(&Arguments::parse()))
}

fn simulate(arguments: &Arguments) -> Result<ExitCode, AnyError> {
    let out = &arguments.out;
    match scenario(&arguments.scenario)? {
        Kind::Network(scenario) => network(arguments, *scenario)?,
        Kind::Rules(_) if arguments.flows.is_some() => {
            return Err(
                "--flows is not for rules: the scenario's rates and hours say how many".into(),
            );
        }
        Kind::Rules(scenario) => {
            let mut trace = RulesTrace::new(&scenario, arguments.seed)?;
            fs::create_dir_all(out).map_err(|error| about(out, error))?;
            let count = write_flows(arguments, &mut trace, |flow| flow, |_| Ok(()))?;
            let truth = trace.truth();
            serde_json::to_writer_pretty(create(&out.join("truth.json"))?, &truth)?;
            println!(
                "{count} flows, {} planted shapes, in {}",
                truth.shapes.len(),
                out.display()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn network(arguments: &Arguments, mut scenario: Scenario) -> Result<(), AnyError> {
    if let Some(flows) = arguments.flows {
        scenario = scenario.with_flows(flows)?;
    }
    let mut simulation = Simulation::new(&scenario, arguments.seed)?;
    let out = &arguments.out;
    fs::create_dir_all(out).map_err(|error| about(out, error))?;

    let mut causes = CauseWriter::new(create(&out.join("truth_flows.csv"))?)?;
    let count = write_flows(
        arguments,
        &mut simulation,
        |simulated| &simulated.flow,
        |simulated| Ok(causes.write(simulated.cause)?),
    )?;
    causes.finish()?;
    let truth = simulation.truth();
    serde_json::to_writer_pretty(create(&out.join("topology.json"))?, &simulation.topology())?;
    serde_json::to_writer_pretty(create(&out.join("truth.json"))?, &truth)?;
    println!(
        "{count} flows, {} planted behaviours, in {}",
        truth.planted.len(),
        out.display()
    );
    Ok(())
}

/// Writes the flows, shows each to `also`, and counts them.
fn write_flows<T>(
    arguments: &Arguments,
    flows: impl Iterator<Item = T>,
    flow_of: fn(&T) -> &Flow,
    mut also: impl FnMut(&T) -> Result<(), AnyError>,
) -> Result<u64, AnyError> {
    let mut count = 0;
    if arguments.parquet {
        let file = create(&arguments.out.join("flows.parquet"))?;
        let mut writer = ParquetWriter::new(file, &ParquetOptions::default())?;
        for flow in flows {
            writer.write(flow_of(&flow))?;
            also(&flow)?;
            count += 1;
        }
        writer.finish()?;
    } else {
        let mut writer = CsvWriter::new(create(&arguments.out.join("flows.csv"))?)?;
        for flow in flows {
            writer.write(flow_of(&flow))?;
            also(&flow)?;
            count += 1;
        }
        writer.finish()?;
    }
    Ok(count)
}

fn create(path: &Path) -> Result<BufWriter<File>, AnyError> {
    File::create(path)
        .map(BufWriter::new)
        .map_err(|error| about(path, error))
}

enum Kind {
    Network(Box<Scenario>),
    Rules(RulesScenario),
}

/// A preset by its name, else a file.
fn scenario(name: &str) -> Result<Kind, AnyError> {
    if RulesScenario::PRESETS.contains(&name) {
        return Ok(Kind::Rules(RulesScenario::preset(name)?));
    }
    let path = Path::new(name);
    if Scenario::PRESETS.contains(&name) || !path.exists() {
        return Ok(Kind::Network(Box::new(Scenario::preset(name)?)));
    }
    let text = fs::read_to_string(path).map_err(|error| about(path, error))?;
    let scenario = if text.lines().any(|line| line.trim() == "[rules]") {
        RulesScenario::from_toml(&text).map(Kind::Rules)
    } else {
        Scenario::from_toml(&text).map(|scenario| Kind::Network(Box::new(scenario)))
    };
    scenario.map_err(|error| about(path, error))
}
