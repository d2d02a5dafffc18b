//! Content of any format and compression, recognised and read as a file is.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use peerscope::read::{Policy, ReadOptions, Source};

fuzz_target!(|data: &[u8]| {
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let Ok(source) = Source::from_reader("source", Cursor::new(data.to_vec()), &options) else {
        return;
    };
    let Ok(mut reader) = source.into_flows() else {
        return;
    };
    // A few bytes may expand to gigabytes of lines.
    let flows = reader.by_ref().take(10_000).flatten().count();
    let report = reader.into_report();
    assert_eq!(report.flows, flows as u64);
    assert!(report.first_errors.len() <= 5);
});
