//! Opening a source: what it is by content, and its flows.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerscope_flow::{Flow, Span, Timestamp};

use crate::decompress::{Input, decompress, fault_of};
use crate::digest::Digesting;
use crate::{
    ArgusReader, Compression, CsvReader, Fault, Format, NfdumpReader, Pair, Policy, Position,
    ReadError, ReadOptions, ReadReport, Record, SuricataReader, TstatReader, ZeekReader,
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
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is empty, or is of no known format.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, file) = opened.map_err(|error| {
            ReadError::new(name.as_str().into(), Position::Source, Fault::Io(error))
        })?;
        let mut source = Self::from_reader(&name, file, options)?;
        source.path = Some(path.to_owned());
        source.size = Some(size);
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
            Format::Auto => Format::detect(content.head())
                .ok_or_else(|| fail(Fault::UnknownFormat(crate::error::excerpt(content.head()))))?,
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

    /// The start of the first record that can be read, among the first thousand: by it files are
    /// put in order of time. `None` if there is none, and for a capture, which is read elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Source::into_flows`].
    pub fn first_start(self) -> Result<Option<Timestamp>, ReadError> {
        fn first<T>(
            records: impl Iterator<Item = Result<T, ReadError>>,
            span: impl Fn(&T) -> Span,
        ) -> Option<Timestamp> {
            let record = records.take(1000).find_map(Result::ok)?;
            Some(span(&record).start())
        }
        let (name, options) = (&self.name, &self.options);
        let span = |record: &Record| record.span;
        // Pairing would read on until a conversation is over.
        Ok(match self.format {
            Format::Pcap => None,
            Format::Nfdump => first(NfdumpReader::new(name, self.input, options), span),
            Format::Argus => first(ArgusReader::new(name, self.input, options), span),
            Format::Suricata => first(SuricataReader::new(name, self.input, options), span),
            #[cfg(feature = "netflow")]
            Format::Netflow => first(crate::ExportReader::new(name, self.input)?, span),
            _ => first(self.into_flows()?, |flow| flow.span),
        })
    }

    /// The flows.
    ///
    /// # Errors
    ///
    /// If the source holds no flows (a packet capture), or is a Parquet file that is damaged, not
    /// a plain file, or lacks a column.
    pub fn into_flows(self) -> Result<FlowReader, ReadError> {
        let report = ReadReport::new(
            self.name.to_string(),
            self.format,
            self.compression,
            self.size,
        );
        let flows: Flows = match self.format {
            Format::Csv => Box::new(CsvReader::new(&self.name, self.input, &self.options)),
            Format::Zeek => Box::new(ZeekReader::new(&self.name, self.input, &self.options)),
            Format::Tstat => Box::new(TstatReader::new(&self.name, self.input, &self.options)),
            Format::Nfdump => Box::new(Pair::new(
                NfdumpReader::new(&self.name, self.input, &self.options),
                self.options.pairing(),
            )),
            Format::Argus => Box::new(Pair::new(
                ArgusReader::new(&self.name, self.input, &self.options),
                self.options.pairing(),
            )),
            Format::Suricata => Box::new(Pair::new(
                SuricataReader::new(&self.name, self.input, &self.options),
                self.options.pairing(),
            )),
            #[cfg(feature = "parquet")]
            Format::Parquet => match (&self.path, self.compression) {
                (Some(path), Compression::None) => {
                    Box::new(crate::ParquetFile::open(path)?.flows()?)
                }
                _ => return Err(self.refused(Fault::NeedsFile(Format::Parquet))),
            },
            #[cfg(feature = "netflow")]
            Format::Netflow => {
                let records = crate::ExportReader::new(&self.name, self.input)?;
                Box::new(Pair::new(records, self.options.pairing()))
            }
            other => return Err(self.refused(Fault::NotFlows(other))),
        };
        Ok(FlowReader {
            flows,
            policy: self.options.policy(),
            report,
            digest: self.digest,
            is_file: self.path.is_some(),
            ended: false,
        })
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
            (report.size, report.digest) = (self.size, digest);
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

    fn refused(&self, fault: Fault) -> ReadError {
        ReadError::new(Arc::clone(&self.name), Position::Source, fault)
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

type Flows = Box<dyn Reading + Send>;

/// The flows of a format.
trait Reading: Iterator<Item = Result<Flow, ReadError>> {
    /// Adds to the report what only this format knows.
    fn account(&self, _: &mut ReadReport) {}
}

impl<R: Read> Reading for CsvReader<R> {}

impl<R: Read> Reading for ZeekReader<R> {}

impl<R: Read> Reading for TstatReader<R> {}

impl<R: Read> Reading for Pair<NfdumpReader<R>> {
    fn account(&self, report: &mut ReadReport) {
        report.set_feed(self.feed().clone());
    }
}

impl<R: Read> Reading for Pair<ArgusReader<R>> {
    fn account(&self, report: &mut ReadReport) {
        report.set_feed(self.feed().clone());
    }
}

impl<R: Read> Reading for Pair<SuricataReader<R>> {
    fn account(&self, report: &mut ReadReport) {
        report.set_feed(self.feed().clone());
    }
}

#[cfg(feature = "parquet")]
impl Reading for crate::ParquetReader {}

#[cfg(feature = "netflow")]
impl Reading for Pair<crate::ExportReader> {
    fn account(&self, report: &mut ReadReport) {
        let exports = self.records().report();
        let mut feed = self.feed().clone();
        feed.stated_sampling = exports.sampled_one_in;
        report.set_feed(feed);
        report.exports = Some(exports);
    }
}

/// The flows of a source under a [`Policy`], with the account of what was read.
///
/// Rows that are not IP ([`Fault::NotIp`]) are counted, never yielded.
/// Under [`Policy::Stop`] the first error ends the iteration. Under [`Policy::Skip`] records that
/// cannot be read are counted in the report; only a fault of the source itself is yielded, last.
/// Either way the flows before the fault have been delivered.
pub struct FlowReader {
    flows: Flows,
    policy: Policy,
    report: ReadReport,
    digest: Digesting,
    is_file: bool,
    ended: bool,
}

impl FlowReader {
    /// What was read so far.
    pub const fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The final account.
    pub fn into_report(self) -> ReadReport {
        self.report
    }
}

impl Iterator for FlowReader {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.flows.next() {
                Some(Ok(flow)) => {
                    self.report.count_flow(&flow);
                    return Some(Ok(flow));
                }
                Some(Err(error)) => {
                    let stop = self.policy == Policy::Stop && !error.is_passed_over();
                    self.ended = error.is_fatal() || stop;
                    self.report.count_error(&error, self.ended);
                    if self.ended {
                        self.flows.account(&mut self.report);
                        // A stream may have no end.
                        if self.is_file {
                            self.report.digest = self.digest.finish();
                        }
                        return Some(Err(error));
                    }
                }
                None => {
                    self.ended = true;
                    self.flows.account(&mut self.report);
                    self.report.digest = self.digest.finish();
                }
            }
        }
        None
    }
}

impl fmt::Debug for FlowReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowReader")
            .field("policy", &self.policy)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// An input whose first bytes have been looked at. A fault met on the way is not lost: it comes
/// after the bytes before it.
struct Head {
    seen: Cursor<Vec<u8>>,
    fault: Option<io::Error>,
    rest: Input,
}

impl Head {
    /// Looks at up to `length` bytes; an error only if there is nothing before it.
    fn read(mut input: Input, length: usize) -> io::Result<Self> {
        let mut head = Vec::new();
        let fault = input
            .by_ref()
            .take(length as u64)
            .read_to_end(&mut head)
            .err();
        match fault {
            Some(error) if head.is_empty() => Err(error),
            fault => Ok(Self {
                seen: Cursor::new(head),
                fault,
                rest: input,
            }),
        }
    }

    fn head(&self) -> &[u8] {
        self.seen.get_ref()
    }
}

impl Read for Head {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.seen.read(buffer)? {
            0 => match self.fault.take() {
                Some(error) => Err(error),
                None => self.rest.read(buffer),
            },
            read => Ok(read),
        }
    }
}
