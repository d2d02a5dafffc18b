//! Very many hosts in a slot, very many peers of a host, and records with absurd times.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use peerscope_flow::{Endpoint, Family, Flow, Span, Timestamp, Topology, Transport, Volume};
use peerscope_slot::{Aggregation, Amount, aggregate};

const MILLION: u32 = 1_000_000;

fn config() -> Aggregation {
    let monitored = ["10.0.0.0/8", "2001:db8::/64"].map(|net| net.parse().unwrap_or_default());
    Aggregation::new(Family::any(), Topology::new(monitored, []))
}

fn flow(src: IpAddr, dst: IpAddr) -> Flow {
    let span = Span::at(Timestamp::from_secs(1));
    Flow {
        fwd: Volume::new(1, 60),
        ..Flow::new(
            Transport::Udp,
            Endpoint::new(src, 1),
            Endpoint::new(dst, 53),
            span,
        )
    }
}

fn v4(base: u32, number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(base + number))
}

#[test]
fn a_million_hosts_in_one_slot() {
    let server = v4(0xc000_0201, 0);
    let flows: Vec<Flow> = (0..MILLION)
        .map(|host| flow(v4(10 << 24, host), server))
        .collect();
    let host_slots = aggregate(&flows, &config());
    assert_eq!(host_slots.len(), MILLION as usize);
    assert!(host_slots.rows().map(|row| row.host).is_sorted());
    assert!(
        host_slots
            .rows()
            .all(|row| row.udp.inout.peers == 1 && row.udp.live == 1)
    );
}

#[test]
fn one_host_with_a_million_peers() {
    let host = v4(10 << 24, 1);
    let v6 = |number: u32| {
        IpAddr::V6(Ipv6Addr::from_bits(
            (0x2001_0db9 << 96) + u128::from(number),
        ))
    };
    let peers = (0..MILLION)
        .map(|peer| v4(64 << 24, peer))
        .chain((0..1000).map(v6));
    // Every peer twice: they are counted once.
    let flows: Vec<Flow> = peers
        .clone()
        .chain(peers)
        .map(|peer| flow(host, peer))
        .collect();
    let host_slots = aggregate(&flows, &config());
    assert_eq!(host_slots.len(), 1);
    let row = host_slots.row(0);
    assert_eq!(row.udp.inout.peers, MILLION + 1000);
    assert_eq!(row.udp.inout.started, 2 * (MILLION + 1000));
    assert_eq!(
        row.udp.sent,
        Amount::whole(60 * 2 * u64::from(MILLION + 1000))
    );
}

#[test]
fn absurd_times_are_counted_not_computed() {
    let host = v4(10 << 24, 1);
    let mut endless = flow(host, v4(64 << 24, 1));
    let spans = [
        Span::new(Timestamp::MIN, Timestamp::MAX),
        Span::new(Timestamp::from_secs(0), Timestamp::MAX),
        Ok(Span::at(Timestamp::MIN)),
        Ok(Span::at(Timestamp::MAX)),
    ];
    let flows: Vec<Flow> = spans
        .into_iter()
        .flatten()
        .map(|span| {
            endless.span = span;
            endless.clone()
        })
        .collect();
    let host_slots = aggregate(&flows, &config());
    assert_eq!(host_slots.skipped().too_long, 2);
    assert_eq!(host_slots.of_interest(), 2);
    assert_eq!(host_slots.len(), 2);
}
