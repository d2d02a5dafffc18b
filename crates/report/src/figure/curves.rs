//! How strong a behaviour has to be to be found.

use std::collections::BTreeMap;
use std::io::Read;

use super::Figure;
use super::canvas::{Anchor, BLUE, Marker};
use super::plot::{Axis, Frame, LEFT, Plot};
use super::scale::Kind;
use crate::ReportError;

/// A line of points, ascending in x.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Curve {
    /// What it is of.
    pub label: String,
    /// Strength of what is planted, and the share of it that is found, from 0 to 1.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// Reads the CSV that `detect curves` writes: of its columns `kind`, `intensity` and `recall`
    /// (`-` where nothing was planted), one curve a kind in the order of the text.
    ///
    /// ```
    /// use peerscope_report::figure::Curve;
    ///
    /// let text = "kind,intensity,recall\nbuddy,1,1.000\nbuddy,0.1,0.250\nselfish,1,-\n";
    /// let curves = Curve::from_csv(text.as_bytes())?;
    /// assert_eq!(curves[0].points, [(0.1, 0.25), (1.0, 1.0)]);
    /// assert!(curves[1].points.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// With line, column and value if a column is missing or a number is none.
    pub fn from_csv(text: impl Read) -> Result<Vec<Self>, ReportError> {
        let mut reader = csv::Reader::from_reader(text);
        let header = reader.headers()?.clone();
        let column = |name| header.iter().position(|found| found == name);
        let (Some(kind), Some(strength), Some(recall)) =
            (column("kind"), column("intensity"), column("recall"))
        else {
            let found = header.iter().collect::<Vec<_>>().join(",");
            return Err(ReportError::Curves(super::cut(&found, 80)));
        };
        let mut curves: Vec<Self> = Vec::new();
        let mut known = BTreeMap::new();
        for record in reader.records() {
            let record = record?;
            let number = |at: usize| {
                let parsed = record[at].parse().ok();
                parsed
                    .filter(|value: &f64| value.is_finite())
                    .ok_or_else(|| ReportError::Value {
                        line: record.position().map_or(0, csv::Position::line),
                        column: header[at].to_owned(),
                        value: super::cut(&record[at], 80),
                    })
            };
            let label = record[kind].to_owned();
            let at = *known.entry(label.clone()).or_insert_with(|| {
                let points = Vec::new();
                curves.push(Self { label, points });
                curves.len() - 1
            });
            if &record[recall] != "-" {
                curves[at].points.push((number(strength)?, number(recall)?));
            }
        }
        for curve in &mut curves {
            curve.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Ok(curves)
    }
}

const WIDTH: i32 = 720;
/// Height of a row of plots.
const ROW: i32 = 104;
/// Plots at the most.
const MOST: usize = 16;

/// Share of planted behaviour that is found against its strength: one small plot a curve, because
/// curves of what is found lie upon each other. `strength` names the quantity with its unit. `None`
/// without a finite point.
pub fn detectability(strength: &str, curves: &[Curve]) -> Option<Figure> {
    let shown = &curves[..curves.len().min(MOST)];
    let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let all = || {
        shown
            .iter()
            .flat_map(|curve| curve.points.iter().filter(finite))
    };
    let low = all().map(|point| point.0).reduce(f64::min)?;
    let high = all().map(|point| point.0).reduce(f64::max)?;
    let kind = if low >= 0.0 && high > 50.0 * low.max(0.1) {
        Kind::Log
    } else {
        Kind::Linear
    };
    // From nothing at all, if that is near.
    let low = if low > 0.0 && low < high / 4.0 {
        0.0
    } else {
        low
    };
    let columns = if shown.len() > 1 { 2 } else { 1 };
    let rows = shown.len().div_ceil(columns);
    let [columns, rows] = [columns, rows].map(|n| i32::try_from(n).unwrap_or(1));
    let height = 52 + rows * ROW - 8;
    let scale = if kind == Kind::Log { ", log scale" } else { "" };
    let hidden = match curves.len() - shown.len() {
        0 => String::new(),
        hidden => format!("; {hidden} more not shown"),
    };
    let note = format!(
        "share found against {}{scale}{hidden}",
        super::cut(strength, 60)
    );
    let title = format!("Share found against {strength}");
    Some(Figure::draw(&title, WIDTH, height, |canvas| {
        canvas.text(&note, (LEFT, 14), Anchor::Start);
        let pitch = (WIDTH - 18) / columns;
        for (i, curve) in (0..).zip(shown) {
            let (column, row) = (i % columns, i / columns);
            let frame = Frame {
                left: column * pitch + LEFT,
                top: 52 + row * ROW,
                right: (column + 1) * pitch,
                bottom: 52 + row * ROW + ROW - 46,
            };
            let y = Axis::new("found", Kind::Linear, (0.0, 1.0));
            // The quantity stands once, above.
            let plot = Plot::new(canvas, frame, &Axis::new("", kind, (low, high)), &y);
            let label = super::cut(&curve.label, 40);
            canvas.text(&label, (frame.left, frame.top - 12), Anchor::Start);
            let points: Vec<(i32, i32)> = curve
                .points
                .iter()
                .filter(finite)
                .map(|&(x, y)| plot.at(x, y))
                .collect();
            canvas.line(&points, BLUE, 2);
            for point in points {
                canvas.marker(Marker::Disc, point, BLUE);
            }
        }
    }))
}
