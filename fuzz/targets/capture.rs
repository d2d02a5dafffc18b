//! Capture files, compressed or not, through the meter.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use peerscope::meter::{Capture, Meter, MeterConfig, Tunnels};

fuzz_target!(|data: &[u8]| {
    let Ok(mut capture) = Capture::from_reader("capture", Cursor::new(data.to_vec())) else {
        return;
    };
    let mut meter = Meter::new(MeterConfig::new().with_tunnels(Tunnels::Inner));
    for _ in 0..10_000 {
        match capture.next_packet() {
            Ok(Some(packet)) => meter.push(&packet),
            Ok(None) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                break;
            }
        }
    }
    let (flows, report) = meter.finish();
    let packets: u64 = flows
        .iter()
        .map(|flow| flow.fwd.packets + flow.rev.packets)
        .sum();
    assert_eq!(packets, report.metered.packets);
});
