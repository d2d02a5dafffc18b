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

/// Whether two bytes can begin a zlib stream (RFC 1950): deflate, and a header that divides by 31.
pub(super) fn is_zlib_header(bytes: &[u8], at: usize) -> bool {
    be_u16(bytes, at).is_some_and(|header| header & 0x0f00 == 0x0800 && header.is_multiple_of(31))
}
