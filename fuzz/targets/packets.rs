//! Export packets as a socket gets them, each behind a byte for its exporter and its length.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use peerscope::read::ExportDecoder;

fuzz_target!(|data: &[u8]| {
    let mut decoder = ExportDecoder::new();
    let (mut records, mut rest) = (Vec::new(), data);
    while let [exporter, high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (packet, after) = tail.split_at(length);
        let exporter = SocketAddr::from(([192, 0, 2, *exporter], 2055));
        decoder.push(exporter, packet, |item| match item {
            Ok(record) => records.push(record),
            Err(fault) => assert!(!fault.to_string().is_empty()),
        });
        rest = after;
    }
    assert_eq!(decoder.report().records, records.len() as u64);
    peerscope_fuzz::records(records.into_iter().map(Ok));
});
