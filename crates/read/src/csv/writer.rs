//! Flows to canonical flow CSV.

use std::fmt::Write as _;
use std::io::{self, Write};

use peerscope_flow::{Flow, FlowKey};
use thiserror::Error;

use super::HEADER;
use crate::{address, number};

/// Writes the canonical flow CSV: the exact header, one flow a line, each value in its shortest
/// form. What [`crate::CsvReader`] reads from canonical text is written back byte for byte.
///
/// How the initiator is known has no column and is not written.
#[derive(Debug)]
pub struct CsvWriter<W> {
    output: W,
    line: String,
}

/// Why a flow cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A number that no reader of the format takes: negative, or above 2^53.
    #[error("flow {key}: {column} is {value}, not in 0..=2^53")]
    Number {
        /// The flow.
        key: Box<FlowKey>,
        /// The column.
        column: &'static str,
        /// The value.
        value: i128,
    },
    /// A label with a line break, which would make two lines of one record.
    #[error("flow {key}: label {label:?} holds a line break")]
    Label {
        /// The flow.
        key: Box<FlowKey>,
        /// The label.
        label: String,
    },
    /// The Parquet library refused.
    #[cfg(feature = "parquet")]
    #[error("{0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}

impl<W: Write> CsvWriter<W> {
    /// A writer that has written the header. Give it a buffered output.
    ///
    /// # Errors
    ///
    /// If writing fails.
    pub fn new(mut output: W) -> Result<Self, WriteError> {
        output.write_all(HEADER.as_bytes())?;
        output.write_all(b"\n")?;
        Ok(Self {
            output,
            line: String::with_capacity(256),
        })
    }

    /// Writes one flow.
    ///
    /// # Errors
    ///
    /// If writing fails, or the flow holds a value that the format cannot: a number outside
    /// `0..=2^53`, or a label with a line break. Nothing of the flow is written then.
    pub fn write(&mut self, flow: &Flow) -> Result<(), WriteError> {
        let numbers = checked(flow)?;
        let line = &mut self.line;
        line.clear();
        push_number(line, numbers.start);
        line.push(',');
        push_number(line, numbers.end);
        // Writing to a string cannot fail.
        let _ = write!(line, ",{},", flow.transport);
        for end in [flow.src, flow.dst] {
            address::push(line, end.ip);
            line.push(',');
            push_number(line, end.port.into());
            line.push(',');
        }
        for volume in [flow.fwd, flow.rev] {
            push_number(line, volume.packets);
            line.push(',');
            push_number(line, volume.bytes);
            line.push(',');
        }
        if let Some(handshake) = flow.handshake {
            line.push_str(handshake.as_str());
        }
        line.push(',');
        if let Some(bytes) = flow.rev_payload_bytes {
            push_number(line, bytes);
        }
        line.push(',');
        if let Some(app) = &flow.app {
            push_quoted(line, app.as_str());
        }
        line.push('\n');
        self.output.write_all(line.as_bytes())?;
        Ok(())
    }

    /// Flushes and gives the output back.
    ///
    /// # Errors
    ///
    /// If flushing fails.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.output.flush()?;
        Ok(self.output)
    }
}

/// The times of a flow whose values the canonical files can hold.
pub(crate) struct Times {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Refuses what a reader of the canonical files would refuse.
pub(crate) fn checked(flow: &Flow) -> Result<Times, WriteError> {
    let refused = |column, value: i128| WriteError::Number {
        key: Box::new(flow.key()),
        column,
        value,
    };
    let time = |column, micros: i64| {
        u64::try_from(micros)
            .ok()
            .filter(|&micros| micros <= number::LARGEST)
            .ok_or_else(|| refused(column, micros.into()))
    };
    for (column, count) in [
        ("fwd_packets", flow.fwd.packets),
        ("fwd_bytes", flow.fwd.bytes),
        ("rev_packets", flow.rev.packets),
        ("rev_bytes", flow.rev.bytes),
        ("rev_payload_bytes", flow.rev_payload_bytes.unwrap_or(0)),
    ] {
        if count > number::LARGEST {
            return Err(refused(column, count.into()));
        }
    }
    if let Some(app) = &flow.app
        && app.as_str().contains(['\n', '\r'])
    {
        return Err(WriteError::Label {
            key: Box::new(flow.key()),
            label: app.to_string(),
        });
    }
    Ok(Times {
        start: time("start_us", flow.span.start().as_micros())?,
        end: time("end_us", flow.span.end().as_micros())?,
    })
}

fn push_number(line: &mut String, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    line.extend(
        digits[first..]
            .iter()
            .map(|&digit| char::from(b'0' + digit)),
    );
}

fn push_quoted(line: &mut String, label: &str) {
    if label.contains([',', '"']) {
        line.push('"');
        line.push_str(&label.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(label);
    }
}
