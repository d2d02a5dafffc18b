//! Tables that the page's script can sort and filter, and values in them.

use maud::{Markup, html};

/// A cell: what is shown, and what it is sorted by if that is a number.
pub(super) struct Cell {
    shown: Markup,
    value: Option<f64>,
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self {
            shown: shown(text),
            value: None,
        }
    }

    pub(super) fn markup(shown: Markup) -> Self {
        Self { shown, value: None }
    }

    pub(super) fn number(value: f64, text: &str) -> Self {
        Self {
            shown: html! { (text) },
            value: Some(value),
        }
    }

    pub(super) fn count(value: u64) -> Self {
        Self::number(value as f64, &crate::text::count(value))
    }

    pub(super) fn moment(micros: i64) -> Self {
        Self::number(micros as f64, &crate::text::moment(micros))
    }

    pub(super) fn bytes(value: u64) -> Self {
        Self::number(value as f64, &crate::text::bytes(value))
    }

    pub(super) fn percent(share: f64) -> Self {
        Self::number(share, &crate::text::percent(share))
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
    rows: Vec<Vec<Cell>>,
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
