#![no_main]

use libfuzzer_sys::fuzz_target;
use peerscope::read::{CsvReader, ReadOptions};

fuzz_target!(|data: &[u8]| {
    peerscope_fuzz::flows(CsvReader::new("log", data, &ReadOptions::new()));
});
