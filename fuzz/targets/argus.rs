#![no_main]

use libfuzzer_sys::fuzz_target;
use peerscope::read::{ArgusReader, ReadOptions};

fuzz_target!(|data: &[u8]| {
    peerscope_fuzz::records(ArgusReader::new("log", data, &ReadOptions::new()));
});
