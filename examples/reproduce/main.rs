//! The SIGMETRICS 2009 paper's tables and figures beside ours, on a simulated network like the paper's.
//!
//! `cargo run --release --example reproduce -- --flows 10000000 --seed 1 > reproduction.md`
//!
//! Every row has its criterion, and the verdict is computed from it. Nothing is compared that the
//! simulator was given as it is; what it was given as an input is marked so.

use std::process::ExitCode;

use clap::Parser;
use peerscope::prelude::*;
use peerscope::simulate::Scenario;
use peerscope_examples::{AnyError, run, say};

mod clusters;
mod drill_downs;
mod paper;
mod rows;
#[path = "../shared/simulated.rs"]
mod simulated;
mod traffic;
mod weeks;

use paper::Paper;
use rows::Rows;
use simulated::analysed;

/// Print every table and figure of the paper beside ours, with a verdict for each row.
#[derive(Parser)]
struct Arguments {
    /// About how many flows minipop-2008 has; the week of BitTorrent and that of DC++ have a fifth
    /// and a twentieth of them.
    #[arg(long, default_value = "10000000")]
    flows: u64,
    /// Seed of everything random.
    #[arg(long, default_value = "1")]
    seed: u64,
}

fn main() -> ExitCode {
    run(|| {
        let arguments = Arguments::parse();
        let seed = arguments.seed;
        let mut rows = Rows::default();
        let trace = |preset: &str, flows: u64, family: Family| -> Result<Analysis, AnyError> {
            let scenario = Scenario::preset(preset)?.with_flows(flows)?;
            Ok(analysed(&scenario, seed, &family)?.0)
        };
        let minipop = trace("minipop-2008", arguments.flows, Family::emule())?;
        let paper = Paper { analysis: &minipop };
        paper.traffic(&mut rows);
        paper.samples(&mut rows);
        paper.percentiles(&mut rows);
        paper.sensitivity(&mut rows)?;
        paper.single_cluster(&mut rows);
        paper.clusters(&mut rows);
        paper.stability(&mut rows);
        paper.dominance(&mut rows);
        paper.attack(&mut rows);
        paper.unanswered(&mut rows);
        paper.servers(&mut rows);
        paper.others(&mut rows);
        let torrent = trace("bittorrent-week", arguments.flows / 5, Family::bittorrent())?;
        weeks::bittorrent(&torrent, &mut rows);
        let direct = trace("dcpp-week", arguments.flows / 20, Family::dcpp())?;
        weeks::dcpp(&direct, &mut rows);
        say(&format!(
            "`reproduce --flows {} --seed {seed}`: {} flows, {} samples.\n\n{}",
            arguments.flows,
            minipop.input.flows,
            minipop.samples.total,
            rows.table()
        ));
        Ok(ExitCode::SUCCESS)
    })
}
