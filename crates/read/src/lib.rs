//! Flow logs to flows: canonical CSV and Parquet, Zeek's conn.log, Tstat, nfdump, Argus, Suricata,
//! `NetFlow` and IPFIX packets; and flows to canonical files.
//!
//! [`Source::open`] finds out by content how a file is compressed (gzip, zstd, xz) and what it
//! holds ([`Format`]), and gives its flows as an iterator of results. Every error names the file,
//! the position and the value; a [`Policy`] says whether the first one ends the reading or is
//! counted in the [`ReadReport`]. The readers under it take any [`std::io::Read`].
//!
//! ```
//! use peerscope_read::{CsvWriter, Format, ReadOptions, Source};
//!
//! let log = "\
//! #separator \\x09
//! #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes
//! 1713484795.943239\tC1\t192.0.2.7\t25320\t10.0.0.1\t4662\ttcp\t-\t0.000064\t0\t0\tREJ\tSr\t1\t60\t1\t40
//! ";
//! let source = Source::from_reader("conn.log", log.as_bytes(), &ReadOptions::new())?;
//! assert_eq!(source.format(), Format::Zeek);
//!
//! let mut csv = CsvWriter::new(Vec::new())?;
//! for flow in source.into_flows()? {
//!     csv.write(&flow?)?;
//! }
//! let text = String::from_utf8(csv.finish()?)?;
//! assert!(text.ends_with(
//!     "1713484795943239,1713484795943303,tcp,192.0.2.7,25320,10.0.0.1,4662,1,60,1,40,failed,0,\n"
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A packet capture is recognised as [`Format::Pcap`], but becomes flows elsewhere
//! ([`Source::into_input`] gives its bytes).
//!
//! Records of one direction are paired into flows ([`Pair`]), flows that a timeout split are made
//! whole ([`Remerge`]), and addresses are replaced where results are shared ([`Anonymiser`]).
//!
//! Feature `parquet` adds the canonical Parquet file, `netflow` export packets (with the meter's
//! decoders for the captures that hold them), `serde` derives `Serialize` and
//! `Deserialize` for the public data types.

mod account;
mod address;
mod anonymise;
mod argus;
mod csv;
mod decompress;
mod digest;
mod error;
#[cfg(feature = "netflow")]
mod export;
mod format;
mod gather;
mod head;
mod lines;
mod merged;
mod nfdump;
mod number;
mod options;
mod pair;
#[cfg(feature = "parquet")]
mod parquet;
mod reader;
mod record;
mod remerge;
mod report;
mod source;
mod suricata;
mod text;
mod tstat;
mod turns;
mod zeek;

pub use anonymise::{Anonymiser, AnonymiserKey, KeyError};
pub use argus::ArgusReader;
pub use csv::{CsvReader, CsvWriter, HEADER, WriteError};
pub use decompress::Compression;
pub use digest::{Digest, DigestError, Digesting};
pub use error::{Fault, FaultKind, Position, Problem, ReadError};
#[cfg(feature = "netflow")]
pub use export::{ExportDecoder, ExportFault, ExportReader, ExportReport, ExportSocket, Until};
pub use format::{Format, FormatError};
pub use merged::{MergedLogs, Waiting};
pub use nfdump::NfdumpReader;
pub use options::{Policy, ReadOptions};
pub use pair::{Feed, Pair, Pairing, Sampling, Sidedness, Withheld, WithheldReason};
#[cfg(feature = "parquet")]
pub use parquet::{ParquetFile, ParquetOptions, ParquetReader, ParquetWriter};
pub use reader::{FlowReader, RecordReader};
pub use record::{Record, StatedInitiator, TcpFlags};
pub use remerge::{MergeReport, Merging, Remerge};
pub use report::ReadReport;
pub use source::Source;
pub use suricata::SuricataReader;
pub use tstat::{TstatReader, tstat_logs};
pub use turns::{InOrder, Turns};
pub use zeek::ZeekReader;
