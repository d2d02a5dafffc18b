//! Reads flows from a file and mines them, as a whole or as a stream: times of both in one run.
//!
//! `cargo run --release -p peerscope-benches --example rules_day -- out/flows.csv`

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use peerscope_read::{ReadOptions, Source};
use peerscope_rules::{Miner, Parameters, RuleBook, StreamMiner};

/// Time reading a CSV file, and mining it.
#[derive(Parser)]
struct Arguments {
    /// A flow log, of any format that is recognised.
    flows: PathBuf,
    /// Feed the streaming miner.
    #[arg(long)]
    stream: bool,
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
        println!(
            "{} groups, {} tests, {} rules, {} buckets sampled",
            activity.groups().len(),
            found.tests,
            found.rules.len(),
            found.sampled.len()
        );
    }
    let mined = start.elapsed().as_secs_f64();
    println!(
        "read again and mined in {mined:.2} s, {:.1} times",
        mined / read
    );
    Ok(())
}
