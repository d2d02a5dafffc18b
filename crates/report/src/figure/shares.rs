//! Who makes the traffic, over time (Figure 3).

use super::Figure;
use super::canvas::{Anchor, INK, PRINT, SERIES, TEXT};
use super::plot::{Axis, BELOW, Frame, LEFT, Plot, series_legend, time_title};
use super::scale::Kind;

const WIDTH: i32 = 720;
const HEIGHT: i32 = 290;

/// The traffic of one application, in bins of time.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Band {
    /// What it is.
    pub label: String,
    /// Bytes a bin.
    pub bytes: Vec<f64>,
}

/// Shares of the bytes of each bin, one band upon the other in the order given. Bands beyond the
/// fifth are one, `others`. `None` without traffic.
pub fn shares(what: &str, start_us: i64, bin_us: i64, bands: &[Band]) -> Option<Figure> {
    let bins = bands.iter().map(|band| band.bytes.len()).max()?;
    let mut shown: Vec<Band> = bands.iter().take(5).cloned().collect();
    if bands.len() > shown.len() {
        let rest = &bands[shown.len()..];
        let sum = |bin| rest.iter().filter_map(|band| band.bytes.get(bin)).sum();
        shown.push(Band {
            label: "others".to_owned(),
            bytes: (0..bins).map(sum).collect(),
        });
    }
    if bin_us <= 0
        || !shown
            .iter()
            .flat_map(|band| &band.bytes)
            .any(|bytes| *bytes > 0.0)
    {
        return None;
    }
    let start = start_us as f64;
    let end = start + bins as f64 * bin_us as f64;
    let frame = Frame {
        left: LEFT,
        top: 44,
        right: WIDTH - 18,
        bottom: HEIGHT - BELOW,
    };
    let title = format!("Shares of the {what} over time");
    Some(Figure::draw(&title, WIDTH, HEIGHT, |canvas| {
        let when = time_title(start_us);
        let x = Axis::new(&when, Kind::Time, (start, end));
        let y = Axis::new("share of bytes [%]", Kind::Linear, (0.0, 100.0));
        let plot = Plot::new(canvas, frame, &x, &y);
        let edge = |bin: usize| plot.x.at(start + bin as f64 * bin_us as f64);
        let stack = stack(&shown, bins);
        for (i, band) in stack.iter().enumerate() {
            let (mut lower, mut upper) = (Vec::new(), Vec::new());
            for (bin, &(base, share)) in band.iter().enumerate() {
                let (low, high) = (plot.y.at(base), plot.y.at(base + share));
                lower.extend([(edge(bin), low), (edge(bin + 1), low)]);
                upper.extend([(edge(bin), high), (edge(bin + 1), high)]);
            }
            let outline = upper.clone();
            upper.extend(lower.into_iter().rev());
            canvas.polygon(upper, SERIES[i % SERIES.len()], 0.85);
            canvas.line(&outline, INK, 1);
        }
        let labels: Vec<String> = shown
            .iter()
            .map(|band| super::cut(&band.label, 16))
            .collect();
        series_legend(canvas, (LEFT, 18), &labels, |i, (x, y)| {
            let (from, to) = ((x - 6, y - 5), (x + 6, y + 5));
            canvas.fill(from, to, SERIES[i % SERIES.len()], 0.85);
            canvas.text_of(&(i + 1).to_string(), (x, y), Anchor::Middle, 9, PRINT);
        });
        // The same numbers in the bands, where these are widest.
        for (i, band) in stack.iter().enumerate() {
            let widest = (0..bins).max_by(|&a, &b| band[a].1.total_cmp(&band[b].1).then(b.cmp(&a)));
            let Some(bin) = widest.filter(|&bin| band[bin].1 >= 6.0) else {
                continue;
            };
            let middle = plot.y.at(band[bin].0 + band[bin].1 / 2.0);
            let at = (i32::midpoint(edge(bin), edge(bin + 1)), middle);
            canvas.text_of(&(i + 1).to_string(), at, Anchor::Middle, TEXT, PRINT);
        }
    }))
}

/// For each band and bin where it begins and how much it has, in percent of the bin's bytes.
fn stack(bands: &[Band], bins: usize) -> Vec<Vec<(f64, f64)>> {
    let of = |band: &Band, bin: usize| band.bytes.get(bin).copied().unwrap_or(0.0).max(0.0);
    let totals: Vec<f64> = (0..bins)
        .map(|bin| bands.iter().map(|band| of(band, bin)).sum())
        .collect();
    let mut base = vec![0.0; bins];
    let mut place = |band: &Band| {
        let shares = totals.iter().zip(&mut base).enumerate();
        let place = shares.map(|(bin, (&total, base))| {
            let share = if total > 0.0 {
                100.0 * of(band, bin) / total
            } else {
                0.0
            };
            let from = *base;
            *base += share;
            (from, share)
        });
        place.collect()
    };
    bands.iter().map(&mut place).collect()
}
