//! Capture files: packets out of pcap and pcapng, compressed or not.

mod error;
mod pcap;
mod pcapng;
mod window;

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use peerscope_flow::Timestamp;

pub use error::{CaptureError, CaptureErrorKind};
use pcap::PcapFormat;
use pcapng::PcapngFormat;
use window::Window;

/// The link layer of a packet by its number in the tcpdump.org registry of link types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number with a name")]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback, address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Point-to-point protocol.
    pub const PPP: Self = Self(9);
    /// Point-to-point protocol in HDLC-like framing.
    pub const PPP_HDLC: Self = Self(50);
    /// `PPPoE` session packets without their Ethernet header.
    pub const PPP_ETHER: Self = Self(51);
    /// IPv4 or IPv6 without a link layer.
    pub const RAW: Self = Self(101);
    /// `OpenBSD` loopback, address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Per-packet information followed by a packet of another link type.
    pub const PPI: Self = Self(192);
    /// IPv4 without a link layer.
    pub const IPV4: Self = Self(228);
    /// IPv6 without a link layer.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// A packet as captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Packet<'a> {
    /// When it was captured; finer clocks are rounded down to the microsecond.
    pub time: Timestamp,
    /// How `data` begins.
    pub link: LinkType,
    /// The captured bytes, link layer included.
    pub data: &'a [u8],
    /// Length on the wire, in bytes; more than `data` holds if the snap length cut it.
    pub original_length: u32,
}

impl Packet<'_> {
    /// Length on the wire, in bytes: at least what was captured, whatever the capture says.
    pub fn wire_length(&self) -> u32 {
        self.original_length.max(saturating_u32(self.data.len()))
    }
}

pub(crate) fn saturating_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A capture file that is being read, packet by packet, in bounded memory.
///
/// The format, pcap or pcapng, and a compression by gzip, zstd or xz are told by content.
///
/// ```
/// use std::io::Cursor;
/// use peerscope_meter::Capture;
///
/// // A pcap file with no packets: magic number, version 2.4, link type Ethernet.
/// let mut file = [0; 24];
/// file[..8].copy_from_slice(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
/// file[20] = 1;
/// let mut capture = Capture::from_reader("empty.pcap", Cursor::new(file))?;
/// assert!(capture.next_packet()?.is_none());
///
/// let error = Capture::from_reader("cut.pcap", Cursor::new([0xd4, 0xc3, 0xb2, 0xa1, 2, 0])).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cut.pcap: byte 0: truncated: 24 bytes are needed, 6 are left"
/// );
/// # Ok::<(), peerscope_meter::CaptureError>(())
/// ```
pub struct Capture {
    file: String,
    window: Window,
    format: Format,
    failed: bool,
}

enum Format {
    Pcap(PcapFormat),
    Pcapng(PcapngFormat),
}

/// A packet whose bytes are the last `length` ones of those consumed, less a tail.
struct Located {
    time: Timestamp,
    link: LinkType,
    original_length: u32,
    /// Distance from the first byte of the packet to the end of what was consumed.
    back: usize,
    length: usize,
}

impl Capture {
    /// Opens a capture file and reads its header.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or as [`Capture::from_reader`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::from_reader(name, file),
            Err(error) => Err(CaptureError {
                file: name,
                offset: 0,
                kind: error.into(),
            }),
        }
    }

    /// Reads the header of a capture from any source of bytes; `name` stands in error messages.
    ///
    /// # Errors
    ///
    /// If the source fails, or does not begin with the header of a pcap or pcapng file.
    pub fn from_reader(
        name: impl Into<String>,
        reader: impl Read + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let file = name.into();
        let at_start = |kind| CaptureError {
            file: file.clone(),
            offset: 0,
            kind,
        };
        let mut window = Window::new(decompressed(reader).map_err(at_start)?);
        let format = Format::detect(&mut window).map_err(at_start)?;
        Ok(Self {
            file,
            window,
            format,
            failed: false,
        })
    }

    /// The next packet, or `None` at the end of the capture and after an error.
    ///
    /// # Errors
    ///
    /// If the file is truncated or damaged; all packets before that place were delivered.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        if self.failed {
            return Ok(None);
        }
        let located = match &mut self.format {
            Format::Pcap(format) => format.next(&mut self.window),
            Format::Pcapng(format) => format.next(&mut self.window),
        };
        match located {
            Ok(None) => Ok(None),
            Ok(Some(located)) => Ok(Some(Packet {
                time: located.time,
                link: located.link,
                data: &self.window.consumed(located.back)[..located.length],
                original_length: located.original_length,
            })),
            Err(kind) => {
                self.failed = true;
                Err(CaptureError {
                    file: self.file.clone(),
                    offset: self.window.offset(),
                    kind,
                })
            }
        }
    }

    /// Bytes of the (decompressed) stream that were read so far.
    pub const fn bytes_read(&self) -> u64 {
        self.window.offset()
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("file", &self.file)
            .field("offset", &self.window.offset())
            .finish_non_exhaustive()
    }
}

impl Format {
    fn detect(window: &mut Window) -> Result<Self, CaptureErrorKind> {
        need(window, 4)?;
        let magic = read_u32(window.unread(), 0, Endian::Little);
        if magic == pcapng::SECTION_HEADER {
            return Ok(Self::Pcapng(PcapngFormat::new()));
        }
        if !pcap::is_magic(magic) {
            return Err(CaptureErrorKind::Magic(magic.swap_bytes()));
        }
        PcapFormat::new(window).map(Self::Pcap)
    }
}

#[derive(Clone, Copy)]
enum Endian {
    Little,
    Big,
}

/// The 32-bit number at `at`, which must lie within `bytes`.
fn read_u32(bytes: &[u8], at: usize, endian: Endian) -> u32 {
    let raw = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    match endian {
        Endian::Little => u32::from_le_bytes(raw),
        Endian::Big => u32::from_be_bytes(raw),
    }
}

/// Makes `needed` bytes unread, or says that the file is too short.
fn need(window: &mut Window, needed: usize) -> Result<(), CaptureErrorKind> {
    let available = window.fill(needed)?;
    if available < needed {
        return Err(CaptureErrorKind::Truncated {
            needed: needed as u64,
            available: available as u64,
        });
    }
    Ok(())
}

/// Whether another byte follows.
fn has_more(window: &mut Window) -> Result<bool, CaptureErrorKind> {
    Ok(window.fill(1)? > 0)
}

fn decompressed(
    mut reader: impl Read + Send + 'static,
) -> Result<Box<dyn Read + Send>, CaptureErrorKind> {
    // Five bytes tell the compression; a shorter file has none.
    let mut head = Vec::with_capacity(5);
    reader.by_ref().take(5).read_to_end(&mut head)?;
    let short = head.len() < 5;
    let stream: Box<dyn Read + Send> = Box::new(Cursor::new(head).chain(reader));
    if short {
        return Ok(stream);
    }
    match niffler::send::get_reader(stream) {
        Ok((stream, _)) => Ok(stream),
        Err(niffler::Error::IOError(error)) => Err(error.into()),
        Err(other) => Err(std::io::Error::other(other).into()),
    }
}
