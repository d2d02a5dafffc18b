//! Frames of every link layer through the meter: three bytes of settings, then frames, each behind
//! two bytes of time and its length.
#![no_main]

use std::num::NonZeroUsize;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use peerscope::flow::Timestamp;
use peerscope::meter::{
    ByteCount, CutPackets, FlowIdentity, Fragments, Initiator, LinkType, Meter, MeterConfig,
    Packet, TcpClose, Tunnels, label_by_association,
};

const LINKS: [LinkType; 12] = [
    LinkType::NULL,
    LinkType::ETHERNET,
    LinkType::PPP,
    LinkType::PPP_HDLC,
    LinkType::PPP_ETHER,
    LinkType::RAW,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::PPI,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
];

fuzz_target!(|data: &[u8]| {
    let [link, settings, live, frames @ ..] = data else {
        return;
    };
    let mut rest = frames;
    let link = LINKS[usize::from(*link) % LINKS.len()];
    let mut meter = Meter::new(config(*settings, *live));
    let mut micros = 0_i64;
    while let [high, low, length, tail @ ..] = rest {
        // Seconds forward, or back.
        micros += i64::from(i16::from_be_bytes([*high, *low])) * 1_000_000;
        let (data, after) = tail.split_at(usize::from(*length).min(tail.len()));
        meter.push(&Packet {
            time: Timestamp::from_micros(micros),
            link,
            data,
            original_length: u32::from(*length),
        });
        rest = after;
    }
    let (mut flows, report) = meter.finish();
    let packets: u64 = flows
        .iter()
        .map(|flow| flow.fwd.packets + flow.rev.packets)
        .sum();
    assert_eq!(packets, report.metered.packets);
    let skipped: u64 = report.skipped.iter().map(|(_, packets)| packets).sum();
    assert_eq!(packets + skipped, report.offered.packets);
    assert_eq!(report.flows, flows.len() as u64);
    label_by_association(&mut flows, NonZeroUsize::MIN);
});

fn config(settings: u8, live: u8) -> MeterConfig {
    let mut config = MeterConfig::new().with_max_live_flows(usize::from(live));
    let on = |bit: u8| settings & (1 << bit) != 0;
    if on(0) {
        config = config.with_tunnels(Tunnels::Inner);
    }
    if on(1) {
        config = config.with_identity(FlowIdentity::FiveTupleAndVlan);
    }
    if on(2) {
        config = config.with_fragments(Fragments::FirstOnly);
    }
    if on(3) {
        config = config.with_cut_packets(CutPackets::Skip);
    }
    if on(4) {
        config = config.with_byte_count(ByteCount::Frame);
    }
    if on(5) {
        config = config.with_tcp_close(TcpClose::Ignored);
    }
    if on(6) {
        config = config.with_initiator(Initiator::FirstPacket);
    }
    if on(7) {
        config = config.with_duplicate_window(Duration::from_secs(3));
    }
    config
}
