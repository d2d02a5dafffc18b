//! The classic pcap format.

use pcap_parser::pcap::{PcapHeader, parse_pcap_header};
use peerscope_flow::Timestamp;

use super::window::Window;
use super::{CaptureErrorKind, Endian, LinkType, Located, has_more, need, read_u32};

const HEADER: usize = 24;
/// Longest packet of a file whose header names no greater snap length (libpcap's own limit).
const MAX_PACKET: u32 = 1 << 18;
/// Longest packet of any file.
const MAX_SNAP_LENGTH: u32 = 1 << 24;
/// The registry's numbers; the bits above hold the length of the frame check sequence.
const LINK_MASK: u32 = 0x03ff_ffff;

/// The layout of a pcap file's records.
pub(super) struct PcapFormat {
    endian: Endian,
    /// Length of a record's header.
    head: usize,
    ticks_per_micro: u32,
    link: LinkType,
    max_packet: u32,
}

/// Whether a little-endian number begins a pcap file.
pub(super) const fn is_magic(magic: u32) -> bool {
    matches!(
        magic,
        0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0xa1b2_cd34
    )
}

impl PcapFormat {
    /// Reads the file header.
    pub(super) fn new(window: &mut Window) -> Result<Self, CaptureErrorKind> {
        need(window, HEADER)?;
        let magic = read_u32(window.unread(), 0, Endian::Little);
        let Ok((_, header)) = parse_pcap_header(window.unread()) else {
            return Err(CaptureErrorKind::Magic(magic.swap_bytes()));
        };
        window.consume(HEADER);
        Ok(Self::of(&header))
    }

    fn of(header: &PcapHeader) -> Self {
        let (endian, head) = if header.is_modified_format() {
            (Endian::Little, 24)
        } else if header.is_bigendian() {
            (Endian::Big, 16)
        } else {
            (Endian::Little, 16)
        };
        Self {
            endian,
            head,
            ticks_per_micro: if header.is_nanosecond_precision() {
                1000
            } else {
                1
            },
            link: normalised(header.network.0.cast_unsigned() & LINK_MASK),
            max_packet: header.snaplen.clamp(MAX_PACKET, MAX_SNAP_LENGTH),
        }
    }

    /// Consumes the next record.
    pub(super) fn next(&self, window: &mut Window) -> Result<Option<Located>, CaptureErrorKind> {
        if !has_more(window)? {
            return Ok(None);
        }
        need(window, self.head)?;
        let captured = read_u32(window.unread(), 8, self.endian);
        if captured > self.max_packet {
            return Err(CaptureErrorKind::Length {
                length: captured.into(),
                min: 0,
                max: self.max_packet.into(),
            });
        }
        let length = captured as usize;
        let record = self.head + length;
        need(window, record)?;
        let word = |at| read_u32(window.unread(), at, self.endian);
        let time = Timestamp::from_secs(word(0).into())
            .saturating_add_micros((word(4) / self.ticks_per_micro).into());
        let original_length = word(12);
        window.consume(record);
        Ok(Some(Located {
            time,
            link: self.link,
            original_length,
            back: length,
            length,
        }))
    }
}

/// Raw IP has had other numbers: 12 on most systems, 14 on `OpenBSD`.
pub(super) const fn normalised(number: u32) -> LinkType {
    match number {
        12 | 14 => LinkType::RAW,
        other => LinkType(other),
    }
}
