//! A capture of export packets, or an IPFIX file.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use peerscope::read::ExportReader;

fuzz_target!(|data: &[u8]| {
    if let Ok(records) = ExportReader::new("exports", Cursor::new(data.to_vec())) {
        peerscope_fuzz::records(records);
    }
});
