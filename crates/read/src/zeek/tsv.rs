//! The tab-separated layout: header lines say how the records are to be split.

use super::record::{FIELDS, NEEDED, Record};
use crate::Fault;
use crate::error::excerpt;

/// What the header lines read so far say.
#[derive(Debug)]
pub(super) struct Layout {
    separator: u8,
    unset: Vec<u8>,
    empty: Vec<u8>,
    /// Where each of our fields stands; `None` before a `#fields` line.
    columns: Option<Columns>,
}

#[derive(Debug)]
struct Columns {
    /// Place of each of [`FIELDS`], or `usize::MAX`.
    place: [usize; FIELDS.len()],
    /// Number of fields a record must have.
    count: usize,
    /// The same, where blanks of two and more separate fields too.
    loose_count: usize,
    /// Length of the prefix of fields that holds ours.
    used: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            separator: b'\t',
            unset: b"-".to_vec(),
            empty: b"(empty)".to_vec(),
            columns: None,
        }
    }
}

impl Layout {
    /// Takes in a line that begins with `#`. A concatenated file has several headers; the last
    /// one counts.
    pub(super) fn header(&mut self, line: &[u8]) -> Result<(), Fault> {
        let bad = || Fault::BadHeader(excerpt(line));
        if let Some(rest) = line.strip_prefix(b"#separator") {
            let [separator] = unescape(rest.trim_ascii_start())[..] else {
                return Err(bad());
            };
            *self = Self {
                separator,
                ..Self::default()
            };
        } else if let Some(value) = self.directive(line, b"#unset_field") {
            self.unset = value.to_vec();
        } else if let Some(value) = self.directive(line, b"#empty_field") {
            self.empty = value.to_vec();
        } else if let Some(names) = self.directive(line, b"#fields") {
            self.columns = Some(Columns::of(names, self.separator)?);
        }
        Ok(())
    }

    /// Whether a header names the columns.
    pub(super) const fn is_known(&self) -> bool {
        self.columns.is_some()
    }

    fn directive<'a>(&self, line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        line.strip_prefix(name)?.strip_prefix(&[self.separator])
    }

    /// Splits a record. `ends` is scratch space.
    pub(super) fn split<'a>(
        &self,
        line: &'a [u8],
        ends: &mut Vec<usize>,
    ) -> Result<Record<'a>, Fault> {
        let columns = self.columns.as_ref().ok_or(Fault::NoHeader)?;
        ends.clear();
        ends.extend(memchr::memchr_iter(self.separator, line));
        ends.push(line.len());
        if ends.len() != columns.count {
            // Some publishers' labels are set off by blanks, in the header, the records or both.
            let found = loose_count(line, self.separator);
            if found != columns.loose_count || ends.len() < columns.used {
                return Err(Fault::FieldCount {
                    expected: columns.count,
                    found: ends.len(),
                });
            }
        }
        let mut record = Record::default();
        for (field, &place) in record.fields.iter_mut().zip(&columns.place) {
            // A field that is not in this log has an impossible place.
            if let Some(&end) = ends.get(place) {
                let start = if place == 0 { 0 } else { ends[place - 1] + 1 };
                let text = &line[start..end];
                *field = (text != self.unset && text != self.empty).then_some(text);
            }
        }
        Ok(record)
    }
}

impl Columns {
    fn of(names: &[u8], separator: u8) -> Result<Self, Fault> {
        let mut place = [usize::MAX; FIELDS.len()];
        let mut count = 0;
        for (i, name) in names.split(|&byte| byte == separator).enumerate() {
            count = i + 1;
            // Blanks may follow the last name.
            let name = name.split(|&byte| byte == b' ').next().unwrap_or_default();
            if let Some(field) = FIELDS.iter().position(|known| known.as_bytes() == name) {
                if place[field] != usize::MAX {
                    return Err(Fault::DuplicateColumn(excerpt(name)));
                }
                place[field] = i;
            }
        }
        if let Some(missing) = place[..NEEDED].iter().position(|&at| at == usize::MAX) {
            return Err(Fault::MissingColumn(FIELDS[missing]));
        }
        let used = place.iter().filter(|&&at| at != usize::MAX).max();
        Ok(Self {
            place,
            count,
            loose_count: loose_count(names, separator),
            used: used.map_or(0, |last| last + 1),
        })
    }
}

/// The number of fields if runs of two and more blanks separate as well.
fn loose_count(line: &[u8], separator: u8) -> usize {
    line.split(|&byte| byte == separator)
        .map(|field| {
            let words = field.trim_ascii().windows(3);
            // A run ends where two blanks are followed by something else.
            1 + words
                .filter(|window| window.starts_with(b"  ") && window[2] != b' ')
                .count()
        })
        .sum()
}

/// Resolves `\x09` and the like.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let code = match rest {
            [b'\\', b'x', hex @ ..] => hex
                .get(..2)
                .and_then(|hex| std::str::from_utf8(hex).ok())
                .and_then(|hex| u8::from_str_radix(hex, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = code.map_or(after, |_| &rest[4..]);
    }
    bytes
}
