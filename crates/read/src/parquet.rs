//! The canonical Parquet file: the columns of the canonical CSV.

mod column;
mod reader;
mod shared;
mod writer;

pub use reader::{ParquetFile, ParquetReader};
pub use writer::{ParquetOptions, ParquetWriter};
