//! How far a TCP connection got, told by flags.

use peerscope_flow::Handshake;

use crate::classify::Direction;
use crate::decode::TcpFlags;

/// What the first packet seen of a connection was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Syn,
    /// The SYN was missed, or will come late.
    SynAck,
    MidStream,
}

impl Opening {
    pub(crate) const fn of(flags: TcpFlags) -> Self {
        match (flags.syn(), flags.ack()) {
            (true, false) => Self::Syn,
            (true, true) => Self::SynAck,
            (false, _) => Self::MidStream,
        }
    }
}

/// Whether a connection is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Open,
    /// This packet closed it.
    Closes,
}

/// Flags seen so far of either side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpState {
    opening: Opening,
    seen: u8,
}

impl TcpState {
    const SYN: u8 = 1;
    const PURE_SYN: u8 = 2;
    const ACK: u8 = 4;
    const FIN: u8 = 8;
    /// Bits of the responder stand this much higher.
    const REVERSE: u8 = 4;

    pub(crate) const fn new(opening: Opening) -> Self {
        Self { opening, seen: 0 }
    }

    /// Takes in a packet that belongs to the flow.
    pub(crate) const fn observe(&mut self, flags: TcpFlags, direction: Direction) -> Progress {
        let mut bits = 0;
        if flags.syn() {
            bits |= Self::SYN;
            if !flags.ack() {
                bits |= Self::PURE_SYN;
            }
        }
        if flags.ack() {
            bits |= Self::ACK;
        }
        if flags.fin() {
            bits |= Self::FIN;
        }
        self.seen |= match direction {
            Direction::Forward => bits,
            Direction::Reverse => bits << Self::REVERSE,
        };
        let both_fin = self.saw(Self::FIN) && self.saw(Self::FIN << Self::REVERSE);
        if flags.rst() || both_fin {
            Progress::Closes
        } else {
            Progress::Open
        }
    }

    /// The outcome of the handshake if nothing more comes.
    pub(crate) const fn handshake(self) -> Handshake {
        if matches!(self.opening, Opening::MidStream) || !self.saw(Self::PURE_SYN) {
            return Handshake::Unknown;
        }
        // Each side's SYN acknowledged by the other: SYN, SYN-ACK and ACK, or the crossing SYNs
        // and acknowledgements of a simultaneous open (RFC 9293, section 3.5).
        let answered = self.saw((Self::SYN | Self::ACK) << Self::REVERSE);
        if answered && self.saw(Self::ACK) {
            Handshake::Complete
        } else {
            Handshake::Failed
        }
    }

    const fn saw(self, bits: u8) -> bool {
        self.seen & bits == bits
    }
}
