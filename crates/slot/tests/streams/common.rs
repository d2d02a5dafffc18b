//! Random flows of a small network over hours, and what the batch makes of them.

use peerscope_flow::{
    Application, Endpoint, Family, Flow, Handshake, SlotIndex, SlotLength, Span, Timestamp,
    Topology, Transport, Volume,
};
use peerscope_slot::{Aggregation, HostSlot, HostSlots, SkippedFlows, aggregate};
use proptest::prelude::*;

pub(crate) const SECOND: i64 = Timestamp::MICROS_PER_SEC;
pub(crate) const SLOT: i64 = 60 * SECOND;
const TRACE: i64 = 2 * 3600 * SECOND;
pub(crate) const LONGEST: i64 = 1800 * SECOND;

pub(crate) fn config() -> Aggregation {
    let monitored = ["10.0.0.0/29", "2001:db8::/126"].map(|net| net.parse().unwrap());
    let topology = Topology::new(monitored, ["10.0.0.0/8".parse().unwrap()]);
    Aggregation::new(Family::emule(), topology)
        .with_slot_length(SlotLength::from_micros(SLOT).unwrap())
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let ip = prop_oneof![
        4 => (1_u8..12).prop_map(|host| [10, 0, 0, host].into()),
        2 => (1_u8..5).prop_map(|host| [192, 0, 2, host].into()),
        1 => (0_u16..8).prop_map(|host| [0x2001, 0xdb8, 0, 0, 0, 0, 0, host].into()),
    ];
    (ip, prop_oneof![Just(53), Just(4662), 1024_u16..1030])
        .prop_map(|(ip, port)| Endpoint::new(ip, port))
}

pub(crate) fn flow() -> impl Strategy<Value = Flow> {
    let app = prop::sample::select(vec![
        None,
        Some(Application::EMule),
        Some(Application::Kad),
        Some(Application::KadU),
        Some(Application::Http),
    ]);
    let length = prop_oneof![3 => 0..SLOT, 1 => 0..LONGEST];
    let volume = || (0_u64..4, 0_u64..2_000_000_000);
    let times = (0..TRACE, length);
    (
        any::<bool>(),
        endpoint(),
        endpoint(),
        times,
        app,
        volume(),
        volume(),
    )
        .prop_map(|(tcp, src, dst, (start, length), app, fwd, rev)| {
            let at = Timestamp::from_micros;
            let transport = if tcp { Transport::Tcp } else { Transport::Udp };
            Flow {
                handshake: tcp.then_some(Handshake::Failed),
                fwd: Volume::new(fwd.0, fwd.1),
                rev: Volume::new(rev.0, rev.1),
                app,
                ..Flow::new(
                    transport,
                    src,
                    dst,
                    Span::new(at(start), at(start + length)).unwrap(),
                )
            }
        })
}

/// All that a result says.
pub(crate) type Result = (
    Vec<HostSlot>,
    u64,
    SkippedFlows,
    Option<(SlotIndex, SlotIndex)>,
);

pub(crate) fn whole(rows: Vec<HostSlot>, counts: &HostSlots) -> Result {
    assert_eq!(
        counts.of_interest(),
        counts.flows() - counts.skipped().total()
    );
    (rows, counts.flows(), counts.skipped(), counts.edge_slots())
}

pub(crate) fn batch(flows: &[Flow], config: &Aggregation) -> Result {
    let host_slots = aggregate(flows, config);
    whole(host_slots.rows().collect(), &host_slots)
}
