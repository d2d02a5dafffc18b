//! Streams, spilling and approximate counts held against the batch.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod approximate;
mod common;
mod spill;
mod streaming;
