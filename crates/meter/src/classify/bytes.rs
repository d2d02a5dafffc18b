//! Reading of integers at an offset; `None` beyond the captured bytes.

/// Four bytes at `at`.
fn four(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Two bytes at `at`.
fn two(bytes: &[u8], at: usize) -> Option<[u8; 2]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(super) fn be_u16(bytes: &[u8], at: usize) -> Option<u16> {
    two(bytes, at).map(u16::from_be_bytes)
}

pub(super) fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    two(bytes, at).map(u16::from_le_bytes)
}

pub(super) fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    four(bytes, at).map(u32::from_be_bytes)
}

pub(super) fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    four(bytes, at).map(u32::from_le_bytes)
}

/// Whether a zlib stream as clients pack it begins here (RFC 1950): a window of 32 KiB, which
/// `compress` always announces, no dictionary, any of the four levels.
pub(super) fn is_zlib_header(bytes: &[u8], at: usize) -> bool {
    matches!(be_u16(bytes, at), Some(0x7801 | 0x785E | 0x789C | 0x78DA))
}
