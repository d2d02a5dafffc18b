//! The main job: captures or flow logs to samples, clusters, interesting regions and what
//! correlates.
//!
//! `cargo run --release --example analyze -- trace.pcap --topology topology.json --out out`

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use peerscope::findings::{Detectors, Findings, FindingsConfig, Scene};
use peerscope::prelude::*;
use peerscope::read::Format;
use peerscope::report::Report;
use peerscope::{Analysis, SourceReport};
use peerscope_examples::{
    AnyError, about, parse_hosts, parse_seconds, parse_time, run, say, topology,
};

#[path = "shared/tables.rs"]
mod tables;

/// Find what stands out among the hosts of a network.
#[derive(Parser)]
struct Arguments {
    /// Captures, flow logs or folders of Tstat, read as one source in order of time; also .gz, .zst
    /// or .xz; - is the standard input.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Monitored and provider prefixes as JSON. Without it every address is monitored.
    #[arg(long)]
    topology: Option<PathBuf>,
    /// Whose traffic: emule, bittorrent, dcpp, any, or a TOML file that defines a family.
    #[arg(long, default_value = "emule")]
    family: String,
    /// Length of a time slot in seconds.
    #[arg(long, default_value = "300")]
    slot: SlotLength,
    /// Format of the inputs: auto (by content), csv, parquet, zeek, tstat, nfdump, argus, suricata,
    /// netflow or pcap.
    #[arg(long, default_value = "auto")]
    format: Format,
    /// Leave out flows that start before: RFC 3339, or seconds since the epoch.
    #[arg(long, value_parser = parse_time)]
    from: Option<Timestamp>,
    /// Leave out flows that start at this time or later.
    #[arg(long, value_parser = parse_time)]
    to: Option<Timestamp>,
    /// Only these monitored hosts (address or CIDR; may be repeated).
    #[arg(long, value_parser = parse_hosts)]
    host: Vec<peerscope::flow::IpNet>,
    /// Captures: seconds without packets after which a flow ends.
    #[arg(long, default_value = "600", value_parser = parse_seconds)]
    idle_timeout: Duration,
    /// Rules (TOML or JSON) beside the built-in ones.
    #[arg(long)]
    rules: Option<PathBuf>,
    /// Threads; the result does not depend on them.
    #[arg(long)]
    threads: Option<std::num::NonZeroUsize>,
    /// Thresholds of findings and what is known to be harmless (TOML).
    #[arg(long)]
    findings: Option<PathBuf>,
    /// Also writes report.html, a page to read and to send, and the folder report-data beside it.
    #[arg(long)]
    report: bool,
    /// Directory for samples.csv, analysis.json, findings.json, evidence.json, and
    /// finding-flows.csv and finding-peers.csv with all that is behind the findings.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    run(|| {
        let arguments = Arguments::parse();
        let threads = arguments.threads.map_or(0, usize::from);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()?;
        pool.install(|| analyze(&arguments))
    })
}

fn analyze(arguments: &Arguments) -> Result<ExitCode, AnyError> {
    let pipeline = pipeline(arguments)?;
    fs::create_dir_all(&arguments.out).map_err(|error| about(&arguments.out, error))?;

    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}")?);
    progress.enable_steady_tick(Duration::from_millis(100));
    let mut session = pipeline.session();
    progress.set_message("reading");
    session.add_files(&arguments.inputs)?;
    progress.set_message("clustering and correlating");
    let mut sheets = Ok(Vec::new());
    let analysis = session.finish_with(|scene, findings| {
        sheets = behind(&arguments.out, scene, findings);
    })?;
    let sheets = sheets?;
    progress.finish_and_clear();

    let samples = arguments.out.join("samples.csv");
    analysis
        .table
        .write_csv(create(&samples)?)
        .map_err(|error| about(&samples, error))?;
    let json = arguments.out.join("analysis.json");
    serde_json::to_writer_pretty(create(&json)?, &analysis).map_err(|error| about(&json, error))?;
    let found = arguments.out.join("findings.json");
    serde_json::to_writer_pretty(create(&found)?, &analysis.findings.active)
        .map_err(|error| about(&found, error))?;
    let evidence = arguments.out.join("evidence.json");
    serde_json::to_writer(create(&evidence)?, &analysis.findings.evidence)
        .map_err(|error| about(&evidence, error))?;
    let page = arguments.out.join("report.html");
    if arguments.report {
        Report::open(&arguments.out)?.page().write(&page)?;
    }

    say(&tables::all(&analysis));
    let mut written = vec![samples, json, found, evidence];
    written.extend(sheets);
    written.extend(arguments.report.then_some(page));
    let written: Vec<String> = written
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    say(&format!("\nWritten: {}\n", written.join(", ")));
    Ok(faults(&analysis))
}

/// All flows and peers behind the findings, which the analysis does not keep.
fn behind(out: &Path, scene: &Scene<'_>, findings: &Findings) -> Result<Vec<PathBuf>, AnyError> {
    let [flows, peers] = ["finding-flows.csv", "finding-peers.csv"].map(|name| out.join(name));
    let mut file = create(&flows)?;
    let written = findings.write_flows(scene, &mut file);
    written
        .and_then(|()| file.flush())
        .map_err(|error| about(&flows, error))?;
    let mut file = create(&peers)?;
    let written = findings.write_peers(scene, &mut file);
    written
        .and_then(|()| file.flush())
        .map_err(|error| about(&peers, error))?;
    Ok(vec![flows, peers])
}

fn create(path: &Path) -> Result<BufWriter<File>, AnyError> {
    File::create(path)
        .map(BufWriter::new)
        .map_err(|error| about(path, error))
}

/// Exit status 2 tells that a source ended in a fault: the results cover what was read before.
fn faults(analysis: &Analysis) -> ExitCode {
    let report = &analysis.input.report;
    for fault in report.faults() {
        eprintln!("error: {fault}; the results cover what was read before");
    }
    for source in &report.sources {
        if let SourceReport::Log(log) = source
            && log.skipped_records() > 0
        {
            eprintln!(
                "warning: {}: {} records skipped",
                log.name,
                log.skipped_records()
            );
            log.first_errors
                .iter()
                .for_each(|error| eprintln!("  {error}"));
        }
    }
    if report.faults().next().is_some() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

fn pipeline(arguments: &Arguments) -> Result<Pipeline, AnyError> {
    let family = family(&arguments.family)?;
    let topology = match &arguments.topology {
        Some(path) => topology(path, |text| serde_json::from_str(text))?,
        None => Topology::everything_monitored(),
    };
    let mut aggregation = Aggregation::new(family.clone(), topology.clone())
        .with_slot_length(arguments.slot)
        .with_from(arguments.from.unwrap_or(Timestamp::MIN))
        .with_to(arguments.to.unwrap_or(Timestamp::MAX));
    if !arguments.host.is_empty() {
        aggregation = aggregation.with_hosts(arguments.host.iter().copied());
    }
    let read = ReadOptions::new()
        .with_format(arguments.format)
        .with_policy(Policy::Skip);
    let meter = MeterConfig::new().with_idle_timeout(arguments.idle_timeout);
    Ok(Pipeline::new(family, topology)
        .with_aggregation(aggregation)
        .with_read(read)
        .with_meter(meter)
        .with_rules(rules(arguments.rules.as_deref())?)
        .with_findings(detectors(arguments.findings.as_deref())?))
}

fn detectors(path: Option<&Path>) -> Result<Detectors, AnyError> {
    let Some(path) = path else {
        return Ok(Detectors::built_in(&FindingsConfig::default()));
    };
    let text = fs::read_to_string(path).map_err(|error| about(path, error))?;
    let config: FindingsConfig = toml::from_str(&text).map_err(|error| about(path, error))?;
    Ok(Detectors::built_in(&config))
}

fn family(name: &str) -> Result<Family, AnyError> {
    if let Some(family) = Family::built_in()
        .into_iter()
        .find(|family| family.name() == name)
    {
        return Ok(family);
    }
    let path = Path::new(name);
    if !path.exists() {
        let known = "emule, bittorrent, dcpp, any";
        return Err(format!("{name:?} is neither a family ({known}) nor a file").into());
    }
    let text = fs::read_to_string(path).map_err(|error| about(path, error))?;
    toml::from_str(&text).map_err(|error| about(path, error))
}

fn rules(path: Option<&Path>) -> Result<Rules, AnyError> {
    let Some(path) = path else {
        return Ok(Rules::built_in());
    };
    let text = fs::read_to_string(path).map_err(|error| about(path, error))?;
    let known: Vec<String> = MetricSet::paper().names().collect();
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    let own = if is_json {
        Rules::from_json(&text, &known)
    } else {
        Rules::from_toml(&text, &known)
    };
    Ok(Rules::built_in().extended(own.map_err(|error| about(path, error))?))
}
