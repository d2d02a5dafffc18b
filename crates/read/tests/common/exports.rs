//! Export packets, made by hand.

use std::net::SocketAddr;

use peerscope_read::{ExportDecoder, Fault, Record};

/// Field number and length; above 0x8000 of RFC 5103's enterprise.
pub(crate) type Field = (u16, u16);

pub(crate) fn be16(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap().to_be_bytes()
}

pub(crate) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &be16(4 + body.len()), body].concat()
}

pub(crate) fn template(id: u16, fields: &[Field]) -> Vec<u8> {
    let mut body = [id.to_be_bytes(), be16(fields.len())].concat();
    for &(number, length) in fields {
        body.extend(number.to_be_bytes());
        body.extend(length.to_be_bytes());
        if number & 0x8000 != 0 {
            body.extend(29_305_u32.to_be_bytes());
        }
    }
    body
}

pub(crate) fn v9(uptime: u32, secs: u32, source: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = [[0, 9], be16(sets.len())].concat();
    for n in [uptime, secs, 0, source] {
        packet.extend(n.to_be_bytes());
    }
    packet.extend(sets.concat());
    packet
}

pub(crate) fn ipfix(secs: u32, domain: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let body = sets.concat();
    let mut packet = [[0, 10], be16(16 + body.len())].concat();
    for n in [secs, 0, domain] {
        packet.extend(n.to_be_bytes());
    }
    packet.extend(body);
    packet
}

pub(crate) fn exporter(port: u16) -> SocketAddr {
    SocketAddr::new([192, 0, 2, 254].into(), port)
}

pub(crate) fn decode(decoder: &mut ExportDecoder, packet: &[u8]) -> (Vec<Record>, Vec<Fault>) {
    decode_from(decoder, exporter(2055), packet)
}

pub(crate) fn decode_from(
    decoder: &mut ExportDecoder,
    exporter: SocketAddr,
    packet: &[u8],
) -> (Vec<Record>, Vec<Fault>) {
    let (mut records, mut faults) = (Vec::new(), Vec::new());
    decoder.push(exporter, packet, |item| match item {
        Ok(record) => records.push(record),
        Err(fault) => faults.push(fault),
    });
    (records, faults)
}

pub(crate) fn pcap(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0,
    ];
    for payload in payloads {
        let length = 28 + payload.len();
        file.extend([0; 8]);
        for _ in 0..2 {
            file.extend(u32::try_from(length).unwrap().to_le_bytes());
        }
        file.extend([0x45, 0]);
        file.extend(be16(length));
        file.extend([
            0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 254, 192, 0, 2, 253, 8, 7, 8, 7,
        ]);
        file.extend(be16(8 + payload.len()));
        file.extend([0, 0]);
        file.extend(payload);
    }
    file
}
