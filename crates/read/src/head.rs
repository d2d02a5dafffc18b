//! An input whose first bytes have been looked at.

use std::io::{self, Cursor, Read};

use crate::decompress::Input;

/// A fault met while looking is not lost: it comes after the bytes before it.
pub(crate) struct Head {
    seen: Cursor<Vec<u8>>,
    fault: Option<io::Error>,
    rest: Input,
}

impl Head {
    /// Looks at up to `length` bytes; an error only if there is nothing before it.
    pub(crate) fn read(mut input: Input, length: usize) -> io::Result<Self> {
        let mut head = Vec::new();
        let fault = input
            .by_ref()
            .take(length as u64)
            .read_to_end(&mut head)
            .err();
        match fault {
            Some(error) if head.is_empty() => Err(error),
            fault => Ok(Self {
                seen: Cursor::new(head),
                fault,
                rest: input,
            }),
        }
    }

    pub(crate) fn head(&self) -> &[u8] {
        self.seen.get_ref()
    }
}

impl Read for Head {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.seen.read(buffer)? {
            0 => match self.fault.take() {
                Some(error) => Err(error),
                None => self.rest.read(buffer),
            },
            read => Ok(read),
        }
    }
}
