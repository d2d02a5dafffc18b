//! Parquet is read by position, so every input goes through a file.
#![no_main]

use std::cell::RefCell;
use std::io::{Seek, Write};

use libfuzzer_sys::fuzz_target;
use peerscope::read::ParquetFile;
use tempfile::NamedTempFile;

thread_local! {
    static FILE: RefCell<NamedTempFile> =
        RefCell::new(NamedTempFile::new().expect("a place for files"));
}

fuzz_target!(
    init: {
        // Panics of the decoder are caught and become errors; all others still end the run.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |data: &[u8]| {
        FILE.with_borrow_mut(|file| {
            let inner = file.as_file_mut();
            inner.set_len(0).expect("an open file");
            inner.rewind().expect("an open file");
            inner.write_all(data).expect("room for a file");
            let Ok(file) = ParquetFile::open(file.path()) else {
                return;
            };
            // A footer may promise any number of rows that compress to nothing.
            const ROWS: usize = 10_000;
            if let Ok(flows) = file.flows() {
                peerscope_fuzz::flows(flows.take(ROWS));
            }
            if file.rows(0..file.row_groups()) <= ROWS as u64 {
                let mut flows = [Vec::new()];
                let report = file.share_out(&mut flows, |part, flows| part.extend_from_slice(flows));
                let [flows] = flows;
                assert_eq!(report.flows, flows.len() as u64);
                peerscope_fuzz::flows(flows.into_iter().map(Ok));
            }
        });
    }
);
