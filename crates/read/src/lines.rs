//! Lines of a text source through one buffer of bounded size.

use std::io::{self, Read};

use crate::Fault;

const CHUNK: usize = 256 * 1024;

/// Splits a source into lines without copying them; memory is bounded by the line limit.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// The unread bytes are `buffer[start..end]`.
    start: usize,
    end: usize,
    /// Bytes of `buffer[start..end]` already searched for a line end.
    searched: usize,
    limit: usize,
    number: u64,
    ended: bool,
}

/// A line without its end, and its number from 1.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) number: u64,
    pub(crate) text: &'a [u8],
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R, limit: usize) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            searched: 0,
            limit: limit.max(1),
            number: 0,
            ended: false,
        }
    }

    /// The next line; a too long one is passed over and reported with its number.
    ///
    /// The last line needs no line end, unless the input failed: then its rest is unknown and it
    /// is not delivered.
    pub(crate) fn next(&mut self) -> Option<Result<Line<'_>, (u64, Fault)>> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', &unread[self.searched..]) {
                let length = self.searched + at;
                return Some(self.take(length, length + 1));
            }
            self.searched = unread.len();
            if self.searched > self.limit + 1 {
                self.number += 1;
                let (number, limit) = (self.number, self.limit);
                return Some(match self.pass_over() {
                    Ok(()) => Err((number, Fault::LineLength { limit })),
                    Err(error) => self.fail(error),
                });
            }
            if self.ended {
                let rest = self.searched;
                return (rest > 0).then(|| self.take(rest, rest));
            }
            if let Err(error) = self.fill() {
                self.number += 1;
                return Some(self.fail(error));
            }
        }
    }

    fn take(&mut self, length: usize, consumed: usize) -> Result<Line<'_>, (u64, Fault)> {
        let line = self.start..self.start + length;
        self.start += consumed;
        self.searched = 0;
        self.number += 1;
        let text = &self.buffer[line];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let text = if self.number == 1 {
            without_mark(text)
        } else {
            text
        };
        if text.len() > self.limit {
            let limit = self.limit;
            return Err((self.number, Fault::LineLength { limit }));
        }
        Ok(Line {
            number: self.number,
            text,
        })
    }

    /// Reads more behind the unread bytes, which move to the front of the buffer first.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < self.end + CHUNK / 2 {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    /// Drops input up to and with the next line end.
    fn pass_over(&mut self) -> io::Result<()> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr(b'\n', unread) {
                self.start += at + 1;
                self.searched = 0;
                return Ok(());
            }
            self.start = self.end;
            self.searched = 0;
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn fail<T>(&mut self, error: io::Error) -> Result<T, (u64, Fault)> {
        self.ended = true;
        self.start = self.end;
        self.searched = 0;
        Err((self.number, crate::decompress::fault_of(error)))
    }
}

/// Text without the byte order mark of UTF-8 that some programs begin with.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], limit: usize) -> Vec<String> {
        let mut lines = Lines::new(text, limit);
        let mut all = Vec::new();
        while let Some(line) = lines.next() {
            all.push(match line {
                Ok(line) => format!("{} {}", line.number, String::from_utf8_lossy(line.text)),
                Err((number, fault)) => format!("{number} {fault}"),
            });
        }
        all
    }

    #[test]
    fn ends_of_lines_of_any_kind() {
        assert_eq!(all(b"a\r\n\nb\r\n", 9), ["1 a", "2 ", "3 b"]);
        assert_eq!(all(b"a\nb", 9), ["1 a", "2 b"]);
        assert_eq!(
            all(b"\xef\xbb\xbfa\n\xef\xbb\xbfb", 9),
            ["1 a", "2 \u{feff}b"]
        );
        assert!(all(b"", 9).is_empty());
    }

    #[test]
    fn a_long_line_is_passed_over_in_bounded_memory() {
        let mut text = b"ok\n".to_vec();
        text.resize(3_000_000, b'x');
        text.extend(b"\r\nafter\n123456789\n1234567890\n");
        assert_eq!(
            all(&text, 9),
            [
                "1 ok",
                "2 line longer than 9 bytes, the limit",
                "3 after",
                "4 123456789",
                "5 line longer than 9 bytes, the limit",
            ]
        );
        let mut lines = Lines::new(&text[..], 9);
        while lines.next().is_some() {}
        assert!(lines.buffer.len() <= 2 * CHUNK);
    }
}
