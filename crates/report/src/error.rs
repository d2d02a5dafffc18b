//! What can be wrong with an analysis that is to be reported.

use std::path::PathBuf;

use thiserror::Error;

/// Why there is no report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<Self>,
    },
    /// The analysis or its evidence is not the JSON expected.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The samples are no CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// The samples begin with other columns.
    #[error("samples begin with host,slot_start_us,system, not {0:?}")]
    Header(String),
    /// The curves lack a column.
    #[error("curves have the columns kind, intensity and recall, not {0:?}")]
    Curves(String),
    /// A value is not a finite number.
    #[error("line {line}, column {column}: {value:?} is not a finite number")]
    Value {
        /// The line in the file.
        line: u64,
        /// The metric.
        column: String,
        /// What stands there.
        value: String,
    },
}
