//! Files of any kind to flows: logs through `read`, captures through `meter`.

use std::path::{Path, PathBuf};

use peerscope_flow::{Flow, Timestamp, Volume};
use peerscope_meter::{Capture, CaptureError, Meter, MeterConfig, MeterReport};
use peerscope_read::{Digest, Format, ReadError, ReadOptions, ReadReport, Source};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Reads files one after the other into flows, and keeps an account of each.
///
/// Captures share one meter, so a flow that goes on in the next file stays one flow; give them in
/// order of time ([`in_time_order`]).
#[derive(Debug)]
pub struct FlowFiles {
    read: ReadOptions,
    meter_config: MeterConfig,
    meter: Option<Meter>,
    sources: Vec<SourceReport>,
}

/// The account of everything read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputReport {
    /// Each source, in the order read.
    pub sources: Vec<SourceReport>,
    /// What the meter saw, if a source was a capture.
    pub meter: Option<MeterReport>,
}

impl InputReport {
    /// Why sources ended before their end, if any did.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter_map(|source| match source {
            SourceReport::Log(report) => report.ended_by.as_deref(),
            SourceReport::Capture(report) => report.ended_by.as_deref(),
            SourceReport::Repeat(_) => None,
        })
    }
}

/// The account of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum SourceReport {
    /// A file of flow records.
    Log(Box<ReadReport>),
    /// A file of packets.
    Capture(CaptureReport),
    /// The content of an earlier source again: not read.
    Repeat(RepeatReport),
}

impl SourceReport {
    /// The name of the source, usually a path.
    pub fn name(&self) -> &str {
        match self {
            Self::Log(report) => &report.name,
            Self::Capture(report) => &report.name,
            Self::Repeat(report) => &report.name,
        }
    }

    /// Size in bytes as stored; `None` for a stream.
    pub const fn size(&self) -> Option<u64> {
        match self {
            Self::Log(report) => report.size,
            Self::Capture(report) => report.size,
            Self::Repeat(report) => Some(report.size),
        }
    }

    /// The digest of the content as stored, if it could be read as a whole.
    pub const fn digest(&self) -> Option<Digest> {
        match self {
            Self::Log(report) => report.digest,
            Self::Capture(report) => report.digest,
            Self::Repeat(report) => Some(report.digest),
        }
    }
}

/// The account of a source whose content was read before, under whatever name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepeatReport {
    /// The name of the source, usually a path.
    pub name: String,
    /// Size in bytes as stored.
    pub size: u64,
    /// Digest of the content as stored.
    pub digest: Digest,
    /// The source that was read.
    pub of: String,
}

/// The account of one capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaptureReport {
    /// The name of the source, usually a path.
    pub name: String,
    /// Size in bytes as stored; `None` for a stream.
    pub size: Option<u64>,
    /// Digest of the whole content as stored; `None` if reading failed.
    pub digest: Option<Digest>,
    /// Packets, and their frame bytes on the wire.
    pub offered: Volume,
    /// The error that ended the capture before its end, if one did.
    pub ended_by: Option<String>,
}

/// Why a file gave no flows at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InputError {
    /// It cannot be opened or its format is not known.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is no valid capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// Files in order of time: by the start of their first record or packet.
///
/// A file of which that cannot be told comes first, so that reading says early what is wrong with
/// it; files that start together stay as they were given.
pub fn in_time_order(paths: Vec<PathBuf>, options: &ReadOptions) -> Vec<PathBuf> {
    let mut starts: Vec<(Option<Timestamp>, PathBuf)> = paths
        .into_iter()
        .map(|path| (first_start(&path, options), path))
        .collect();
    starts.sort_by_key(|&(start, _)| start);
    starts.into_iter().map(|(_, path)| path).collect()
}

fn first_start(path: &Path, options: &ReadOptions) -> Option<Timestamp> {
    let source = Source::open(path, options).ok()?;
    if source.format() != Format::Pcap {
        return source.first_start().ok()?;
    }
    let mut capture = Capture::from_reader(source.name().to_owned(), source.into_input()).ok()?;
    let packet = capture.next_packet().ok()??;
    Some(packet.time)
}

/// Flows handed on at a time.
const BATCH: usize = 1 << 16;
/// Packets metered between two looks for flows that have ended.
const PACKETS: u64 = 1 << 12;

impl FlowFiles {
    /// Reads logs and captures with these options.
    pub fn new(read: ReadOptions, meter: MeterConfig) -> Self {
        Self {
            read,
            meter_config: meter,
            meter: None,
            sources: Vec::new(),
        }
    }

    /// Reads a file of any known format and hands its flows to `sink` in batches.
    ///
    /// Content that was read before, byte for byte, is not read again.
    ///
    /// A fault inside the file ends it; what was read before is handed on, and the fault stands in
    /// the report. Flows of a capture that are still live come with the next file or with
    /// [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or its format is not known.
    pub fn read(
        &mut self,
        path: impl AsRef<Path>,
        mut sink: impl FnMut(&[Flow]),
    ) -> Result<&SourceReport, InputError> {
        let path = path.as_ref();
        let source = Source::open(path, &self.read)?;
        let report = if let Some(repeat) = self.repeat(path, &source) {
            SourceReport::Repeat(repeat)
        } else if source.format() == Format::Pcap {
            SourceReport::Capture(self.meter_capture(source, &mut sink)?)
        } else {
            SourceReport::Log(Box::new(read_log(source, &mut sink)?))
        };
        self.sources.push(report);
        Ok(&self.sources[self.sources.len() - 1])
    }

    /// Reads a file of any known format like [`read`](Self::read), on the threads of the current
    /// rayon pool where its format allows it: flows then go to any of the sinks, in batches and in
    /// no particular order.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or its format is not known.
    ///
    /// # Panics
    ///
    /// If there is no sink.
    pub(crate) fn read_shared<S: Send>(
        &mut self,
        path: impl AsRef<Path>,
        sinks: &mut [S],
        add: impl Fn(&mut S, &[Flow]) + Sync,
    ) -> Result<&SourceReport, InputError> {
        let source = Source::open(&path, &self.read)?;
        if !source.is_shared_out() {
            return self.read(path, |flows| spread(flows, sinks, &add));
        }
        let report = match self.repeat(path.as_ref(), &source) {
            Some(repeat) => SourceReport::Repeat(repeat),
            None => SourceReport::Log(Box::new(source.share_out(sinks, add)?)),
        };
        self.sources.push(report);
        Ok(&self.sources[self.sources.len() - 1])
    }

    /// Hands on the flows that were live in the last capture and closes the account.
    pub fn finish(self, mut sink: impl FnMut(&[Flow])) -> InputReport {
        let meter = self.meter.map(|meter| {
            let (flows, report) = meter.finish();
            sink(&flows);
            report
        });
        InputReport {
            sources: self.sources,
            meter,
        }
    }

    /// The earlier source with the same content. Only files of a size seen before are read for it.
    fn repeat(&self, path: &Path, source: &Source) -> Option<RepeatReport> {
        let size = source.size().filter(|&size| size > 0)?;
        let mut same = self
            .sources
            .iter()
            .filter(|earlier| earlier.size() == Some(size))
            .peekable();
        same.peek()?;
        // A file that cannot be read says so when it is read for its flows.
        let digest = Digest::of_file(path).ok()?;
        let earlier = same.find(|earlier| earlier.digest() == Some(digest))?;
        let of = match earlier {
            SourceReport::Repeat(repeat) => &repeat.of,
            other => other.name(),
        };
        Some(RepeatReport {
            name: source.name().to_owned(),
            size,
            digest,
            of: of.to_owned(),
        })
    }

    fn meter_capture(
        &mut self,
        source: Source,
        sink: &mut impl FnMut(&[Flow]),
    ) -> Result<CaptureReport, InputError> {
        let (name, size) = (source.name().to_owned(), source.size());
        let digesting = source.digesting();
        let mut capture = Capture::from_reader(name.clone(), source.into_input())?;
        let meter = self
            .meter
            .get_or_insert_with(|| Meter::new(self.meter_config.clone()));
        let before = meter.report().offered;
        let mut ended = Vec::new();
        let ended_by = loop {
            match capture.next_packet() {
                Ok(Some(packet)) => meter.push(&packet),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
            if meter.report().offered.packets.is_multiple_of(PACKETS) {
                ended.extend(meter.drain());
                if ended.len() >= BATCH {
                    sink(&ended);
                    ended.clear();
                }
            }
        };
        ended.extend(meter.drain());
        sink(&ended);
        let after = meter.report().offered;
        let offered = Volume::new(after.packets - before.packets, after.bytes - before.bytes);
        Ok(CaptureReport {
            name,
            size,
            digest: digesting.finish(),
            offered,
            ended_by,
        })
    }
}

/// Hands a part of a batch to each sink, on the threads of the current rayon pool.
pub(crate) fn spread<S: Send>(
    flows: &[Flow],
    sinks: &mut [S],
    add: impl Fn(&mut S, &[Flow]) + Sync,
) {
    let share = flows.len().div_ceil(sinks.len()).max(1);
    let parts = sinks.par_iter_mut().zip(flows.par_chunks(share));
    parts.for_each(|(sink, part)| add(sink, part));
}

fn read_log(source: Source, sink: &mut impl FnMut(&[Flow])) -> Result<ReadReport, ReadError> {
    let mut reader = source.into_flows()?;
    let mut batch = Vec::with_capacity(BATCH);
    // An error that ends the source stands in its report.
    for flow in reader.by_ref().flatten() {
        batch.push(flow);
        if batch.len() == BATCH {
            sink(&batch);
            batch.clear();
        }
    }
    sink(&batch);
    Ok(reader.into_report())
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_read::{HEADER, Policy};

    #[test]
    fn files_are_put_in_order_of_time() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let csv = |start: u32| {
            let row = format!("{start},{start},udp,192.0.2.1,1,192.0.2.2,2,1,60,0,0,,,");
            format!("{HEADER}\nbad row\n{row}\n").into_bytes()
        };
        let nfdump = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n\
            1970-01-01 00:00:05,1970-01-01 00:00:06,1.0,10.0.0.1,10.0.0.2,5,53,UDP,........,0,0,2,100,3,9\n";
        let mut capture = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        capture.resize(24, 0);
        // One empty packet, at 3 s.
        capture.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let files = vec![
            write("a", &csv(9_000_000)),
            write("b", nfdump.as_bytes()),
            write("c", &csv(2_000_000)),
            write("d", &capture),
            write("e", b"what is this"),
            write("f", &csv(2_000_000)),
        ];
        let ordered = in_time_order(files, &ReadOptions::new().with_policy(Policy::Skip));
        let names: Vec<_> = ordered
            .iter()
            .map(|path| path.file_name().unwrap())
            .collect();
        assert_eq!(names, ["e", "c", "f", "d", "b", "a"]);
    }

    #[test]
    fn the_same_content_counts_once_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let row = "0,1,udp,192.0.2.1,1,192.0.2.2,2,1,60,0,0,,,\n";
        let log = format!("{HEADER}\n{row}");
        let other = log.replace("192.0.2.1", "192.0.2.9");
        let broken = format!("{HEADER}\n{row}what is this");
        let mut capture = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        capture.resize(24, 0);
        let files = [
            ("a.csv", log.as_bytes()),
            ("b.csv", log.as_bytes()),
            ("same-size.csv", other.as_bytes()),
            ("c.csv", log.as_bytes()),
            ("broken.csv", broken.as_bytes()),
            ("broken-too.csv", broken.as_bytes()),
            ("a.pcap", &capture),
            ("b.pcap", &capture),
        ];
        let mut input = FlowFiles::new(ReadOptions::new(), MeterConfig::new());
        let mut flows = 0;
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            input.read(&path, |batch| flows += batch.len()).unwrap();
        }
        assert_eq!(flows, 3);
        let report = input.finish(|_| {});
        let repeats: Vec<_> = report
            .sources
            .iter()
            .map(|source| match source {
                SourceReport::Repeat(repeat) => {
                    assert!(repeat.digest == Digest::of_file(&repeat.of).unwrap());
                    1
                }
                _ => 0,
            })
            .collect();
        assert_eq!(repeats, [0, 1, 0, 1, 0, 1, 0, 1]);
    }
}
