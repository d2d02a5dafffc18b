//! The digest of a source's content as stored, taken while it is read.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::Sha256;
use sha2::digest::Digest as _;
use thiserror::Error;

use crate::decompress::Input;

/// SHA-256 of the bytes of a source as stored, so of the compressed ones; as text what `sha256sum`
/// prints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Digest([u8; 32]);

/// Text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not 64 hexadecimal digits")]
#[non_exhaustive]
pub struct DigestError(pub String);

impl Digest {
    /// The digest of all bytes of `input`.
    ///
    /// # Errors
    ///
    /// If reading fails.
    pub fn of(mut input: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher(Sha256::new());
        io::copy(&mut input, &mut hasher)?;
        Ok(Self(hasher.0.finalize().into()))
    }

    /// The digest of a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn of_file(path: impl AsRef<Path>) -> io::Result<Self> {
        std::fs::File::open(path).and_then(Self::of)
    }

    /// The 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || DigestError(text.to_owned());
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad());
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

struct Hasher(Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the digest of an input that someone else reads.
#[derive(Clone)]
pub struct Digesting(Arc<Mutex<State>>);

struct State {
    input: Input,
    hasher: Sha256,
    bytes: u64,
    failed: bool,
}

impl Digesting {
    /// The input to be read instead of `input`, and the handle that tells its digest.
    pub(crate) fn new(input: Input) -> (Self, Input) {
        let state = State {
            input,
            hasher: Sha256::new(),
            bytes: 0,
            failed: false,
        };
        let handle = Self(Arc::new(Mutex::new(state)));
        (handle.clone(), Box::new(Shared(handle)))
    }

    /// The digest of all content: what was read, and the rest, which is read now. `None` if reading
    /// failed.
    pub fn finish(&self) -> Option<Digest> {
        io::copy(&mut Shared(self.clone()), &mut io::sink()).ok()?;
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!state.failed).then(|| Digest(state.hasher.clone().finalize().into()))
    }

    /// The bytes read so far.
    pub fn bytes(&self) -> u64 {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes
    }
}

impl fmt::Debug for Digesting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digesting")
    }
}

struct Shared(Digesting);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.input.read(buffer) {
            Ok(read) => {
                state.hasher.update(&buffer[..read]);
                state.bytes += read as u64;
                Ok(read)
            }
            Err(error) => {
                state.failed |= error.kind() != io::ErrorKind::Interrupted;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's example.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn published_value_and_text() {
        let digest = Digest::of(&b"abc"[..]).unwrap();
        assert_eq!(digest.to_string(), ABC);
        assert_eq!(ABC.parse(), Ok(digest));
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn all_content_counts_however_little_was_read() {
        for taken in 0..=3 {
            let (digest, mut input) = Digesting::new(Box::new(&b"abc"[..]));
            input.read_exact(&mut vec![0; taken]).unwrap();
            assert_eq!(digest.bytes(), taken as u64);
            assert_eq!(digest.finish().unwrap().to_string(), ABC);
            assert_eq!(digest.finish().unwrap().to_string(), ABC);
            assert_eq!(digest.bytes(), 3);
        }
    }

    #[test]
    fn a_fault_leaves_no_digest() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let (digest, mut input) = Digesting::new(Box::new(Broken));
        assert!(input.read(&mut [0; 1]).is_err());
        assert_eq!(digest.finish(), None);
    }
}
