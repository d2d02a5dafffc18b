//! Reads flows from a file and mines them, as a whole or as a stream: times of both in one run.
//!
//! `cargo run --release -p peerscope-benches --example rules_day -- out/flows.csv`

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
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

#[expect(
    clippy::disallowed_methods,
    reason = "a stopwatch around the library, not in it"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let miner = Miner::new(Parameters::default())?;
    let flows = || Source::open(&arguments.flows, &ReadOptions::new())?.into_flows();
    let start = Instant::now();
    let count = flows()?.flatten().count();
    let read = start.elapsed().as_secs_f64();
    println!("{count} flows read in {read:.2} s");
    let start = Instant::now();
    if arguments.stream {
        let mut stream = StreamMiner::new(miner, RuleBook::new());
        let mut novel = 0;
        for flow in flows()? {
            novel += stream.push(&flow?)?.len();
        }
        let counts = stream.counts();
        println!("{novel} novel rules, {counts:?}");
    } else {
        let mut activity = miner.activity();
        for flow in flows()? {
            activity.push(&flow?);
        }
        let activity = activity.finish()?;
        let found = miner.mine(&activity);
        let mined = start.elapsed().as_secs_f64();
        println!(
            "{} groups, {} tests, {} rules, {} buckets sampled",
            activity.groups().len(),
            found.tests,
            found.rules.len(),
            found.sampled.len()
        );
        told(mined, read);
        if arguments.neighbours {
            let pairs = neighbours(&activity);
            println!(
                "{pairs} co-active pairs, {:.1} neighbours a flow",
                pairs as f64 / count as f64
            );
        }
        return Ok(());
    }
    told(start.elapsed().as_secs_f64(), read);
    Ok(())
}

fn told(mined: f64, read: f64) {
    println!(
        "read again and mined in {mined:.2} s, {:.1} times",
        mined / read
    );
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
