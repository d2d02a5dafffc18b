//! A sample table with values of our choice: a flow for every sample, and metrics that look their
//! values up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use peerscope_flow::{
    Application, Endpoint, Family, Flow, SlotIndex, Span, Timestamp, Topology, Transport,
};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_slot::{Aggregation, aggregate};

/// Values by metric, then by host number and slot.
pub(crate) type Values = BTreeMap<String, BTreeMap<(u8, i64), f64>>;

pub(crate) fn host(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

/// A table of the eMule family whose hosts run Kad.
pub(crate) fn table(values: &Values, samples: &[(u8, i64)]) -> SampleTable {
    let flows: Vec<Flow> = samples
        .iter()
        .map(|&(number, slot)| flow(number, slot))
        .collect();
    let topology = Topology::new(["10.0.0.0/24".parse().unwrap()], []);
    let host_slots = aggregate(&flows, &Aggregation::new(Family::emule(), topology));
    let mut metrics = MetricSet::paper();
    for (name, cells) in values {
        let cells = Arc::new(cells.clone());
        metrics = metrics
            .with(name, "", move |host_slot, _| {
                let IpAddr::V4(v4) = host_slot.host else {
                    return None;
                };
                let SlotIndex(slot) = host_slot.slot;
                cells.get(&(v4.octets()[3], slot)).copied()
            })
            .unwrap();
    }
    SampleTable::new(&host_slots, &Family::emule(), &metrics)
}

fn flow(number: u8, slot: i64) -> Flow {
    Flow {
        app: Some(Application::Kad),
        ..Flow::new(
            Transport::Udp,
            Endpoint::new(host(number), 4672),
            Endpoint::new(IpAddr::from([192, 0, 2, 7]), 4672),
            Span::at(Timestamp::from_secs(slot * 300 + 10)),
        )
    }
}

/// The counter-based generator `SplitMix64`, as a number from 0 to 1.
pub(crate) fn uniform(counter: u64) -> f64 {
    let mut z = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}
