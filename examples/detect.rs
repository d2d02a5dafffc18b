//! How well planted behaviour is found: over seeds, over intensities, and beside simpler rules.
//!
//! `cargo run --release --example detect -- seeds --seeds 10 --flows 2000000`
//! `cargo run --release --example detect -- curves --seeds 3 --flows 1000000 > docs/detectability.csv`
//!
//! Kinds that the scenario does not plant are planted beside the others, so that each is measured.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use peerscope::correlate::Side;
use peerscope::prelude::*;
use peerscope::simulate::{Planted, PlantedKind, Protocol, Scenario, Truth};
use peerscope_examples::{AnyError, about, run, say};

#[path = "shared/simulated.rs"]
mod simulated;
use simulated::{InVain, analysed};

/// Measure how well planted behaviour is found.
#[derive(Parser)]
struct Arguments {
    /// What to print.
    what: What,
    /// About how many flows a trace has.
    #[arg(long, default_value = "2000000")]
    flows: u64,
    /// How many seeds.
    #[arg(long, default_value = "10")]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value = "1")]
    first: u64,
    /// A preset or a TOML file.
    #[arg(long, default_value = "minipop-2008")]
    scenario: String,
    /// List every miss and every false alarm.
    #[arg(long)]
    list: bool,
    /// Nothing but what the scenario plants.
    #[arg(long)]
    alone: bool,
    /// Whose traffic.
    #[arg(long, default_value = "emule")]
    family: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Recall and precision by kind over seeds, with simpler rules beside them.
    Seeds,
    /// Recall against intensity as CSV.
    Curves,
    /// What is found where nothing is planted.
    Quiet,
}

/// The behaviours that the paper's network lacks: it saw idle connections in BitTorrent (9), and no host
/// that exchanges nothing but control messages (7.2).
const BESIDE: &str = r#"
[[planted]]
system = "kad"
hosts = 10
hours = 2
behaviour = { kind = "control-only" }

[[planted]]
system = "kadu"
hosts = 20
hours = 2
behaviour = { kind = "idle-connections", share = 0.8 }
"#;

type Hosts = BTreeSet<IpAddr>;

/// Hosts that were found, of those that are there.
#[derive(Clone, Copy, Default)]
struct Score {
    right: usize,
    wrong: usize,
    missed: usize,
}

impl Score {
    fn add(&mut self, found: &Hosts, there: &Hosts) {
        self.right += found.intersection(there).count();
        self.wrong += found.difference(there).count();
        self.missed += there.difference(found).count();
    }

    fn precision(self) -> String {
        ratio(self.right, self.right + self.wrong)
    }

    fn recall(self) -> String {
        ratio(self.right, self.right + self.missed)
    }
}

fn ratio(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.3}", part as f64 / whole as f64)
}

fn main() -> ExitCode {
    run(|| {
        let arguments = Arguments::parse();
        let mut families = Family::built_in().into_iter();
        let family = families.find(|family| family.name() == arguments.family);
        let family = family.ok_or("no such family")?;
        match arguments.what {
            What::Seeds => seeds(&arguments, &family)?,
            What::Curves => curves(&arguments, &family)?,
            What::Quiet => quiet(&arguments, &family)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn planted(truth: &Truth, kind: PlantedKind) -> Hosts {
    let of_kind = truth.planted.iter().filter(|planted| planted.kind == kind);
    of_kind
        .flat_map(|planted| planted.hosts.iter().copied())
        .collect()
}

fn found(analysis: &Analysis, kind: PlantedKind) -> Hosts {
    let all = analysis.findings.active.iter();
    let of_kind = all.filter(|finding| finding.kind.as_str() == kind.as_str());
    of_kind
        .flat_map(|finding| finding.hosts.iter().copied())
        .collect()
}

impl Arguments {
    fn seeds(&self) -> std::ops::Range<u64> {
        self.first..self.first.saturating_add(self.seeds)
    }

    fn scenario(&self) -> Result<Scenario, AnyError> {
        let path = Path::new(&self.scenario);
        let mut scenario = if Scenario::PRESETS.contains(&self.scenario.as_str()) || !path.exists()
        {
            Scenario::preset(&self.scenario)?
        } else {
            let text = std::fs::read_to_string(path).map_err(|error| about(path, error))?;
            Scenario::from_toml(&text).map_err(|error| about(path, error))?
        };
        if !self.alone {
            let beside: BTreeMap<String, Vec<Planted>> = toml::from_str(BESIDE)?;
            let kinds: BTreeSet<PlantedKind> = scenario.planted.iter().map(Planted::kind).collect();
            let systems: Vec<Protocol> = scenario.systems.iter().map(|of| of.protocol).collect();
            let fits = |planted: &Planted| {
                !kinds.contains(&planted.kind()) && systems.contains(&planted.system)
            };
            scenario
                .planted
                .extend(beside.into_values().flatten().filter(fits));
        }
        Ok(scenario.with_flows(self.flows)?)
    }
}

fn seeds(arguments: &Arguments, family: &Family) -> Result<(), AnyError> {
    let scenario = arguments.scenario()?;
    // Of each kind: traces with it, those in which it was found, and the scores of three methods.
    let mut kinds: BTreeMap<PlantedKind, (usize, usize, [Score; 3])> = BTreeMap::new();
    // Found, true and undecided shares, by system and transport.
    let mut splits: BTreeMap<String, Vec<[f64; 3]>> = BTreeMap::new();
    for seed in arguments.seeds() {
        let (analysis, truth, in_vain) = analysed(&scenario, seed, family)?;
        for kind in PlantedKind::ALL {
            let there = planted(&truth, kind);
            let own = found(&analysis, kind);
            let (traces, hit, scores) = kinds.entry(kind).or_default();
            *traces += usize::from(!there.is_empty());
            *hit += usize::from(!own.is_disjoint(&there));
            if arguments.list {
                list(seed, &analysis, kind, &own, &there);
            }
            scores[0].add(&own, &there);
            scores[1].add(&naive(&analysis, kind), &there);
            scores[2].add(&fixed(&analysis, kind), &there);
        }
        for shares in &analysis.findings.unanswered {
            let transports = [(Transport::Udp, &shares.udp), (Transport::Tcp, &shares.tcp)];
            for (transport, counts) in transports {
                let truth = truly_departed(&truth, &in_vain, &shares.system, transport);
                if let (Some(ours), Some(truth)) = (counts.departed_of_decided, truth) {
                    let name = format!("{} {transport}", shares.system);
                    let split = splits.entry(name).or_default();
                    split.push([ours, truth, counts.undecided_share]);
                }
            }
        }
    }
    let mut text = String::from(
        "| kind | traces with it | found in | precision | recall | top 10 %: precision | recall | \
         fixed threshold: precision | recall |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for (kind, (traces, hit, scores)) in kinds {
        if scores[0].right + scores[0].wrong + scores[0].missed == 0 {
            continue;
        }
        let _ = write!(text, "| `{}` | {traces} | {hit}", kind.as_str());
        for score in scores {
            let _ = write!(text, " | {} | {}", score.precision(), score.recall());
        }
        text.push_str(" |\n");
    }
    text.push_str(
        "\n| unanswered | departed, of what is decided | in truth | largest difference, points | \
         undecided |\n|---|---|---|---|---|\n",
    );
    for (name, shares) in splits {
        let range = |part: usize| {
            let values = || shares.iter().map(|share| 100.0 * share[part]);
            let (low, high) = (values().fold(100.0, f64::min), values().fold(0.0, f64::max));
            format!("{low:.1} to {high:.1} %")
        };
        let differences = shares
            .iter()
            .map(|share| 100.0 * (share[0] - share[1]).abs());
        let largest = differences.fold(0.0, f64::max);
        let [ours, truth, undecided] = [range(0), range(1), range(2)];
        let _ = writeln!(
            text,
            "| {name} | {ours} | {truth} | {largest:.1} | {undecided} |"
        );
    }
    say(&text);
    Ok(())
}

/// Prints the hosts that were missed, and those found wrongly with what was said of them.
fn list(seed: u64, analysis: &Analysis, kind: PlantedKind, found: &Hosts, there: &Hosts) {
    for host in there.difference(found) {
        say(&format!("seed {seed}: {kind} missed at {host}\n"));
    }
    let findings = analysis.findings.active.iter();
    for finding in findings.filter(|finding| finding.kind.as_str() == kind.as_str()) {
        if finding.hosts.iter().any(|host| !there.contains(host)) {
            say(&format!(
                "seed {seed}: {kind} wrong: {}\n",
                finding.explanation
            ));
        }
    }
}

/// Of the flows that nobody answered, the share of those to hosts that had left. Hosts that left within
/// the last twelve slots are undecided by definition, and left out.
fn truly_departed(
    truth: &Truth,
    in_vain: &InVain,
    system: &str,
    transport: Transport,
) -> Option<f64> {
    let last = truth.end_us.saturating_add_micros(-12 * 300_000_000);
    let flows = |kind: PlantedKind| -> u64 {
        let all = truth.planted.iter();
        all.filter(|planted| planted.kind == kind && planted.system == system)
            .filter(|planted| kind != PlantedKind::DepartedHosts || planted.start_us <= last)
            .filter_map(|planted| in_vain.planted.get(&(planted.id, transport)))
            .sum()
    };
    let of_system = truth.hosts.iter();
    let of_system = of_system.filter(|host| host.system.as_deref() == Some(system));
    let away: u64 = of_system
        .filter_map(|host| in_vain.away.get(&(host.ip, transport)))
        .sum();
    let gone = flows(PlantedKind::DepartedHosts);
    let all = gone + flows(PlantedKind::NattedHosts) + away;
    (all > 0).then(|| gone as f64 / all as f64)
}

fn curves(arguments: &Arguments, family: &Family) -> Result<(), AnyError> {
    const INTENSITIES: [f64; 6] = [1.0, 0.5, 0.25, 0.1, 0.05, 0.02];
    say("kind,intensity,traces,found,hosts,precision,recall\n");
    let scenario = arguments.scenario()?;
    let kinds: BTreeSet<PlantedKind> = scenario.planted.iter().map(Planted::kind).collect();
    for intensity in INTENSITIES {
        let mut weak = scenario.clone();
        for &kind in &kinds {
            weak = weak.with_intensity(kind, intensity);
        }
        let mut scores: BTreeMap<PlantedKind, (usize, usize, Score)> = BTreeMap::new();
        for seed in arguments.seeds() {
            let (analysis, truth, _) = analysed(&weak, seed, family)?;
            for &kind in &kinds {
                let (there, own) = (planted(&truth, kind), found(&analysis, kind));
                let (traces, hit, score) = scores.entry(kind).or_default();
                *traces += 1;
                *hit += usize::from(!own.is_disjoint(&there));
                score.add(&own, &there);
            }
        }
        for (kind, (traces, hit, score)) in scores {
            let hosts = score.right + score.missed;
            say(&format!(
                "{},{intensity},{traces},{hit},{hosts},{},{}\n",
                kind.as_str(),
                score.precision(),
                score.recall()
            ));
        }
    }
    Ok(())
}

fn quiet(arguments: &Arguments, family: &Family) -> Result<(), AnyError> {
    let scenario = arguments.scenario()?;
    let scenario = scenario.without_planted();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for seed in arguments.seeds() {
        let (analysis, ..) = analysed(&scenario, seed, family)?;
        for finding in &analysis.findings.active {
            *counts.entry(finding.kind.to_string()).or_default() += 1;
        }
    }
    say(&format!(
        "nothing planted, {} traces: {counts:?}\n",
        arguments.seeds
    ));
    Ok(())
}

/// The metrics that point to a kind, their bad side, and the value from which on a person would call it
/// bad without looking at the distribution (the paper's ranges where it has any).
fn metrics(kind: PlantedKind) -> &'static [(&'static str, Side, f64)] {
    use Side::{High, Low};
    match kind {
        PlantedKind::DdosReservedPort => &[
            ("inout-1024-dest-ports-UDP", High, 1.0),
            ("inout-1024-dest-ports-TCP", High, 2.0),
        ],
        PlantedKind::DepartedHosts | PlantedKind::NattedHosts => &[
            ("outin-fract-unanswered-UDP", High, 0.93),
            ("outin-failure-ratio-TCP", High, 1.0),
        ],
        PlantedKind::FakeServer => &[("inout-avg-conn-per-IP-TCP", High, 1.4)],
        PlantedKind::Buddy => &[("outin-avg-conn-per-IP-TCP", High, 1.4)],
        PlantedKind::InterIsp => &[("inout-ISP-to-Internet-ratio-TCP", Low, 0.62)],
        PlantedKind::VeryActive => &[("inout-total-conn-attempts-UDP", High, 1000.0)],
        PlantedKind::IdleConnections => &[("inout-fract-unanswered-appl-TCP", High, 0.6)],
        PlantedKind::ControlOnly => &[("avg-pkt-size-TCP", Low, 250.0)],
        PlantedKind::Selfish => &[("ratio-bytes-sent-to-rcvd-TCP", Low, -0.62)],
        _ => &[],
    }
}

/// The rule that the paper rejects (6.2): the tenth of the samples at the bad end; a host with one.
fn naive(analysis: &Analysis, kind: PlantedKind) -> Hosts {
    hosts_with(analysis, kind, |values, side, _| {
        let rank = values.len().div_ceil(10);
        match side {
            Side::High => values[values.len() - rank],
            _ => values[rank - 1],
        }
    })
}

/// Samples beyond a threshold known beforehand; a host with one.
fn fixed(analysis: &Analysis, kind: PlantedKind) -> Hosts {
    hosts_with(analysis, kind, |_, _, threshold| threshold)
}

/// Hosts with a sample at or beyond a limit.
fn hosts_with(
    analysis: &Analysis,
    kind: PlantedKind,
    limit: impl Fn(&[f64], Side, f64) -> f64,
) -> Hosts {
    let table = &analysis.table;
    let mut hosts = Hosts::new();
    for &(metric, side, threshold) in metrics(kind) {
        let Some(column) = table.metric_index(metric) else {
            continue;
        };
        for system in table.clustered_systems() {
            let samples: Vec<(usize, f64)> = table.column(system, column).collect();
            let mut values: Vec<f64> = samples.iter().map(|&(_, value)| value).collect();
            if values.is_empty() {
                continue;
            }
            values.sort_by(f64::total_cmp);
            let limit = limit(&values, side, threshold);
            let beyond = samples.iter().filter(|&&(_, value)| match side {
                Side::High => value >= limit,
                _ => value <= limit,
            });
            hosts.extend(beyond.map(|&(row, _)| table.key(row).host));
        }
    }
    hosts
}
