//! The 44 per-host traffic metrics and the sample table.
