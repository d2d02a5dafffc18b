//! Packets, captures and export packets.

const TCP: u8 = 6;
const UDP: u8 = 17;

/// An IPv4 packet between 10.0.0.1:50000 and 192.0.2.1:4662, with its time in seconds.
pub struct Packet {
    secs: u16,
    bytes: Vec<u8>,
}

fn be16(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

fn ipv4(secs: u16, back: bool, protocol: u8, segment: &[u8]) -> Packet {
    let mut bytes = vec![0x45, 0];
    bytes.extend(be16(20 + segment.len()));
    bytes.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    let ends = [[10, 0, 0, 1], [192, 0, 2, 1]];
    bytes.extend(ends[usize::from(back)]);
    bytes.extend(ends[usize::from(!back)]);
    bytes.extend(segment);
    Packet { secs, bytes }
}

fn ports(back: bool) -> Vec<u8> {
    let ports = [[0xc3, 0x50], [0x12, 0x36]];
    [ports[usize::from(back)], ports[usize::from(!back)]].concat()
}

fn tcp(secs: u16, back: bool, flags: u8, payload: &[u8]) -> Packet {
    let mut segment = ports(back);
    segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ipv4(secs, back, TCP, &segment)
}

fn udp(secs: u16, back: bool, payload: &[u8]) -> Packet {
    let mut segment = ports(back);
    segment.extend(be16(8 + payload.len()));
    segment.extend([0, 0]);
    segment.extend(payload);
    ipv4(secs, back, UDP, &segment)
}

/// A connection, an attempt, a datagram and its answer, a fragment, a tunnelled packet, an ICMP echo.
pub fn packets() -> Vec<Packet> {
    let mut fragment = udp(9, false, b"cut");
    fragment.bytes[6] = 0x20;
    let mut later = udp(9, false, b"tail");
    later.bytes[7] = 1;
    let inner = udp(10, true, b"inner").bytes;
    let mut gre = vec![0, 0, 8, 0];
    gre.extend(&inner);
    vec![
        tcp(0, false, 0x02, b""),
        tcp(0, true, 0x12, b""),
        tcp(0, false, 0x10, b""),
        tcp(1, false, 0x18, b"GET / HTTP/1.1\r\n\r\n"),
        tcp(1, true, 0x18, b"HTTP/1.1 200 OK\r\n\r\n"),
        tcp(2, true, 0x11, b""),
        tcp(2, false, 0x11, b""),
        tcp(700, false, 0x02, b""),
        tcp(701, true, 0x14, b""),
        udp(
            3,
            false,
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
        ),
        udp(4, true, &[0xe4, 0x60]),
        fragment,
        later,
        ipv4(10, false, 4, &inner),
        ipv4(11, false, 47, &gre),
        ipv4(12, false, 1, &[8, 0, 0, 0, 0, 1, 0, 1]),
    ]
}

/// Export packets as the payload of datagrams.
pub fn carried(payloads: &[Vec<u8>]) -> Vec<Packet> {
    payloads
        .iter()
        .map(|payload| udp(0, false, payload))
        .collect()
}

pub fn pcap(packets: &[Packet]) -> Vec<u8> {
    let mut file = vec![
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0,
    ];
    for packet in packets {
        let length = u32::try_from(packet.bytes.len()).unwrap_or(0);
        for number in [u32::from(packet.secs), 0, length, length] {
            file.extend(number.to_le_bytes());
        }
        file.extend(&packet.bytes);
    }
    file
}

pub fn pcapng(packets: &[Packet]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let length = u32::try_from(12 + body.len().next_multiple_of(4)).unwrap_or(0);
        let mut block = kind.to_le_bytes().to_vec();
        block.extend(length.to_le_bytes());
        block.extend(body);
        block.resize(block.len().next_multiple_of(4), 0);
        block.extend(length.to_le_bytes());
        block
    };
    let section = [&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..], &[0xff; 8]].concat();
    // Raw IP, microseconds.
    let interface = [101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0];
    let mut file = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    for packet in packets {
        let micros = u32::from(packet.secs) * 1_000_000;
        let length = u32::try_from(packet.bytes.len()).unwrap_or(0);
        let mut body: Vec<u8> = [0, 0, micros, length, length]
            .iter()
            .flat_map(|number: &u32| number.to_le_bytes())
            .collect();
        body.extend(&packet.bytes);
        file.extend(block(6, &body));
    }
    file
}

/// The target's settings, then each packet behind its time and length: raw IP, and Ethernet.
pub fn frames(packets: &[Packet]) -> Vec<Vec<u8>> {
    let links: [(u8, &[u8]); 3] = [
        (5, &[]),
        (
            1,
            &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x81, 0, 0, 7, 8, 0],
        ),
        (7, &[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 8, 0]),
    ];
    let mut all = Vec::new();
    for (link, head) in links {
        let mut bytes = vec![link, link, 200];
        for packet in packets {
            bytes.extend([0, 1]);
            bytes.push(u8::try_from(head.len() + packet.bytes.len()).unwrap_or(255));
            bytes.extend(head);
            bytes.extend(&packet.bytes);
        }
        all.push(bytes);
    }
    all
}

/// Seven bytes of circumstances, then a payload of each protocol.
pub fn payloads() -> Vec<Vec<u8>> {
    let udp: [&[u8]; 8] = [
        b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\0\0\x01\0\x01",
        &[&[0x23, 2, 6, 0xec][..], &[0; 44]].concat(),
        &[0xe4, 0x60],
        &[0xe5, 0x43, 0x78, 0x9c, 1, 2, 3],
        &[&[0xe3, 0x96][..], &[1, 2, 3, 4]].concat(),
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
        &[&[0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80][..], &[0; 8]].concat(),
        &[&[0x41, 0][..], &[1; 18]].concat(),
    ];
    let tcp: [&[u8]; 7] = [
        &[0xe3, 6, 0, 0, 0, 0x5c, 1, 2, 3, 4],
        &[&[0x13][..], b"BitTorrent protocol", &[0; 48]].concat(),
        b"GET /announce?info_hash=01234567890123456789&port=1 HTTP/1.1\r\n\r\n",
        b"$Lock EXTENDEDPROTOCOLABCABC Pk=DCPLUSPLUS0.75|$Key x|",
        b"HSUP ADBASE ADTIGR\n",
        &[22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3],
        b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
    ];
    let behind = |how: u8, payload: &&[u8]| [&[how, 0, 0, 53, 18, 54, 0][..], payload].concat();
    let udp = udp.iter().map(|payload| behind(0, payload));
    udp.chain(tcp.iter().map(|payload| behind(1, payload)))
        .collect()
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &be16(4 + body.len()), body].concat()
}

fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut body = [id.to_be_bytes(), be16(fields.len())].concat();
    for (number, length) in fields {
        body.extend([number.to_be_bytes(), length.to_be_bytes()].concat());
    }
    body
}

fn ipfix(sets: &[Vec<u8>]) -> Vec<u8> {
    let body = sets.concat();
    let mut packet = [[0, 10], be16(16 + body.len())].concat();
    for number in [1_700_000_000_u32, 0, 7] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend(body);
    packet
}

/// `NetFlow` v5, v9 with its template and with sampling options, IPFIX with milliseconds.
pub fn exports() -> Vec<Vec<u8>> {
    let ends = [10, 0, 0, 1, 192, 0, 2, 1, 0xc3, 0x50, 0x12, 0x36, TCP];
    let numbers = |numbers: &[u32]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    };

    let mut v5 = vec![0, 5, 0, 1];
    v5.extend(numbers(&[1000, 1_700_000_000, 0, 1]));
    v5.extend([0, 0, 0x40, 100]);
    v5.extend([10, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 1, 0, 2]);
    v5.extend(numbers(&[3, 180, 10, 500]));
    v5.extend([0xc3, 0x50, 0x12, 0x36, 0, 0x1b, TCP, 0]);
    v5.extend([0; 8]);

    let common = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1)];
    let basic = [&common[..], &[(6, 1), (2, 4), (1, 4), (22, 4), (21, 4)]].concat();
    let record = [&ends[..], &[2], &numbers(&[1, 60, 1000, 2000])].concat();
    let options = [1, 1, 0, 4, 0, 8, 0, 1, 0, 4, 0, 34, 0, 4, 0, 35, 0, 1, 0, 0];
    let sampling = [&numbers(&[1, 1000])[..], &[2]].concat();
    let sets = [
        set(0, &template(256, &basic)),
        set(256, &record),
        set(1, &options),
        set(257, &sampling),
    ];
    let mut v9 = vec![0, 9, 0, 4];
    v9.extend(numbers(&[5000, 1_700_000_000, 0, 1]));
    v9.extend(sets.concat());

    let timed = [&common[..], &[(1, 4), (2, 4), (152, 8), (153, 8), (239, 1)]].concat();
    let times = 1_700_000_000_000_u64.to_be_bytes();
    let record = [&ends[..], &numbers(&[400, 5]), &times, &times, &[1]].concat();
    let ipfix = ipfix(&[set(2, &template(300, &timed)), set(300, &record)]);
    vec![v5, v9, ipfix]
}

pub fn ipfix_file() -> Vec<u8> {
    exports().swap_remove(2).repeat(2)
}

/// Each packet behind a byte for its exporter and its length.
pub fn framed_exports(packets: &[Vec<u8>]) -> Vec<u8> {
    let framed = |packet: &Vec<u8>| [&[1][..], &be16(packet.len()), packet].concat();
    packets.iter().flat_map(framed).collect()
}
