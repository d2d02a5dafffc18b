//! The batches of some row groups: from their pages, or through Arrow where pages hold what only
//! that knows.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::chunk::Chunk;
use super::columns::Columns;
use super::limits::PageFile;
use crate::Fault;
use crate::csv::COLUMNS;

/// Rows decoded at a time: small enough to stay in the cache.
pub(super) const BATCH: usize = 2048;

#[derive(Debug)]
pub(super) enum Batches {
    Pages(Box<Pages>),
    Arrow {
        batches: ParquetRecordBatchReader,
        /// Where in a batch each column stands.
        places: [usize; COLUMNS.len()],
    },
}

impl Batches {
    /// Loads the next batch; the number of its rows, `None` at the end.
    pub(super) fn next(&mut self, columns: &mut Columns) -> Result<Option<usize>, Fault> {
        match self {
            Self::Pages(pages) => pages.next(columns),
            Self::Arrow { batches, places } => {
                let Some(batch) = batches.next() else {
                    return Ok(None);
                };
                let batch = batch.map_err(|error| ParquetError::External(Box::new(error)))?;
                columns.load(&batch, places)?;
                Ok(Some(batch.num_rows()))
            }
        }
    }
}

/// Row groups whose columns are flat, plain or with dictionaries: nearly all there are.
#[derive(Debug)]
pub(super) struct Pages {
    file: Arc<PageFile>,
    metadata: Arc<ParquetMetaData>,
    /// Which of the file's columns each canonical column is.
    leaves: [usize; COLUMNS.len()],
    /// Row groups that are not begun.
    row_groups: Range<usize>,
    /// The row group that is being read.
    chunks: Option<[Chunk; COLUMNS.len()]>,
    /// Its rows that are not read.
    left: usize,
    /// What ends them, once the rows before it are out.
    fault: Option<Fault>,
}

impl Pages {
    /// The row groups of a range; `None` if one of them is not readable so.
    pub(super) fn new(
        file: File,
        metadata: &Arc<ParquetMetaData>,
        roots: &[usize; COLUMNS.len()],
        row_groups: Range<usize>,
    ) -> Option<Self> {
        let schema = metadata.file_metadata().schema_descr();
        let leaf_of = |root| {
            let mut leaves = 0..schema.num_columns();
            leaves.find(|&leaf| schema.get_column_root_idx(leaf) == root)
        };
        let mut leaves = [0; COLUMNS.len()];
        for (leaf, &root) in leaves.iter_mut().zip(roots) {
            *leaf = leaf_of(root)?;
        }
        let groups = &metadata.row_groups()[row_groups.clone()];
        let is_readable = groups.iter().all(|group| {
            let mut chunks = leaves.iter().map(|&leaf| group.column(leaf));
            chunks.all(Chunk::is_readable)
        });
        is_readable.then(|| Self {
            file: Arc::new(PageFile::new(file)),
            metadata: Arc::clone(metadata),
            leaves,
            row_groups,
            chunks: None,
            left: 0,
            fault: None,
        })
    }

    fn next(&mut self, columns: &mut Columns) -> Result<Option<usize>, Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        loop {
            if let Some(chunks) = &mut self.chunks
                && self.left > 0
            {
                return match columns.read(chunks, self.left.min(BATCH)) {
                    (0, Some(fault)) => Err(fault),
                    (rows, fault) => {
                        self.left -= rows;
                        self.fault = fault;
                        Ok(Some(rows))
                    }
                };
            }
            let Some(group) = self.row_groups.next() else {
                return Ok(None);
            };
            let group = self.metadata.row_group(group);
            self.left = usize::try_from(group.num_rows()).unwrap_or(0);
            let open = |&leaf: &usize| Chunk::open(&self.file, group.column(leaf), self.left);
            let chunks: Vec<Chunk> = self.leaves.iter().map(open).collect::<Result<_, _>>()?;
            self.chunks = <[Chunk; COLUMNS.len()]>::try_from(chunks).ok();
        }
    }
}
