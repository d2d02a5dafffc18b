//! The canonical samples file.

use std::fmt::Write as _;
use std::io::{self, Write};

use rayon::prelude::*;

use crate::SampleTable;

/// Rows formatted together by one thread.
const CHUNK: usize = 1024;

impl SampleTable {
    /// Writes the canonical samples CSV: `host,slot_start_us,system`, then one column a metric;
    /// undefined values are empty cells, numbers are in the shortest form that reads back exactly.
    ///
    /// Rows are formatted on the threads of the current rayon pool, written in order.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_csv(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(
            out,
            "host,slot_start_us,system,{}",
            self.metrics().join(",")
        )?;
        // Chunks of chunks bound the text held at a time.
        let batch = CHUNK * 4 * rayon::current_num_threads();
        for first in (0..self.len()).step_by(batch) {
            let last = (first + batch).min(self.len());
            let texts: Vec<String> = (first..last)
                .into_par_iter()
                .step_by(CHUNK)
                .map(|from| self.rows_as_csv(from..(from + CHUNK).min(last)))
                .collect();
            for text in texts {
                out.write_all(text.as_bytes())?;
            }
        }
        out.flush()
    }

    fn rows_as_csv(&self, rows: std::ops::Range<usize>) -> String {
        let mut text = String::new();
        for row in rows {
            let key = self.key(row);
            // Writing into a string cannot fail.
            let _ = write!(text, "{},{},", key.host, self.slot_start(&key));
            text.push_str(self.system_name(key.system));
            for metric in 0..self.metrics().len() {
                text.push(',');
                if let Some(value) = self.value(row, metric) {
                    let _ = write!(text, "{value}");
                }
            }
            text.push('\n');
        }
        text
    }
}
