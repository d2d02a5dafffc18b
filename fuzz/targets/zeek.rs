#![no_main]

use libfuzzer_sys::fuzz_target;
use peerscope::read::{ReadOptions, ZeekReader};

fuzz_target!(|data: &[u8]| {
    peerscope_fuzz::flows(ZeekReader::new("log", data, &ReadOptions::new()));
});
