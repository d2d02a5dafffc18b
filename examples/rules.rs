//! Communication rules: which flows begin together more often than chance allows.
//!
//! `cargo run --release --example rules -- trace.pcap --book site.json --out rules.json`, and with
//! `--findings out/findings.json` what else happened at the hosts of an analysis' findings.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use peerscope::RuleContext;
use peerscope::findings::Finding;
use peerscope::flow::{Flow, FlowKey, Handshake, InitiatorEvidence, SlotLength, Timestamp};
use peerscope::meter::{Capture, Classifiers, Meter, MeterConfig, MeterReport};
use peerscope::read::{Format, Policy, ReadOptions, ReadReport, Source};
use peerscope::rules::{
    ActivityBuilder, Diff, Miner, Parameters, Rule, RuleBook, RuleKey, RuleSet, Strength,
};
use peerscope_examples::{AnyError, about, run};
use serde_json::{Value, json};

/// Find which flows of a network occur together.
#[derive(Parser)]
struct Arguments {
    /// Captures or flow logs, in order of time; also .gz, .zst or .xz.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Format of the inputs: auto (by content) or a format's name, such as csv, zeek or pcap.
    #[arg(long, default_value = "auto")]
    format: Format,
    /// Length of a window in seconds: what begins within one counts as together.
    #[arg(long, default_value = "1")]
    window: SlotLength,
    /// Rules known of this site: says which of those found are known, novel or changed, and which are gone.
    #[arg(long)]
    book: Option<PathBuf>,
    /// Adds the rules found to the book, which is begun if there is none.
    #[arg(long, requires = "book")]
    update_book: bool,
    /// Findings of `analyze` on the same traffic (findings.json): says which rules held at their
    /// hosts in their time.
    #[arg(long)]
    findings: Option<PathBuf>,
    /// Where to write rules, clusters and parameters as JSON.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    run(|| rules(&Arguments::parse()))
}

fn rules(arguments: &Arguments) -> Result<ExitCode, AnyError> {
    // A book that cannot be read is known before hours of mining.
    let book = match &arguments.book {
        Some(path) => Some((path, open_book(path, arguments.update_book)?)),
        None => None,
    };
    let findings = match &arguments.findings {
        Some(path) => Some(read_findings(path)?),
        None => None,
    };
    let miner = Miner::new(Parameters {
        window: arguments.window,
        ..Parameters::default()
    })?;

    let progress = ProgressBar::new(arguments.inputs.len() as u64);
    progress.set_style(ProgressStyle::with_template(
        "{spinner} {pos}/{len} {msg} {elapsed}",
    )?);
    progress.enable_steady_tick(Duration::from_millis(100));
    let mut input = Input::new(&miner);
    for path in &arguments.inputs {
        progress.set_message(path.display().to_string());
        input.read(path, arguments.format)?;
        progress.inc(1);
    }
    progress.set_message("mining");
    let (activity, account) = input.finish();
    let activity = activity.finish()?;
    let found = miner.mine(&activity);
    progress.finish_and_clear();

    let mut json = serde_json::to_value(found.report())?;
    json["source"] = account.json();
    account.print(&found);
    print!("{found}");
    if let Some((path, mut book)) = book {
        let diff = book.diff(&found.rules);
        json["book"] = diff_json(&diff, &book);
        print_diff(&diff, &book, &found.rules);
        if arguments.update_book {
            if account.faults.is_empty() {
                book.learn(&found.rules);
                save_book(path, &book)?;
            } else {
                eprintln!("warning: the book stays as it was: the input was not read to its end");
            }
        }
    }
    if let Some(findings) = findings {
        let context = RuleContext::new(&found, &activity);
        json["findings"] = findings
            .iter()
            .map(|finding| beside(finding, &context, &found))
            .collect();
    }
    let file = File::create(&arguments.out).map_err(|error| about(&arguments.out, error))?;
    serde_json::to_writer_pretty(BufWriter::new(file), &json)
        .map_err(|error| about(&arguments.out, error))?;
    println!("\nWritten: {}", arguments.out.display());
    Ok(account.exit_code())
}

/// Flow records as they are, and packets at their times.
struct Input {
    activity: ActivityBuilder,
    packets: Option<PacketTimes>,
    /// Longest silence within a stretch of packets.
    silence: Duration,
    account: Account,
}

impl Input {
    fn new(miner: &Miner) -> Self {
        let parameters = miner.parameters();
        let silence = parameters
            .window
            .as_micros()
            .min(parameters.idle_gap_us - 1)
            .max(1);
        Self {
            activity: miner.activity(),
            packets: None,
            silence: Duration::from_micros(silence.unsigned_abs()),
            account: Account::default(),
        }
    }

    fn read(&mut self, path: &Path, format: Format) -> Result<(), AnyError> {
        let options = ReadOptions::new()
            .with_format(format)
            .with_policy(Policy::Skip);
        let source = Source::open(path, &options)?;
        if source.format() == Format::Pcap {
            let mut capture = Capture::from_reader(source.name().to_owned(), source.into_input())?;
            self.packets
                .get_or_insert_with(|| PacketTimes::new(self.silence))
                .read(&mut capture, &mut self.account);
        } else {
            let mut flows = source.into_flows()?;
            // An error that ends the source stands in its report.
            for flow in flows.by_ref().flatten() {
                self.activity.push(&flow);
                self.account.records += 1;
            }
            self.account.add_log(flows.into_report());
        }
        Ok(())
    }

    fn finish(mut self) -> (ActivityBuilder, Account) {
        if let Some(packets) = self.packets {
            packets.finish(&mut self.activity, &mut self.account);
        }
        (self.activity, self.account)
    }
}

/// Activity at packet times: a second meter that ends a flow after a window's silence yields the
/// stretches in which packets follow each other closely; the first knows who began the flow.
struct PacketTimes {
    whole: Meter,
    close: Meter,
    flows: BTreeMap<(FlowKey, Timestamp), Begun>,
    stretches: Vec<Flow>,
}

/// How a flow began.
struct Begun {
    key: FlowKey,
    initiator: InitiatorEvidence,
    handshake: Option<Handshake>,
}

impl PacketTimes {
    /// Packets between two looks for flows that have ended.
    const BATCH: u64 = 1 << 12;

    fn new(silence: Duration) -> Self {
        let config = MeterConfig::new().with_classifiers(Classifiers::none());
        Self {
            whole: Meter::new(config.clone()),
            close: Meter::new(config.with_idle_timeout(silence)),
            flows: BTreeMap::new(),
            stretches: Vec::new(),
        }
    }

    fn read(&mut self, capture: &mut Capture, account: &mut Account) {
        loop {
            match capture.next_packet() {
                Ok(Some(packet)) => {
                    self.whole.push(&packet);
                    self.close.push(&packet);
                }
                Ok(None) => break,
                Err(error) => {
                    account.faults.push(error.to_string());
                    break;
                }
            }
            if self
                .whole
                .report()
                .offered
                .packets
                .is_multiple_of(Self::BATCH)
            {
                self.flows
                    .extend(self.whole.drain().map(|flow| begun(&flow)));
                self.stretches.extend(self.close.drain());
            }
        }
    }

    fn finish(mut self, activity: &mut ActivityBuilder, account: &mut Account) {
        let (flows, report) = self.whole.finish();
        self.flows.extend(flows.iter().map(begun));
        self.stretches.extend(self.close.finish().0);
        account.stretches = self.stretches.len() as u64;
        account.meter = Some(report);
        for stretch in self.stretches {
            let (key, start) = place(&stretch);
            let flow = self.flows.range(..=(key, start)).next_back();
            match flow.filter(|((of, _), _)| *of == key) {
                Some((_, begun)) => activity.push(&Flow {
                    initiator: begun.initiator,
                    handshake: begun.handshake,
                    ..Flow::new(key.transport, begun.key.src, begun.key.dst, stretch.span)
                }),
                None => activity.push(&stretch),
            }
        }
    }
}

fn begun(flow: &Flow) -> ((FlowKey, Timestamp), Begun) {
    let begun = Begun {
        key: flow.key(),
        initiator: flow.initiator,
        handshake: flow.handshake,
    };
    (place(flow), begun)
}

/// The 5-tuple, the same from either end, and the start.
fn place(flow: &Flow) -> (FlowKey, Timestamp) {
    let key = flow.key();
    (key.min(key.reversed()), flow.span.start())
}

/// What was read, and what was not.
#[derive(Default)]
struct Account {
    records: u64,
    stretches: u64,
    meter: Option<MeterReport>,
    skipped: u64,
    warnings: Vec<String>,
    faults: Vec<String>,
}

impl Account {
    fn add_log(&mut self, report: ReadReport) {
        let skipped = report.skipped_records();
        if skipped > 0 {
            self.skipped += skipped;
            self.warnings
                .push(format!("{}: {skipped} records skipped", report.name));
            let first = report.first_errors.iter();
            self.warnings
                .extend(first.map(|error| format!("  {error}")));
        }
        self.faults.extend(report.ended_by);
    }

    fn packets(&self) -> u64 {
        self.meter.as_ref().map_or(0, |meter| meter.metered.packets)
    }

    /// Records count as active from end to end; packets at their times.
    fn json(&self) -> Value {
        json!({
            "flow_records": self.records,
            "records_skipped": self.skipped,
            "packets": self.packets(),
            "packet_stretches": self.stretches,
            "faults": self.faults,
        })
    }

    fn print(&self, found: &RuleSet) {
        for warning in &self.warnings {
            eprintln!("warning: {warning}");
        }
        for fault in &self.faults {
            eprintln!("error: {fault}; the results cover what was read before");
        }
        if self.records > 0 {
            println!("{} flow records", self.records);
        }
        if let Some(meter) = &self.meter {
            println!("{} packets in {} stretches", self.packets(), self.stretches);
            for (reason, packets) in meter.skipped.iter() {
                println!("skipped {packets} packets: {reason}");
            }
            if meter.evicted > 0 {
                println!("{} flows were cut short: too many at a time", meter.evicted);
            }
        }
        println!(
            "{} windows of {} s, {} pairs, {} rules\n",
            found.windows,
            found.parameters.window,
            found.tests,
            found.rules.len()
        );
    }

    /// 2 if a source ended in a fault.
    fn exit_code(&self) -> ExitCode {
        if self.faults.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(2)
        }
    }
}

fn read_findings(path: &Path) -> Result<Vec<Finding>, AnyError> {
    let file = File::open(path).map_err(|error| about(path, error))?;
    serde_json::from_reader(BufReader::new(file)).map_err(|error| about(path, error))
}

/// Prints and gives the rules beside a finding.
fn beside(finding: &Finding, context: &RuleContext<'_>, found: &RuleSet) -> Value {
    let touches = context.of_finding(finding);
    println!("\n{}: {}", finding.kind, finding.explanation);
    for touch in &touches {
        println!("  {:>6} times  {}", touch.count, found.rules[touch.rule]);
    }
    if touches.is_empty() {
        println!("  no rule held at its hosts in its time");
    }
    json!({ "kind": finding.kind, "hosts": finding.hosts, "rules": touches })
}

fn open_book(path: &Path, may_begin: bool) -> Result<RuleBook, AnyError> {
    match File::open(path) {
        Ok(file) => RuleBook::load(file).map_err(|error| about(path, error)),
        Err(error) if may_begin && error.kind() == std::io::ErrorKind::NotFound => {
            Ok(RuleBook::new())
        }
        Err(error) => Err(about(path, error)),
    }
}

/// Written whole or not at all.
fn save_book(path: &Path, book: &RuleBook) -> Result<(), AnyError> {
    let mut text = Vec::new();
    book.save(&mut text)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| about(path, error))
}

fn diff_json(diff: &Diff, book: &RuleBook) -> Value {
    let changed: Vec<Value> = diff
        .changed
        .iter()
        .map(|(number, was)| json!({ "rule": number, "was": was }))
        .collect();
    let gone: Vec<String> = diff.gone.iter().map(|key| written(key, book)).collect();
    json!({ "known": diff.known, "novel": diff.novel, "changed": changed, "gone": gone })
}

fn print_diff(diff: &Diff, book: &RuleBook, rules: &[Rule]) {
    println!(
        "\nOf the book's {} rules {} are known, {} changed, {} gone; {} rules are novel",
        book.len(),
        diff.known.len(),
        diff.changed.len(),
        diff.gone.len(),
        diff.novel.len()
    );
    for &number in &diff.novel {
        println!("  novel    {}", rules[number]);
    }
    for &(number, was) in &diff.changed {
        let rule = &rules[number];
        println!("  changed  {rule} ({})", before(rule, was));
    }
    for key in &diff.gone {
        println!("  gone     {}", written(key, book));
    }
}

/// A rule of the book, its direction as the book has it.
fn written(key: &RuleKey, book: &RuleBook) -> String {
    let was = book.iter().find(|(known, _)| *known == key);
    let (lower, upper) = (key.lower, key.upper);
    match was.map(|(_, was)| (was.up, was.down)) {
        Some((None, Some(_))) => format!("{upper} => {lower}"),
        Some((Some(_), None)) => format!("{lower} => {upper}"),
        _ => format!("{lower} <=> {upper}"),
    }
}

/// The book's shares of a side's events with the other side present.
fn before(rule: &Rule, was: Strength) -> String {
    let (right, left) = if rule.left <= rule.right {
        (was.up, was.down)
    } else {
        (was.down, was.up)
    };
    let percent = |share: Option<f64>| match share {
        Some(share) => format!("{:.0} %", 100.0 * share),
        None => "no rule".to_owned(),
    };
    format!("was => {}, <= {}", percent(right), percent(left))
}
