//! The domain name system.

use peerscope_flow::{Application, Transport};

use super::bytes::be_u16;
use super::{Classifier, Payload};

/// DNS messages (RFC 1035) over UDP, and over TCP behind their length; also the protocols that
/// share the format: multicast DNS, LLMNR and `NetBIOS` names.
///
/// The header's flags and counts must be consistent, the records they promise must fit the
/// length, and the first question or record must parse.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Dns;

const HEADER: usize = 12;
/// A record with the root as its name and no data.
const SHORTEST_RECORD: usize = 11;
/// Likewise a question.
const SHORTEST_QUESTION: usize = 5;
const LONGEST_NAME: usize = 255;

impl Classifier for Dns {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        let matches = match payload.transport {
            Transport::Udp => is_message(payload.bytes, payload.length),
            Transport::Tcp => {
                let length = be_u16(payload.bytes, 0).map_or(0, usize::from);
                // The message may be longer than the segment.
                length >= payload.length.saturating_sub(2)
                    && is_message(payload.bytes.get(2..).unwrap_or_default(), length)
            }
            Transport::Other(_) => false,
        };
        matches.then_some(Application::Dns)
    }
}

fn is_message(bytes: &[u8], length: usize) -> bool {
    let Some(header) = Header::parse(bytes) else {
        return false;
    };
    if !header.is_consistent() || length < header.shortest_message() {
        return false;
    }
    match name(bytes, HEADER) {
        Name::Malformed => false,
        Name::Cut => bytes.len() < length,
        Name::Ends(at) => match (be_u16(bytes, at), be_u16(bytes, at + 2)) {
            (Some(kind), Some(class)) => {
                // Multicast DNS uses the top bit of the class for itself.
                let known_class = matches!(class & 0x7FFF, 1 | 3 | 4 | 254 | 255);
                // The class of the pseudo-record OPT is a buffer size.
                let pseudo = header.questions == 0 && kind == 41;
                let whole = !header.is_bare_question() || length == at + 4;
                kind != 0 && (known_class || pseudo) && whole
            }
            _ => bytes.len() < length,
        },
    }
}

struct Header {
    flags: u16,
    questions: usize,
    answers: usize,
    authorities: usize,
    additionals: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let count = |at| be_u16(bytes, at).map(usize::from);
        Some(Self {
            flags: be_u16(bytes, 2)?,
            questions: count(4)?,
            answers: count(6)?,
            authorities: count(8)?,
            additionals: count(10)?,
        })
    }

    fn is_consistent(&self) -> bool {
        let is_response = self.flags & 0x8000 != 0;
        let operation = (self.flags >> 11) & 0xF;
        let code = self.flags & 0xF;
        // The bit behind "recursion available" is reserved; NetBIOS broadcasts set the one after.
        let reserved = self.flags & 0x0040;
        let records = self.answers + self.authorities + self.additionals;
        let counts = if is_response {
            self.questions <= 1 || operation == 0 && self.questions <= 32
        } else {
            // Updates and multicast probes bring records; queries at most a few additional ones.
            self.questions >= 1 && self.questions <= 32 && self.additionals <= 8
                || self.questions == 0 && records > 0 && records <= 64
        };
        // Query, inverse query, status, notify, update; NetBIOS: registration to refresh.
        let known_operation = operation <= 8;
        let known_code = code <= 10 && (is_response || code == 0);
        reserved == 0 && known_operation && known_code && counts && self.questions + records > 0
    }

    fn shortest_message(&self) -> usize {
        HEADER
            + self.questions * SHORTEST_QUESTION
            + (self.answers + self.authorities + self.additionals) * SHORTEST_RECORD
    }

    /// One question and nothing else: the message must end with it.
    fn is_bare_question(&self) -> bool {
        self.questions == 1 && self.answers + self.authorities + self.additionals == 0
    }
}

enum Name {
    /// Where the name ends.
    Ends(usize),
    /// Nothing is wrong as far as was captured.
    Cut,
    Malformed,
}

/// Reads the labels at `start`. A pointer cannot occur in the first name: nothing precedes it.
fn name(bytes: &[u8], start: usize) -> Name {
    let mut at = start;
    while at < start + LONGEST_NAME {
        match bytes.get(at) {
            None => return Name::Cut,
            Some(0) => return Name::Ends(at + 1),
            Some(&length @ 1..=63) => at += 1 + usize::from(length),
            Some(_) => return Name::Malformed,
        }
    }
    Name::Malformed
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::{label, tcp, udp, udp_cut};
    use super::*;

    /// A query for the address of `www.example.com`.
    pub(in super::super) fn query(id: u16) -> Vec<u8> {
        let mut bytes = id.to_be_bytes().to_vec();
        bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend(b"\x03www\x07example\x03com\0\0\x01\0\x01");
        bytes
    }

    /// Its answer, with one address.
    pub(in super::super) fn response(id: u16) -> Vec<u8> {
        let mut bytes = query(id);
        bytes[2..4].copy_from_slice(&[0x81, 0x80]);
        bytes[7] = 1;
        bytes.extend(b"\xC0\x0C\0\x01\0\x01\0\0\x01\x2C\0\x04\xC0\0\x02\x01");
        bytes
    }

    fn is_dns(bytes: &[u8]) -> bool {
        label(&Dns, &udp(bytes)) == Some(Application::Dns)
    }

    #[test]
    fn queries_and_responses() {
        assert!(is_dns(&query(7)));
        assert!(is_dns(&response(7)));
        let mut over_tcp = vec![0, 33];
        over_tcp.extend(query(7));
        assert_eq!(label(&Dns, &tcp(&over_tcp)), Some(Application::Dns));
    }

    #[test]
    fn lies_are_refused() {
        let mut trailing = query(7);
        trailing.push(0);
        assert!(!is_dns(&trailing));
        let mut many_answers = response(7);
        many_answers[6..8].copy_from_slice(&[9, 9]);
        assert!(!is_dns(&many_answers));
        let mut pointer = query(7);
        pointer[12] = 0xC0;
        assert!(!is_dns(&pointer));
        let mut class = query(7);
        *class.last_mut().unwrap() = 9;
        assert!(!is_dns(&class));
    }

    #[test]
    fn a_cut_message_keeps_its_label() {
        let bytes = response(0xE421);
        for captured in HEADER..bytes.len() {
            assert_eq!(
                label(&Dns, &udp_cut(&bytes, captured)),
                Some(Application::Dns)
            );
        }
    }
}
