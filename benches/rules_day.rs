//! Reads flows from a file and mines them, as a whole or as a stream: times of both in one run, on
//! the wall and on processors, and the memory it took.
//!
//! `cargo run --release -p peerscope-benches --example rules_day -- out/flows.csv`

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use peerscope_benches::process::{cpu_seconds, peak_rss};
use peerscope_read::{ReadOptions, Source};
use peerscope_rules::{Activity, GroupActivity, Miner, Parameters, RuleBook, StreamMiner};

/// Time reading a CSV file, and mining it.
#[derive(Parser)]
struct Arguments {
    /// A flow log, of any format that is recognised.
    flows: PathBuf,
    /// Feed the streaming miner.
    #[arg(long)]
    stream: bool,
    /// Print how many flow groups of its hosts are present when a flow group begins.
    #[arg(long, conflicts_with = "stream")]
    neighbours: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let miner = Miner::new(Parameters::default())?;
    let flows = || Source::open(&arguments.flows, &ReadOptions::new())?.into_flows();
    let clock = Clock::start();
    let count = flows()?.flatten().count();
    let read = clock.stop();
    println!("{count} flows read in {read}");
    let clock = Clock::start();
    let mut activity = None;
    if arguments.stream {
        let mut stream = StreamMiner::new(miner, RuleBook::new());
        let mut novel = 0;
        for flow in flows()? {
            novel += stream.push(&flow?)?.len();
        }
        let counts = stream.counts();
        println!("{novel} novel rules, {counts:?}");
    } else {
        let mut builder = miner.activity();
        for flow in flows()? {
            builder.push(&flow?);
        }
        let flows = activity.insert(builder.finish()?);
        let found = miner.mine(flows);
        println!(
            "{} groups, {} tests, {} rules, {} buckets sampled",
            flows.groups().len(),
            found.tests,
            found.rules.len(),
            found.sampled.len()
        );
    }
    let mined = clock.stop();
    println!(
        "read again and mined in {mined}: {:.1} times on the wall, {:.1} of processors",
        mined.wall / read.wall,
        mined.cpu / read.cpu
    );
    if let Some(peak) = peak_rss() {
        println!("{} MiB at most", peak >> 20);
    }
    if let Some(activity) = activity.filter(|_| arguments.neighbours) {
        let pairs = neighbours(&activity);
        println!(
            "{pairs} co-active pairs, {:.1} neighbours a flow, {:.2} us of processors a pair",
            pairs as f64 / count as f64,
            1e6 * (mined.cpu - read.cpu) / pairs as f64
        );
    }
    Ok(())
}

struct Clock {
    wall: Instant,
    cpu: f64,
}

/// Seconds.
struct Took {
    wall: f64,
    cpu: f64,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a stopwatch around the library, not in it"
    )]
    fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu_seconds(),
        }
    }

    fn stop(&self) -> Took {
        Took {
            wall: self.wall.elapsed().as_secs_f64(),
            cpu: cpu_seconds() - self.cpu,
        }
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s, {:.2} s of processors", self.wall, self.cpu)
    }
}

/// Pairs of a beginning of a flow group and a group of the same host that is present then.
fn neighbours(activity: &Activity) -> u64 {
    let mut hosts: BTreeMap<IpAddr, Vec<&GroupActivity>> = BTreeMap::new();
    for group in activity.groups() {
        for ip in [group.group.src.ip, group.group.dst.ip]
            .into_iter()
            .flatten()
        {
            hosts.entry(ip).or_default().push(group);
        }
    }
    hosts.values().map(|groups| beside(groups)).sum()
}

fn beside(groups: &[&GroupActivity]) -> u64 {
    let runs = || groups.iter().flat_map(|group| group.present.ranges());
    let (mut starts, mut ends): (Vec<u32>, Vec<u32>) = runs().unzip();
    starts.sort_unstable();
    ends.sort_unstable();
    let begun = groups.iter().flat_map(|group| &group.new);
    begun
        .map(|&window| {
            let begun = starts.partition_point(|&start| start <= window);
            let over = ends.partition_point(|&end| end < window);
            // Itself aside.
            (begun - over - 1) as u64
        })
        .sum()
}
