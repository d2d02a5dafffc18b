//! Fields of a line by the names of a header.

use crate::error::excerpt;
use crate::{Fault, Problem};

/// Where each of `N` known columns stands in a line.
#[derive(Clone, Debug)]
pub(crate) struct Columns<const N: usize> {
    place: [Option<usize>; N],
    count: usize,
    known: &'static [&'static [&'static str]; N],
}

/// The fields of one line, in the order of the known columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a, const N: usize> {
    fields: [Option<&'a [u8]>; N],
    known: &'static [&'static [&'static str]; N],
}

impl<const N: usize> Columns<N> {
    /// Finds the known columns, each under one of its names, among those of a header; columns that
    /// are not known are passed over.
    pub(crate) fn of<'a>(
        header: impl Iterator<Item = &'a [u8]>,
        known: &'static [&'static [&'static str]; N],
    ) -> Result<Self, Fault> {
        let mut place = [None; N];
        let mut count = 0;
        for (at, name) in header.enumerate() {
            count = at + 1;
            let column = position(known, name);
            if let Some(column) = column
                && place[column].replace(at).is_some()
            {
                return Err(Fault::DuplicateColumn(excerpt(name)));
            }
        }
        Ok(Self {
            place,
            count,
            known,
        })
    }

    pub(crate) const fn has(&self, column: usize) -> bool {
        self.place[column].is_some()
    }

    /// Refuses a header without one of `columns`.
    pub(crate) fn need(&self, columns: impl IntoIterator<Item = usize>) -> Result<(), Fault> {
        match columns.into_iter().find(|&column| !self.has(column)) {
            Some(missing) => Err(Fault::MissingColumn(self.known[missing][0])),
            None => Ok(()),
        }
    }

    /// The fields of a line, of which there must be as many as the header has, and may be `more`.
    pub(crate) fn row<'a>(
        &self,
        fields: impl Iterator<Item = &'a [u8]>,
        more: usize,
    ) -> Result<Row<'a, N>, Fault> {
        let mut row = Row {
            fields: [None; N],
            known: self.known,
        };
        let mut found = 0;
        for (at, field) in fields.enumerate() {
            found = at + 1;
            let field = field.trim_ascii();
            if let Some(column) = self.place.iter().position(|&place| place == Some(at)) {
                row.fields[column] = (!field.is_empty()).then_some(field);
            }
        }
        if found < self.count || found > self.count.saturating_add(more) {
            return Err(Fault::FieldCount {
                expected: self.count,
                found,
            });
        }
        Ok(row)
    }
}

impl<'a, const N: usize> Row<'a, N> {
    pub(crate) const fn text(&self, column: usize) -> Option<&'a [u8]> {
        self.fields[column]
    }

    /// The value of a column; `None` if it is not there or empty.
    pub(crate) fn get<T>(
        &self,
        column: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
    ) -> Result<Option<T>, Fault> {
        self.fields[column]
            .map(|text| {
                parse(text).map_err(|problem| Fault::value(self.name(column), text, problem))
            })
            .transpose()
    }

    /// The value of a column that must have one.
    pub(crate) fn need<T>(
        &self,
        column: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
    ) -> Result<T, Fault> {
        self.get(column, parse)?
            .ok_or(Fault::Unset(self.name(column)))
    }

    /// What is wrong with the value of a column.
    pub(crate) fn fault(&self, column: usize, problem: Problem) -> Fault {
        let text = self.fields[column].unwrap_or_default();
        Fault::value(self.name(column), text, problem)
    }

    const fn name(&self, column: usize) -> &'static str {
        self.known[column][0]
    }
}

/// The known column of that name.
fn position<const N: usize>(known: &[&[&str]; N], name: &[u8]) -> Option<usize> {
    let name = name.trim_ascii();
    known
        .iter()
        .position(|names| names.iter().any(|known| known.as_bytes() == name))
}
