//! Canonical Parquet to flows.

use std::fs::File;
use std::net::IpAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use peerscope_flow::{
    Application, Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};

use super::column::{Lookup, Numbers};
use crate::csv::{self, COLUMNS};
use crate::{Fault, Position, ReadError};

/// Rows decoded at a time: small enough to stay in the cache.
pub(super) const BATCH: usize = 2048;

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
        let before = self.rows(0..row_groups.start);
        let fail = |fault| ReadError::new(Arc::clone(&self.name), Position::Source, fault);
        let file = File::open(&self.path).map_err(|error| fail(error.into()))?;
        let descriptor = self.metadata.metadata().file_metadata().schema_descr();
        let batches = guarded(|| {
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
            Ok(builder
                .with_projection(ProjectionMask::roots(descriptor, self.roots))
                .with_row_groups(row_groups.collect())
                .with_batch_size(BATCH)
                .build()?)
        })
        .map_err(fail)?;
        let mut reader = ParquetReader {
            name: Arc::clone(&self.name),
            batches,
            columns: Columns::new(),
            places: self.places(),
            row: 0,
            rows: 0,
            before,
            finished: false,
        };
        // Wrong types show with the first batch, empty or not.
        let empty = RecordBatch::new_empty(arrow_array::RecordBatchReader::schema(&reader.batches));
        reader.columns.load(&empty, &reader.places).map_err(fail)?;
        Ok(reader)
    }

    /// Where in a batch each column stands: batches keep the order of the file.
    fn places(&self) -> [usize; COLUMNS.len()] {
        self.roots
            .map(|root| self.roots.iter().filter(|&&other| other < root).count())
    }
}

/// The flows of a Parquet file, decoded in batches.
///
/// After an error of one record the iterator goes on with the next; after a fatal one it ends.
#[derive(Debug)]
pub struct ParquetReader {
    name: Arc<str>,
    batches: ParquetRecordBatchReader,
    columns: Columns,
    places: [usize; COLUMNS.len()],
    /// The next row of the batch.
    row: usize,
    rows: usize,
    /// Rows of the file before the batch.
    before: u64,
    finished: bool,
}

#[derive(Debug)]
struct Columns {
    start: Numbers,
    end: Numbers,
    transport: Lookup<Transport>,
    src_ip: Lookup<IpAddr>,
    src_port: Numbers,
    dst_ip: Lookup<IpAddr>,
    dst_port: Numbers,
    fwd_packets: Numbers,
    fwd_bytes: Numbers,
    rev_packets: Numbers,
    rev_bytes: Numbers,
    handshake: Lookup<Option<Handshake>>,
    rev_payload_bytes: Numbers,
    app: Lookup<Option<Application>>,
}

impl Columns {
    const fn new() -> Self {
        Self {
            start: Numbers::new(COLUMNS[0]),
            end: Numbers::new(COLUMNS[1]),
            transport: Lookup::new(COLUMNS[2]),
            src_ip: Lookup::new(COLUMNS[3]),
            src_port: Numbers::new(COLUMNS[4]),
            dst_ip: Lookup::new(COLUMNS[5]),
            dst_port: Numbers::new(COLUMNS[6]),
            fwd_packets: Numbers::new(COLUMNS[7]),
            fwd_bytes: Numbers::new(COLUMNS[8]),
            rev_packets: Numbers::new(COLUMNS[9]),
            rev_bytes: Numbers::new(COLUMNS[10]),
            handshake: Lookup::new(COLUMNS[11]),
            rev_payload_bytes: Numbers::new(COLUMNS[12]),
            app: Lookup::new(COLUMNS[13]),
        }
    }

    fn load(&mut self, batch: &RecordBatch, places: &[usize; COLUMNS.len()]) -> Result<(), Fault> {
        let column = |i: usize| batch.column(places[i]);
        self.start.load(column(0))?;
        self.end.load(column(1))?;
        self.transport.load_text(column(2), csv::transport)?;
        self.src_ip.load_addresses(column(3))?;
        self.src_port.load(column(4))?;
        self.dst_ip.load_addresses(column(5))?;
        self.dst_port.load(column(6))?;
        self.fwd_packets.load(column(7))?;
        self.fwd_bytes.load(column(8))?;
        self.rev_packets.load(column(9))?;
        self.rev_bytes.load(column(10))?;
        self.handshake.load_text(column(11), |text| match text {
            b"" => Ok(None),
            text => csv::handshake(text).map(Some),
        })?;
        self.rev_payload_bytes.load(column(12))?;
        self.app.load_text(column(13), |text| match text {
            b"" => Ok(None),
            text => csv::label(text).map(Some),
        })
    }

    #[inline]
    fn flow(&self, row: usize) -> Result<Flow, Fault> {
        let transport = *self.transport.needed(row)?;
        let handshake = self.handshake.get(row)?.copied().flatten();
        let time = |numbers: &Numbers| -> Result<Timestamp, Fault> {
            // At most 2^53.
            Ok(Timestamp::from_micros(numbers.needed(row)?.cast_signed()))
        };
        Ok(Flow {
            transport,
            handshake: csv::check_handshake(transport, handshake).map_err(|problem| {
                let text = handshake.map_or("", Handshake::as_str);
                Fault::value(COLUMNS[11], text.as_bytes(), problem)
            })?,
            initiator: InitiatorEvidence::Exporter,
            src: Endpoint {
                ip: *self.src_ip.needed(row)?,
                port: self.src_port.port(row)?,
            },
            dst: Endpoint {
                ip: *self.dst_ip.needed(row)?,
                port: self.dst_port.port(row)?,
            },
            span: Span::new(time(&self.start)?, time(&self.end)?)?,
            fwd: Volume::new(self.fwd_packets.needed(row)?, self.fwd_bytes.needed(row)?),
            rev: Volume::new(self.rev_packets.needed(row)?, self.rev_bytes.needed(row)?),
            rev_payload_bytes: self.rev_payload_bytes.get(row)?,
            app: self.app.get(row)?.cloned().flatten(),
        })
    }
}

impl ParquetReader {
    /// Loads the next batch; whether there is one.
    fn advance(&mut self) -> Result<bool, Fault> {
        self.before += self.rows as u64;
        (self.row, self.rows) = (0, 0);
        let (batches, columns) = (&mut self.batches, &mut self.columns);
        let rows = guarded(|| {
            let Some(batch) = batches.next() else {
                return Ok(None);
            };
            let batch = batch.map_err(|error| ParquetError::External(Box::new(error)))?;
            columns.load(&batch, &self.places)?;
            Ok(Some(batch.num_rows()))
        })?;
        self.rows = rows.unwrap_or(0);
        Ok(rows.is_some())
    }
}

/// Runs code of the Parquet library, which panics on some damaged files, where the reader must
/// end with an error. What the code held is not used after a panic.
fn guarded<T>(code: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|_| {
        let message = "the content is damaged beyond what the decoder can tell";
        Err(ParquetError::General(message.to_owned()).into())
    })
}

impl ParquetReader {
    /// Appends the flows of the next batch and hands on the errors; whether more may come.
    pub(super) fn next_batch(
        &mut self,
        flows: &mut Vec<Flow>,
        mut fail: impl FnMut(ReadError),
    ) -> bool {
        if self.row == self.rows {
            match self.advance_or_end() {
                Some(error) => fail(error),
                None if self.finished => return false,
                None => {}
            }
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
