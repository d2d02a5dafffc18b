#![no_main]

use libfuzzer_sys::fuzz_target;
use peerscope::read::{ReadOptions, SuricataReader};

fuzz_target!(|data: &[u8]| {
    peerscope_fuzz::records(SuricataReader::new("log", data, &ReadOptions::new()));
});
