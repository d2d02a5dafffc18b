//! One-dimensional DBSCAN: ours and linfa's beside what `dbscan_peers.py` left in a folder, the same
//! values and settings; clusters and noise have to be equal.
//!
//! Usage: `peer-cluster FOLDER [grid-of-linfa]`; without the second word linfa does the single setting only.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use linfa::ParamGuard as _;
use linfa::traits::Transformer as _;
use linfa_clustering::Dbscan;
use ndarray::Array2;
use peerscope_cluster::{Clustering, Dbscan1d, MinPoints, Radius, SortedValues};
use serde::Deserialize;

/// What `dbscan_peers.py` found.
#[derive(Deserialize)]
struct Facts {
    #[serde(rename = "scikit-learn")]
    version: String,
    single: Cell,
    #[serde(default)]
    grid: Vec<Cell>,
}

/// One setting: a radius and the least number of neighbours.
#[derive(Deserialize)]
struct Cell {
    eps: f64,
    percent: u32,
    min_points: usize,
    wall_s: f64,
    clusters: usize,
    /// Positions in the ascending values, as inclusive ranges.
    noise: Vec<[usize; 2]>,
}

/// Clusters, and noise as inclusive ranges of positions.
type Found = (usize, Vec<[usize; 2]>);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let whole_grid = arguments.next().is_some();
    let facts: Facts = serde_json::from_slice(&std::fs::read(Path::new(&folder).join("dbscan.json"))?)?;
    let text = std::fs::read_to_string(Path::new(&folder).join("values.csv"))?;
    let ascending: Vec<f64> = text.lines().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    // Not in order: sorting is part of the work.
    let n = ascending.len();
    let mixed: Vec<f64> = (0..n).map(|i| ascending[i * 7919 % n]).collect();

    println!("{n} values; scikit-learn {}", facts.version);
    let single = ours(&mixed, &facts.single)?;
    let of_linfa = linfa(&ascending, &facts.single)?;
    let peer = facts.single.wall_s;
    println!(
        "eps {} {} %: ours {:.1} us, scikit-learn {peer:.3} s, ratio {:.0}; linfa {of_linfa:.3} s, ratio {:.0}",
        facts.single.eps,
        facts.single.percent,
        1e6 * single,
        peer / single,
        of_linfa / single,
    );
    if facts.grid.is_empty() {
        return Ok(());
    }
    let (mut all, mut of_linfa) = (0.0, 0.0);
    for cell in &facts.grid {
        all += ours(&mixed, cell)?;
        if whole_grid {
            of_linfa += linfa(&ascending, cell)?;
        }
    }
    let peer: f64 = facts.grid.iter().map(|cell| cell.wall_s).sum();
    println!(
        "{} settings, each from unsorted values: ours {:.2} ms, scikit-learn {peer:.2} s, ratio {:.0}",
        facts.grid.len(),
        1e3 * all,
        peer / all
    );
    if whole_grid {
        println!("linfa {of_linfa:.2} s, ratio {:.0}", of_linfa / all);
    }
    Ok(())
}

/// Seconds of the best of many runs.
fn ours(values: &[f64], cell: &Cell) -> Result<f64, Box<dyn Error>> {
    let setting = Dbscan1d::new(Radius::new(cell.eps)?, MinPoints::new(cell.min_points)?);
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let begin = Instant::now();
        let sorted = SortedValues::new(values.iter().copied())?;
        let clustering = setting.fit(&sorted);
        best = best.min(begin.elapsed().as_secs_f64());
        check("ours", cell, &found(&clustering, &sorted))?;
    }
    Ok(best)
}

fn linfa(values: &[f64], cell: &Cell) -> Result<f64, Box<dyn Error>> {
    let points = Array2::from_shape_vec((values.len(), 1), values.to_vec())?;
    let setting = Dbscan::params(cell.min_points).tolerance(cell.eps).check()?;
    let begin = Instant::now();
    let labels = setting.transform(&points);
    let seconds = begin.elapsed().as_secs_f64();
    let clusters = labels.iter().flatten().max().map_or(0, |last| last + 1);
    let noise = (0..values.len()).filter(|&i| labels[i].is_none());
    check("linfa", cell, &(clusters, runs(noise)))?;
    Ok(seconds)
}

fn found(clustering: &Clustering, values: &SortedValues) -> Found {
    let regions = clustering.noise.regions.iter();
    let positions = regions.flat_map(|region| values.positions(region));
    (clustering.clusters.len(), runs(positions))
}

/// Ascending positions as inclusive ranges.
fn runs(positions: impl Iterator<Item = usize>) -> Vec<[usize; 2]> {
    let mut runs: Vec<[usize; 2]> = Vec::new();
    for position in positions {
        match runs.last_mut() {
            Some(last) if last[1] + 1 == position => last[1] = position,
            _ => runs.push([position; 2]),
        }
    }
    runs
}

fn check(who: &str, cell: &Cell, (clusters, noise): &Found) -> Result<(), String> {
    if (*clusters, noise) == (cell.clusters, &cell.noise) {
        return Ok(());
    }
    Err(format!(
        "{who}: {clusters} clusters and {} runs of noise at eps {} {} %, scikit-learn has {} and {}",
        noise.len(),
        cell.eps,
        cell.percent,
        cell.clusters,
        cell.noise.len()
    ))
}
