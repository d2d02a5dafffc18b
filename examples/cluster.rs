//! Density clustering of one column of a CSV file.
//!
//! `cargo run --release --example cluster -- samples.csv --column live-conn-UDP --search --out labels.csv`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use peerscope::cluster::{
    Clustering, Dbscan1d, MinPoints, Radius, Search, SearchOutcome, SortedValues,
};
use peerscope_examples::{AnyError, about, run, short};

/// Cluster one column of a CSV file with DBSCAN.
#[derive(Parser)]
struct Arguments {
    /// A CSV file with a header. Empty cells are undefined values: they get an empty label.
    values: PathBuf,
    /// The column to cluster.
    #[arg(long)]
    column: String,
    /// Two values this far apart, or less, are near each other.
    #[arg(long, requires = "min_points", required_unless_present = "search")]
    eps: Option<Radius>,
    /// A value with this many near it, itself included, is a core of a cluster.
    #[arg(long, requires = "eps")]
    min_points: Option<MinPoints>,
    /// Search for both instead, as the SIGMETRICS 2009 paper does.
    #[arg(long, conflicts_with_all = ["eps", "min_points"])]
    search: bool,
    /// Where to write the labels: one a line in input order, -1 for noise.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    run(|| cluster(&Arguments::parse()))
}

fn cluster(arguments: &Arguments) -> Result<ExitCode, AnyError> {
    let cells = column(arguments)?;
    let values: Vec<f64> = cells.iter().copied().flatten().collect();
    let sorted = SortedValues::new(values.iter().copied())?;
    let clustering: Clustering = match (arguments.eps, arguments.min_points) {
        (Some(eps), Some(min_points)) => Dbscan1d::new(eps, min_points).fit(&sorted),
        _ => match Search::default().run(&sorted)? {
            SearchOutcome::Clustered(found) => {
                let min_points = found.min_points.map_or(1, MinPoints::get);
                println!("eps {}, min_points {min_points}", found.eps);
                found.clustering
            }
            SearchOutcome::TooFewValues { n } => {
                return Err(format!("{n} values are too few to search with").into());
            }
        },
    };

    for (i, cluster) in clustering.clusters.iter().enumerate() {
        let (low, high) = (short(cluster.low), short(cluster.high));
        println!("cluster {i}: {} values in [{low}, {high}]", cluster.count);
    }
    println!(
        "noise: {} of {} values",
        clustering.noise.count,
        values.len()
    );

    let create = File::create(&arguments.out).map_err(|error| about(&arguments.out, error))?;
    let mut out = BufWriter::new(create);
    let mut labels = clustering.labels(&values).into_iter();
    for cell in &cells {
        match cell.and_then(|_| labels.next()) {
            Some(Some(label)) => writeln!(out, "{label}")?,
            Some(None) => writeln!(out, "-1")?,
            None => writeln!(out)?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The cells of the column; `None` where empty.
fn column(arguments: &Arguments) -> Result<Vec<Option<f64>>, AnyError> {
    let path = &arguments.values;
    let mut reader = csv::Reader::from_path(path).map_err(|error| about(path, error))?;
    let headers = reader.headers().map_err(|error| about(path, error))?;
    let index = headers.iter().position(|name| name == arguments.column);
    let index = index.ok_or_else(|| about(path, format!("no column {:?}", arguments.column)))?;
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| about(path, error))?;
        let cell = record.get(index).unwrap_or_default();
        let value = cell.parse::<f64>().ok().filter(|value| value.is_finite());
        if value.is_none() && !cell.is_empty() {
            let line = record.position().map_or(0, csv::Position::line);
            let place = format!("line {line}, column {:?}", arguments.column);
            return Err(about(
                path,
                format!("{place}: {cell:?} is no finite number"),
            ));
        }
        cells.push(value);
    }
    Ok(cells)
}
