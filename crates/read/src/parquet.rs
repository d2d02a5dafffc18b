//! The canonical Parquet file: the columns of the canonical CSV.

mod addresses;
mod batches;
mod chunk;
mod column;
mod columns;
mod hybrid;
mod limits;
mod past;
mod reader;
mod shared;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{ParquetFile, ParquetReader};
pub use writer::{ParquetOptions, ParquetWriter};
