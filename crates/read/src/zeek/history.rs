//! What a connection's state and history say about its handshake.

use peerscope_flow::{Handshake, InitiatorEvidence, Transport};

use crate::Problem;

/// The summary state of a connection, as far as handshakes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// `S0`: an attempt without reply.
    Attempt,
    /// `REJ`, `RSTOS0`, `SH`: the handshake cannot have completed.
    Failed,
    /// `OTH`, `SHR`, `RSTRH`: the beginning was not seen.
    Partial,
    /// `S1`, `S2`, `S3`, `SF`, `RSTO`, `RSTR`: both ends were heard, the history decides.
    Open,
}

impl State {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Problem> {
        match text {
            b"S0" => Ok(Self::Attempt),
            b"REJ" | b"RSTOS0" | b"SH" => Ok(Self::Failed),
            b"OTH" | b"SHR" | b"RSTRH" => Ok(Self::Partial),
            b"S1" | b"S2" | b"S3" | b"SF" | b"RSTO" | b"RSTR" => Ok(Self::Open),
            _ => Err(Problem::NotAState),
        }
    }
}

/// The handshake of a connection; an unset history is an empty one, an unset state says nothing.
pub(super) fn handshake(
    transport: Transport,
    state: Option<State>,
    history: &[u8],
) -> Option<Handshake> {
    if transport != Transport::Tcp {
        return None;
    }
    Some(match state {
        Some(State::Attempt | State::Failed) => Handshake::Failed,
        Some(State::Partial) => Handshake::Unknown,
        Some(State::Open) | None => {
            let answered = memchr::memchr(b'h', history);
            match (memchr::memchr(b'S', history), answered) {
                (Some(_), Some(answer)) => {
                    if memchr::memchr2(b'A', b'D', &history[answer..]).is_some() {
                        Handshake::Complete
                    } else {
                        Handshake::Failed
                    }
                }
                _ => Handshake::Unknown,
            }
        }
    })
}

/// How Zeek knows the originator.
pub(super) fn initiator(transport: Transport, history: &[u8]) -> InitiatorEvidence {
    if memchr::memchr(b'^', history).is_some() {
        InitiatorEvidence::PortHeuristic
    } else if transport == Transport::Tcp && memchr::memchr(b'S', history).is_some() {
        InitiatorEvidence::SynSeen
    } else {
        InitiatorEvidence::Exporter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(state: &str, history: &str) -> Handshake {
        let state = State::parse(state.as_bytes()).unwrap();
        handshake(Transport::Tcp, Some(state), history.as_bytes()).unwrap()
    }

    #[test]
    fn complete_needs_the_final_ack() {
        use Handshake::{Complete, Failed, Unknown};
        for (state, history, expected) in [
            ("SF", "ShADadFf", Complete),
            ("SF", "ShDadAFf", Complete),
            ("RSTO", "ShAR", Complete),
            ("SF", "SAhDadFf", Complete),
            // Established for Zeek, but the originator never acknowledged.
            ("S1", "Sh", Failed),
            ("RSTO", "ShR", Failed),
            ("RSTR", "SAhr", Failed),
            ("S0", "S", Failed),
            ("REJ", "Sr", Failed),
            ("REJ", "SWhRDr", Failed),
            ("RSTOS0", "SR", Failed),
            ("SH", "SF", Failed),
            ("OTH", "DdA", Unknown),
            ("SHR", "^f", Unknown),
            ("RSTRH", "^r", Unknown),
            // Mid-stream: no SYN, or no SYN-ACK.
            ("SF", "hADdcaFf", Unknown),
            ("RSTO", "^hADaR", Unknown),
            ("SF", "SADadfF", Unknown),
            ("SF", "", Unknown),
        ] {
            assert_eq!(outcome(state, history), expected, "{state} {history}");
        }
        assert_eq!(handshake(Transport::Udp, Some(State::Attempt), b"D"), None);
        assert!(State::parse(b"sf").is_err());
    }

    #[test]
    fn a_flipped_direction_is_weak_evidence() {
        assert_eq!(
            initiator(Transport::Tcp, b"^hADadFf"),
            InitiatorEvidence::PortHeuristic
        );
        assert_eq!(
            initiator(Transport::Tcp, b"ShA"),
            InitiatorEvidence::SynSeen
        );
        assert_eq!(
            initiator(Transport::Tcp, b"DdA"),
            InitiatorEvidence::Exporter
        );
        assert_eq!(
            initiator(Transport::Udp, b"Dd"),
            InitiatorEvidence::Exporter
        );
    }
}
