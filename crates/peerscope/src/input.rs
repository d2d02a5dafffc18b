//! Files of any kind to flows: logs through `read`, captures through `meter`.

mod captures;
mod plan;
mod report;

use std::path::Path;

use peerscope_flow::{Flow, Timestamp};
use peerscope_meter::{CaptureError, Meter, MeterConfig};
use peerscope_read::{Format, InOrder, MergedLogs, ReadError, ReadOptions, ReadReport, Waiting};
use rayon::prelude::*;
use thiserror::Error;

use captures::Captures;
use plan::{Planned, plan};
pub use report::{CaptureReport, InputReport, PairedReport, RepeatReport, SourceReport};

/// Reads files into flows, and keeps an account of each.
///
/// Files that are read together ([`read_all`](Self::read_all)) are one source in order of time.
/// Files read one after the other share no more than the meter of captures: a flow that goes on in
/// the next capture stays one flow.
#[derive(Debug)]
pub struct FlowFiles {
    read: ReadOptions,
    meter_config: MeterConfig,
    meter: Option<Meter>,
    sources: Vec<SourceReport>,
    paired: Vec<PairedReport>,
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

/// Flows handed on at a time.
const BATCH: usize = 1 << 16;

impl FlowFiles {
    /// Reads logs and captures with these options.
    pub fn new(read: ReadOptions, meter: MeterConfig) -> Self {
        Self {
            read,
            meter_config: meter,
            meter: None,
            sources: Vec::new(),
            paired: Vec::new(),
        }
    }

    /// Reads a file of any known format and hands its flows to `sink` in batches; `-` is the
    /// standard input.
    ///
    /// Content that was read before, byte for byte, is not read again.
    ///
    /// A fault inside the file ends it; what was read before is handed on, and the fault stands in
    /// the report. Flows of a capture that are still live come with the next file or with
    /// [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, is empty or damaged from its beginning on, its format is not
    /// known, or it is Parquet from a pipe, which is read by position.
    pub fn read(
        &mut self,
        path: impl AsRef<Path>,
        sink: impl FnMut(&[Flow]),
    ) -> Result<&SourceReport, InputError> {
        let planned = plan::one(path.as_ref(), &self.read, &self.sources)?;
        self.read_planned(vec![planned], sink);
        Ok(&self.sources[self.sources.len() - 1])
    }

    /// Reads files of any known formats as one source, whatever the order they are named in.
    ///
    /// Flows come in order of their start as far as files and formats allow: packets of all captures
    /// are metered in order of time, records of all exporters' files are paired together, and all
    /// flows, with those of logs, are merged by start ([`MergedLogs`]). Ties go by the start of the
    /// files, then by their names. Files are open only while it is their turn, so no more of them
    /// than overlap in time. A folder of Tstat stands for its logs; a pipe is read once, from the
    /// beginning on.
    ///
    /// Otherwise as [`read`](Self::read): content that is there twice is read once, a fault ends no
    /// more than its file.
    ///
    /// # Errors
    ///
    /// If a file cannot be opened or its format is not known; nothing has been read then. Where bad
    /// records are skipped ([`Policy::Skip`](peerscope_read::Policy::Skip)), a file that is empty or
    /// damaged from its beginning on is none beside others: it stands in the report.
    pub fn read_all<P: AsRef<Path>>(
        &mut self,
        paths: impl IntoIterator<Item = P>,
        sink: impl FnMut(&[Flow]),
    ) -> Result<(), InputError> {
        let planned = plan(paths, &self.read, &self.sources)?;
        self.read_planned(planned, sink);
        Ok(())
    }

    /// Reads files like [`read_all`](Self::read_all), on the threads of the current rayon pool where
    /// their formats allow it: flows go to any of the sinks, in batches and in no particular order.
    ///
    /// # Errors
    ///
    /// As `read_all`.
    ///
    /// # Panics
    ///
    /// If there is no sink.
    pub(crate) fn read_all_shared<S: Send, P: AsRef<Path>>(
        &mut self,
        paths: impl IntoIterator<Item = P>,
        sinks: &mut [S],
        add: impl Fn(&mut S, &[Flow]) + Sync,
    ) -> Result<(), InputError> {
        let planned = plan(paths, &self.read, &self.sources)?;
        self.share_planned(planned, sinks, add);
        Ok(())
    }

    /// Reads a file like [`read`](Self::read), shared out like
    /// [`read_all_shared`](Self::read_all_shared).
    pub(crate) fn read_shared<S: Send>(
        &mut self,
        path: impl AsRef<Path>,
        sinks: &mut [S],
        add: impl Fn(&mut S, &[Flow]) + Sync,
    ) -> Result<&SourceReport, InputError> {
        let planned = plan::one(path.as_ref(), &self.read, &self.sources)?;
        self.share_planned(vec![planned], sinks, add);
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
            paired: self.paired,
        }
    }

    fn read_planned(&mut self, planned: Vec<Planned>, sink: impl FnMut(&[Flow])) {
        let reports = self.read_each(planned, sink);
        self.sources.extend(reports);
    }

    fn share_planned<S: Send>(
        &mut self,
        planned: Vec<Planned>,
        sinks: &mut [S],
        add: impl Fn(&mut S, &[Flow]) + Sync,
    ) {
        // Only packets and records need their order.
        let mut alone = Vec::new();
        let mut together = Vec::new();
        let mut is_alone = Vec::new();
        for planned in planned {
            let log = matches!(&planned, Planned::Read(log)
                if log.format() != Format::Pcap && !log.has_records());
            is_alone.push(log);
            match planned {
                Planned::Read(log) if is_alone.last() == Some(&true) => alone.push(log),
                other => together.push(other),
            }
        }
        let mut together = self
            .read_each(together, |flows| spread(flows, sinks, &add))
            .into_iter();
        let mut alone = alone.into_iter();
        for is_alone in is_alone {
            if !is_alone {
                self.sources.extend(together.next());
            } else if let Some(log) = alone.next() {
                let mut unread = log.unread();
                let report = share_log(log, sinks, &add).unwrap_or_else(|error| {
                    unread.ended_by = Some(error.to_string());
                    unread
                });
                self.sources.push(SourceReport::Log(Box::new(report)));
            }
        }
    }

    /// Reads what is to be read; the accounts in the order given.
    fn read_each(
        &mut self,
        planned: Vec<Planned>,
        mut sink: impl FnMut(&[Flow]),
    ) -> Vec<SourceReport> {
        let mut captures = Vec::new();
        let mut logs = Vec::new();
        let mut kinds = Vec::new();
        for planned in planned {
            kinds.push(match planned {
                Planned::Told(report) => Kind::Told(report),
                Planned::Read(source) if source.format() == Format::Pcap => {
                    captures.push(source);
                    Kind::Capture
                }
                Planned::Read(source) => {
                    logs.push(source);
                    Kind::Log
                }
            });
        }
        let mut streams = Vec::new();
        let paired = logs.iter().filter(|log| log.has_records()).count();
        let first = |sources: &[Waiting]| sources.iter().map(Waiting::start).min();
        if let Some(start) = first(&logs) {
            let merged = MergedLogs::new(logs);
            streams.push((start, Stream::Logs(Box::new(merged))));
        }
        if let Some(start) = first(&captures) {
            let config = &self.meter_config;
            let meter = self.meter.take();
            let meter = meter.unwrap_or_else(|| Meter::new(config.clone()));
            let captures = Captures::new(captures, meter);
            streams.push((start, Stream::Captures(Box::new(captures))));
        }
        let mut flows = InOrder::new(streams, start_of);
        // What ends a source stands in its report.
        batches(flows.by_ref().filter_map(|(_, flow)| flow.ok()), &mut sink);
        let mut logs = Vec::new().into_iter();
        let mut captures = Vec::new().into_iter();
        for stream in flows.into_sequences() {
            match stream {
                Stream::Logs(merged) => {
                    if paired > 1 {
                        self.paired.extend(merged.feed().map(|feed| PairedReport {
                            sources: paired,
                            feed: feed.clone(),
                        }));
                    }
                    logs = merged.into_reports().into_iter();
                }
                Stream::Captures(merged) => {
                    let (meter, reports) = merged.into_parts();
                    self.meter = Some(meter);
                    captures = reports.into_iter();
                }
            }
        }
        let report = |kind| match kind {
            Kind::Told(report) => Some(report),
            Kind::Capture => captures.next().map(SourceReport::Capture),
            Kind::Log => logs.next().map(Box::new).map(SourceReport::Log),
        };
        kinds.into_iter().filter_map(report).collect()
    }
}

enum Kind {
    Told(SourceReport),
    Capture,
    Log,
}

enum Stream {
    Logs(Box<MergedLogs>),
    Captures(Box<Captures>),
}

impl Iterator for Stream {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Logs(logs) => logs.next(),
            Self::Captures(captures) => captures.next(),
        }
    }
}

const fn start_of(flow: &Flow) -> Timestamp {
    flow.span.start()
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

/// Reads a log to the sinks, on several threads if its format allows it.
fn share_log<S: Send>(
    log: Waiting,
    sinks: &mut [S],
    add: impl Fn(&mut S, &[Flow]) + Sync,
) -> Result<ReadReport, ReadError> {
    let source = log.open()?;
    if source.is_shared_out() {
        return source.share_out(sinks, &add);
    }
    let mut reader = source.into_flows()?;
    // An error that ends the source stands in its report.
    batches(reader.by_ref().flatten(), &mut |flows: &[Flow]| {
        spread(flows, sinks, &add);
    });
    Ok(reader.into_report())
}

fn batches(flows: impl Iterator<Item = Flow>, sink: &mut impl FnMut(&[Flow])) {
    let mut batch = Vec::with_capacity(BATCH);
    for flow in flows {
        batch.push(flow);
        if batch.len() == BATCH {
            sink(&batch);
            batch.clear();
        }
    }
    sink(&batch);
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_read::{Digest, HEADER, Policy};
    use std::path::PathBuf;

    fn row(start: u32, port: u32) -> String {
        format!("{start}000000,{start}000000,udp,192.0.2.1,{port},192.0.2.2,2,1,60,0,0,,,\n")
    }

    /// A capture of UDP packets of some bytes: the seconds, the port of the sender.
    fn capture(packets: &[(u32, u16)]) -> Vec<u8> {
        let mut capture = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        capture.resize(24, 0);
        // Raw IP.
        capture[20] = 101;
        for &(second, port) in packets {
            let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [192, 0, 2, 9], 64);
            let mut bytes = Vec::new();
            builder
                .udp(port, 4672)
                .write(&mut bytes, b"any payload")
                .unwrap();
            let length = u32::try_from(bytes.len()).unwrap();
            for field in [second, 0, length, length] {
                capture.extend(field.to_le_bytes());
            }
            capture.extend(bytes);
        }
        capture
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        }
    }

    fn folder() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// Flows and report of the files read together.
    fn together(paths: &[PathBuf]) -> (Vec<Flow>, InputReport) {
        let mut files = FlowFiles::new(
            ReadOptions::new().with_policy(Policy::Skip),
            MeterConfig::new(),
        );
        let mut flows = Vec::new();
        files
            .read_all(paths, |batch| flows.extend_from_slice(batch))
            .unwrap();
        let report = files.finish(|batch| flows.extend_from_slice(batch));
        (flows, report)
    }

    #[test]
    fn files_of_every_kind_are_one_source_in_order_of_time() {
        let folder = folder();
        let csv = |rows: &[String]| format!("{HEADER}\nbad row\n{}", rows.concat());
        let nfdump = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n\
            1970-01-01 00:00:05,1970-01-01 00:00:06,1.0,10.0.0.1,10.0.0.2,5,53,UDP,........,0,0,2,100,3,9\n";
        let mut files = vec![
            folder.write("a", csv(&[row(9, 1), row(20, 2)])),
            folder.write("b", nfdump),
            folder.write("c", csv(&[row(2, 3), row(10, 4)])),
            folder.write("d", capture(&[(3, 7), (30, 8)])),
            folder.write("f", csv(&[row(2, 5), row(8, 6)])),
        ];
        let (flows, report) = together(&files);
        let name = |source: &SourceReport| source.name().chars().last();
        let names: String = report.sources.iter().filter_map(name).collect();
        assert_eq!(names, "cfdba");
        let ports: Vec<u16> = flows.iter().map(|flow| flow.src.port).collect();
        // The capture's flows are live to its end.
        assert_eq!(ports, [3, 5, 5, 6, 1, 4, 2, 7, 8]);
        for _ in 0..files.len() {
            files.rotate_left(1);
            assert_eq!(together(&files), (flows.clone(), report.clone()));
        }
        files.push(folder.write("e", "what is this"));
        let mut input = FlowFiles::new(ReadOptions::new(), MeterConfig::new());
        let error = input.read_all(&files, |_| unreachable!("nothing is read"));
        assert!(error.unwrap_err().to_string().contains("not recognised"));
    }

    #[test]
    fn captures_that_overlap_are_metered_in_order_of_time() {
        let folder = folder();
        let packets: Vec<(u32, u16)> = (0..400)
            .map(|i| (i * 7, 1 + u16::try_from(i % 5).unwrap()))
            .collect();
        let whole = folder.write("whole", capture(&packets));
        let (mut expected, one) = together(&[whole]);
        // Dealt out to three files, as by the queues of a network card.
        let dealt: Vec<PathBuf> = (0..3_usize)
            .map(|file| {
                let own: Vec<_> = packets
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| (i * i / 3) % 3 == file)
                    .map(|(_, &packet)| packet)
                    .collect();
                folder.write(&format!("dealt{file}"), capture(&own))
            })
            .collect();
        let (mut flows, report) = together(&dealt);
        expected.sort_by_key(Flow::key);
        flows.sort_by_key(Flow::key);
        assert_eq!(flows, expected);
        assert_eq!(flows.len(), 5);
        assert_eq!(report.meter, one.meter);
        let offered = |source: &SourceReport| match source {
            SourceReport::Capture(capture) => capture.offered.packets,
            _ => 0,
        };
        assert_eq!(report.sources.iter().map(offered).sum::<u64>(), 400);
        assert!(
            report
                .sources
                .iter()
                .all(|source| source.digest().is_some())
        );
    }

    /// A file that vanishes after the files were looked at ends nothing but itself.
    #[test]
    fn a_file_that_vanishes_is_told_and_the_others_are_read() {
        let folder = folder();
        let log = |second| format!("{HEADER}\n{}", row(second, 1));
        let paths = [
            folder.write("a.csv", log(1)),
            folder.write("b.csv", log(2)),
            folder.write("c.pcap", capture(&[(3, 7)])),
            folder.write("d.csv", log(4)),
        ];
        let read = ReadOptions::new();
        let mut reports = Vec::new();
        for shared in [false, true] {
            let mut files = FlowFiles::new(read.clone(), MeterConfig::new());
            let planned = plan(&paths, &read, &[]).unwrap();
            for gone in [1, 2] {
                std::fs::rename(&paths[gone], paths[gone].with_extension("gone")).unwrap();
            }
            let mut flows = 0;
            if shared {
                files.share_planned(planned, &mut [&mut flows], |sum, batch| {
                    **sum += batch.len();
                });
            } else {
                files.read_planned(planned, |batch| flows += batch.len());
            }
            assert_eq!(flows, 2);
            let report = files.finish(|_| {});
            let faults: Vec<String> = report.faults().map(str::to_owned).collect();
            assert_eq!(faults.len(), 2, "{faults:?}");
            assert!(faults[0].contains("b.csv"), "{faults:?}");
            assert!(faults[1].contains("c.pcap"), "{faults:?}");
            reports.push(report);
            for gone in [1, 2] {
                std::fs::rename(paths[gone].with_extension("gone"), &paths[gone]).unwrap();
            }
        }
        assert_eq!(reports[0], reports[1]);
    }

    /// A file that grows while it is read is read to the end it has then.
    #[test]
    fn a_file_that_grows_is_read_to_its_end_and_its_size_is_what_was_read() {
        use std::io::Write as _;
        let folder = folder();
        let small: String = (0..20_000).map(|i| row(i, 1)).collect();
        for (name, content) in [
            ("log", format!("{HEADER}\n{small}").into_bytes()),
            ("capture", capture(&vec![(1, 1); 20_000])),
        ] {
            let path = folder.write(name, &content);
            let more = match name {
                "log" => row(30_000, 2).into_bytes(),
                _ => capture(&[(2, 2)])[24..].to_vec(),
            };
            let read = ReadOptions::new();
            let mut files = FlowFiles::new(read.clone(), MeterConfig::new());
            let planned = plan([&path], &read, &[]).unwrap();
            let mut file = std::fs::OpenOptions::new()
                .append(true)
                .open(&path)
                .unwrap();
            file.write_all(&more).unwrap();
            let mut flows = Vec::new();
            files.read_planned(planned, |batch| flows.extend_from_slice(batch));
            let report = files.finish(|batch| flows.extend_from_slice(batch));
            assert!(flows.iter().any(|flow| flow.src.port == 2), "{name}");
            let source = &report.sources[0];
            assert_eq!(source.size(), Some((content.len() + more.len()) as u64));
            assert_eq!(source.digest(), Digest::of_file(&path).ok());
        }
    }

    #[test]
    fn content_that_is_there_twice_is_read_once() {
        let folder = folder();
        let log = format!("{HEADER}\n{}{}", row(1, 1), row(2, 2));
        let other = format!("{HEADER}\n{}{}", row(1, 1), row(2, 3));
        let files = [
            folder.write("b", &log),
            folder.write("a", &log),
            folder.write("c", &other),
            folder.write("d", capture(&[(1, 1)])),
            folder.write("e", capture(&[(1, 1)])),
        ];
        let (flows, report) = together(&files);
        assert_eq!(flows.len(), 5);
        let of = |source: &SourceReport| match source {
            SourceReport::Repeat(repeat) => repeat.of.chars().last(),
            _ => None,
        };
        let of: Vec<_> = report.sources.iter().map(of).collect();
        assert_eq!(of, [None, Some('a'), None, None, Some('d')]);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_from_its_beginning() {
        let folder = folder();
        let pipe = folder.0.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let text = format!("{HEADER}\n{}{}", row(5, 2), row(15, 4));
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::write(pipe, text).unwrap()
        });
        let file = folder.write("file", format!("{HEADER}\n{}{}", row(1, 1), row(10, 3)));
        let (flows, report) = together(&[file, pipe]);
        writer.join().unwrap();
        let ports: Vec<u16> = flows.iter().map(|flow| flow.src.port).collect();
        assert_eq!(ports, [1, 2, 3, 4]);
        assert!(
            report
                .sources
                .iter()
                .all(|source| source.digest().is_some())
        );
        assert_eq!(report.sources[0].size(), None);
    }

    #[test]
    fn a_folder_of_tstat_stands_for_its_logs() {
        let folder = folder();
        let run = folder.0.path().join("2009_01_01.out");
        std::fs::create_dir(&run).unwrap();
        let header = "#c_ip:1 c_port:2 c_first_abs:3 c_durat:4 c_bytes_all:5 c_pkts_all:6 c_type:9 \
            s_ip:10 s_port:11 s_first_abs:12 s_durat:13 s_bytes_all:14 s_pkts_all:15 s_type:18\n";
        let row = "10.0.0.1 1 1000.0 0.5 10 1 9 192.0.2.1 2 1000.1 0.2 10 1 9\n";
        std::fs::write(run.join("log_udp_complete"), format!("{header}{row}")).unwrap();
        let (flows, report) = together(&[run]);
        assert_eq!((flows.len(), report.sources.len()), (1, 1));
        let mut input = FlowFiles::new(ReadOptions::new(), MeterConfig::new());
        let error = input.read_all([folder.0.path()], |_| {}).map(drop);
        assert!(error.is_ok(), "a folder of runs");
        let empty = tempfile::tempdir().unwrap();
        let error = input.read_all([empty.path()], |_| {}).unwrap_err();
        assert!(error.to_string().contains("directory"), "{error}");
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
