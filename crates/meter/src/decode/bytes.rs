//! Big-endian numbers out of captured bytes.

use crate::report::SkipReason;

/// The byte at `at`.
#[inline]
pub(super) fn u8_at(bytes: &[u8], at: usize) -> Result<u8, SkipReason> {
    bytes.get(at).copied().ok_or(SkipReason::TruncatedHeader)
}

/// The two bytes at `at`.
#[inline]
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, SkipReason> {
    match bytes.get(at..at + 2) {
        Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
        _ => Err(SkipReason::TruncatedHeader),
    }
}

/// Everything from `at` on.
#[inline]
pub(super) fn after(bytes: &[u8], at: usize) -> Result<&[u8], SkipReason> {
    bytes.get(at..).ok_or(SkipReason::TruncatedHeader)
}
