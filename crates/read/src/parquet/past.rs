//! The flows of a file, past the faults of its row groups.

use std::ops::Range;

use peerscope_flow::Flow;

use super::columns::Columns;
use super::reader::{ParquetFile, ParquetReader, Way};
use crate::ReadError;
use crate::account::Reading;

/// Row groups one after the other: damage ends no more than the one it is in, as in
/// [`ParquetFile::share_out`]. The first fault comes last.
pub(crate) struct PastFaults {
    file: ParquetFile,
    groups: Range<usize>,
    reader: Option<ParquetReader>,
    /// Those of the reader before, unless a fault ended it.
    columns: Option<Columns>,
    fault: Option<ReadError>,
}

impl ParquetFile {
    /// All flows, whatever row groups are damaged.
    pub(crate) fn past_faults(self) -> Result<PastFaults, ReadError> {
        Ok(PastFaults {
            groups: 0..self.row_groups(),
            reader: None,
            columns: Some(self.columns()?),
            fault: None,
            file: self,
        })
    }
}

impl PastFaults {
    fn open(&mut self, group: usize) -> Result<ParquetReader, ReadError> {
        let columns = self.columns.take();
        let columns = columns.map_or_else(|| self.file.columns(), Ok)?;
        self.file.reader(group..group + 1, columns, Way::Shortest)
    }
}

impl Iterator for PastFaults {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let fault = if let Some(reader) = &mut self.reader {
                match reader.next() {
                    Some(Err(error)) if error.is_fatal() => error,
                    Some(item) => return Some(item),
                    None => {
                        self.columns = self.reader.take().map(ParquetReader::into_columns);
                        continue;
                    }
                }
            } else if let Some(group) = self.groups.next() {
                match self.open(group) {
                    Ok(reader) => {
                        self.reader = Some(reader);
                        continue;
                    }
                    Err(error) => error,
                }
            } else {
                return self.fault.take().map(Err);
            };
            self.reader = None;
            self.fault.get_or_insert(fault);
        }
    }
}

impl Reading<Flow> for PastFaults {}
