//! Connections of a host with the peers it has most of them with (Figure 10).

use super::Figure;
use super::canvas::{Canvas, MARKERS, Marker, SERIES};
use super::plot::{Axis, BELOW, Frame, LEFT, Plot, series_legend, time_title};
use super::scale::Kind;
use crate::model::{Contact, Evidence};
use plotters::style::RGBColor;

const WIDTH: i32 = 720;
const HEIGHT: i32 = 290;

/// For each peer the number of connections so far, over time: a steep line is a peer that is tried
/// again and again. `None` without a connection.
pub fn contacts(evidence: &Evidence, contacts: &[Contact]) -> Option<Figure> {
    let contacts = &contacts[..contacts.len().min(MARKERS.len())];
    let total = |contact: &Contact| contact.flows.iter().sum::<u64>();
    let highest = contacts.iter().map(total).max().filter(|most| *most > 0)?;
    if evidence.bin_us <= 0 {
        return None;
    }
    let bins = contacts.iter().map(|contact| contact.flows.len()).max()?;
    let start = evidence.start_us as f64;
    let end = start + bins as f64 * evidence.bin_us as f64;
    let host = super::cut(&contacts[0].host, 40);
    let title = format!("Flows of {host} with its top peers");
    let frame = Frame {
        left: LEFT,
        top: 44,
        right: WIDTH - 18,
        bottom: HEIGHT - BELOW,
    };
    Some(Figure::draw(&title, WIDTH, HEIGHT, |canvas| {
        let when = time_title(evidence.start_us);
        let x = Axis::new(&when, Kind::Time, (start, end));
        let y = Axis::new("flows so far", Kind::Linear, (0.0, highest as f64 * 1.05));
        let plot = Plot::new(canvas, frame, &x, &y);
        let mut labels = Vec::new();
        for (i, contact) in contacts.iter().enumerate() {
            series(&plot, evidence, contact, i);
            labels.push(format!(
                "{} ({})",
                super::cut(&contact.peer, 24),
                total(contact)
            ));
        }
        for (row, labels) in labels.chunks(2).enumerate() {
            let first = 2 * row;
            let y = if row == 0 { 12 } else { 28 };
            series_legend(canvas, (LEFT, y), labels, |i, at| {
                sign(canvas, MARKERS[first + i], at, SERIES[first + i]);
            });
        }
    }))
}

fn sign(canvas: &Canvas<'_>, marker: Marker, at: (i32, i32), color: RGBColor) {
    canvas.line(&[(at.0 - 8, at.1), (at.0 + 8, at.1)], color, 2);
    canvas.marker(marker, at, color);
}

/// Steps, with a marker at every twelfth of the axis.
fn series(plot: &Plot<'_, '_>, evidence: &Evidence, contact: &Contact, rank: usize) {
    let (marker, color) = (MARKERS[rank], SERIES[rank]);
    let (mut so_far, mut points) = (0, Vec::new());
    let at = |bin: usize| evidence.start_us as f64 + bin as f64 * evidence.bin_us as f64;
    for (bin, flows) in contact.flows.iter().enumerate() {
        points.push(plot.at(at(bin), so_far as f64));
        so_far += flows;
        if *flows > 0 {
            points.push(plot.at(at(bin + 1), so_far as f64));
        }
    }
    points.push(plot.at(at(contact.flows.len()), so_far as f64));
    plot.canvas.line(&points, color, 2);
    // Series that run together are told apart by markers at different places.
    let step = (points.len() / 12).max(1);
    for point in points
        .iter()
        .skip(rank * step / MARKERS.len())
        .step_by(step)
    {
        plot.canvas.marker(marker, *point, color);
    }
}
