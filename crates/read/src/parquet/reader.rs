//! Canonical Parquet to flows.

use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use peerscope_flow::Flow;

use super::batches::{BATCH, Batches, Pages};
use super::columns::Columns;
use crate::csv::COLUMNS;
use crate::{Fault, Position, ReadError};

/// A canonical Parquet file whose footer has been read.
///
/// The columns are those of the canonical CSV, found by name; further columns are not read. Whole
/// numbers may have any width; addresses may be text, `u32`, or 4 or 16 bytes in network order.
/// Missing labels, handshakes and payload counts are nulls (or empty text). Row groups can be read
/// independently, on several threads: each reader opens the file itself.
#[derive(Clone, Debug)]
pub struct ParquetFile {
    name: Arc<str>,
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// Where in the file's schema each canonical column stands.
    roots: [usize; COLUMNS.len()],
}

impl ParquetFile {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, its footer is damaged, or a column is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let name: Arc<str> = path.display().to_string().into();
        guarded(|| Self::read_footer(path))
            .map(|(metadata, roots)| Self {
                name: Arc::clone(&name),
                path: path.to_owned(),
                metadata,
                roots,
            })
            .map_err(|fault| ReadError::new(name, Position::Source, fault))
    }

    fn read_footer(path: &Path) -> Result<(ArrowReaderMetadata, [usize; COLUMNS.len()]), Fault> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let plain = ArrowReaderMetadata::load(&File::open(path)?, options)?;
        let mut fields: Vec<Arc<Field>> = plain.schema().fields().to_vec();
        let mut roots = [usize::MAX; COLUMNS.len()];
        for (root, column) in roots.iter_mut().zip(COLUMNS) {
            let mut places = (0..fields.len()).filter(|&i| fields[i].name() == column);
            *root = places.next().ok_or(Fault::MissingColumn(column))?;
            if places.next().is_some() {
                return Err(Fault::DuplicateColumn(column.to_owned()));
            }
            // Text as a dictionary: each distinct value is then parsed once.
            let field = &fields[*root];
            if let text @ (DataType::Utf8 | DataType::Binary) = field.data_type() {
                let dictionary =
                    DataType::Dictionary(Box::new(DataType::Int32), Box::new(text.clone()));
                fields[*root] = Arc::new(field.as_ref().clone().with_data_type(dictionary));
            }
        }
        let schema = Schema::new_with_metadata(fields, plain.schema().metadata().clone());
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options)?;
        Ok((metadata, roots))
    }

    /// The name in errors: the path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of row groups.
    pub fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// The number of rows in a range of row groups, as the footer says.
    ///
    /// # Panics
    ///
    /// If the range does not lie in `0..row_groups()`.
    pub fn rows(&self, row_groups: Range<usize>) -> u64 {
        self.metadata.metadata().row_groups()[row_groups]
            .iter()
            .map(|group| u64::try_from(group.num_rows()).unwrap_or(0))
            .sum()
    }

    /// All flows.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened again, or a column has a type that cannot hold its values.
    pub fn flows(&self) -> Result<ParquetReader, ReadError> {
        self.flows_of(0..self.row_groups())
    }

    /// The flows of a range of row groups.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened again, or a column has a type that cannot hold its values.
    ///
    /// # Panics
    ///
    /// If the range does not lie in `0..row_groups()`.
    pub fn flows_of(&self, row_groups: Range<usize>) -> Result<ParquetReader, ReadError> {
        let columns = self.columns()?;
        self.reader(row_groups, columns, Way::Shortest)
    }

    /// Columns that have not been read into.
    pub(super) fn columns(&self) -> Result<Columns, ReadError> {
        let fields = self.metadata.schema().fields();
        Columns::of_types(self.roots.map(|root| fields[root].data_type()))
            .map_err(|fault| ReadError::new(Arc::clone(&self.name), Position::Source, fault))
    }

    /// A reader into columns, which may have been read into before.
    pub(super) fn reader(
        &self,
        row_groups: Range<usize>,
        columns: Columns,
        way: Way,
    ) -> Result<ParquetReader, ReadError> {
        let before = self.rows(0..row_groups.start);
        let batches = guarded(|| self.batches(row_groups, way))
            .map_err(|fault| ReadError::new(Arc::clone(&self.name), Position::Source, fault))?;
        Ok(ParquetReader {
            name: Arc::clone(&self.name),
            batches,
            columns,
            row: 0,
            rows: 0,
            before,
            finished: false,
        })
    }

    fn batches(&self, row_groups: Range<usize>, way: Way) -> Result<Batches, Fault> {
        let open = || File::open(&self.path);
        let metadata = self.metadata.metadata();
        if way == Way::Shortest
            && let Some(pages) = Pages::new(open()?, metadata, &self.roots, row_groups.clone())
        {
            return Ok(Batches::Pages(Box::new(pages)));
        }
        let descriptor = metadata.file_metadata().schema_descr();
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(open()?, self.metadata.clone());
        let batches = builder
            .with_projection(ProjectionMask::roots(descriptor, self.roots))
            .with_row_groups(row_groups.collect())
            .with_batch_size(BATCH)
            .build()?;
        // Batches keep the order of the file.
        let place = |root| self.roots.iter().filter(|&&other| other < root).count();
        let places = self.roots.map(place);
        Ok(Batches::Arrow { batches, places })
    }
}

/// How to come from pages to columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Without Arrow where that can be done.
    Shortest,
    /// Through Arrow in any case: what the other way must agree with.
    #[cfg(test)]
    Arrow,
}

/// The flows of a Parquet file, decoded in batches.
///
/// After an error of one record the iterator goes on with the next; after a fatal one it ends. Rows
/// before the damage are given out as far as all columns have them; through Arrow, which reads
/// layouts that are not read here, up to 2,047 of them are not.
#[derive(Debug)]
pub struct ParquetReader {
    name: Arc<str>,
    batches: Batches,
    columns: Columns,
    /// The next row of the batch.
    row: usize,
    rows: usize,
    /// Rows of the file before the batch.
    before: u64,
    finished: bool,
}

impl ParquetReader {
    /// Loads the next batch; whether there is one.
    fn advance(&mut self) -> Result<bool, Fault> {
        self.before += self.rows as u64;
        (self.row, self.rows) = (0, 0);
        let (batches, columns) = (&mut self.batches, &mut self.columns);
        let rows = guarded(|| batches.next(columns))?;
        self.rows = rows.unwrap_or(0);
        Ok(rows.is_some())
    }
}

/// Runs code of the Parquet library, which panics on some damaged files, where the reader must
/// end with an error. What the code held is not used after a panic.
pub(super) fn guarded<T, E: From<ParquetError>>(
    code: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|_| {
        let message = "the content is damaged beyond what the decoder can tell";
        Err(ParquetError::General(message.to_owned()).into())
    })
}

impl ParquetReader {
    #[cfg(test)]
    pub(super) const fn batches(&self) -> &Batches {
        &self.batches
    }

    /// The columns, for the next reader of the same file.
    pub(super) fn into_columns(self) -> Columns {
        self.columns
    }

    /// Appends the flows of the next batch and hands on the errors; whether more may come.
    pub(super) fn next_batch(
        &mut self,
        flows: &mut Vec<Flow>,
        mut fail: impl FnMut(ReadError),
    ) -> bool {
        if self.row == self.rows {
            match self.advance_or_end() {
                Some(error) => {
                    fail(error);
                    return false;
                }
                None if self.finished => return false,
                None => {}
            }
        }
        if self.row == 0 && self.columns.append_all(self.rows, flows) {
            self.row = self.rows;
        }
        while self.row < self.rows {
            match self.next_row() {
                Ok(flow) => flows.push(flow),
                Err(error) => fail(error),
            }
        }
        !self.finished
    }

    /// Loads the next batch; the error is the last thing that comes.
    fn advance_or_end(&mut self) -> Option<ReadError> {
        match self.advance() {
            Ok(more) => {
                self.finished = !more;
                None
            }
            Err(fault) => {
                self.finished = true;
                let at = Position::Record(self.before + 1);
                Some(ReadError::new(Arc::clone(&self.name), at, fault))
            }
        }
    }

    #[inline]
    fn next_row(&mut self) -> Result<Flow, ReadError> {
        let row = self.row;
        self.row += 1;
        self.columns.flow(row).map_err(|fault| {
            let at = Position::Record(self.before + self.row as u64);
            ReadError::new(Arc::clone(&self.name), at, fault)
        })
    }
}

impl Iterator for ParquetReader {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.row == self.rows {
            if self.finished {
                return None;
            }
            if let Some(error) = self.advance_or_end() {
                return Some(Err(error));
            }
        }
        Some(self.next_row())
    }
}
