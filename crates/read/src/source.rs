//! Opening a source: what it is by content, and its flows.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerscope_flow::{Flow, Timestamp};

use crate::account::{Accounted, Reading};
use crate::decompress::{Input, decompress, fault_of};
use crate::digest::Digesting;
use crate::head::Head;
use crate::reader::{FlowReader, RecordReader};
use crate::{
    ArgusReader, Compression, CsvReader, Fault, Format, NfdumpReader, Policy, Position, ReadError,
    ReadOptions, ReadReport, Record, SuricataReader, TstatReader, ZeekReader,
};

/// How much of the content is looked at to recognise it.
const HEAD: usize = 64 * 1024;
/// Flows handed on at a time.
const FLOWS: usize = 1 << 16;

/// An opened source whose compression and format are known.
///
/// ```no_run
/// use peerscope_read::{Policy, ReadOptions, Source};
///
/// let options = ReadOptions::new().with_policy(Policy::Skip);
/// let mut flows = Source::open("conn.log.gz", &options)?.into_flows()?;
/// for flow in &mut flows {
///     println!("{}", flow?.key());
/// }
/// println!("skipped {}", flows.report().skipped_records());
/// # Ok::<(), peerscope_read::ReadError>(())
/// ```
pub struct Source {
    name: Arc<str>,
    path: Option<PathBuf>,
    format: Format,
    compression: Compression,
    size: Option<u64>,
    /// The decompressed content from its beginning.
    input: Input,
    digest: Digesting,
    options: ReadOptions,
}

impl Source {
    /// Opens a file; `-` is the standard input.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is empty, or is of no known format.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, ReadError> {
        let path = path.as_ref();
        if path.as_os_str() == "-" {
            return Self::from_reader("standard input", std::io::stdin(), options);
        }
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|error| {
            ReadError::new(name.as_str().into(), Position::Source, Fault::Io(error))
        })?;
        let mut source = Self::from_reader(&name, file, options)?;
        // Pipes and devices can be read once, from the beginning to the end.
        if metadata.is_file() {
            source.path = Some(path.to_owned());
            source.size = Some(metadata.len());
        }
        Ok(source)
    }

    /// Opens a stream, which is called `name` in errors.
    ///
    /// # Errors
    ///
    /// If the stream cannot be read, is empty, or is of no known format.
    pub fn from_reader(
        name: &str,
        input: impl Read + Send + 'static,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let name: Arc<str> = name.into();
        let fail = |fault| ReadError::new(Arc::clone(&name), Position::Source, fault);
        let (digest, input) = Digesting::new(Box::new(input));
        let raw = Head::read(input, 6).map_err(|error| fail(error.into()))?;
        let compression = Compression::detect(raw.head());
        let content = decompress(Box::new(raw), compression, options.max_expansion())
            .and_then(|content| Head::read(content, HEAD))
            .map_err(|error| fail(fault_of(error)))?;
        if content.head().is_empty() {
            return Err(fail(Fault::Empty));
        }
        let format = match options.format() {
            Format::Auto => {
                Format::detect(content.head()).ok_or_else(|| fail(unknown(content.head())))?
            }
            format => format,
        };
        Ok(Self {
            name,
            path: None,
            format,
            compression,
            size: None,
            input: Box::new(content),
            digest,
            options: options.clone(),
        })
    }

    /// The name in errors and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format: the one asked for, or the one the content is recognised as.
    pub const fn format(&self) -> Format {
        self.format
    }

    pub(crate) const fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// How the file is compressed as a whole.
    pub const fn compression(&self) -> Compression {
        self.compression
    }

    /// The size of the file as stored; `None` for a stream.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Tells the digest of the content once it has been read.
    pub fn digesting(&self) -> Digesting {
        self.digest.clone()
    }

    /// The decompressed content from its beginning, for a reader of another crate.
    pub fn into_input(self) -> Box<dyn Read + Send> {
        self.input
    }

    /// Where the file lies, if it is one that can be read again.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether the source holds records of exporters, which are paired into flows.
    pub const fn has_records(&self) -> bool {
        matches!(
            self.format,
            Format::Nfdump | Format::Argus | Format::Suricata | Format::Netflow
        )
    }

    /// The start of the first record that can be read, among the first thousand: by it files are
    /// put in order of time. `None` if there is none, and for a capture, which is read elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Source::into_flows`].
    pub fn first_start(self) -> Result<Option<Timestamp>, ReadError> {
        const LOOK: usize = 1000;
        if self.format == Format::Pcap {
            return Ok(None);
        }
        // Pairing would read on until a conversation is over.
        if self.has_records() {
            let records = self.records()?.take(LOOK);
            return Ok(records.flatten().next().map(|record| record.span.start()));
        }
        let flows = self.flows()?.take(LOOK);
        Ok(flows.flatten().next().map(|flow| flow.span.start()))
    }

    /// The flows.
    ///
    /// # Errors
    ///
    /// If the source holds no flows (a packet capture), or is a Parquet file that is damaged, not
    /// a plain file, or lacks a column.
    pub fn into_flows(self) -> Result<FlowReader, ReadError> {
        if self.has_records() {
            let pairing = self.options.pairing();
            return Ok(FlowReader::paired(self.into_records()?, pairing));
        }
        Ok(FlowReader::of(self.account_flows()?))
    }

    /// The records of exporters, before pairing.
    ///
    /// # Errors
    ///
    /// If the source holds none.
    pub fn into_records(self) -> Result<RecordReader, ReadError> {
        Ok(RecordReader(self.account_records()?))
    }

    pub(crate) fn account_flows(self) -> Result<Accounted<Flow>, ReadError> {
        let (report, policy, digest) = (self.report(), self.options.policy(), self.digesting());
        let (flows, count) = (self.flows()?, ReadReport::count_flow);
        Ok(Accounted::new(flows, count, policy, report, digest))
    }

    pub(crate) fn account_records(self) -> Result<Accounted<Record>, ReadError> {
        let (report, policy, digest) = (self.report(), self.options.policy(), self.digesting());
        let (records, count) = (self.records()?, ReadReport::count_record);
        Ok(Accounted::new(records, count, policy, report, digest))
    }

    fn flows(self) -> Result<Box<dyn Reading<Flow> + Send>, ReadError> {
        Ok(match self.format {
            Format::Csv => Box::new(CsvReader::new(&self.name, self.input, &self.options)),
            Format::Zeek => Box::new(ZeekReader::new(&self.name, self.input, &self.options)),
            Format::Tstat => Box::new(TstatReader::new(&self.name, self.input, &self.options)),
            #[cfg(feature = "parquet")]
            Format::Parquet => match (&self.path, self.compression) {
                (Some(path), Compression::None) => {
                    let file = crate::ParquetFile::open(path)?;
                    match self.options.policy() {
                        Policy::Stop => Box::new(file.flows()?),
                        Policy::Skip => Box::new(file.past_faults()?),
                    }
                }
                _ => return Err(self.refused(Fault::NeedsFile(Format::Parquet))),
            },
            other => return Err(self.refused(Fault::NotFlows(other))),
        })
    }

    fn records(self) -> Result<Box<dyn Reading<Record> + Send>, ReadError> {
        let (name, options) = (&self.name, &self.options);
        Ok(match self.format {
            Format::Nfdump => Box::new(NfdumpReader::new(name, self.input, options)),
            Format::Argus => Box::new(ArgusReader::new(name, self.input, options)),
            Format::Suricata => Box::new(SuricataReader::new(name, self.input, options)),
            #[cfg(feature = "netflow")]
            Format::Netflow => Box::new(crate::ExportReader::new(name, self.input)?),
            other => return Err(self.refused(Fault::NotFlows(other))),
        })
    }

    fn report(&self) -> ReadReport {
        ReadReport::new(
            self.name.to_string(),
            self.format,
            self.compression,
            self.size,
        )
    }

    /// Whether [`share_out`](Self::share_out) reads this source on several threads.
    pub fn is_shared_out(&self) -> bool {
        cfg!(feature = "parquet")
            && self.format == Format::Parquet
            && self.compression == Compression::None
            && self.path.is_some()
            && self.options.policy() == Policy::Skip
    }

    /// Hands all flows to the sinks in batches.
    ///
    /// A plain Parquet file is read on the threads of the current rayon pool, see
    /// [`ParquetFile::share_out`](crate::ParquetFile::share_out), unless the policy is to stop at
    /// the first bad record. All flows of any other source go to the first sink, in their order.
    ///
    /// # Errors
    ///
    /// As [`into_flows`](Self::into_flows). An error inside the source stands in the report.
    ///
    /// # Panics
    ///
    /// If there is no sink.
    pub fn share_out<S: Send>(
        self,
        sinks: &mut [S],
        add: impl Fn(&mut S, &[Flow]) + Sync,
    ) -> Result<ReadReport, ReadError> {
        #[cfg(feature = "parquet")]
        if let (true, Some(path)) = (self.is_shared_out(), &self.path) {
            let file = crate::ParquetFile::open(path)?;
            let (mut report, digest) =
                rayon::join(|| file.share_out(sinks, &add), || self.digest.finish());
            (report.size, report.digest) = (Some(self.digest.bytes()), digest);
            return Ok(report);
        }
        let mut flows = self.into_flows()?;
        let mut batch = Vec::with_capacity(FLOWS);
        loop {
            // An error that ends the source stands in its report.
            batch.extend(flows.by_ref().flatten().take(FLOWS));
            if batch.is_empty() {
                return Ok(flows.into_report());
            }
            add(&mut sinks[0], &batch);
            batch.clear();
        }
    }

    pub(crate) fn refused(&self, fault: Fault) -> ReadError {
        ReadError::new(Arc::clone(&self.name), Position::Source, fault)
    }
}

/// Why content of no known format is refused.
fn unknown(head: &[u8]) -> Fault {
    let inner = Compression::detect(head);
    if inner != Compression::None {
        Fault::CompressedTwice(inner)
    } else if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        Fault::Utf16
    } else {
        Fault::UnknownFormat(crate::error::excerpt(head))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}
