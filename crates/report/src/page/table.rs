//! Tables that the page's script can sort and filter, and values in them.

use maud::{Markup, html};

use super::SideFile;
use super::sheet::sheet;

/// A cell: what is shown, what it is sorted by if that is a number, and its whole value for the CSV.
pub(super) struct Cell {
    shown: Markup,
    value: Option<f64>,
    whole: String,
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self {
            shown: shown(text),
            value: None,
            whole: text.to_owned(),
        }
    }

    /// `whole` is what the CSV has of it.
    pub(super) fn markup(shown: Markup, whole: &str) -> Self {
        Self {
            shown,
            value: None,
            whole: whole.to_owned(),
        }
    }

    pub(super) fn number(value: f64, text: &str) -> Self {
        Self {
            shown: html! { (text) },
            value: Some(value),
            whole: value.to_string(),
        }
    }

    pub(super) fn count(value: u64) -> Self {
        Self {
            whole: value.to_string(),
            ..Self::number(value as f64, &crate::text::count(value))
        }
    }

    pub(super) fn moment(micros: i64) -> Self {
        Self {
            whole: micros.to_string(),
            ..Self::number(micros as f64, &crate::text::moment(micros))
        }
    }

    pub(super) fn bytes(value: u64) -> Self {
        Self {
            whole: value.to_string(),
            ..Self::number(value as f64, &crate::text::bytes(value))
        }
    }

    pub(super) fn percent(share: f64) -> Self {
        Self::number(share, &crate::text::percent(share))
    }

    /// A number in a few digits; empty for none.
    pub(super) fn maybe(value: Option<f64>) -> Self {
        value.map_or_else(
            || Self::text(""),
            |value| Self::number(value, &crate::text::number(value)),
        )
    }

    /// Bytes of the page, about.
    pub(super) fn size(&self) -> usize {
        self.shown.0.len() + 40
    }

    pub(super) fn sorted_by(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }
}

/// A table with a caption. `cut` says how many rows there are in all, and where.
pub(super) fn table(
    caption: &str,
    head: &[&str],
    rows: &[Vec<Cell>],
    cut: Option<(u64, &str)>,
) -> Markup {
    let all = rows.len() as u64;
    let left_out = cut.filter(|(whole, _)| *whole > all);
    html! {
        div.table {
            table {
                caption {
                    (caption)
                    @if let Some((whole, place)) = left_out {
                        " (" (crate::text::count(all)) " of " (crate::text::count(whole)) "; " (place) ")"
                    }
                }
                thead { tr { @for title in head { th scope="col" { (title) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for cell in row {
                                @match cell.value {
                                    Some(value) => td.n data-v=(value) { (cell.shown) },
                                    None => td { (cell.shown) },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A table of the first `most` rows. If there are more, a CSV beside the page has all of them.
pub(super) fn cut_table(
    files: &mut Vec<SideFile>,
    name: &str,
    caption: &str,
    head: &[&str],
    rows: &[Vec<Cell>],
    most: usize,
) -> Markup {
    if rows.len() <= most {
        return table(caption, head, rows, None);
    }
    let whole = |row: &Vec<Cell>| row.iter().map(|cell| cell.whole.clone()).collect();
    files.push(SideFile::text(name, sheet(head, rows.iter().map(whole))));
    let place = format!("all are in {name}");
    let cut = Some((rows.len() as u64, place.as_str()));
    table(caption, head, &rows[..most], cut)
}

/// Letters of a value that the page shows; the CSV has all.
const LETTERS: usize = 400;

/// A value from outside: escaped, cut, apart from the direction of its surroundings, and with marks
/// in the place of characters that cannot be seen.
pub(super) fn shown(text: &str) -> Markup {
    html! { bdi { (visible(&crate::text::cut(text, LETTERS))) } }
}

/// See [`shown`].
pub(super) fn visible(text: &str) -> String {
    let mark = |c: char| match c {
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' => {
            format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c))
        }
        c if c.is_control() => format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(mark).collect()
}
