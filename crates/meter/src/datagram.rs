//! UDP datagrams out of captured packets, for what reads their content.

use peerscope_flow::Endpoint;

use crate::capture::Packet;
use crate::decode::{Depth, Fragment, decode};
use crate::key::endpoint;

/// A UDP datagram and its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram<'a> {
    /// The sender.
    pub src: Endpoint,
    /// The receiver.
    pub dst: Endpoint,
    /// The payload, as far as it was captured; of a fragmented datagram that of its first fragment.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The UDP datagram in this packet, if there is one and its headers are whole.
    ///
    /// Later fragments hold none. Tunnels are not looked into.
    pub fn datagram(&self) -> Option<Datagram<'a>> {
        let decoded = decode(self, Depth::Outer).ok()?;
        let is_later = matches!(decoded.fragment, Fragment::Later { .. });
        (decoded.protocol == 17 && !is_later).then(|| Datagram {
            src: endpoint(decoded.src, decoded.src_port),
            dst: endpoint(decoded.dst, decoded.dst_port),
            payload: decoded.payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;
    use peerscope_flow::Timestamp;

    #[test]
    fn the_payload_of_udp_and_nothing_else() {
        let mut bytes = vec![
            0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x12, 0x34, 0x08,
            0x07, 0, 11, 0, 0,
        ];
        bytes.extend(b"abc");
        let payload_of = |bytes: &[u8]| {
            let packet = Packet {
                time: Timestamp::from_secs(0),
                link: LinkType::RAW,
                data: bytes,
                original_length: 31,
            };
            packet.datagram().map(|datagram| {
                (
                    datagram.src.to_string(),
                    datagram.dst.port,
                    datagram.payload.to_vec(),
                )
            })
        };
        let expected = ("192.0.2.1:4660".to_owned(), 2055, b"abc".to_vec());
        assert_eq!(payload_of(&bytes), Some(expected));
        assert_eq!(payload_of(&bytes[..30]).unwrap().2, b"ab");
        assert_eq!(payload_of(&bytes[..20]), None);
        bytes[9] = 6;
        assert_eq!(payload_of(&bytes), None);
    }
}
