//! A host's flows over time, with the moment of its departure (Figure 9).

use super::Figure;
use super::canvas::{Anchor, BLUE, INK, VERMILION, width_of};
use super::plot::{Axis, BELOW, Frame, Key, LEFT, Plot, legend, time_title};
use super::scale::Kind;
use crate::model::{Evidence, Exhibit};

const WIDTH: i32 = 720;
const HEIGHT: i32 = 330;

/// Above, the fraction of incoming flows in vain; below, the flows that the hosts initiated, and
/// the incoming ones in vain. A dashed line marks a moment, with what it is.
///
/// `None` without a flow.
pub fn activity(
    subject: &str,
    evidence: &Evidence,
    exhibit: &Exhibit,
    mark: Option<(i64, &str)>,
) -> Option<Figure> {
    let activity = &exhibit.activity;
    let bins = activity.initiated.len();
    let tallest = activity
        .initiated
        .iter()
        .chain(&activity.in_vain)
        .copied()
        .max()?;
    if tallest == 0 || evidence.bin_us <= 0 {
        return None;
    }
    let start = evidence.start_us as f64;
    let end = start + bins as f64 * evidence.bin_us as f64;
    let frame = |top, bottom| Frame {
        left: LEFT,
        top,
        right: WIDTH - 18,
        bottom,
    };
    let bin = crate::text::duration(evidence.bin_us);
    let title = format!("Flows of {subject} over time, in bins of {bin}");
    Some(Figure::draw(&title, WIDTH, HEIGHT, |canvas| {
        let time = Axis::new("", Kind::Time, (start, end));
        let share = Axis::new("in vain [share]", Kind::Linear, (0.0, 1.0));
        let upper = Plot::bars(canvas, frame(42, 118), &time, &share);
        let when = time_title(evidence.start_us);
        let below = Axis::new(&when, Kind::Time, (start, end));
        let y_title = format!("flows in {bin}");
        let flows = Axis::new(&y_title, Kind::Linear, (0.0, tallest as f64 * 1.05));
        let lower = Plot::new(canvas, frame(146, HEIGHT - BELOW), &below, &flows);

        let edge = |bin: usize| lower.x.at(start + bin as f64 * evidence.bin_us as f64);
        for (i, (vain, answered)) in activity.in_vain.iter().zip(&activity.answered).enumerate() {
            let incoming = vain + answered;
            if incoming > 0 {
                let y = upper.y.at(*vain as f64 / incoming as f64);
                canvas.line(
                    &[(edge(i), y), (edge(i + 1).max(edge(i) + 2), y)],
                    VERMILION,
                    3,
                );
            }
        }
        // Bars for what comes in vain, a line of steps for what the hosts do themselves.
        let mut area = vec![(edge(0), lower.frame.bottom)];
        for (i, vain) in activity.in_vain.iter().enumerate() {
            let y = lower.y.at(*vain as f64);
            area.extend([(edge(i), y), (edge(i + 1), y)]);
        }
        area.push((edge(bins), lower.frame.bottom));
        canvas.polygon(area, VERMILION, 0.8);
        let mut steps = Vec::new();
        for (i, own) in activity.initiated.iter().enumerate() {
            let y = lower.y.at(*own as f64);
            steps.extend([(edge(i), y), (edge(i + 1), y)]);
        }
        canvas.line(&steps, BLUE, 2);

        if let Some((moment, label)) = mark {
            let x = lower.x.at(moment as f64);
            canvas.dashes(x, 42, lower.frame.bottom, INK);
            let room = x + 6 + width_of(label, 12) < WIDTH;
            let (at, anchor) = if room {
                (x + 4, Anchor::Start)
            } else {
                (x - 4, Anchor::End)
            };
            canvas.text(label, (at, 132), anchor);
        }
        let keys: [Key<'_>; 3] = [
            ("incoming in vain: share", &|(x, y)| {
                canvas.line(&[(x - 7, y), (x + 7, y)], VERMILION, 3);
            }),
            ("number", &|(x, y)| {
                canvas.fill((x - 6, y - 5), (x + 6, y + 5), VERMILION, 0.8);
            }),
            ("initiated by the host", &|(x, y)| {
                canvas.line(
                    &[(x - 7, y + 4), (x, y + 4), (x, y - 4), (x + 7, y - 4)],
                    BLUE,
                    2,
                );
            }),
        ];
        legend(canvas, (LEFT, 18), &keys);
    }))
}
