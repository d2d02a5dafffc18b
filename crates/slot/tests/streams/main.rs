//! Streams and spilling held against the batch.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod spill;
mod streaming;
