//! Graphs as arcs beside a list: every node has a line of its own, so that names never collide.

use super::Figure;
use super::canvas::{Anchor, INK, MARKERS, SERIES, TEXT, width_of};

/// A connection of two nodes, by their number, and how strong it is, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Link {
    /// A node.
    pub from: usize,
    /// Another.
    pub to: usize,
    /// From 0 to 1.
    pub strength: f64,
}

/// Which metrics are interesting in the same samples: metrics in groups, joined by arcs, the thicker
/// the larger their overlap. `None` without a link.
///
/// `groups` are lists of names; links number the names in the order of the groups.
pub fn metric_graph(system: &str, groups: &[Vec<String>], links: &[Link]) -> Option<Figure> {
    let title = format!("Metrics of {system} that are interesting in the same samples");
    arcs(
        &title,
        groups,
        links,
        "the thicker the arc, the larger the overlap of the samples",
    )
}

/// How communication rules hang together: flow groups in the clusters of their rules, joined by the
/// rules as arcs, the thicker the higher their score. `None` without a link.
pub fn rule_graph(clusters: &[Vec<String>], links: &[Link]) -> Option<Figure> {
    let title = "Clusters of communication rules";
    arcs(
        title,
        clusters,
        links,
        "each arc is a rule between two flow groups; the thicker, the higher its score",
    )
}

const ROW: i32 = 18;
/// Nodes at the most; graphs beyond that are no longer read.
const MOST: usize = 120;

fn arcs(title: &str, groups: &[Vec<String>], links: &[Link], note: &str) -> Option<Figure> {
    let names: Vec<(usize, &str)> = groups
        .iter()
        .enumerate()
        .flat_map(|(group, names)| names.iter().map(move |name| (group, name.as_str())))
        .collect();
    let shown = names.len().min(MOST);
    let links: Vec<&Link> = links
        .iter()
        .filter(|link| link.from < shown && link.to < shown && link.from != link.to)
        .collect();
    if links.is_empty() {
        return None;
    }
    // A row of space between groups.
    let row = |i: usize| {
        let place = i32::try_from(i + names[i].0).unwrap_or(i32::MAX / ROW);
        40 + place * ROW
    };
    let texts: Vec<String> = names[..shown]
        .iter()
        .map(|(_, name)| super::cut(name, 60))
        .collect();
    let column = texts
        .iter()
        .map(|text| width_of(text, TEXT))
        .max()
        .unwrap_or(0)
        .min(440)
        + 16;
    let width = (column + 260).max(width_of(note, TEXT) + 32);
    let height = row(shown - 1) + 30;
    Some(Figure::draw(title, width, height, |canvas| {
        let hidden = names.len() - shown;
        let note = if hidden > 0 {
            format!("{note}; {hidden} more not shown")
        } else {
            note.to_owned()
        };
        canvas.text(&note, (16, 16), Anchor::Start);
        let reach = f64::from(width - column - 30);
        let longest = links
            .iter()
            .map(|link| (row(link.from) - row(link.to)).abs())
            .max();
        for link in &links {
            let (a, b) = (row(link.from.min(link.to)), row(link.from.max(link.to)));
            let out = reach * f64::from(b - a) / f64::from(longest.unwrap_or(1).max(1));
            let color = SERIES[names[link.from].0 % SERIES.len()];
            let points: Vec<(i32, i32)> = (0..=16)
                .map(|i| {
                    let angle = std::f64::consts::PI * f64::from(i) / 16.0;
                    let x = f64::from(column) + out.max(14.0) * angle.sin();
                    let y = f64::from(a + b) / 2.0 - f64::from(b - a) / 2.0 * angle.cos();
                    (round(x), round(y))
                })
                .collect();
            let thickness = 1 + round(link.strength.clamp(0.0, 1.0) * 3.0);
            canvas.line(&points, color, thickness.unsigned_abs());
        }
        for (i, text) in texts.iter().enumerate() {
            let group = names[i].0;
            canvas.marker(
                MARKERS[group % MARKERS.len()],
                (column, row(i)),
                SERIES[group % SERIES.len()],
            );
            canvas.text_of(text, (column - 10, row(i)), Anchor::End, TEXT, INK);
        }
    }))
}

#[expect(clippy::cast_possible_truncation, reason = "within the picture")]
fn round(value: f64) -> i32 {
    value.round() as i32
}
