//! How many hosts make the interesting samples (Figures 6 and 7).

use super::Figure;
use super::canvas::{Anchor, BLUE, INK, MARKERS, PALE, VERMILION, width_of};
use super::plot::{Axis, BELOW, Frame, LEFT, Plot};
use super::scale::Kind;

const WIDTH: i32 = 760;
const HEIGHT: i32 = 480;

/// A metric: its interesting samples as a share of all, and the hosts that make nearly all of them
/// as a share of the system's hosts.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct DominancePoint {
    /// The metric.
    pub metric: String,
    /// From 0 to 1.
    pub sample_fraction: f64,
    /// From 0 to 1.
    pub host_fraction: f64,
}

/// Scatter of metrics. At the upper right lies a general behaviour, at the lower right one of few
/// hosts. Every metric has a number, and its name at the side: names never collide.
///
/// `None` without points.
pub fn dominance(system: &str, points: &[DominancePoint]) -> Option<Figure> {
    if points.is_empty() {
        return None;
    }
    let mut points: Vec<&DominancePoint> = points.iter().collect();
    points.sort_by(|a, b| {
        let by_share = b.sample_fraction.total_cmp(&a.sample_fraction);
        by_share.then_with(|| a.metric.cmp(&b.metric))
    });
    let rows = i32::try_from(points.len()).unwrap_or(i32::MAX / 100);
    let height = HEIGHT.max(rows * 14 + 40);
    let frame = Frame {
        left: LEFT,
        top: 24,
        right: WIDTH - 270,
        bottom: HEIGHT - BELOW,
    };
    let widest = points
        .iter()
        .map(|point| point.sample_fraction)
        .fold(0.0, f64::max);
    let right = if widest > 0.5 {
        1.0
    } else {
        (widest * 11.0).ceil() / 10.0
    };
    let title =
        format!("Metrics of {system}: interesting samples against the hosts that make them");
    Some(Figure::draw(&title, WIDTH, height, |canvas| {
        let x = Axis::new(
            "interesting samples [share of the metric's values]",
            Kind::Linear,
            (0.0, right),
        );
        let y = Axis::new(
            "hosts that make 90 % of them [share]",
            Kind::Linear,
            (0.0, 1.0),
        );
        let plot = Plot::new(canvas, frame, &x, &y);
        let mut taken: Vec<(i32, i32, i32, i32)> = Vec::new();
        let places: Vec<(i32, i32)> = points
            .iter()
            .map(|point| plot.at(point.sample_fraction, point.host_fraction))
            .collect();
        for &(x, y) in &places {
            taken.push((x - 5, y - 5, x + 5, y + 5));
        }
        for ((number, point), &at) in (1..).zip(&points).zip(&places) {
            let general = point.sample_fraction >= 0.1 && point.host_fraction >= 0.1;
            let (marker, color) = match (general, point.sample_fraction >= 0.1) {
                (true, _) => (MARKERS[2], VERMILION),
                (_, true) => (MARKERS[1], BLUE),
                _ => (MARKERS[0], PALE),
            };
            canvas.marker(marker, at, color);
            let label = number.to_string();
            let spot = free_spot(at, width_of(&label, 11), &taken, frame);
            if (spot.0 - at.0).abs() + (spot.1 - at.1).abs() > 26 {
                canvas.line(&[at, spot], PALE, 1);
            }
            taken.push(around(spot, width_of(&label, 11)));
            canvas.text_of(&label, spot, Anchor::Middle, 11, INK);
            let row = 24 + (number - 1) * 14;
            canvas.text_of(&label, (frame.right + 34, row), Anchor::End, 11, INK);
            canvas.marker(marker, (frame.right + 44, row), color);
            canvas.text_of(
                &super::cut(&point.metric, 34),
                (frame.right + 54, row),
                Anchor::Start,
                11,
                INK,
            );
        }
    }))
}

fn around((x, y): (i32, i32), width: i32) -> (i32, i32, i32, i32) {
    (x - width / 2 - 1, y - 6, x + width / 2 + 1, y + 6)
}

/// The nearest place around a point where a label hits nothing; the point's side if there is none.
fn free_spot(
    (x, y): (i32, i32),
    width: i32,
    taken: &[(i32, i32, i32, i32)],
    frame: Frame,
) -> (i32, i32) {
    let steps = (12..120).step_by(6).flat_map(|r| {
        [
            (1, 0),
            (0, -1),
            (-1, 0),
            (0, 1),
            (1, -1),
            (-1, -1),
            (1, 1),
            (-1, 1),
        ]
        .map(|(dx, dy)| (x + dx * r, y + dy * r))
    });
    let mut spots = steps.filter(|&spot| {
        let (left, top, right, bottom) = around(spot, width);
        let inside =
            left > frame.left && right < frame.right + 14 && top > 2 && bottom < frame.bottom;
        inside
            && taken
                .iter()
                .all(|&(l, t, r, b)| right < l || r < left || bottom < t || b < top)
    });
    spots.next().unwrap_or((x + 12, y))
}
