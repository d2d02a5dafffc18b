//! Files that are damaged, cut or no files at all, beside others.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use peerscope::flow::{Family, Flow, Topology};
use peerscope::meter::MeterConfig;
use peerscope::read::{HEADER, Policy, ReadOptions};
use peerscope::{FlowFiles, InputReport, Pipeline, SourceReport};

/// A capture of UDP packets, which says of each that it had so many bytes.
fn capture(packets: u32, original: u32) -> Vec<u8> {
    let mut capture = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    capture.resize(24, 0);
    // Raw IP.
    capture[20] = 101;
    for second in 0..packets {
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [192, 0, 2, 9], 64);
        let mut bytes = Vec::new();
        builder.udp(4672, 4672).write(&mut bytes, b"any").unwrap();
        let length = u32::try_from(bytes.len()).unwrap();
        for field in [second, 0, length, original] {
            capture.extend(field.to_le_bytes());
        }
        capture.extend(bytes);
    }
    capture
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn files(policy: Policy) -> FlowFiles {
    FlowFiles::new(ReadOptions::new().with_policy(policy), MeterConfig::new())
}

/// Everything there is in files that are read together.
fn together(paths: &[PathBuf]) -> (Vec<Flow>, InputReport) {
    let mut input = files(Policy::Skip);
    let mut flows = Vec::new();
    let mut sink = |batch: &[Flow]| flows.extend_from_slice(batch);
    input.read_all(paths, &mut sink).unwrap();
    let report = input.finish(sink);
    (flows, report)
}

#[test]
fn a_file_that_is_cut_at_its_beginning_ends_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let log = format!("{HEADER}\n1,1,udp,192.0.2.1,1,192.0.2.2,2,1,60,0,0,,,\n");
    let mut paths = vec![
        write(folder, "empty.pcap", ""),
        write(folder, "ok.pcap", capture(3, 31)),
        write(folder, "cut.pcap", &capture(0, 0)[..10]),
        write(folder, "log.csv", log),
    ];
    let mut expected = vec!["cut.pcap", "empty.pcap"];
    if cfg!(feature = "parquet") {
        paths.push(write(folder, "cut.parquet", b"PAR1 and no footer"));
        expected.insert(0, "cut.parquet");
    }
    let (flows, report) = together(&paths);
    assert_eq!(flows.len(), 2);
    assert_eq!(report.sources.len(), paths.len());
    assert!(
        report
            .sources
            .iter()
            .all(|source| source.digest().is_some())
    );
    let faults: Vec<&str> = report.faults().collect();
    assert_eq!(faults.len(), expected.len(), "{faults:?}");
    for (fault, name) in faults.iter().zip(expected) {
        assert!(fault.contains(name), "{faults:?}");
    }
    paths.reverse();
    assert_eq!(together(&paths), (flows, report));
    let pipeline = Pipeline::new(Family::any(), Topology::everything_monitored())
        .with_read(ReadOptions::new().with_policy(Policy::Skip));
    let mut session = pipeline.session();
    session.add_files(&paths).unwrap();
    assert_eq!(session.finish().unwrap().input.flows, 2);
    // Alone, or where the first fault is to end everything, they are refused.
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let refused = !["ok.pcap", "log.csv"].contains(&name);
        let read = files(Policy::Skip).read_all([path], |_| {});
        assert_eq!(read.is_err(), refused, "{name}");
        assert_eq!(
            files(Policy::Skip).read(path, |_| {}).is_err(),
            refused,
            "{name}"
        );
    }
    assert!(files(Policy::Stop).read_all(&paths, |_| {}).is_err());
    paths.push(folder.join("no such file"));
    assert!(files(Policy::Skip).read_all(&paths, |_| {}).is_err());
}

#[test]
fn a_capture_counts_what_the_meter_counts() {
    let folder = tempfile::tempdir().unwrap();
    for original in [0, 31, 1500] {
        let path = write(folder.path(), "capture", capture(5, original));
        let (_, report) = together(&[path]);
        let [SourceReport::Capture(capture)] = &report.sources[..] else {
            panic!("{report:?}");
        };
        assert_eq!(
            Some(capture.offered),
            report.meter.map(|meter| meter.offered)
        );
        assert_eq!(capture.offered.bytes, 5 * u64::from(original.max(31)));
    }
}

#[test]
fn ten_one_sided_files_are_judged_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let header = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n";
    let file = |file: u32| {
        let mut text = header.to_owned();
        for i in 1..=19 {
            let time = |second: u32| format!("2026-11-21 16:{:02}:{:02}", second / 60, second % 60);
            let second = file * 300 + i * 15;
            let (start, end) = (time(second), time(second + 1));
            let packets = 1 + i % 3;
            writeln!(
                text,
                "{start},{end},1.0,10.0.{file}.{i},192.0.2.{i},4672,4672,UDP,........,0,0,{packets},{},0,0",
                100 * packets
            )
            .unwrap();
        }
        write(folder.path(), &file.to_string(), text)
    };
    let paths: Vec<PathBuf> = (0..10).map(file).collect();
    let withheld = |paths: &[PathBuf]| {
        let pipeline = Pipeline::new(Family::any(), Topology::everything_monitored());
        let mut session = pipeline.session();
        session.add_files(paths).unwrap();
        session.finish().unwrap().withheld
    };
    assert!(withheld(&paths[..1]).is_empty());
    let all = withheld(&paths);
    assert_eq!(all.len(), 40);
    assert!(
        all.iter().all(|one| one.source == "10 sources together"),
        "{all:?}"
    );
}

#[cfg(unix)]
mod pipes {
    use super::*;
    use std::io::Write as _;
    use std::sync::mpsc;
    use std::time::Duration;

    /// A pipe that gives this, and does not end before the channel does.
    fn pipe(folder: &Path, content: Vec<u8>) -> (PathBuf, mpsc::Sender<()>) {
        let path = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let (end, ended) = mpsc::channel();
        std::thread::spawn({
            let path = path.clone();
            move || {
                let mut pipe = std::fs::File::options().write(true).open(path).unwrap();
                let _ = pipe.write_all(&content);
                let _ = ended.recv();
            }
        });
        (path, end)
    }

    #[test]
    fn a_fault_in_a_live_capture_is_not_waited_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut content = capture(3, 31);
        // A record that is longer than any, and what a reader looks ahead for.
        content.resize(content.len() + (1 << 20), 0xff);
        let (path, end) = pipe(folder.path(), content);
        let (done, result) = mpsc::channel();
        std::thread::spawn(move || done.send(together(&[path])).unwrap());
        let (flows, report) = result.recv_timeout(Duration::from_mins(1)).unwrap();
        drop(end);
        assert_eq!(flows.len(), 1);
        assert_eq!(report.faults().count(), 1);
        assert_eq!(report.sources[0].digest(), None);
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn parquet_from_a_pipe_is_refused_before_anything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let ok = write(folder.path(), "ok.pcap", capture(3, 31));
        let (path, end) = pipe(folder.path(), b"PAR1".repeat(1 << 15));
        let mut input = files(Policy::Skip);
        let error = input.read_all([&ok, &path], |_| unreachable!("nothing is read"));
        assert!(error.unwrap_err().to_string().contains("read by position"));
        drop(end);
        std::fs::remove_file(&path).unwrap();
        let (path, _end) = pipe(folder.path(), b"PAR1".repeat(1 << 15));
        assert!(files(Policy::Skip).read(&path, |_| {}).is_err());
    }
}
