//! A second, deliberately naive implementation of aggregation and metrics, straight from the
//! definitions, held against the real one on random flows.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use peerscope_flow::{
    Application, Endpoint, Family, Flow, Handshake, SlotLength, Span, Timestamp, Topology,
    Transport, Volume, Zone,
};
use peerscope_metric::{Metric, MetricSet, SampleTable};
use peerscope_slot::{Aggregation, Aggregator, HostSlots, ParallelAggregator, aggregate};
use proptest::prelude::*;

/// System and the value of every metric by name, for each host and slot.
type Samples = BTreeMap<(IpAddr, i64), (String, BTreeMap<String, f64>)>;

fn topology() -> Topology {
    let nets = |list: &[&str]| {
        list.iter()
            .map(|net| net.parse().unwrap())
            .collect::<Vec<_>>()
    };
    Topology::new(
        nets(&["10.1.0.0/16", "2001:db8:1::/48"]),
        nets(&["10.0.0.0/8", "2001:db8::/32"]),
    )
}

/// One sample at a time, one metric at a time, every flow looked at again for each.
fn naive(flows: &[Flow], family: &Family, slot_length: SlotLength) -> Samples {
    let topology = topology();
    let mut samples = Samples::new();
    let d_t = slot_length.as_micros();
    let slot = |time: Timestamp| time.as_micros().div_euclid(d_t);
    let interesting: Vec<&Flow> = flows
        .iter()
        .filter(|flow| family.interest(flow).is_some())
        .filter(|flow| matches!(flow.transport, Transport::Tcp | Transport::Udp))
        .filter(|flow| !group(flow.src.ip) && !group(flow.dst.ip))
        .collect();
    let monitored = |ip: IpAddr| topology.zone(ip) == Zone::Monitored;
    let mut keys = BTreeSet::new();
    for flow in &interesting {
        for ip in [flow.src.ip, flow.dst.ip]
            .into_iter()
            .filter(|&ip| monitored(ip))
        {
            for i in slot(flow.span.start())..=slot(flow.span.end()) {
                keys.insert((ip, i));
            }
        }
    }
    for (host, i) in keys {
        // A flow of the host to itself is seen twice, once from each end.
        let mut views: Vec<(&Flow, bool)> = Vec::new();
        for flow in &interesting {
            if slot(flow.span.start()) <= i && i <= slot(flow.span.end()) {
                if flow.src.ip == host {
                    views.push((flow, true));
                }
                if flow.dst.ip == host {
                    views.push((flow, false));
                }
            }
        }
        let controls: BTreeSet<&str> = views
            .iter()
            .filter(|(flow, _)| flow.transport == Transport::Udp && family.name() == "emule")
            .filter_map(|(flow, _)| match flow.app {
                Some(Application::Kad) => Some("kad"),
                Some(Application::KadU) => Some("kadu"),
                _ => None,
            })
            .collect();
        let system = match (family.name(), controls.len()) {
            ("any", _) => "all",
            (_, 0) => "emule-only",
            (_, 1) => controls.first().unwrap(),
            _ => "mixed",
        };
        let mut values = BTreeMap::new();
        for metric in Metric::ALL {
            let mut of_transport = views.clone();
            of_transport.retain(|(flow, _)| flow.transport == metric.transport());
            if let Some(value) = naive_value(&metric.to_string(), &of_transport, i, d_t, &topology)
            {
                values.insert(metric.to_string(), value);
            }
        }
        samples.insert((host, i), (system.to_owned(), values));
    }
    samples
}

fn group(ip: IpAddr) -> bool {
    ip.is_multicast() || ip.to_string() == "255.255.255.255"
}

fn naive_value(
    name: &str,
    active: &[(&Flow, bool)],
    i: i64,
    d_t: i64,
    topology: &Topology,
) -> Option<f64> {
    if active.is_empty() {
        return None;
    }
    let mut started = active.to_vec();
    started.retain(|(flow, _)| flow.span.start().as_micros().div_euclid(d_t) == i);
    let share = |count: u64, flow: &Flow| {
        let (start, end) = (flow.span.start().as_micros(), flow.span.end().as_micros());
        if start == end {
            return count as f64;
        }
        let overlap = (end.min((i + 1) * d_t) - start.max(i * d_t)).max(0);
        count as f64 * overlap as f64 / (end - start) as f64
    };
    let sent = |(flow, initiated): &(&Flow, bool)| {
        share(
            if *initiated {
                flow.fwd.bytes
            } else {
                flow.rev.bytes
            },
            flow,
        )
    };
    let rcvd = |(flow, initiated): &(&Flow, bool)| {
        share(
            if *initiated {
                flow.rev.bytes
            } else {
                flow.fwd.bytes
            },
            flow,
        )
    };
    let sent: f64 = active.iter().map(sent).sum();
    let rcvd: f64 = active.iter().map(rcvd).sum();
    let packets: f64 = active
        .iter()
        .map(|(flow, _)| share(flow.fwd.packets + flow.rev.packets, flow))
        .sum();
    let ratio = |a: f64, b: f64| (b != 0.0).then(|| a / b);
    let seconds = d_t as f64 / 1e6;

    let bare = name.trim_end_matches("-TCP").trim_end_matches("-UDP");
    if let Some(bare) = bare.strip_prefix("inout-") {
        started.retain(|(_, initiated)| *initiated);
        return naive_directed(bare, &started, topology);
    }
    if let Some(bare) = bare.strip_prefix("outin-") {
        started.retain(|(_, initiated)| !*initiated);
        return naive_directed(bare, &started, topology);
    }
    let n = started.len() as f64;
    match bare {
        "avg-duration" => {
            let micros = |flow: &Flow| flow.span.end().as_micros() - flow.span.start().as_micros();
            ratio(
                started
                    .iter()
                    .map(|(flow, _)| micros(flow) as f64 / 1e6)
                    .sum(),
                n,
            )
        }
        "live-conn" => Some(active.len() as f64),
        "fract-incoming-conn" => ratio(
            started.iter().filter(|(_, initiated)| !initiated).count() as f64,
            n,
        ),
        "bps-rcvd" => Some(8.0 * rcvd / seconds),
        "bps-sent" => Some(8.0 * sent / seconds),
        "avg-pkt-size" => ratio(sent + rcvd, packets),
        "ratio-bytes-sent-to-rcvd" => ratio(sent - rcvd, sent + rcvd),
        _ => panic!("no metric {name}"),
    }
}

fn naive_directed(bare: &str, started: &[(&Flow, bool)], topology: &Topology) -> Option<f64> {
    let peer =
        |(flow, initiated): &(&Flow, bool)| if *initiated { flow.dst.ip } else { flow.src.ip };
    let peers: BTreeSet<IpAddr> = started.iter().map(peer).collect();
    let ports: BTreeSet<u16> = started.iter().map(|(flow, _)| flow.dst.port).collect();
    let handshakes = |outcome| {
        started
            .iter()
            .filter(|(flow, _)| flow.handshake == Some(outcome))
            .count() as f64
    };
    let payload = |wanted: fn(Option<u64>) -> bool| {
        let complete = started
            .iter()
            .filter(|(flow, _)| flow.handshake == Some(Handshake::Complete));
        complete
            .filter(|(flow, _)| wanted(flow.rev_payload_bytes))
            .count() as f64
    };
    let ratio = |a: f64, b: f64| (b != 0.0).then(|| a / b);
    let n = started.len() as f64;
    match bare {
        "total-conn-attempts" => Some(n),
        "avg-conn-per-IP" => ratio(n, peers.len() as f64),
        "total-peers" => Some(peers.len() as f64),
        "dest-ports" => Some(ports.len() as f64),
        "1024-dest-ports" => Some(ports.iter().filter(|&&port| port <= 1024).count() as f64),
        "failure-ratio" => {
            let failed = handshakes(Handshake::Failed);
            ratio(failed, failed + handshakes(Handshake::Complete))
        }
        "fract-unanswered-appl" => ratio(
            payload(|bytes| bytes == Some(0)),
            payload(|bytes| bytes.is_some()),
        ),
        "fract-unanswered" => ratio(
            started
                .iter()
                .filter(|(flow, _)| flow.rev.packets == 0)
                .count() as f64,
            n,
        ),
        "ISP-to-Internet-ratio" => {
            let inside = peers
                .iter()
                .filter(|&&ip| topology.zone(ip) != Zone::Internet)
                .count();
            ratio(inside as f64, peers.len() as f64)
        }
        _ => panic!("no metric {bare}"),
    }
}

fn in_batches(flows: &[Flow], size: usize, config: &Aggregation) -> HostSlots {
    let mut aggregator = ParallelAggregator::new(config);
    for batch in flows.chunks(size) {
        aggregator.add(batch);
    }
    aggregator.finish()
}

fn real(flows: &[Flow], size: usize, family: &Family, slot_length: SlotLength) -> Samples {
    let config = Aggregation::new(family.clone(), topology()).with_slot_length(slot_length);
    let host_slots = in_batches(flows, size, &config);
    let table = SampleTable::new(&host_slots, family, &MetricSet::paper());
    for (row, host_slot) in host_slots.rows().enumerate() {
        for (column, metric) in Metric::ALL.into_iter().enumerate() {
            let value = metric.value(&host_slot, slot_length);
            assert_eq!(value, table.value(row, column), "{metric}");
        }
    }
    let rows = table.keys().enumerate().map(|(row, key)| {
        let values = table.metrics().iter().enumerate();
        let values = values.filter_map(|(m, name)| Some((name.clone(), table.value(row, m)?)));
        let system = table.system_name(key.system).to_owned();
        ((key.host, key.slot.0), (system, values.collect()))
    });
    rows.collect()
}

fn assert_equal(real: &Samples, naive: &Samples) {
    assert_eq!(
        real.keys().collect::<Vec<_>>(),
        naive.keys().collect::<Vec<_>>()
    );
    for (key, (system, values)) in real {
        let (expected_system, expected) = &naive[key];
        assert_eq!(system, expected_system, "{key:?}");
        let names = |values: &BTreeMap<String, f64>| values.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(values), names(expected), "defined metrics of {key:?}");
        for (name, value) in values {
            let wanted = expected[name];
            assert!(
                (value - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
                "{name} of {key:?}: {value}, naive {wanted}"
            );
        }
    }
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop::sample::select(vec![
        "10.1.0.1",
        "10.1.0.2",
        "2001:db8:1::1",
        "10.9.0.1",
        "10.9.0.2",
        "2001:db8:2::1",
        "192.0.2.1",
        "192.0.2.2",
        "2001:db9::1",
        "224.0.0.1",
        "ff02::1",
    ])
    .prop_map(|text| text.parse().unwrap())
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let port = prop::sample::select(vec![0_u16, 53, 1023, 1024, 1025, 4662, 4672, 65_535]);
    (ip(), port).prop_map(|(ip, port)| Endpoint::new(ip, port))
}

/// Times that fall on, next to and between slot boundaries, on both sides of the epoch.
fn instant(slot: i64) -> impl Strategy<Value = i64> {
    let boundary = (-3_i64..4).prop_map(move |i| i * slot);
    prop_oneof![
        boundary.clone(),
        boundary.prop_map(|t| t - 1),
        -3 * slot..4 * slot
    ]
}

fn flow(slot: i64) -> impl Strategy<Value = Flow> {
    let app = prop::sample::select(vec![
        None,
        Some(Application::EMule),
        Some(Application::Kad),
        Some(Application::KadU),
        Some(Application::Http),
    ]);
    let handshake = prop::sample::select(vec![
        Handshake::Complete,
        Handshake::Failed,
        Handshake::Unknown,
    ]);
    let volume = || (0_u64..4, prop_oneof![Just(0), 0_u64..2_000_000_000]);
    let payload = prop::option::of(0_u64..2);
    let transport = prop_oneof![4 => Just(Transport::Tcp), 4 => Just(Transport::Udp), 1 => Just(Transport::ICMP)];
    let ends = (
        transport,
        endpoint(),
        endpoint(),
        instant(slot),
        instant(slot),
    );
    (ends, app, handshake, volume(), volume(), payload).prop_map(
        |((transport, src, dst, a, b), app, handshake, fwd, rev, rev_payload_bytes)| {
            let (start, end) = (
                Timestamp::from_micros(a.min(b)),
                Timestamp::from_micros(a.max(b)),
            );
            Flow {
                handshake: (transport == Transport::Tcp).then_some(handshake),
                fwd: Volume::new(fwd.0, fwd.1),
                rev: Volume::new(rev.0, rev.1),
                rev_payload_bytes,
                app,
                ..Flow::new(transport, src, dst, Span::new(start, end).unwrap())
            }
        },
    )
}

fn trace(size: Range<usize>) -> impl Strategy<Value = (SlotLength, Vec<Flow>)> {
    prop::sample::select(vec![1.0, 7.0, 300.0, 86_400.0]).prop_flat_map(move |secs| {
        let length = SlotLength::from_secs(secs).unwrap();
        (
            Just(length),
            prop::collection::vec(flow(length.as_micros()), size.clone()),
        )
    })
}

proptest! {
    #[test]
    fn the_real_one_equals_the_naive_one(
        (slot_length, flows) in trace(0..40),
        size in 1_usize..50,
        any in any::<bool>(),
    ) {
        let family = if any { Family::any() } else { Family::emule() };
        let found = real(&flows, size, &family, slot_length);
        assert_equal(&found, &naive(&flows, &family, slot_length));
    }

    #[test]
    fn parts_in_any_order_merge_to_the_whole_bit_for_bit(
        (slot_length, flows) in trace(0..40),
        cut in 0.0..1.0,
        size in 1_usize..50,
        shuffled in any::<prop::sample::Index>(),
    ) {
        let family = Family::emule();
        let config = Aggregation::new(family, topology()).with_slot_length(slot_length);
        let whole = aggregate(&flows, &config);

        let mut rotated = flows.clone();
        rotated.rotate_left(if flows.is_empty() { 0 } else { shuffled.index(flows.len()) });
        rotated.reverse();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let (first, second) = rotated.split_at((rotated.len() as f64 * cut) as usize);
        let part_of = |flows: &[Flow]| {
            let mut part = Aggregator::new(&config);
            flows.chunks(size).for_each(|batch| part.add(batch));
            part
        };
        let mut part = part_of(first);
        part.merge(part_of(second)).unwrap();
        prop_assert_eq!(part.finish(), whole);
    }

    #[test]
    fn order_does_not_change_a_bit(
        (slot_length, mut flows) in trace(0..700),
        swaps in prop::collection::vec(any::<[prop::sample::Index; 2]>(), 0..3),
        keep_order in any::<bool>(),
        copies in prop::sample::select(vec![1_usize, 8]),
        twice in any::<bool>(),
        size in 1_usize..100,
    ) {
        let config = Aggregation::new(Family::any(), topology()).with_slot_length(slot_length);
        // In order of time, slots are put away for good. Two traces of the same time one after the other
        // break the order between parts, a few swaps break it late. Without copies there are too few flows
        // for anything to be put away.
        flows = std::iter::repeat_n(flows, copies).flatten().collect();
        flows.sort_by_key(|flow| flow.span.start());
        if twice {
            flows.extend_from_within(..);
        }
        let mut part = Aggregator::new(&config);
        part.add(&flows);
        let expected = part.finish();
        for [a, b] in swaps {
            if !keep_order && !flows.is_empty() {
                let places = (a.index(flows.len()), b.index(flows.len()));
                flows.swap(places.0, places.1);
            }
        }
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            prop_assert_eq!(&pool.install(|| aggregate(&flows, &config)), &expected);
            prop_assert_eq!(&pool.install(|| in_batches(&flows, size, &config)), &expected);
        }
    }

    #[test]
    fn threads_do_not_change_a_bit((slot_length, flows) in trace(0..40)) {
        let config = Aggregation::new(Family::any(), topology()).with_slot_length(slot_length);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| aggregate(&flows, &config))
        };
        let one = with(1);
        for threads in [2, 3, 8] {
            prop_assert_eq!(&with(threads), &one);
        }
    }
}

#[test]
fn undefined_values_are_empty_cells_and_numbers_read_back() {
    let end = |ip: &str, port| Endpoint::new(ip.parse().unwrap(), port);
    let flow = Flow {
        app: Some(Application::Kad),
        fwd: Volume::new(3, 100),
        ..Flow::new(
            Transport::Udp,
            end("10.1.0.1", 1),
            end("2001:db9::1", 53),
            Span::new(Timestamp::from_secs(299), Timestamp::from_secs(302)).unwrap(),
        )
    };
    let config = Aggregation::new(Family::emule(), topology());
    let table = SampleTable::new(
        &aggregate(&[flow], &config),
        config.family(),
        &MetricSet::paper(),
    );
    let mut text = Vec::new();
    table.write_csv(&mut text).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let header = reader.headers().unwrap().clone();
    assert_eq!(header.len(), 3 + Metric::COUNT);
    for (row, record) in reader.records().enumerate() {
        let record = record.unwrap();
        assert_eq!(&record[2], "kad");
        for (metric, cell) in record.iter().skip(3).enumerate() {
            let read = (!cell.is_empty()).then(|| cell.parse::<f64>().unwrap());
            assert_eq!(read, table.value(row, metric), "{}", &header[metric + 3]);
        }
    }
    assert_eq!(table.len(), 2);
    assert!(table.keys().all(|key| key.edge));
}
