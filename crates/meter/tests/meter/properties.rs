//! Properties that hold for any input.

use std::io::Cursor;

use peerscope_flow::{Flow, Timestamp, Volume};
use peerscope_meter::{ByteCount, Capture, LinkType, Meter, MeterConfig, Packet, Tunnels};
use proptest::prelude::*;

use crate::made::{From, Made, metered, raw, tcp, udp};

fn sum(flows: &[Flow]) -> Volume {
    flows.iter().fold(Volume::ZERO, |sum, flow| {
        Volume::new(
            sum.packets + flow.fwd.packets + flow.rev.packets,
            sum.bytes + flow.fwd.bytes + flow.rev.bytes,
        )
    })
}

fn link() -> impl Strategy<Value = LinkType> {
    prop::sample::select(vec![0, 1, 9, 50, 51, 101, 108, 113, 147, 192, 228, 276])
        .prop_map(LinkType)
}

/// Bytes that often begin like an IP packet.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(vec![vec![], vec![0x45, 0], vec![0x60, 0, 0, 0, 0, 40, 17]]);
    (start, prop::collection::vec(any::<u8>(), 0..120))
        .prop_map(|(start, rest)| [start, rest].concat())
}

fn made() -> impl Strategy<Value = Made> {
    let arbitrary = (any::<i64>(), link(), bytes(), any::<u32>()).prop_map(
        |(micros, link, bytes, original)| Made {
            micros,
            link,
            bytes,
            original,
        },
    );
    let segment = (0_u32..2000, any::<bool>(), "[SAFR]{0,3}", 0_usize..9).prop_map(
        |(secs, from_a, flags, length)| {
            let from = if from_a { From::A } else { From::B };
            tcp(secs.into(), from, &flags, &vec![1; length])
        },
    );
    let datagram = (0_u32..2000).prop_map(|secs| udp(secs.into(), From::A, b"x"));
    prop_oneof![arbitrary, segment, datagram]
}

proptest! {
    #[test]
    fn packets_and_bytes_are_conserved(
        trace in prop::collection::vec(made(), 0..60),
        live in 1_usize..5,
    ) {
        let config = MeterConfig::new()
            .with_byte_count(ByteCount::Frame)
            .with_tunnels(Tunnels::Inner)
            .with_max_live_flows(live);
        let (flows, report) = metered(config, &trace);
        prop_assert_eq!(sum(&flows), report.metered);
        prop_assert_eq!(report.metered.packets + report.skipped.total(), trace.len() as u64);
        prop_assert_eq!(report.offered.packets, trace.len() as u64);
        if report.skipped.total() == 0 {
            prop_assert_eq!(report.metered, report.offered);
        }
        prop_assert_eq!(report.flows, flows.len() as u64);
    }

    /// Without splitting, flows are the packets grouped by conversation.
    #[test]
    fn idle_flows_split_where_an_obvious_scan_splits_them(
        mut times in prop::collection::vec(0_i64..3_000, 1..40),
        timeout in 1_u64..400,
    ) {
        times.sort_unstable();
        let trace: Vec<_> = times
            .iter()
            .map(|&secs| raw(secs * 1_000_000, udp(0.0, From::A, b"x").bytes))
            .collect();
        let config = MeterConfig::new().with_idle_timeout(std::time::Duration::from_secs(timeout));
        let (flows, _) = metered(config, &trace);
        let gaps = times.windows(2).filter(|pair| pair[1] - pair[0] > i64::try_from(timeout).unwrap());
        prop_assert_eq!(flows.len(), gaps.count() + 1);
    }

    #[test]
    fn arbitrary_files_never_panic(
        magic in prop::sample::select(vec![
            vec![], vec![0xd4, 0xc3, 0xb2, 0xa1], vec![0xa1, 0xb2, 0x3c, 0x4d],
            vec![0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a],
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut meter = Meter::new(MeterConfig::new());
        if let Ok(mut capture) = Capture::from_reader("fuzz", Cursor::new([magic, rest].concat())) {
            let _ = meter.read(&mut capture);
        }
        let (flows, report) = meter.finish();
        prop_assert_eq!(sum(&flows), report.metered);
    }

    #[test]
    fn every_decoder_survives_every_prefix(made in made()) {
        let mut meter = Meter::new(MeterConfig::new().with_tunnels(Tunnels::Inner));
        for length in 0..made.bytes.len() {
            meter.push(&Packet {
                time: Timestamp::from_micros(0),
                link: made.link,
                data: &made.bytes[..length],
                original_length: made.original,
            });
        }
        let (flows, report) = meter.finish();
        prop_assert_eq!(sum(&flows), report.metered);
    }
}
