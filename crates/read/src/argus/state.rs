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
    /// The flags of a state: its own (`FSPA_FSA`), or those that a word stands for. A packet has at
    /// least `smallest` bytes.
    pub(super) fn parse(
        state: &[u8],
        direction: Direction,
        src: Volume,
        dst: Volume,
        smallest: u64,
    ) -> Option<Self> {
        if let Some(at) = memchr::memchr(b'_', state) {
            return Some(Self {
                src: Some(TcpFlags::parse(&state[..at])?),
                dst: Some(TcpFlags::parse(&state[at + 1..])?),
            });
        }
        // Where the direction is known the beginning was seen, perhaps in an earlier record: this one
        // must have packets enough for a handshake, and for the end that it tells of.
        let begun = direction != Direction::Unknown;
        let opened = |least: (u64, u64)| {
            if begun && src.packets >= least.0 && dst.packets >= least.1 {
                BOTH
            } else {
                ACK
            }
        };
        let (src_flags, dst_flags) = match state {
            b"REQ" => (SYN, TcpFlags::default()),
            b"ACC" => (SYN, BOTH),
            b"EST" | b"CON" => (opened((2, 1)), opened((2, 1))),
            b"FIN" | b"CLO" => {
                let flags = opened((3, 2)).union(TcpFlags::FIN);
                (flags, flags)
            }
            b"RST" if begun => reset(src, dst, smallest),
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

/// A connection that was reset: refused, open before, or a rest of one?
fn reset(src: Volume, dst: Volume, smallest: u64) -> (TcpFlags, TcpFlags) {
    /// IP bytes in the least that an Ethernet frame carries.
    const PADDED: u64 = 46;
    let refusal = ACK.union(TcpFlags::RST);
    if dst.packets == 0 {
        return (SYN.union(TcpFlags::RST), TcpFlags::default());
    }
    // Options are multiples of four bytes; a SYN has no payload.
    let may_be_syn = src.bytes.is_multiple_of(4) || src.bytes == PADDED;
    if src.packets == 0 || (src.packets == 1 && !may_be_syn) {
        return (ACK, refusal);
    }
    // A refusal has neither options nor payload; an answer to a SYN has options.
    let bare = dst.bytes == dst.packets.saturating_mul(smallest);
    let padded = dst.bytes == dst.packets.saturating_mul(PADDED);
    if bare || (padded && src.packets <= dst.packets) {
        (SYN, refusal)
    } else if src.packets == 1 {
        // The SYN and the RST cannot be one packet.
        (ACK, refusal)
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
        let flags =
            Flags::parse(state.as_bytes(), direction, volume(src), volume(dst), 40).unwrap();
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
        // Stragglers after the end.
        assert_eq!(flags("RST", "->", (1, 58), (1, 40)), (0x10, 0x14));
        assert_eq!(flags("RST", "->", (1, 52), (1, 52)), (0x10, 0x14));
        assert_eq!(flags("FIN", "->", (2, 104), (1, 52)), (0x11, 0x11));
        let nothing = Volume::ZERO;
        assert_eq!(
            Flags::parse(b"XYZ", Direction::Source, nothing, nothing, 40),
            None
        );
        assert!(Direction::parse(b"=>").is_err());
    }
}
