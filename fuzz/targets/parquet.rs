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
            if let Ok(flows) = ParquetFile::open(file.path()).and_then(|file| file.flows()) {
                // A footer may promise any number of rows that compress to nothing.
                peerscope_fuzz::flows(flows.take(10_000));
            }
        });
    }
);
