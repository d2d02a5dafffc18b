//! The values of a metric with what the clustering made of them (Figures 4 and 5).

use super::Figure;
use super::canvas::{Anchor, BLUE, Canvas, INK, ORANGE, PALE, PRINT, SKY, VERMILION, width_of};
use super::plot::{Axis, BELOW, Frame, Key, LEFT, Plot, legend};
use super::scale::{Kind, Scale};
use crate::model::Metric;

const WIDTH: i32 = 720;
const HEIGHT: i32 = 300;
const BINS: usize = 60;

/// Histogram of a metric's values, ascending: clusters and noise as brackets above it, the
/// interesting region shaded and hatched.
///
/// The axis of values is logarithmic where most values lie in a small part of their range, that of
/// counts where there are many samples. `None` without values.
pub fn histogram(
    system: &str,
    name: &str,
    unit: &str,
    metric: &Metric,
    values: &[f64],
) -> Option<Figure> {
    let (low, high) = (*values.first()?, *values.last()?);
    let title = format!("{name} of {system}: {} samples", values.len());
    let skewed = low >= 0.0 && high > 50.0 && values[values.len() / 2] < high / 20.0;
    let kind = if skewed { Kind::Log } else { Kind::Linear };
    let low = if skewed { 0.0 } else { low };
    let unit = if unit.is_empty() && low >= -1.0 && high <= 1.0 {
        "ratio"
    } else {
        unit
    };
    let label = match (unit, skewed) {
        ("" | "1", false) => name.to_owned(),
        ("" | "1", true) => format!("{name}, log scale"),
        (unit, false) => format!("{name} [{unit}]"),
        (unit, true) => format!("{name} [{unit}], log scale"),
    };
    let frame = Frame {
        left: LEFT,
        top: 64,
        right: WIDTH - 18,
        bottom: HEIGHT - BELOW,
    };
    let x = Scale::new(kind, (low, high), (0, 1));
    let bars = bars(x, values);
    let tallest = bars.iter().copied().max().unwrap_or(0);
    let (y_kind, y_title) = if tallest > 50 {
        (Kind::Log, "samples a bin, log scale")
    } else {
        (Kind::Linear, "samples a bin")
    };
    let regions: Vec<(f64, f64)> =
        metric
            .interesting
            .as_ref()
            .map_or_else(Vec::new, |interesting| {
                let regions = interesting.regions.iter();
                regions.map(|region| (region.low, region.high)).collect()
            });
    Some(Figure::draw(&title, WIDTH, HEIGHT, |canvas| {
        let x = Axis::new(&label, kind, (low, high));
        let y = Axis::new(y_title, y_kind, (0.0, tallest as f64 * 1.05));
        let plot = Plot::new(canvas, frame, &x, &y);
        let spans: Vec<(i32, i32)> = regions
            .iter()
            .map(|&(low, high)| widened((plot.x.at(low), plot.x.at(high)), &plot))
            .collect();
        for &(from, to) in &spans {
            canvas.fill((from, frame.top), (to, frame.bottom), ORANGE, 0.3);
        }
        let pitch = f64::from(frame.right - frame.left) / BINS as f64;
        for (bin, &count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
            let edge = |bin: usize| frame.left + round(bin as f64 * pitch);
            let (from, to) = (edge(bin), edge(bin + 1) - 1);
            let middle = plot.x.value((bin as f64 + 0.5) / BINS as f64);
            let half = (plot.x.value((bin as f64 + 1.0) / BINS as f64) - middle).abs();
            let near = |&(low, high): &(f64, f64)| low - half <= middle && middle <= high + half;
            let top = plot.y.at(count as f64).min(frame.bottom - 2);
            if regions.iter().any(near) {
                canvas.fill((from, top), (to, frame.bottom), VERMILION, 1.0);
                canvas.hatch((from, top), (to, frame.bottom), INK);
            } else {
                canvas.fill((from, top), (to, frame.bottom), BLUE, 1.0);
            }
        }
        brackets(canvas, &plot, metric);
        let keys: [Key<'_>; 3] = [
            ("samples", &|(x, y)| {
                canvas.fill((x - 6, y - 5), (x + 6, y + 5), BLUE, 1.0);
            }),
            ("interesting samples", &|(x, y)| {
                canvas.fill((x - 6, y - 5), (x + 6, y + 5), VERMILION, 1.0);
                canvas.hatch((x - 6, y - 5), (x + 6, y + 5), INK);
            }),
            ("interesting region", &|(x, y)| {
                canvas.fill((x - 6, y - 5), (x + 6, y + 5), ORANGE, 0.3);
            }),
        ];
        legend(
            canvas,
            (frame.left, 14),
            if regions.is_empty() {
                &keys[..1]
            } else {
                &keys
            },
        );
    }))
}

fn bars(x: Scale, values: &[f64]) -> Vec<usize> {
    let mut bars = vec![0; BINS];
    for &value in values {
        let bin = usize::try_from(round(x.part(value) * BINS as f64 - 0.5)).unwrap_or(0);
        bars[bin.min(BINS - 1)] += 1;
    }
    bars
}

/// Clusters as `C1`, `C2`, ... and noise as `N`, each over its range; labels where there is room.
fn brackets(canvas: &Canvas<'_>, plot: &Plot<'_, '_>, metric: &Metric) {
    let clusters = metric
        .clusters
        .iter()
        .zip(1..)
        .map(|(c, i)| (c, format!("C{i}"), SKY));
    let noise = metric
        .noise
        .regions
        .iter()
        .map(|n| (n, "N".to_owned(), PALE));
    for (row, all) in [clusters.collect::<Vec<_>>(), noise.collect()]
        .into_iter()
        .enumerate()
    {
        let y = if row == 0 { 40 } else { 57 };
        let mut free = i32::MIN;
        for (interval, label, color) in all {
            let (from, to) = widened((plot.x.at(interval.low), plot.x.at(interval.high)), plot);
            canvas.fill((from, y - 7), (to, y + 7), color, 1.0);
            canvas.frame((from, y - 7), (to, y + 7), INK);
            let half = width_of(&label, 11) / 2 + 2;
            let middle = i32::midpoint(from, to);
            // Beside the bracket where it does not fit on it.
            let (at, anchor) = if to - from > 2 * half + 4 {
                (middle, Anchor::Middle)
            } else if to + 2 * half < plot.frame.right + 14 {
                (to + 4, Anchor::Start)
            } else {
                (from - 4, Anchor::End)
            };
            let left = match anchor {
                Anchor::Middle => at - half,
                Anchor::Start => at,
                Anchor::End => at - 2 * half,
            };
            if left >= free {
                let color = if matches!(anchor, Anchor::Middle) {
                    PRINT
                } else {
                    INK
                };
                canvas.text_of(&label, (at, y), anchor, 11, color);
                free = (left + 2 * half).max(to) + 2;
            }
        }
    }
}

/// A range of pixels that can be seen, however narrow it is.
fn widened((from, to): (i32, i32), plot: &Plot<'_, '_>) -> (i32, i32) {
    let (from, to) = (from - 3, to + 3);
    (from.max(plot.frame.left), to.min(plot.frame.right))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "between two pixels or bins"
)]
fn round(value: f64) -> i32 {
    value.round() as i32
}
