//! A page and figures from an analysis on disk.
//!
//! `cargo run --release --example report -- out --out report.html --figures figures`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use peerscope::report::{NamedFigure, Report};
use peerscope_examples::{AnyError, about, run, say};

/// Make a page to read and to send from what `analyze` wrote.
#[derive(Parser)]
struct Arguments {
    /// The directory that `analyze` wrote.
    analysis: PathBuf,
    /// The page; the tables in full go to the folder report-data beside it.
    #[arg(long)]
    out: PathBuf,
    /// Rules and clusters of the same traffic, as `rules` wrote them.
    #[arg(long)]
    rules: Option<PathBuf>,
    /// What is found at which intensity, as `detect curves` wrote it (docs/detectability.csv).
    #[arg(long)]
    curves: Option<PathBuf>,
    /// Also writes every figure as SVG and PNG into this directory.
    #[arg(long)]
    figures: Option<PathBuf>,
    /// How many times the size of the SVG the PNG are.
    #[arg(long, default_value = "1.5")]
    scale: f32,
}

fn main() -> ExitCode {
    run(|| report(&Arguments::parse()))
}

fn report(arguments: &Arguments) -> Result<ExitCode, AnyError> {
    let mut report = Report::open(&arguments.analysis)?;
    if let Some(rules) = &arguments.rules {
        report = report.with_rules(rules)?;
    }
    if let Some(curves) = &arguments.curves {
        report = report.with_curves(curves)?;
    }
    report.page().write(&arguments.out)?;
    say(&format!("Written: {}\n", arguments.out.display()));
    if let Some(folder) = &arguments.figures {
        fs::create_dir_all(folder).map_err(|error| about(folder, error))?;
        let mut figures = 0;
        for figure in report.all_figures() {
            save(&figure, folder, arguments.scale)?;
            figures += 1;
        }
        say(&format!(
            "Written: {figures} figures in {}\n",
            folder.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn save(named: &NamedFigure, folder: &Path, scale: f32) -> Result<(), AnyError> {
    let path = |extension: &str| folder.join(format!("{}.{extension}", named.name));
    let [svg, png] = [path("svg"), path("png")];
    fs::write(&svg, named.figure.svg()).map_err(|error| about(&svg, error))?;
    fs::write(&png, named.figure.png(scale)?).map_err(|error| about(&png, error))
}
