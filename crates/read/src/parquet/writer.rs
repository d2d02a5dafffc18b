//! Flows to canonical Parquet.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringBuilder, UInt16Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use peerscope_flow::{Application, Flow, Handshake, Transport};

use crate::csv::{COLUMNS, checked};
use crate::{WriteError, address};

/// Rows handed to the encoder at a time.
const BATCH: usize = 8192;

/// How a Parquet file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParquetOptions {
    row_group: usize,
    zstd_level: i32,
}

impl ParquetOptions {
    /// Row groups of 131,072 flows, Zstandard level 1.
    pub const fn new() -> Self {
        Self {
            row_group: 131_072,
            zstd_level: 1,
        }
    }

    /// The number of flows in a row group, at least 1. A row group is what a thread reads at a
    /// time, and what the writer holds in memory.
    #[must_use]
    pub fn with_row_group(mut self, flows: usize) -> Self {
        self.row_group = flows.max(1);
        self
    }

    /// The Zstandard level, from 1 to 22.
    #[must_use]
    pub const fn with_zstd_level(mut self, level: i32) -> Self {
        self.zstd_level = level;
        self
    }
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes the canonical Parquet file: the columns of the canonical CSV, addresses and labels as
/// dictionary-encoded text.
///
/// ```
/// use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Transport};
/// use peerscope_read::{ParquetFile, ParquetOptions, ParquetWriter};
///
/// let flow = Flow::new(
///     Transport::Udp,
///     Endpoint::new("10.0.0.1".parse()?, 4672),
///     Endpoint::new("192.0.2.9".parse()?, 4672),
///     Span::at(Timestamp::from_secs(1)),
/// );
/// let file = tempfile::NamedTempFile::new()?;
/// let mut writer = ParquetWriter::new(file.reopen()?, &ParquetOptions::new())?;
/// writer.write(&flow)?;
/// writer.finish()?;
/// let read = ParquetFile::open(file.path())?.flows()?.next().unwrap()?;
/// assert_eq!(read.key(), flow.key());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ParquetWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    columns: Builders,
    rows: usize,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// A writer to `output`, which need not be buffered.
    ///
    /// # Errors
    ///
    /// If writing fails, or the Zstandard level is out of range.
    pub fn new(output: W, options: &ParquetOptions) -> Result<Self, WriteError> {
        let level = ZstdLevel::try_new(options.zstd_level)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(options.row_group))
            // All addresses of a row group fit, so that no page falls back to plain text.
            .set_dictionary_page_size_limit(16 << 20);
        for column in ["start_us", "end_us"] {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
        }
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true);
        Ok(Self {
            writer: ArrowWriter::try_new_with_options(output, schema(), options)?,
            columns: Builders::default(),
            rows: 0,
        })
    }

    /// Writes one flow.
    ///
    /// # Errors
    ///
    /// If writing fails, or the flow holds a value that the canonical files cannot: a number
    /// outside `0..=2^53`, or a label with a line break. Nothing of the flow is written then.
    pub fn write(&mut self, flow: &Flow) -> Result<(), WriteError> {
        self.columns.push(flow)?;
        self.rows += 1;
        if self.rows == BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.rows = 0;
        let batch = RecordBatch::try_new(schema(), self.columns.finish())
            .map_err(parquet::errors::ParquetError::from)?;
        Ok(self.writer.write(&batch)?)
    }

    /// Writes the last row group and the footer, and gives the output back. Without it the file
    /// is not readable.
    ///
    /// # Errors
    ///
    /// If writing fails.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if self.rows > 0 {
            self.flush()?;
        }
        Ok(self.writer.into_inner()?)
    }
}

/// Which Arrow type each canonical column is written as.
fn schema() -> Arc<Schema> {
    let fields = COLUMNS.map(|column| match column {
        "handshake" | "app" => Field::new(column, DataType::Utf8, true),
        "rev_payload_bytes" => Field::new(column, DataType::Int64, true),
        "transport" | "src_ip" | "dst_ip" => Field::new(column, DataType::Utf8, false),
        "src_port" | "dst_port" => Field::new(column, DataType::UInt16, false),
        _ => Field::new(column, DataType::Int64, false),
    });
    Arc::new(Schema::new(fields.to_vec()))
}

#[derive(Debug, Default)]
struct Builders {
    times: [Int64Builder; 2],
    transport: StringBuilder,
    ips: [StringBuilder; 2],
    ports: [UInt16Builder; 2],
    counts: [Int64Builder; 4],
    handshake: StringBuilder,
    payload: Int64Builder,
    app: StringBuilder,
    text: String,
}

impl Builders {
    fn push(&mut self, flow: &Flow) -> Result<(), WriteError> {
        let times = checked(flow)?;
        self.times[0].append_value(times.start.cast_signed());
        self.times[1].append_value(times.end.cast_signed());
        match flow.transport {
            Transport::Tcp => self.transport.append_value("tcp"),
            Transport::Udp => self.transport.append_value("udp"),
            other @ Transport::Other(_) => {
                self.transport.append_value(other.to_string());
            }
        }
        for (i, end) in [flow.src, flow.dst].into_iter().enumerate() {
            self.text.clear();
            address::push(&mut self.text, end.ip);
            self.ips[i].append_value(&self.text);
            self.ports[i].append_value(end.port);
        }
        // All checked to be at most 2^53.
        let counts = [
            flow.fwd.packets,
            flow.fwd.bytes,
            flow.rev.packets,
            flow.rev.bytes,
        ];
        for (builder, count) in self.counts.iter_mut().zip(counts) {
            builder.append_value(count.cast_signed());
        }
        self.handshake
            .append_option(flow.handshake.map(Handshake::as_str));
        self.payload
            .append_option(flow.rev_payload_bytes.map(u64::cast_signed));
        self.app
            .append_option(flow.app.as_ref().map(Application::as_str));
        Ok(())
    }

    /// The columns in canonical order; the builders are empty again.
    fn finish(&mut self) -> Vec<ArrayRef> {
        let [start, end] = &mut self.times;
        let [src_ip, dst_ip] = &mut self.ips;
        let [src_port, dst_port] = &mut self.ports;
        let [fwd_packets, fwd_bytes, rev_packets, rev_bytes] = &mut self.counts;
        vec![
            Arc::new(start.finish()),
            Arc::new(end.finish()),
            Arc::new(self.transport.finish()),
            Arc::new(src_ip.finish()),
            Arc::new(src_port.finish()),
            Arc::new(dst_ip.finish()),
            Arc::new(dst_port.finish()),
            Arc::new(fwd_packets.finish()),
            Arc::new(fwd_bytes.finish()),
            Arc::new(rev_packets.finish()),
            Arc::new(rev_bytes.finish()),
            Arc::new(self.handshake.finish()),
            Arc::new(self.payload.finish()),
            Arc::new(self.app.finish()),
        ]
    }
}
