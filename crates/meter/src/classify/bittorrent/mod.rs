//! `BitTorrent`: peer wire, uTP, distributed hash table, trackers and local discovery.

mod dht;
mod tracker;
mod utp;

use peerscope_flow::{Application, Transport};

use super::{Classifier, Payload};

/// The name of the peer wire protocol behind its length.
const PROTOCOL: &[u8] = b"\x13BitTorrent protocol";
/// Of which this much must have been captured.
const ENOUGH: usize = 11;

/// `BitTorrent` in the clear.
///
/// Over TCP the handshake of the peer wire protocol (BEP 3) and announcements to HTTP trackers;
/// over UDP the hash table (BEP 5), uTP (BEP 29), UDP trackers (BEP 15) and local service
/// discovery (BEP 14).
///
/// The handshake must be the first payload of its side. A connection that begins with message
/// stream encryption stays unlabelled, also where both sides then agree to go on in plain text:
/// whether such a handshake lies at the start of a segment is chance.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct BitTorrent;

impl Classifier for BitTorrent {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        let matches = match payload.transport {
            Transport::Tcp => {
                payload.ordinal == 0 && is_handshake(payload) || tracker::is_http_request(payload)
            }
            Transport::Udp => {
                is_handshake(payload)
                    || payload.bytes.starts_with(b"BT-SEARCH * HTTP/1.")
                    || dht::is_message(payload.bytes)
                    || tracker::is_datagram(payload)
                    || utp::is_packet(payload)
            }
            Transport::Other(_) => false,
        };
        matches.then_some(Application::BitTorrent)
    }
}

/// Whether the payload begins like the handshake, as far as a short snap length lets see.
fn is_handshake(payload: &Payload<'_>) -> bool {
    let seen = payload.bytes.len().min(PROTOCOL.len());
    seen >= ENOUGH && payload.length >= PROTOCOL.len() && payload.bytes[..seen] == PROTOCOL[..seen]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{label, tcp, tcp_cut, udp};
    use super::*;

    #[test]
    fn the_handshake_must_stand_at_the_start() {
        let handshake = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05";
        assert_eq!(
            label(&BitTorrent, &tcp(handshake)),
            Some(Application::BitTorrent)
        );
        assert_eq!(
            label(&BitTorrent, &tcp_cut(handshake, ENOUGH)),
            Some(Application::BitTorrent)
        );
        assert_eq!(label(&BitTorrent, &tcp(&handshake[..ENOUGH])), None);
        assert_eq!(label(&BitTorrent, &tcp(&handshake[1..])), None);
        let behind_encryption = Payload {
            ordinal: 2,
            ..tcp(handshake)
        };
        assert_eq!(label(&BitTorrent, &behind_encryption), None);
    }

    #[test]
    fn local_discovery() {
        let search = b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 51413\r\n";
        assert_eq!(
            label(&BitTorrent, &udp(search)),
            Some(Application::BitTorrent)
        );
    }
}
