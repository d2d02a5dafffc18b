//! How strong a behaviour has to be to be found.

use super::Figure;
use super::canvas::{MARKERS, SERIES};
use super::plot::{Axis, BELOW, Frame, Key, LEFT, Plot, legend};
use super::scale::Kind;

const WIDTH: i32 = 720;
const HEIGHT: i32 = 320;

/// A line of points, ascending in x.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Curve {
    /// What it is of.
    pub label: String,
    /// Strength of what is planted, and the share of it that is found, from 0 to 1.
    pub points: Vec<(f64, f64)>,
}

/// Share of planted behaviour that is found against its strength, at most four curves. `strength`
/// names the quantity with its unit. `None` without a finite point.
pub fn detectability(strength: &str, curves: &[Curve]) -> Option<Figure> {
    let curves = &curves[..curves.len().min(MARKERS.len())];
    let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let all = || {
        curves
            .iter()
            .flat_map(|curve| curve.points.iter().filter(finite))
    };
    let low = all().map(|point| point.0).reduce(f64::min)?;
    let high = all().map(|point| point.0).reduce(f64::max)?;
    let (kind, label) = if low >= 0.0 && high > 50.0 * low.max(0.1) {
        (Kind::Log, format!("{strength}, log scale"))
    } else {
        (Kind::Linear, strength.to_owned())
    };
    let frame = Frame {
        left: LEFT,
        top: 44,
        right: WIDTH - 18,
        bottom: HEIGHT - BELOW,
    };
    let title = format!("Share found against {strength}");
    Some(Figure::draw(&title, WIDTH, HEIGHT, |canvas| {
        let x = Axis::new(&label, kind, (low, high));
        let y = Axis::new("found [share]", Kind::Linear, (0.0, 1.0));
        let plot = Plot::new(canvas, frame, &x, &y);
        for (i, curve) in curves.iter().enumerate() {
            let points: Vec<(i32, i32)> = curve
                .points
                .iter()
                .filter(finite)
                .map(|&(x, y)| plot.at(x, y))
                .collect();
            canvas.line(&points, SERIES[i], 2);
            for point in points {
                canvas.marker(MARKERS[i], point, SERIES[i]);
            }
        }
        let labels: Vec<String> = curves
            .iter()
            .map(|curve| super::cut(&curve.label, 22))
            .collect();
        let signs: Vec<_> = (0..curves.len())
            .map(|i| move |at| canvas.marker(MARKERS[i], at, SERIES[i]))
            .collect();
        let keys: Vec<Key<'_>> = labels
            .iter()
            .zip(&signs)
            .map(|(label, sign)| (label.as_str(), sign as &dyn Fn((i32, i32))))
            .collect();
        legend(canvas, (LEFT, 18), &keys);
    }))
}
