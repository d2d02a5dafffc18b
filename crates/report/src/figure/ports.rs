//! Flows to reserved ports that nobody answered (Figure 8).

use super::Figure;
use super::canvas::{Anchor, BLUE, INK, VERMILION, width_of};
use super::plot::{Axis, BELOW, Frame, Key, LEFT, Plot, legend};
use super::scale::Kind;
use crate::model::PortCount;
use crate::text::count;

/// Ports shown, those with most flows.
const MOST: usize = 20;
const WIDTH: i32 = 720;
const HEIGHT: i32 = 300;

/// Fraction of flows without an answer by destination port, for the ports with most flows of a
/// system and transport. The number of flows stands above each bar. `None` without ports.
pub fn ports(system: &str, transport: &str, ports: &[PortCount]) -> Option<Figure> {
    let mut shown: Vec<&PortCount> = ports
        .iter()
        .filter(|port| port.system == system && port.transport == transport && port.flows > 0)
        .collect();
    let all = shown.len();
    shown.sort_by_key(|port| (std::cmp::Reverse(port.flows), port.port));
    shown.truncate(MOST);
    shown.sort_by_key(|port| port.port);
    let bars = i32::try_from(shown.len()).ok().filter(|bars| *bars > 0)?;
    let title = format!("Flows of {system} to reserved {transport} ports that nobody answered");
    let frame = Frame {
        left: LEFT,
        top: 46,
        right: WIDTH - 18,
        bottom: HEIGHT - BELOW,
    };
    Some(Figure::draw(&title, WIDTH, HEIGHT, |canvas| {
        let label = match all - shown.len() {
            0 => format!("destination port ({transport})"),
            more => format!(
                "destination port ({transport}), those with most flows; {more} more not shown"
            ),
        };
        let x = Axis::new(&label, Kind::Linear, (0.0, 0.0));
        let y = Axis::new("unanswered [share of flows]", Kind::Linear, (0.0, 1.0));
        let plot = Plot::bars(canvas, frame, &x, &y);
        let pitch = (frame.right - frame.left) / bars;
        let half = (pitch * 2 / 5).clamp(2, 26);
        for (i, port) in (0..).zip(&shown) {
            let middle = frame.left + pitch * i + pitch / 2;
            let share = port.unanswered as f64 / port.flows as f64;
            let top = plot.y.at(share).min(frame.bottom - 1);
            let (from, to) = ((middle - half, top), (middle + half, frame.bottom));
            if share > 0.5 {
                canvas.fill(from, to, VERMILION, 1.0);
                canvas.hatch(from, to, INK);
            } else {
                canvas.fill(from, to, BLUE, 1.0);
            }
            canvas.text_of(
                &port.port.to_string(),
                (middle, frame.bottom + 14),
                Anchor::Middle,
                11,
                INK,
            );
            let flows = if width_of(&count(port.flows), 10) < pitch {
                count(port.flows)
            } else {
                super::number(port.flows as f64)
            };
            canvas.text_of(&flows, (middle, top - 8), Anchor::Middle, 10, INK);
        }
        let keys: [Key<'_>; 2] = [
            ("mostly unanswered", &|(x, y)| {
                canvas.fill((x - 6, y - 5), (x + 6, y + 5), VERMILION, 1.0);
                canvas.hatch((x - 6, y - 5), (x + 6, y + 5), INK);
            }),
            ("others; number of flows above the bar", &|(x, y)| {
                canvas.fill((x - 6, y - 5), (x + 6, y + 5), BLUE, 1.0);
            }),
        ];
        legend(canvas, (frame.left, 14), &keys);
    }))
}
