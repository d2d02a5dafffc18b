//! A table of several blocks of samples, of hosts with flows of one transport or of both.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::net::{IpAddr, Ipv4Addr};

use peerscope_flow::Span;
use peerscope_flow::{Endpoint, Family, Flow, SystemId, Timestamp, Topology, Transport, Volume};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_slot::{Aggregation, aggregate};

const HOSTS: u32 = 3_000;
const FIRST: u32 = 0x0a00_0000;

/// What a host has flows of.
fn transports(host: u32) -> &'static [Transport] {
    match host % 5 {
        0 | 3 => &[Transport::Tcp],
        1 => &[Transport::Udp],
        _ => &[Transport::Udp, Transport::Tcp],
    }
}

fn table(metrics: &MetricSet) -> SampleTable {
    let flow = |host: u32, transport: Transport| Flow {
        fwd: Volume::new(1, u64::from(host)),
        ..Flow::new(
            transport,
            Endpoint::new(IpAddr::V4(Ipv4Addr::from_bits(FIRST + host)), 4672),
            Endpoint::new([192, 0, 2, 7].into(), 4672),
            Span::at(Timestamp::from_secs(1)),
        )
    };
    let of_host = |host| transports(host).iter().map(move |&of| flow(host, of));
    let flows: Vec<Flow> = (0..HOSTS).rev().flat_map(of_host).collect();
    let topology = Topology::new(["10.0.0.0/8".parse().unwrap()], []);
    let config = Aggregation::new(Family::any(), topology);
    SampleTable::new(&aggregate(&flows, &config), config.family(), metrics)
}

fn host_of(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits() - FIRST,
        IpAddr::V6(_) => u32::MAX,
    }
}

/// Bits sent a second in a slot of 300 s; a metric of the test's own that odd hosts have; all with flows
/// sent, so that only the transport tells who has a value.
#[test]
fn each_host_has_its_own_values_and_no_others() {
    let metrics = MetricSet::paper()
        .with("odd", "", |slot, _| {
            let host = host_of(slot.host);
            (host % 2 == 1).then_some(f64::from(host))
        })
        .unwrap();
    let table = table(&metrics);
    assert_eq!(table.len(), HOSTS as usize);
    let matrix = table.matrix();
    assert_eq!(matrix.dim(), (table.len(), metrics.len()));
    let sent = [Transport::Tcp, Transport::Udp].map(|transport| {
        let name = if transport == Transport::Tcp {
            "TCP"
        } else {
            "UDP"
        };
        (
            transport,
            table.metric_index(&format!("bps-sent-{name}")).unwrap(),
        )
    });
    let odd = table.metric_index("odd").unwrap();
    for (row, host) in (0..HOSTS).enumerate() {
        assert_eq!(host_of(table.key(row).host), host);
        for (transport, metric) in sent {
            let has_some = transports(host).contains(&transport);
            let expected = has_some.then(|| f64::from(host) * 8.0 / 300.0);
            assert_eq!(table.value(row, metric), expected, "{host} {transport:?}");
        }
        assert_eq!(
            table.value(row, odd),
            (host % 2 == 1).then(|| f64::from(host))
        );
        for metric in 0..metrics.len() {
            let of_matrix = Some(matrix[(row, metric)]).filter(|value| !value.is_nan());
            assert_eq!(of_matrix, table.value(row, metric));
        }
    }
    for metric in 0..metrics.len() {
        let defined = |row| Some((row, table.value(row, metric)?));
        let expected: Vec<(usize, f64)> = (0..table.len()).filter_map(defined).collect();
        assert_eq!(
            table.column(SystemId(0), metric).collect::<Vec<_>>(),
            expected
        );
    }
}

#[test]
fn a_withheld_metric_has_no_values_and_the_others_keep_theirs() {
    let mut table = table(&MetricSet::paper());
    let [withheld, other] =
        ["live-conn-UDP", "live-conn-TCP"].map(|name| table.metric_index(name).unwrap());
    let before: Vec<_> = table.column(SystemId(0), other).collect();
    assert!(!before.is_empty());
    table.withhold("live-conn-UDP", "a reason");
    assert_eq!(table.column(SystemId(0), withheld).count(), 0);
    assert_eq!(table.withheld(withheld), Some("a reason"));
    assert_eq!(table.column(SystemId(0), other).collect::<Vec<_>>(), before);
}

/// Hosts of both address families in several slots, some of them in the first or last.
#[test]
fn keys_hosts_and_rows_of_hosts_tell_the_same() {
    let ips: [IpAddr; 4] =
        ["10.0.0.9", "10.0.0.1", "2001:db8::1", "10.0.0.5"].map(|text| text.parse().unwrap());
    let slots_of = |host: usize| (0..6).filter(move |slot| !(slot + host).is_multiple_of(3));
    let flow = |ip: IpAddr, slot: usize| {
        let at = Timestamp::from_secs(300 * i64::try_from(slot).unwrap());
        let peer = Endpoint::new([192, 0, 2, 7].into(), 4672);
        Flow::new(Transport::Udp, Endpoint::new(ip, 4672), peer, Span::at(at))
    };
    let of_host = |(host, &ip)| slots_of(host).map(move |slot| flow(ip, slot));
    let flows: Vec<Flow> = ips.iter().enumerate().flat_map(of_host).collect();
    let monitored = ["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().unwrap());
    let config = Aggregation::new(Family::any(), Topology::new(monitored, []));
    let host_slots = aggregate(&flows, &config);
    let table = SampleTable::new(&host_slots, config.family(), &MetricSet::paper());

    let mut expected: Vec<(IpAddr, usize)> = Vec::new();
    for (host, &ip) in ips.iter().enumerate() {
        expected.extend(slots_of(host).map(|slot| (ip, slot)));
    }
    expected.sort_unstable();
    let found = table.keys().map(|key| {
        assert_eq!(key.edge, [0, 5].contains(&key.slot.0), "{key:?}");
        (key.host, usize::try_from(key.slot.0).unwrap())
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(table.hosts().count(), ips.len());
    for (host, rows) in table.hosts() {
        assert_eq!(table.rows_of(host), rows);
        for (row, &(other, _)) in expected.iter().enumerate() {
            assert_eq!(rows.contains(&row), other == host);
        }
    }
    for (absent, row) in [
        ("10.0.0.0", 0),
        ("10.0.0.7", 8),
        ("2001:db8::2", expected.len()),
    ] {
        assert_eq!(table.rows_of(absent.parse().unwrap()), row..row);
    }
}
