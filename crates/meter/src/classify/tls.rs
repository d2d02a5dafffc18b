//! Transport layer security.

use peerscope_flow::{Application, Transport};

use super::bytes::be_u16;
use super::{Classifier, Payload};

/// TLS from its first records: a handshake record (RFC 8446, section 5.1) that begins with a
/// `ClientHello` or `ServerHello` whose length fits.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Tls;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Version, random, and an empty session.
const SHORTEST_HELLO: usize = 35;
const LONGEST_RECORD: usize = 1 << 14;

impl Classifier for Tls {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        if payload.transport != Transport::Tcp {
            return None;
        }
        let &[HANDSHAKE, 3, 0..=4, _, _, kind, high, middle, low, ..] = payload.bytes else {
            return None;
        };
        let record = be_u16(payload.bytes, 3).map_or(0, usize::from);
        let message = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let version = payload.bytes.get(9).is_none_or(|&major| major == 3);
        // A long message goes on in the next record.
        let fits = record <= LONGEST_RECORD && message >= SHORTEST_HELLO && record > 4;
        (fits && version && matches!(kind, CLIENT_HELLO | SERVER_HELLO)).then_some(Application::Tls)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{label, tcp};
    use super::*;

    #[test]
    fn hellos() {
        let client = [22, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3];
        assert_eq!(label(&Tls, &tcp(&client)), Some(Application::Tls));
        let server = [22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3];
        assert_eq!(label(&Tls, &tcp(&server)), Some(Application::Tls));
        for at in [0, 1, 2, 5, 9] {
            let mut other = client;
            other[at] = 0x77;
            assert_eq!(label(&Tls, &tcp(&other)), None, "byte {at}");
        }
    }
}
