//! Bounds on what a file may ask for before its content is seen.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::hybrid::{cut, damaged};

/// The most bytes of a page, compressed or not: 256 times what writers make by default.
pub(super) const LARGEST_PAGE: u64 = 256 << 20;

/// The most values of a dictionary: all that a page of 32 MiB of IPv4 addresses holds.
pub(super) const MOST_ENTRIES: usize = 1 << 23;

/// A file of pages, none of which is read if it says that it is larger than the limit: the Parquet
/// library makes room for what the header promises, up to 2 GiB.
#[derive(Debug)]
pub(super) struct PageFile {
    file: File,
    end: AtomicU64,
}

impl PageFile {
    pub(super) const fn new(file: File) -> Self {
        let end = AtomicU64::new(0);
        Self { file, end }
    }

    /// Where the page ends that was read last.
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }
}

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for PageFile {
    type T = BufReader<File>;

    /// Asked for the beginning of each page's header, and for nothing else.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let mut read = self.file.get_read(start)?;
        check(read.fill_buf()?)?;
        Ok(read)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.file.get_bytes(start, length)?;
        self.end.store(start + length as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// Whether a page's header is that of a dictionary, type 2: see [`check`].
pub(super) fn is_dictionary(header: &[u8]) -> bool {
    header.starts_with(&[0x15, 4])
}

/// Checks the two sizes of a page's header.
///
/// Apache Parquet format, `PageHeader`: type, uncompressed and compressed size come first and are
/// never left out; Apache Thrift compact protocol: a 32-bit field that follows the one before it is
/// 0x15 and a zigzag number of seven bits a byte.
fn check(mut header: &[u8]) -> Result<(), ParquetError> {
    let mut field = || {
        let (&kind, rest) = header.split_first().ok_or_else(cut)?;
        header = rest;
        if kind != 0x15 {
            return Err(damaged("a header without sizes"));
        }
        let mut zigzag = 0;
        for shift in (0..35).step_by(7) {
            let (&byte, rest) = header.split_first().ok_or_else(cut)?;
            header = rest;
            zigzag |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // Negative ones are odd, and refused behind this.
                return Ok(zigzag >> 1);
            }
        }
        Err(damaged("a number of more than 32 bits"))
    };
    let [_, uncompressed, compressed] = [field()?, field()?, field()?];
    if uncompressed.max(compressed) > LARGEST_PAGE {
        return Err(damaged(&format!(
            "larger than {LARGEST_PAGE} bytes, the limit"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a dictionary's page of these sizes.
    fn header(sizes: [u64; 2]) -> Vec<u8> {
        let mut header = vec![0x15, 4];
        for size in sizes {
            header.push(0x15);
            let mut zigzag = size << 1;
            while zigzag >= 0x80 {
                header.push(u8::try_from(zigzag & 0x7f).unwrap() | 0x80);
                zigzag >>= 7;
            }
            header.push(u8::try_from(zigzag).unwrap());
        }
        header
    }

    #[test]
    fn a_page_that_promises_too_much_is_refused() {
        let largest = LARGEST_PAGE;
        for sizes in [[0, 0], [1 << 20, 64], [largest, largest]] {
            check(&header(sizes)).unwrap();
            assert!(is_dictionary(&header(sizes)));
        }
        for sizes in [[largest + 1, 9], [9, largest + 1], [i32::MAX as u64, 9]] {
            let error = check(&header(sizes)).unwrap_err().to_string();
            assert!(error.contains("the limit"), "{error}");
        }
        for end in 0..header([300, 200]).len() {
            assert!(check(&header([300, 200])[..end]).is_err());
        }
        assert!(check(&[0x15, 4, 0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }
}
