#![no_main]

use libfuzzer_sys::fuzz_target;
use peerscope::read::{ReadOptions, TstatReader};

fuzz_target!(|data: &[u8]| {
    peerscope_fuzz::flows(TstatReader::new("log", data, &ReadOptions::new()));
});
