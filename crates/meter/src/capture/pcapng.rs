//! The pcapng format.

use pcap_parser::pcapng::{
    InterfaceDescriptionBlock, OptionCode, parse_enhancedpacketblock_be,
    parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le, parse_sectionheaderblock, parse_simplepacketblock_be,
    parse_simplepacketblock_le,
};
use peerscope_flow::Timestamp;

use super::window::Window;
use super::{CaptureErrorKind, Endian, LinkType, Located, has_more, need, pcap, read_u32};

pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// The obsolete packet block, still found in old files.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type, length, and the length again.
const MIN_BLOCK: u32 = 12;
const MAX_BLOCK: u32 = 1 << 24;
/// Bytes of an enhanced or obsolete packet block before the packet.
const PACKET_HEAD: usize = 28;
/// Bytes of a simple packet block before the packet.
const SIMPLE_HEAD: usize = 12;
const MAX_INTERFACES: usize = 1 << 16;

/// The section being read.
pub(super) struct PcapngFormat {
    endian: Endian,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    /// 0 means no limit.
    snap_length: u32,
    ticks_per_second: u64,
    /// Seconds to add to every time.
    offset: i64,
}

impl PcapngFormat {
    pub(super) const fn new() -> Self {
        Self {
            endian: Endian::Little,
            interfaces: Vec::new(),
        }
    }

    /// Consumes blocks up to and including the next packet.
    pub(super) fn next(
        &mut self,
        window: &mut Window,
    ) -> Result<Option<Located>, CaptureErrorKind> {
        while has_more(window)? {
            let length = self.enter_block(window)?;
            let block = &window.unread()[..length];
            let located = match read_u32(block, 0, self.endian) {
                SECTION_HEADER => {
                    parse_sectionheaderblock(block)
                        .map_err(|_| CaptureErrorKind::Block(SECTION_HEADER))?;
                    self.interfaces.clear();
                    None
                }
                INTERFACE_DESCRIPTION => {
                    let interface = self.interface(block)?;
                    self.interfaces.push(interface);
                    None
                }
                ENHANCED_PACKET => Some(self.enhanced_packet(block)?),
                SIMPLE_PACKET => Some(self.simple_packet(block)?),
                PACKET => Some(self.obsolete_packet(block)?),
                // Names, statistics, secrets and the like.
                _ => None,
            };
            window.consume(length);
            if located.is_some() {
                return Ok(located);
            }
        }
        Ok(None)
    }

    /// Makes the whole next block unread and returns its length; a section header sets the byte
    /// order first.
    fn enter_block(&mut self, window: &mut Window) -> Result<usize, CaptureErrorKind> {
        need(window, MIN_BLOCK as usize)?;
        let head = window.unread();
        if read_u32(head, 0, Endian::Little) == SECTION_HEADER {
            self.endian = match read_u32(head, 8, Endian::Little) {
                0x1a2b_3c4d => Endian::Little,
                0x4d3c_2b1a => Endian::Big,
                other => return Err(CaptureErrorKind::Magic(other)),
            };
        }
        let length = read_u32(head, 4, self.endian);
        if !(MIN_BLOCK..=MAX_BLOCK).contains(&length) {
            return Err(CaptureErrorKind::Length {
                length: length.into(),
                min: MIN_BLOCK.into(),
                max: MAX_BLOCK.into(),
            });
        }
        let whole = length as usize;
        need(window, whole)?;
        let tail = read_u32(window.unread(), whole - 4, self.endian);
        if tail != length {
            return Err(CaptureErrorKind::Trailer { head: length, tail });
        }
        Ok(whole)
    }

    fn interface(&self, block: &[u8]) -> Result<Interface, CaptureErrorKind> {
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(CaptureErrorKind::TooManyInterfaces(MAX_INTERFACES));
        }
        let (_, description) = match self.endian {
            Endian::Little => parse_interfacedescriptionblock_le(block),
            Endian::Big => parse_interfacedescriptionblock_be(block),
        }
        .map_err(|_| CaptureErrorKind::Block(INTERFACE_DESCRIPTION))?;
        Ok(Interface {
            link: pcap::normalised(description.linktype.0.cast_unsigned()),
            snap_length: description.snaplen,
            ticks_per_second: resolution(description.if_tsresol)
                .ok_or(CaptureErrorKind::Resolution(description.if_tsresol))?,
            offset: self.time_offset(&description),
        })
    }

    fn time_offset(&self, description: &InterfaceDescriptionBlock<'_>) -> i64 {
        let option = description
            .options
            .iter()
            .find(|option| option.code == OptionCode::IfTsoffset);
        let raw = option.and_then(|option| option.value.first_chunk::<8>());
        raw.map_or(0, |&raw| match self.endian {
            Endian::Little => i64::from_le_bytes(raw),
            Endian::Big => i64::from_be_bytes(raw),
        })
    }

    fn described(&self, interface: u32) -> Result<Interface, CaptureErrorKind> {
        self.interfaces
            .get(interface as usize)
            .copied()
            .ok_or(CaptureErrorKind::Interface {
                interface,
                described: self.interfaces.len(),
            })
    }

    fn enhanced_packet(&self, block: &[u8]) -> Result<Located, CaptureErrorKind> {
        let (_, packet) = match self.endian {
            Endian::Little => parse_enhancedpacketblock_le(block),
            Endian::Big => parse_enhancedpacketblock_be(block),
        }
        .map_err(|_| CaptureErrorKind::Block(ENHANCED_PACKET))?;
        let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        let interface = self.described(packet.if_id)?;
        located(block, interface, ticks, packet.caplen, packet.origlen)
    }

    fn obsolete_packet(&self, block: &[u8]) -> Result<Located, CaptureErrorKind> {
        if block.len() < PACKET_HEAD + 4 {
            return Err(CaptureErrorKind::Block(PACKET));
        }
        let number = |at| read_u32(block, at, self.endian);
        // Two 16-bit numbers: the interface, then a count of drops.
        let interface = match self.endian {
            Endian::Little => number(8) & 0xffff,
            Endian::Big => number(8) >> 16,
        };
        let ticks = u64::from(number(12)) << 32 | u64::from(number(16));
        let interface = self.described(interface)?;
        located(block, interface, ticks, number(20), number(24))
    }

    /// A simple packet has no time: it takes that of the epoch.
    fn simple_packet(&self, block: &[u8]) -> Result<Located, CaptureErrorKind> {
        let (_, packet) = match self.endian {
            Endian::Little => parse_simplepacketblock_le(block),
            Endian::Big => parse_simplepacketblock_be(block),
        }
        .map_err(|_| CaptureErrorKind::Block(SIMPLE_PACKET))?;
        let interface = self.described(0)?;
        let limit = match interface.snap_length {
            0 => u32::MAX,
            limit => limit,
        };
        let length = packet.data.len().min(packet.origlen.min(limit) as usize);
        Ok(Located {
            time: Timestamp::from_micros(0),
            link: interface.link,
            original_length: packet.origlen,
            back: block.len() - SIMPLE_HEAD,
            length,
        })
    }
}

/// The packet of an enhanced or obsolete packet block.
fn located(
    block: &[u8],
    interface: Interface,
    ticks: u64,
    captured: u32,
    original_length: u32,
) -> Result<Located, CaptureErrorKind> {
    let length = captured as usize;
    let room = block.len() - PACKET_HEAD - 4;
    if length > room {
        return Err(CaptureErrorKind::Length {
            length: captured.into(),
            min: 0,
            max: room as u64,
        });
    }
    Ok(Located {
        time: interface.time(ticks)?,
        link: interface.link,
        original_length,
        back: block.len() - PACKET_HEAD,
        length,
    })
}

impl Interface {
    fn time(&self, ticks: u64) -> Result<Timestamp, CaptureErrorKind> {
        let micros = match self.ticks_per_second {
            1_000_000 => i128::from(ticks),
            1_000_000_000 => i128::from(ticks / 1000),
            per_second => i128::from(ticks) * 1_000_000 / i128::from(per_second),
        };
        let moved = micros + i128::from(self.offset) * 1_000_000;
        i64::try_from(moved)
            .map(Timestamp::from_micros)
            .map_err(|_| CaptureErrorKind::Time {
                ticks,
                per_second: self.ticks_per_second,
            })
    }
}

/// Ticks per second: a power of ten, or of two where the high bit is set.
const fn resolution(code: u8) -> Option<u64> {
    let exponent = (code & 0x7f) as u32;
    if code & 0x80 == 0 {
        10_u64.checked_pow(exponent)
    } else {
        1_u64.checked_shl(exponent)
    }
}
