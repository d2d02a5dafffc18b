//! A sliding window over a byte stream, so that records are parsed where they lie.

use std::io::{self, Read};

/// Bytes asked of the reader at a time.
const CHUNK: usize = 1 << 18;

/// The unread part of a stream, in one buffer that grows to the largest record asked for.
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            offset: 0,
        }
    }

    /// Position of the first unread byte in the (decompressed) stream.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// What has been read and not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The `length` bytes consumed last; valid until the next [`Window::fill`].
    pub(super) fn consumed(&self, length: usize) -> &[u8] {
        &self.buffer[self.start - length..self.start]
    }

    /// Drops the first `length` unread bytes.
    pub(super) fn consume(&mut self, length: usize) {
        self.start += length;
        self.offset += length as u64;
    }

    /// Reads until `wanted` bytes are unread; fewer mean that the stream ended.
    pub(super) fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        while self.end - self.start < wanted {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted.next_multiple_of(CHUNK), 0);
            }
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.end - self.start)
    }
}
