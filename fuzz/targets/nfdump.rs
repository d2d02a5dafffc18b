#![no_main]

use libfuzzer_sys::fuzz_target;
use peerscope::read::{NfdumpReader, ReadOptions};

fuzz_target!(|data: &[u8]| {
    peerscope_fuzz::records(NfdumpReader::new("log", data, &ReadOptions::new()));
});
