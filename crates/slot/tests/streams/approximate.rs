//! Approximate counts of giant hosts.

use peerscope_flow::{Application, Endpoint, Family, Flow, Span, Timestamp, Topology, Transport};
use peerscope_slot::{
    Aggregation, DirectionSlot, HostSlot, Precision, SpillingAggregator, aggregate,
};
use proptest::prelude::*;

use super::common::{batch, config, flow};

fn directions(row: &HostSlot) -> [&DirectionSlot; 4] {
    [
        &row.tcp.inout,
        &row.tcp.outin,
        &row.udp.inout,
        &row.udp.outin,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn neither_order_nor_threads_nor_files_make_a_difference(
        mut flows in prop::collection::vec(flow(), 1..600),
        peers in prop::collection::vec(any::<u32>(), 2_000..3_000),
        memory in prop::sample::select(vec![0_usize, 20_000]),
    ) {
        // One host with enough flows in one slot among the others.
        let host = Endpoint::new([10, 0, 0, 1].into(), 1);
        flows.extend(peers.into_iter().map(|peer| {
            let peer = Endpoint::new(std::net::Ipv4Addr::from_bits(peer % 1000).into(), 53);
            let span = Span::at(Timestamp::from_secs(1));
            Flow { app: Some(Application::Kad), ..Flow::new(Transport::Udp, host, peer, span) }
        }));
        let exact_config = config().with_slot_length(peerscope_flow::SlotLength::PAPER);
        let precision = Precision::new(4).unwrap();
        let config = exact_config.clone().with_approximate_peers(precision);
        let exact = batch(&flows, &exact_config);
        let expected = batch(&flows, &config);
        let mut approximate = 0;
        for (row, exact) in expected.0.iter().zip(&exact.0) {
            for (some, exact) in directions(row).into_iter().zip(directions(exact)) {
                if exact.started <= precision.exact_up_to() {
                    prop_assert_eq!(some, exact);
                } else {
                    approximate += 1;
                }
                prop_assert!(some.isp_peers <= some.peers && some.peers <= some.started);
                let counts = |slot: &DirectionSlot| (slot.started, slot.dest_ports, slot.reserved_ports);
                prop_assert_eq!(counts(some), counts(exact));
            }
        }
        prop_assert!(approximate > 0);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            prop_assert_eq!(&pool.install(|| batch(&flows, &config)), &expected);
            flows.reverse();
            let spilled = pool.install(|| {
                let mut aggregator = SpillingAggregator::new(&config, memory, tempfile::tempfile);
                flows.chunks(50).for_each(|flows| aggregator.add(flows));
                aggregator.finish().unwrap()
            });
            prop_assert!(spilled.rows().eq(expected.0.iter().cloned()));
            flows.sort_by_key(|flow| flow.span.start());
            prop_assert_eq!(&pool.install(|| batch(&flows, &config)), &expected);
        }
    }
}

#[test]
fn a_giant_host_is_counted_within_the_stated_error() {
    let exact = Aggregation::new(
        Family::any(),
        Topology::new(
            ["10.0.0.0/8".parse().unwrap()],
            ["192.0.0.0/8".parse().unwrap()],
        ),
    );
    let config = exact.clone().with_approximate_peers(Precision::DEFAULT);
    let host = Endpoint::new([10, 0, 0, 1].into(), 1);
    // Every peer four times, some of IPv6, a third inside.
    let flows: Vec<Flow> = (0..400_000_u32)
        .map(|number| {
            let peer = number % 100_000;
            let ip = match peer % 3 {
                0 => std::net::Ipv4Addr::from_bits((192 << 24) + peer).into(),
                1 => std::net::Ipv4Addr::from_bits((64 << 24) + peer).into(),
                _ => std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + u128::from(peer)).into(),
            };
            let peer = Endpoint::new(ip, 53);
            Flow::new(
                Transport::Udp,
                host,
                peer,
                Span::at(Timestamp::from_secs(1)),
            )
        })
        .collect();
    let found = aggregate(&flows, &config);
    assert_eq!(found.approximate(), Some(Precision::DEFAULT));
    assert_eq!(aggregate(&[], &exact).approximate(), None);
    assert_eq!(found.len(), 1, "one host, one slot");
    let row = found.row(0);
    let counted = &row.udp.inout;
    let error = |found: u32, exact: f64| (f64::from(found) / exact - 1.0).abs();
    let bound = 4.0 * Precision::DEFAULT.standard_error();
    assert!(error(counted.peers, 100_000.0) < bound, "{}", counted.peers);
    assert!(
        error(counted.isp_peers, 33_334.0) < bound,
        "{}",
        counted.isp_peers
    );
    assert!(
        counted.peers != 100_000,
        "a sketch that is never wrong is none"
    );
    assert_eq!((counted.started, counted.dest_ports), (400_000, 1));
}
