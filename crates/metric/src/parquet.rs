//! The samples file as Parquet.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use crate::{SampleKey, SampleTable};

/// Rows handed to the encoder at a time.
const BATCH: usize = 1 << 14;

impl SampleTable {
    /// Writes the samples as Parquet: the columns and rows of [`SampleTable::write_csv`], metrics as
    /// doubles, undefined ones null.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn write_parquet(&self, output: impl Write + Send) -> Result<(), ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let schema = self.schema();
        let mut writer = ArrowWriter::try_new_with_options(output, Arc::clone(&schema), options)?;
        for first in (0..self.len()).step_by(BATCH) {
            let columns = self.arrays(first..(first + BATCH).min(self.len()));
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
            writer.write(&batch)?;
        }
        writer.close()?;
        Ok(())
    }

    fn schema(&self) -> Arc<Schema> {
        let keys = [
            Field::new("host", DataType::Utf8, false),
            Field::new("slot_start_us", DataType::Int64, false),
            Field::new("system", DataType::Utf8, false),
        ];
        let metrics = self.metrics().iter();
        let metrics = metrics.map(|name| Field::new(name, DataType::Float64, true));
        Arc::new(Schema::new(
            keys.into_iter().chain(metrics).collect::<Vec<_>>(),
        ))
    }

    fn arrays(&self, rows: Range<usize>) -> Vec<ArrayRef> {
        let keys: Vec<SampleKey> = rows.clone().map(|row| self.key(row)).collect();
        let hosts = keys.iter().map(|key| key.host.to_string());
        let starts = keys.iter().map(|key| self.slot_start(key).as_micros());
        let systems = keys.iter().map(|key| self.system_name(key.system));
        let keys: [ArrayRef; 3] = [
            Arc::new(StringArray::from_iter_values(hosts)),
            Arc::new(Int64Array::from_iter_values(starts)),
            Arc::new(StringArray::from_iter_values(systems)),
        ];
        let metrics = (0..self.metrics().len()).map(|metric| -> ArrayRef {
            let values = rows.clone().map(|row| self.value(row, metric));
            Arc::new(values.collect::<Float64Array>())
        });
        keys.into_iter().chain(metrics).collect()
    }
}
