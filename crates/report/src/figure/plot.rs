//! A plot: a frame with two axes that say what they measure.

use super::canvas::{Anchor, Canvas, GRID, INK, TEXT};
use super::scale::{Kind, Scale, time};

/// The inside of the frame in pixels.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) right: i32,
    pub(crate) bottom: i32,
}

/// A frame with its scales.
pub(crate) struct Plot<'a, 'b> {
    pub(crate) canvas: &'a Canvas<'b>,
    pub(crate) frame: Frame,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
}

/// A quantity on an axis: what it is with its unit, how it lies there, and from where to where.
pub(crate) struct Axis<'a> {
    pub(crate) title: &'a str,
    pub(crate) kind: Kind,
    pub(crate) range: (f64, f64),
}

impl<'a> Axis<'a> {
    pub(crate) fn new(title: &'a str, kind: Kind, range: (f64, f64)) -> Self {
        Self { title, kind, range }
    }
}

impl<'a, 'b> Plot<'a, 'b> {
    /// Draws grid, axes, marks and titles.
    pub(crate) fn new(canvas: &'a Canvas<'b>, frame: Frame, x: &Axis<'_>, y: &Axis<'_>) -> Self {
        let Frame {
            left,
            right,
            bottom,
            ..
        } = frame;
        let plot = Self::bars(canvas, frame, x, y);
        let across = usize::try_from((right - left) / 75).unwrap_or(1);
        for tick in plot.x.ticks(across) {
            canvas.line(&[(tick.at, bottom), (tick.at, bottom + 4)], INK, 1);
            canvas.text(&tick.label, (tick.at, bottom + 14), Anchor::Middle);
        }
        plot
    }

    /// The same without marks on the axis of x: the caller names what stands there.
    pub(crate) fn bars(canvas: &'a Canvas<'b>, frame: Frame, x: &Axis<'_>, y: &Axis<'_>) -> Self {
        let Frame {
            left,
            top,
            right,
            bottom,
        } = frame;
        let plot = Self {
            canvas,
            frame,
            x: Scale::new(x.kind, x.range, (left, right)),
            y: Scale::new(y.kind, y.range, (bottom, top)),
        };
        let up = usize::try_from((bottom - top) / 28).unwrap_or(1).max(2);
        for tick in plot.y.ticks(up) {
            canvas.line(&[(left, tick.at), (right, tick.at)], GRID, 1);
            canvas.line(&[(left - 4, tick.at), (left, tick.at)], INK, 1);
            canvas.text(&tick.label, (left - 7, tick.at), Anchor::End);
        }
        canvas.line(&[(left, top), (left, bottom), (right, bottom)], INK, 1);
        canvas.text(
            x.title,
            (i32::midpoint(left, right), bottom + 31),
            Anchor::Middle,
        );
        canvas.upright(y.title, (left - 48, i32::midpoint(top, bottom)));
        plot
    }

    pub(crate) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        (self.x.at(x), self.y.at(y))
    }
}

/// Space below a frame for the axis.
pub(crate) const BELOW: i32 = 42;
/// Space left of a frame for the axis.
pub(crate) const LEFT: i32 = 62;

/// The title of an axis of time.
pub(crate) fn time_title(start_us: i64) -> String {
    format!(
        "time (UTC), from {}",
        time(start_us as f64, "%Y-%m-%d %H:%M")
    )
}

/// What a sign stands for, and how it is drawn at a point.
pub(crate) type Key<'a> = (&'a str, &'a dyn Fn((i32, i32)));

/// A line of keys above a plot; each draws its own sign at a point.
pub(crate) fn legend(canvas: &Canvas<'_>, (mut x, y): (i32, i32), keys: &[Key<'_>]) {
    for (label, sign) in keys {
        sign((x + 7, y));
        canvas.text(label, (x + 18, y), Anchor::Start);
        x += 18 + super::canvas::width_of(label, TEXT) + 14;
    }
}

/// The same for series: a label each, and the sign of a series by its number.
pub(crate) fn series_legend(
    canvas: &Canvas<'_>,
    at: (i32, i32),
    labels: &[String],
    sign: impl Fn(usize, (i32, i32)),
) {
    let signs: Vec<_> = (0..labels.len())
        .map(|i| {
            let sign = &sign;
            move |at| sign(i, at)
        })
        .collect();
    let keys: Vec<Key<'_>> = labels
        .iter()
        .zip(&signs)
        .map(|(label, sign)| (label.as_str(), sign as &dyn Fn((i32, i32))))
        .collect();
    legend(canvas, at, &keys);
}
