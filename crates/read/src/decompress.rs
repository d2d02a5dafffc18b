//! Compression by content, with a limit on how far a file may expand.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Fault;

/// How a file is compressed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of one or several members.
    Gzip,
    /// Zstandard, of one or several frames.
    Zstd,
    /// xz, of one or several streams.
    Xz,
}

impl Compression {
    /// The compression of content that begins with `head`.
    pub fn detect(head: &[u8]) -> Self {
        if head.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else if head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
            Self::Xz
        } else {
            Self::None
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
        })
    }
}

/// A boxed source of bytes that may move to another thread.
pub(crate) type Input = Box<dyn Read + Send>;

/// Memory that the zstd and xz decoders may use: the largest window that `zstd --long` and
/// `xz -9` ask for fit.
const WINDOW_LOG: u32 = 27;
const XZ_MEMORY: u64 = 256 << 20;

/// Any file may expand to this much, whatever its ratio.
const FREE: u64 = 64 << 20;

/// The decompressed content of `input`, which begins with `compression`'s magic number.
pub(crate) fn decompress(
    input: Input,
    compression: Compression,
    max_expansion: u32,
) -> io::Result<Input> {
    if compression == Compression::None {
        return Ok(input);
    }
    let read = Arc::new(AtomicU64::new(0));
    let counted = BufReader::with_capacity(
        64 * 1024,
        Counted {
            input,
            read: Arc::clone(&read),
        },
    );
    let decoder: Input = match compression {
        Compression::None => Box::new(counted),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(counted)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(counted)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Box::new(decoder)
        }
        Compression::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(
                XZ_MEMORY,
                liblzma::stream::CONCATENATED,
            )?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(counted, stream))
        }
    };
    Ok(Box::new(Limited {
        decoder,
        read,
        written: 0,
        limit: max_expansion,
    }))
}

/// Counts the compressed bytes as they are read.
struct Counted {
    input: Input,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Ends with an error when far more comes out than went in.
struct Limited {
    decoder: Input,
    read: Arc<AtomicU64>,
    written: u64,
    limit: u32,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let written = self.decoder.read(buffer)?;
        self.written += written as u64;
        let read = self.read.load(Ordering::Relaxed);
        if self.written > FREE.saturating_add(read.saturating_mul(u64::from(self.limit))) {
            return Err(io::Error::other(Expanded { limit: self.limit }));
        }
        Ok(written)
    }
}

/// Carries the expansion limit through `io::Error`.
#[derive(Debug)]
struct Expanded {
    limit: u32,
}

impl fmt::Display for Expanded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fault::Expansion { limit: self.limit }.fmt(f)
    }
}

impl std::error::Error for Expanded {}

/// The fault behind an I/O error.
pub(crate) fn fault_of(error: io::Error) -> Fault {
    let expanded = error.get_ref().and_then(|inner| inner.downcast_ref());
    match expanded {
        Some(&Expanded { limit }) => Fault::Expansion { limit },
        None => Fault::Io(error),
    }
}
