//! How clusters and noise depend on the parameters (Table 3).

use peerscope_cluster::{Scale, Sensitivity, SortedValues};

use super::Figure;
use super::canvas::{Anchor, INK, TEXT, VERMILION};
use plotters::style::{RGBColor, WHITE};

const CELL: (i32, i32) = (92, 34);
const LEFT: i32 = 130;
const TOP: i32 = 62;

/// Heat map of the noise for the paper's radii and densities, with clusters and noise in numbers.
///
/// `None` without values.
pub fn sensitivity(system: &str, metric: &str, values: &SortedValues) -> Option<Figure> {
    let (radii, percents) = (Sensitivity::PAPER_RADII, Sensitivity::PAPER_PERCENTS);
    let table = Sensitivity::new(values, Scale::Range, &radii, &percents).ok()?;
    if table.n == 0 {
        return None;
    }
    let [columns, rows] = [percents.len(), radii.len()].map(|n| i32::try_from(n).unwrap_or(0));
    let (width, height) = (LEFT + columns * CELL.0 + 16, TOP + rows * CELL.1 + 30);
    let title = format!("Sensitivity of {metric} of {system}: clusters (noise)");
    Some(Figure::draw(&title, width, height, |canvas| {
        let middle = LEFT + columns * CELL.0 / 2;
        canvas.text(
            "density min_points [% of the values]",
            (middle, 20),
            Anchor::Middle,
        );
        canvas.upright(
            "radius eps [share of the range]",
            (22, TOP + rows * CELL.1 / 2),
        );
        for (x, percent) in (0..).zip(&percents) {
            let at = (LEFT + x * CELL.0 + CELL.0 / 2, TOP - 12);
            canvas.text(&format!("{} %", percent.get()), at, Anchor::Middle);
        }
        for ((y, radius), trials) in (0..).zip(&radii).zip(table.trials.chunks(percents.len())) {
            let top = TOP + y * CELL.1;
            canvas.text(
                &radius.get().to_string(),
                (LEFT - 10, top + CELL.1 / 2),
                Anchor::End,
            );
            for (x, trial) in (0..).zip(trials) {
                let noise = trial.noise as f64 / table.n as f64;
                let from = (LEFT + x * CELL.0, top);
                let to = (from.0 + CELL.0, top + CELL.1);
                canvas.fill(from, to, VERMILION, noise.sqrt());
                canvas.frame(from, to, INK);
                let label = format!("{} ({:.1} %)", trial.clusters, 100.0 * noise);
                let color: RGBColor = if noise > 0.4 { WHITE } else { INK };
                let at = (from.0 + CELL.0 / 2, top + CELL.1 / 2);
                canvas.text_of(&label, at, Anchor::Middle, TEXT, color);
            }
        }
        let note = "number of clusters (noise); the darker, the more noise";
        canvas.text(note, (middle, height - 14), Anchor::Middle);
    }))
}
