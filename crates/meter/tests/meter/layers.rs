//! Link layers, IP and its extensions, fragments and snap lengths.

use etherparse::PacketBuilder;
use peerscope_flow::Volume;
use peerscope_meter::{ByteCount, FlowIdentity, LinkType, MeterConfig, SkipReason, Tunnels};

use crate::made::{A, B, From, Made, flows, framed, metered, packets, raw, tcp, udp};

/// A UDP datagram over IPv4 with 5 bytes of payload: 33 bytes.
fn datagram() -> Vec<u8> {
    udp(0.0, From::A, b"hello").bytes
}

/// `head` before an IP packet.
fn under(link: LinkType, head: &[u8]) -> Made {
    framed(0, link, [head, &datagram()].concat())
}

fn ethernet(types_and_tags: &[u8]) -> Made {
    under(LinkType::ETHERNET, &[&[0; 12], types_and_tags].concat())
}

#[test]
fn every_link_layer_leads_to_the_same_flow() {
    let mut sll = [0; 16];
    sll[14] = 8;
    let mut sll2 = [0; 20];
    sll2[0] = 8;
    let layers = [
        ("ethernet", ethernet(&[8, 0])),
        ("vlan", ethernet(&[0x81, 0, 0, 5, 8, 0])),
        ("qinq", ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0])),
        ("old qinq", ethernet(&[0x91, 0, 0, 5, 0x81, 0, 0, 6, 8, 0])),
        (
            "pppoe",
            ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 35, 0, 0x21]),
        ),
        ("mpls", ethernet(&[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64])),
        ("snap", ethernet(&[0, 41, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0])),
        ("sll", under(LinkType::LINUX_SLL, &sll)),
        ("sll2", under(LinkType::LINUX_SLL2, &sll2)),
        ("raw", under(LinkType::RAW, &[])),
        ("ipv4", under(LinkType::IPV4, &[])),
        ("null", under(LinkType::NULL, &[2, 0, 0, 0])),
        ("null, big-endian", under(LinkType::NULL, &[0, 0, 0, 2])),
        ("loop", under(LinkType::LOOP, &[0, 0, 0, 2])),
        ("ppp", under(LinkType::PPP, &[0, 0x21])),
        ("ppp, compressed", under(LinkType::PPP, &[0x21])),
        ("ppp, hdlc", under(LinkType::PPP_HDLC, &[0xff, 3, 0, 0x21])),
        ("ppi", under(LinkType::PPI, &[0, 0, 8, 0, 101, 0, 0, 0])),
    ];
    let plain = flows(&[raw(0, datagram())]);
    assert_eq!(plain[0].fwd, Volume::new(1, 33));
    for (name, made) in layers {
        let padded = Made {
            // Ethernet pads short frames; the padding is not the packet's.
            bytes: [made.bytes.as_slice(), &[0; 8]].concat(),
            original: made.original + 8,
            ..made.clone()
        };
        assert_eq!(flows(&[made]), plain, "{name}");
        assert_eq!(flows(&[padded]), plain, "{name}, padded");
    }
}

#[test]
fn what_cannot_be_decoded_is_counted_by_reason() {
    let cut = |length: usize| raw(0, datagram()[..length].to_vec());
    let mut bad_length = datagram();
    bad_length[3] = 19;
    let mut short_tcp = tcp(0.0, From::A, "S", b"").bytes;
    short_tcp[3] = 39;
    let cases = [
        (under(LinkType(147), &[]), SkipReason::UnsupportedLink),
        (ethernet(&[8, 6]), SkipReason::NotIp),
        (
            ethernet(&[0, 41, 0x42, 0x42, 3, 0, 0, 0]),
            SkipReason::NotIp,
        ),
        (raw(0, vec![0x55; 40]), SkipReason::NotIp),
        (raw(0, vec![]), SkipReason::TruncatedHeader),
        (cut(19), SkipReason::TruncatedHeader),
        (cut(23), SkipReason::TruncatedHeader),
        (
            framed(0, LinkType::ETHERNET, vec![0; 13]),
            SkipReason::TruncatedHeader,
        ),
        (raw(0, bad_length), SkipReason::MalformedHeader),
        (raw(0, short_tcp), SkipReason::MalformedHeader),
    ];
    for (made, reason) in cases {
        let (flows, report) = metered(MeterConfig::new(), std::slice::from_ref(&made));
        assert!(flows.is_empty(), "{made:?}");
        assert_eq!(
            report.skipped.iter().collect::<Vec<_>>(),
            [(reason, 1)],
            "{made:?}"
        );
    }
}

#[test]
fn vlans_tell_flows_apart_on_request() {
    let trace = [5, 6].map(|vlan| ethernet(&[0x81, 0, 0, vlan, 8, 0]));
    assert_eq!(packets(&flows(&trace)), [(2, 0)]);
    let config = MeterConfig::new().with_identity(FlowIdentity::FiveTupleAndVlan);
    assert_eq!(packets(&metered(config, &trace).0), [(1, 0), (1, 0)]);
}

#[test]
fn a_cut_packet_counts_with_its_length_on_the_wire() {
    let mut made = tcp(0.0, From::B, "A", &[7; 1000]);
    made.bytes.truncate(34);
    let syn = tcp(0.0, From::A, "S", b"");
    let trace = [syn, made];
    let (found, _) = metered(MeterConfig::new(), &trace);
    assert_eq!(found[0].rev, Volume::new(1, 1040));
    assert_eq!(found[0].rev_payload_bytes, Some(1000));
    let bytes = |count| {
        metered(MeterConfig::new().with_byte_count(count), &trace)
            .1
            .metered
            .bytes
    };
    assert_eq!(bytes(ByteCount::Frame), 40 + 1040);
    assert_eq!(bytes(ByteCount::CapturedFrame), 40 + 34);
}

#[test]
fn an_empty_total_length_is_that_of_the_frame() {
    let mut made = ethernet(&[8, 0]);
    made.bytes[16..18].fill(0);
    made.original = 14 + 2000;
    assert_eq!(flows(&[made])[0].fwd.bytes, 2000);
}

/// UDP over IPv6 with a chain of extension headers before it.
fn ipv6(chain: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let udp = [0x03, 0xe8, 0x12, 0x40, 0, 12, 0, 0, 1, 2, 3, 4];
    let mut bytes = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
    bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    let mut next_at = 6;
    for (number, header) in chain {
        bytes[next_at] = *number;
        next_at = bytes.len();
        bytes.extend(header);
        bytes[next_at] = 17;
    }
    bytes.extend(udp);
    bytes[5] = u8::try_from(bytes.len() - 40).unwrap();
    bytes
}

#[test]
fn ipv6_extension_headers_are_walked_over() {
    let options = |units: u8| {
        let mut header = vec![0; usize::from(units) * 8 + 8];
        header[1] = units;
        header
    };
    let mut authentication = vec![0; 24];
    authentication[1] = 4;
    let chain = [
        (0, options(0)),
        (60, options(2)),
        (43, options(1)),
        (51, authentication),
    ];
    let found = flows(&[raw(0, ipv6(&chain))]);
    assert_eq!(
        found[0].key().to_string(),
        "udp [2001:db8::1]:1000 > [2001:db8::2]:4672"
    );
    assert_eq!(found[0].fwd.bytes, 40 + 8 + 24 + 16 + 24 + 12);
    let (_, report) = metered(MeterConfig::new(), &[raw(0, ipv6(&[(60, vec![0, 200])]))]);
    assert_eq!(report.skipped.total(), 1);
}

#[test]
fn mapped_addresses_are_ipv4_and_join_its_flow() {
    let mut mapped = ipv6(&[]);
    for (at, address) in [(8, A), (24, B)] {
        mapped[at..at + 16].copy_from_slice(&[0; 16]);
        mapped[at + 10..at + 12].fill(0xff);
        mapped[at + 12..at + 16].copy_from_slice(&address);
    }
    let found = flows(&[udp(0.0, From::A, b""), raw(0, mapped)]);
    assert_eq!(packets(&found), [(2, 0)]);
    assert!(found[0].src.ip.is_ipv4());
}

/// An IPv4 fragment of a UDP datagram: offset in units of 8 bytes.
fn fragment(micros: i64, id: u8, offset: u8, more: bool, length: usize) -> Made {
    let mut bytes = datagram();
    bytes.truncate(20);
    if offset == 0 {
        bytes.extend([0x03, 0xe8, 0x12, 0x40, 0, 200, 0, 0]);
    }
    bytes.resize(20 + length, 0);
    bytes[3] = u8::try_from(bytes.len()).unwrap();
    bytes[5] = id;
    bytes[6] = if more { 0x20 } else { 0 };
    bytes[7] = offset;
    raw(micros, bytes)
}

#[test]
fn fragments_count_to_the_flow_of_the_first() {
    let trace = [
        fragment(0, 1, 0, true, 80),
        fragment(1, 2, 10, false, 40),
        fragment(2, 1, 10, true, 80),
        fragment(3, 1, 20, false, 40),
    ];
    let (found, report) = metered(MeterConfig::new(), &trace);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].fwd, Volume::new(3, 260));
    assert_eq!(
        found[0].key().to_string(),
        "udp 10.0.0.1:1000 > 192.0.2.2:4672"
    );
    assert_eq!(report.skipped.get(SkipReason::FragmentWithoutFirst), 1);
    // A minute later the number may stand for another packet.
    let late = [
        fragment(0, 1, 0, true, 80),
        fragment(60_000_001, 1, 10, false, 40),
    ];
    let (_, report) = metered(MeterConfig::new(), &late);
    assert_eq!(report.skipped.get(SkipReason::FragmentWithoutFirst), 1);
}

#[test]
fn ipv6_fragments_count_to_the_flow_of_the_first() {
    let first = raw(0, ipv6(&[(44, vec![0, 0, 0, 1, 9, 9, 9, 9])]));
    let later = raw(1, ipv6(&[(44, vec![0, 0, 0, 8, 9, 9, 9, 9])]));
    let found = flows(&[first, later]);
    assert_eq!(packets(&found), [(2, 0)]);
    assert_eq!(found[0].src.port, 1000);
}

#[test]
fn tunnels_are_followed_on_request() {
    let ip_in_ip = |protocol, inner: &[u8]| {
        let mut bytes = Vec::new();
        let builder = PacketBuilder::ipv4([1, 1, 1, 1], [2, 2, 2, 2], 64);
        builder
            .write(&mut bytes, etherparse::IpNumber(protocol), inner)
            .unwrap();
        raw(0, bytes)
    };
    let gre = [
        &[0x30, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 1],
        datagram().as_slice(),
    ]
    .concat();
    let cases = [
        (ip_in_ip(4, &datagram()), 33),
        (ip_in_ip(41, &ipv6(&[])), 52),
        (ip_in_ip(47, &gre), 33),
    ];
    for (made, inner) in cases {
        let outer = made.bytes.len() as u64;
        let trace = [made];
        assert_eq!(flows(&trace)[0].fwd.bytes, outer);
        let (found, _) = metered(MeterConfig::new().with_tunnels(Tunnels::Inner), &trace);
        assert_eq!((found[0].src.port, found[0].fwd.bytes), (1000, inner));
    }
}
