//! Scores findings against the ground truth: precision, recall and confusion, by kind and host.
//!
//! `cargo run --release --example evaluate -- out`, where `out` holds `findings.json` and `truth.json`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use peerscope_examples::{AnyError, about, run};
use serde_json::Value;

#[path = "shared/truth.rs"]
mod truth;
use truth::{Truth, array, ip, number, text};

/// Score findings against the ground truth.
#[derive(Parser)]
struct Arguments {
    /// Directories with findings.json and truth.json; their scores are added up.
    #[arg(required = true)]
    directories: Vec<PathBuf>,
    /// The family analysed: what is planted in others is left out. Default: as analysis.json says, if
    /// it is there; else all.
    #[arg(long)]
    family: Option<String>,
    /// How many misses and false alarms of each kind to list.
    #[arg(long, default_value = "10")]
    list: usize,
}

struct Finding {
    kind: String,
    hosts: BTreeSet<IpAddr>,
    start_us: f64,
    explanation: String,
}

/// The counts of one kind. Hosts count once for each directory.
#[derive(Default)]
struct Score {
    behaviours: usize,
    /// Behaviours of which at least one host was found.
    behaviours_found: usize,
    right: usize,
    wrong: usize,
    missed: usize,
    /// The largest difference between the starts of a behaviour and its finding, slots.
    late: Option<f64>,
}

#[derive(Default)]
struct Scores {
    kinds: BTreeMap<String, Score>,
    /// Planted kind (or nothing) and found kind, to hosts.
    confusion: BTreeMap<(String, String), usize>,
    misses: BTreeMap<String, Vec<String>>,
    alarms: BTreeMap<String, Vec<String>>,
    unjudged: BTreeMap<String, usize>,
}

const NOTHING: &str = "nothing";

fn main() -> ExitCode {
    run(|| {
        let arguments = Arguments::parse();
        let mut scores = Scores::default();
        for directory in &arguments.directories {
            let family = match &arguments.family {
                Some(family) => Some(family.clone()),
                None => analysed(&directory.join("analysis.json"), "family")?
                    .and_then(|value| value.as_str().map(str::to_owned)),
            };
            let slot = analysed(&directory.join("analysis.json"), "slot_seconds")?;
            let slot = slot.and_then(|secs| secs.as_f64()).map(|secs| secs * 1e6);
            let truth = Truth::read(&directory.join("truth.json"), family.as_deref())?;
            let findings = findings(&directory.join("findings.json"))?;
            scores.add(directory, &truth, &findings, slot.or(truth.slot_us));
        }
        let mut text = String::new();
        scores.report(&mut text, arguments.list)?;
        match io::stdout().write_all(text.as_bytes()) {
            // The reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            written => Ok(written.map(|()| ExitCode::SUCCESS)?),
        }
    })
}

/// A field of the analysis, if there is one beside the findings.
fn analysed(path: &Path, field: &str) -> Result<Option<Value>, AnyError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|error| about(path, error))?;
    let mut json: Value = serde_json::from_str(&text).map_err(|error| about(path, error))?;
    Ok(json.get_mut(field).map(Value::take))
}

fn findings(path: &Path) -> Result<Vec<Finding>, AnyError> {
    let content = std::fs::read_to_string(path).map_err(|error| about(path, error))?;
    let json: Vec<Value> = serde_json::from_str(&content).map_err(|error| about(path, error))?;
    let finding = |value: &Value| {
        Ok(Finding {
            kind: text(value, "kind")?.to_owned(),
            hosts: array(value, "hosts")?
                .iter()
                .map(ip)
                .collect::<Result<_, AnyError>>()?,
            start_us: number(value, "start_us")?,
            explanation: value["explanation"].as_str().unwrap_or_default().to_owned(),
        })
    };
    let all: Result<Vec<_>, AnyError> = json.iter().map(finding).collect();
    all.map_err(|error| about(path, error))
}

impl Scores {
    fn add(&mut self, directory: &Path, truth: &Truth, findings: &[Finding], slot: Option<f64>) {
        let name = directory.display();
        let mut planted: BTreeMap<IpAddr, BTreeSet<&str>> = BTreeMap::new();
        for behaviour in &truth.planted {
            for &host in &behaviour.hosts {
                planted.entry(host).or_default().insert(&behaviour.kind);
            }
            self.behaviour(behaviour, findings, slot);
        }
        let mut found: BTreeMap<IpAddr, BTreeSet<&str>> = BTreeMap::new();
        for finding in findings {
            if !truth.judged.contains(&finding.kind.as_str()) {
                *self.unjudged.entry(finding.kind.clone()).or_default() += 1;
                continue;
            }
            for &host in &finding.hosts {
                let kinds = planted.get(&host);
                let right = kinds.is_some_and(|kinds| kinds.contains(finding.kind.as_str()));
                let first = found.entry(host).or_default().insert(&finding.kind);
                let score = self.kinds.entry(finding.kind.clone()).or_default();
                if first && right {
                    score.right += 1;
                } else if first {
                    score.wrong += 1;
                    let there = kinds.map_or(NOTHING.to_owned(), |kinds| joined(kinds));
                    let line = format!("{name} {host}: {} (planted: {there})", finding.explanation);
                    self.alarms
                        .entry(finding.kind.clone())
                        .or_default()
                        .push(line);
                }
            }
        }
        for (host, kinds) in &planted {
            let seen = found.get(host);
            for kind in kinds.iter().copied() {
                if !seen.is_some_and(|seen| seen.contains(kind)) {
                    self.kinds.entry(kind.to_owned()).or_default().missed += 1;
                    let there = seen.map_or(NOTHING.to_owned(), joined);
                    let line = format!("{name} {host} (found: {there})");
                    self.misses.entry(kind.to_owned()).or_default().push(line);
                }
            }
        }
        let hosts: BTreeSet<&IpAddr> = planted.keys().chain(found.keys()).collect();
        for host in hosts {
            let none = BTreeSet::from([NOTHING]);
            let is = planted.get(host).unwrap_or(&none);
            let seen = found.get(host).unwrap_or(&none);
            for kind in is {
                for other in seen {
                    let cell = ((*kind).to_owned(), (*other).to_owned());
                    *self.confusion.entry(cell).or_default() += 1;
                }
            }
        }
    }

    fn behaviour(&mut self, behaviour: &truth::Planted, findings: &[Finding], slot: Option<f64>) {
        let own = findings.iter().filter(|finding| {
            finding.kind == behaviour.kind && !finding.hosts.is_disjoint(&behaviour.hosts)
        });
        let late = own.map(|finding| (finding.start_us - behaviour.start_us).abs());
        let late = late.min_by(f64::total_cmp);
        let score = self.kinds.entry(behaviour.kind.clone()).or_default();
        score.behaviours += 1;
        score.behaviours_found += usize::from(late.is_some());
        let slots = late.zip(slot).map(|(late, slot)| late / slot);
        score.late = match (score.late, slots) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (one, other) => one.or(other),
        };
    }

    fn report(&self, text: &mut String, list: usize) -> std::fmt::Result {
        let columns = "planted  found    recall |  hosts  right  wrong missed  precision  recall  start off by";
        writeln!(text, "{:<20} {columns}", "kind")?;
        for (kind, score) in &self.kinds {
            writeln!(
                text,
                "{kind:<20} {:>7} {:>6} {:>9} | {:>6} {:>6} {:>6} {:>6} {:>10} {:>7}  {}",
                score.behaviours,
                score.behaviours_found,
                ratio(score.behaviours_found, score.behaviours),
                score.right + score.missed,
                score.right,
                score.wrong,
                score.missed,
                ratio(score.right, score.right + score.wrong),
                ratio(score.right, score.right + score.missed),
                score
                    .late
                    .map_or(String::new(), |slots| format!("{slots:.1} slots")),
            )?;
        }
        let sum = |of: fn(&Score) -> usize| self.kinds.values().map(of).sum::<usize>();
        let (right, wrong, missed) = (sum(|s| s.right), sum(|s| s.wrong), sum(|s| s.missed));
        writeln!(
            text,
            "\nAll kinds: precision {}, recall {}",
            ratio(right, right + wrong),
            ratio(right, right + missed)
        )?;
        for (kind, number) in &self.unjudged {
            writeln!(
                text,
                "Of {kind} the truth says nothing: {number} findings not judged"
            )?;
        }
        self.matrix(text)?;
        for (title, lines) in [("Missed", &self.misses), ("False alarms", &self.alarms)] {
            for (kind, lines) in lines {
                writeln!(text, "\n{title}, {kind}: {}", lines.len())?;
                for line in lines.iter().take(list) {
                    writeln!(text, "  {line}")?;
                }
            }
        }
        Ok(())
    }

    /// Hosts by what was planted (rows) and what was found (columns).
    fn matrix(&self, text: &mut String) -> std::fmt::Result {
        let rows: BTreeSet<&str> = self
            .confusion
            .keys()
            .map(|(planted, _)| planted.as_str())
            .collect();
        let columns: BTreeSet<&str> = self
            .confusion
            .keys()
            .map(|(_, found)| found.as_str())
            .collect();
        writeln!(
            text,
            "\nHosts by planted kind (row) and found kind (column)"
        )?;
        write!(text, "{:<20}", "")?;
        for column in &columns {
            write!(text, " {:>10}", brief(column))?;
        }
        writeln!(text)?;
        for row in rows {
            write!(text, "{row:<20}")?;
            for column in &columns {
                let cell = self.confusion.get(&(row.to_owned(), (*column).to_owned()));
                write!(
                    text,
                    " {:>10}",
                    cell.map_or(".".to_owned(), usize::to_string)
                )?;
            }
            writeln!(text)?;
        }
        Ok(())
    }
}

fn joined(kinds: &BTreeSet<&str>) -> String {
    kinds.iter().copied().collect::<Vec<_>>().join(", ")
}

fn brief(name: &str) -> &str {
    name.get(..10).unwrap_or(name)
}

/// A share, or a dash of nothing.
fn ratio(part: usize, whole: usize) -> String {
    if whole == 0 {
        "-".to_owned()
    } else {
        format!("{:.3}", part as f64 / whole as f64)
    }
}
