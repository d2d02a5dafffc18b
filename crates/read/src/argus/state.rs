//! What Argus' `Dir` and `State` say.

use peerscope_flow::Volume;

use crate::{Problem, TcpFlags};

/// Who began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Source,
    Destination,
    Unknown,
}

impl Direction {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Problem> {
        match text {
            b"->" | b"<->" => Ok(Self::Source),
            b"<-" => Ok(Self::Destination),
            b"?>" | b"<?" | b"<?>" | b"who" | b"-" => Ok(Self::Unknown),
            _ => Err(Problem::NotADirection),
        }
    }
}

/// The TCP flags of either side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) src: Option<TcpFlags>,
    pub(super) dst: Option<TcpFlags>,
}

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const BOTH: TcpFlags = SYN.union(ACK);

impl Flags {
    /// The flags of a state: its own (`FSPA_FSA`), or those that a word stands for.
    pub(super) fn parse(
        state: &[u8],
        direction: Direction,
        src: Volume,
        dst: Volume,
    ) -> Option<Self> {
        if let Some(at) = memchr::memchr(b'_', state) {
            return Some(Self {
                src: Some(TcpFlags::parse(&state[..at])?),
                dst: Some(TcpFlags::parse(&state[at + 1..])?),
            });
        }
        // Where the direction is known the beginning was seen. A record of one side only is a rest.
        let begun = direction != Direction::Unknown;
        let opened = if begun && src.packets > 0 && dst.packets > 0 {
            BOTH
        } else {
            ACK
        };
        let (src_flags, dst_flags) = match state {
            b"REQ" => (SYN, TcpFlags::default()),
            b"ACC" => (SYN, BOTH),
            b"EST" | b"CON" => (opened, opened),
            b"FIN" | b"CLO" => (opened.union(TcpFlags::FIN), opened.union(TcpFlags::FIN)),
            b"RST" if begun => reset(src, dst),
            b"RST" => (ACK, ACK.union(TcpFlags::RST)),
            // Timed out, or nothing but what one side sent.
            b"TIM" | b"INT" => (TcpFlags::default(), TcpFlags::default()),
            _ => return None,
        };
        let seen = |flags, volume: Volume| (volume.packets > 0).then_some(flags);
        Some(Self {
            src: seen(src_flags, src),
            dst: seen(dst_flags, dst),
        })
    }
}

/// A connection that was reset: refused, or open before?
fn reset(src: Volume, dst: Volume) -> (TcpFlags, TcpFlags) {
    let refusal = ACK.union(TcpFlags::RST);
    if dst.packets == 0 {
        return (SYN.union(TcpFlags::RST), TcpFlags::default());
    }
    if src.packets == 0 {
        return (TcpFlags::default(), refusal);
    }
    // A refusal is a packet without options or payload, one for each attempt; 46 bytes are the
    // least that an Ethernet frame carries.
    let empty = dst.bytes <= dst.packets.saturating_mul(46);
    if empty && src.packets <= dst.packets {
        (SYN, refusal)
    } else if src.packets == 1 {
        // Only a SYN can have come from the source.
        (SYN, BOTH)
    } else {
        (BOTH, BOTH.union(TcpFlags::RST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(state: &str, direction: &str, src: (u64, u64), dst: (u64, u64)) -> (u8, u8) {
        let direction = Direction::parse(direction.as_bytes()).unwrap();
        let volume = |(packets, bytes)| Volume::new(packets, bytes);
        let flags = Flags::parse(state.as_bytes(), direction, volume(src), volume(dst)).unwrap();
        let bits = |flags: Option<TcpFlags>| flags.map_or(0, TcpFlags::bits);
        (bits(flags.src), bits(flags.dst))
    }

    #[test]
    fn states_stand_for_flags() {
        assert_eq!(flags("FSPA_SA", "->", (1, 1), (1, 1)), (0x1b, 0x12));
        assert_eq!(flags("S_", "->", (1, 60), (0, 0)), (0x02, 0));
        assert_eq!(flags("REQ", "->", (1, 60), (0, 0)), (0x02, 0));
        assert_eq!(flags("CON", "->", (3, 180), (3, 180)), (0x12, 0x12));
        // A rest of a connection opens nothing.
        assert_eq!(flags("FIN", "->", (0, 0), (3, 180)), (0, 0x11));
        assert_eq!(flags("CON", "<?>", (3, 180), (3, 180)), (0x10, 0x10));
        // Three attempts, refused each time; and a connection that was broken.
        assert_eq!(flags("RST", "->", (3, 152), (3, 120)), (0x02, 0x14));
        assert_eq!(flags("RST", "->", (2, 110), (2, 92)), (0x02, 0x14));
        assert_eq!(flags("RST", "->", (12, 742), (10, 520)), (0x12, 0x16));
        let nothing = Volume::ZERO;
        assert_eq!(
            Flags::parse(b"XYZ", Direction::Source, nothing, nothing),
            None
        );
        assert!(Direction::parse(b"=>").is_err());
    }
}
