//! Many logs as one source: order, provenance, pairing across files.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Transport};
use peerscope_read::{
    CsvWriter, HEADER, InOrder, MergedLogs, Policy, ReadOptions, ReadReport, Sampling, Sidedness,
    Source, Waiting,
};
use proptest::prelude::*;

fn options() -> ReadOptions {
    ReadOptions::new().with_policy(Policy::Skip)
}

fn waiting(path: &Path) -> Waiting {
    let options = options();
    Waiting::new(Source::open(path, &options).unwrap()).unwrap()
}

fn merged(paths: &[PathBuf]) -> (Vec<Flow>, Vec<ReadReport>) {
    let logs = paths.iter().map(|path| waiting(path)).collect();
    let mut merged = MergedLogs::new(logs);
    let flows = merged.by_ref().flatten().collect();
    (flows, merged.into_reports())
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The flow of `file`'s row: ports tell where it came from.
fn flow(start: i64, file: usize, row: usize) -> Flow {
    let end = |port: usize| Endpoint::new([10, 0, 0, 1].into(), u16::try_from(port).unwrap());
    let span = Span::at(Timestamp::from_secs(start));
    let mut flow = Flow::new(Transport::Udp, end(file), end(row), span);
    flow.initiator = peerscope_flow::InitiatorEvidence::Exporter;
    flow
}

fn csv(flows: &[Flow]) -> String {
    let mut writer = CsvWriter::new(Vec::new()).unwrap();
    for flow in flows {
        writer.write(flow).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Sorted files: the concatenation, sorted by start and stable by file, then row.
    #[test]
    fn a_merge_is_the_sorted_concatenation(
        starts in prop::collection::vec(prop::collection::vec(0_i64..40, 1..12), 1..7),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<Vec<Flow>> = starts.into_iter().enumerate().map(|(file, mut starts)| {
            starts.sort_unstable();
            starts.iter().enumerate().map(|(row, &start)| flow(start, file, row)).collect()
        }).collect();
        let paths: Vec<_> = files.iter().enumerate()
            .map(|(i, flows)| write(folder.path(), &i.to_string(), &csv(flows)))
            .collect();
        let (flows, reports) = merged(&paths);
        let mut expected = files.concat();
        expected.sort_by_key(|flow| flow.span.start());
        prop_assert_eq!(flows, expected);
        for (report, file) in reports.iter().zip(&files) {
            prop_assert_eq!((report.records, report.flows), (file.len() as u64, file.len() as u64));
            prop_assert_eq!(report.first, Some(file[0].span.start()));
            prop_assert_eq!(report.last, Some(file[file.len() - 1].span.end()));
            prop_assert!(report.digest.is_some() && report.disordered == 0);
        }
    }

    /// Files in any order inside: nothing is lost, each keeps its own order, disorder is counted.
    #[test]
    fn disorder_inside_a_file_loses_nothing(
        starts in prop::collection::vec(prop::collection::vec(0_i64..40, 1..12), 1..5),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<Vec<Flow>> = starts.iter().enumerate().map(|(file, starts)| {
            starts.iter().enumerate().map(|(row, &start)| flow(start, file, row)).collect()
        }).collect();
        let paths: Vec<_> = files.iter().enumerate()
            .map(|(i, flows)| write(folder.path(), &i.to_string(), &csv(flows)))
            .collect();
        let (flows, reports) = merged(&paths);
        for (i, file) in files.iter().enumerate() {
            let own: Vec<_> = flows.iter().filter(|flow| usize::from(flow.src.port) == i).collect();
            prop_assert_eq!(own, file.iter().collect::<Vec<_>>());
            let steps_back = starts[i].windows(2).filter(|pair| pair[1] < pair[0]).count();
            prop_assert_eq!(reports[i].disordered, steps_back as u64);
        }
        prop_assert_eq!(flows.len(), starts.iter().map(Vec::len).sum::<usize>());
    }
}

/// A sequence that tells whether it is open.
struct Tracked<'a> {
    items: std::ops::Range<i64>,
    open: &'a std::cell::RefCell<BTreeMap<i64, bool>>,
    first: i64,
}

impl Iterator for Tracked<'_> {
    type Item = Result<i64, ()>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.items.next();
        self.open.borrow_mut().insert(self.first, item.is_some());
        item.map(Ok)
    }
}

#[test]
fn no_more_are_open_than_overlap() {
    let open = std::cell::RefCell::new(BTreeMap::new());
    // 0..10 and 5..15 overlap, 20..30 stands alone, ...
    let ranges = [0..10, 5..15, 20..30, 30..40, 35..36, 36..50];
    let sequences = ranges.map(|items| {
        let first = items.start;
        let open = &open;
        (Timestamp::from_secs(first), Tracked { items, open, first })
    });
    let mut most = 0;
    for (_, item) in InOrder::new(sequences, |&item| Timestamp::from_secs(item)) {
        let item = item.unwrap();
        let now: Vec<i64> = open
            .borrow()
            .iter()
            .filter(|(_, open)| **open)
            .map(|(&f, _)| f)
            .collect();
        assert!(now.iter().all(|&first| first <= item), "{item}: {now:?}");
        most = most.max(now.len());
    }
    assert_eq!(most, 2);
}

#[test]
fn an_error_ends_no_more_than_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |from: i64, bad: &str| {
        let flows: Vec<Flow> = (0..5).map(|row| flow(from + 2 * row, 1, 2)).collect();
        csv(&flows) + bad
    };
    let good = write(folder.path(), "good", &rows(0, ""));
    let skips = write(folder.path(), "skips", &rows(1, "what is this\n"));
    let cut = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, rows(4, "").as_bytes()).unwrap();
        let mut bytes = encoder.finish().unwrap();
        // The checksum is missing: all rows are there, and the fault after them.
        bytes.truncate(bytes.len() - 8);
        let path = folder.path().join("cut");
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let gone = write(folder.path(), "gone", &rows(6, ""));
    let paths = [good, skips, cut, gone.clone()];
    let logs: Vec<_> = paths.iter().map(|path| waiting(path)).collect();
    std::fs::remove_file(&gone).unwrap();
    let mut merged = MergedLogs::new(logs);
    let (flows, errors): (Vec<_>, Vec<_>) = merged.by_ref().partition(Result::is_ok);
    let starts: Vec<_> = flows
        .into_iter()
        .map(|flow| flow.unwrap().span.start())
        .collect();
    assert!(starts.is_sorted() && starts.len() == 15);
    assert_eq!(errors.len(), 2);
    let reports = merged.into_reports();
    let counts: Vec<_> = reports
        .iter()
        .map(|report| (report.flows, report.skipped_records()))
        .collect();
    assert_eq!(counts, [(5, 0), (5, 1), (5, 0), (0, 0)]);
    assert!(
        reports[1].first_errors[0].contains("skips:7: "),
        "{:?}",
        reports[1].first_errors
    );
    assert!(reports[2].ended_by.as_deref().unwrap().contains("cut"));
    assert!(reports[3].ended_by.as_deref().unwrap().contains("gone"));
}

#[test]
fn a_compressed_file_that_vanishes_was_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone.gz");
    let file = std::fs::File::create(&path).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, csv(&[flow(1, 1, 1)]).as_bytes()).unwrap();
    encoder.finish().unwrap();
    let [first, second] = [waiting(&path), waiting(&path)];
    std::fs::remove_file(&path).unwrap();
    // One is never asked for its flows.
    let never = MergedLogs::new(vec![first]).into_reports();
    let mut merged = MergedLogs::new(vec![second]);
    assert_eq!(merged.by_ref().flatten().count(), 0);
    let reports = [never, merged.into_reports()].concat();
    assert!(reports[0].ended_by.is_none() && reports[1].ended_by.is_some());
    for report in reports {
        assert_eq!(report.compression, peerscope_read::Compression::Gzip);
    }
}

const NFDUMP: &str = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n";

/// A record of nfdump at a second of an hour.
fn record(second: u32, from: &str, to: &str, flags: &str, packets: u32) -> String {
    let time = |second: u32| format!("2026-11-21 16:{:02}:{:02}.000", second / 60, second % 60);
    let (start, end) = (time(second), time(second + 1));
    format!(
        "{start},{end},1.0,{from},{to},TCP,{flags},0,0,{packets},{},0,0\n",
        packets * 100
    )
}

/// Connections of host 1..=n, its records and the answers'.
fn connections(n: u32) -> [Vec<String>; 2] {
    let mut sides = [Vec::new(), Vec::new()];
    for i in 1..=n {
        let (own, other) = (format!("10.0.0.{i}"), "192.0.2.1".to_owned());
        let (there, back) = (format!("{own},{other}"), format!("{other},{own}"));
        sides[0].push(record(10 * i, &there, "50000,4662", "...AP.SF", 5 + i % 7));
        sides[1].push(record(
            10 * i + 2,
            &back,
            "4662,50000",
            "...AP.SF",
            4 + i % 5,
        ));
    }
    sides
}

/// A log of rows, those of each list behind those of the one before.
fn nfdump(folder: &Path, name: &str, rows: &[&[String]]) -> PathBuf {
    write(folder, name, &format!("{NFDUMP}{}", rows.concat().concat()))
}

#[test]
fn directions_and_parts_in_different_files_are_paired() {
    let folder = tempfile::tempdir().unwrap();
    let [there, back] = connections(60);
    let one = nfdump(folder.path(), "one", &[&there, &back]);
    let (whole, reports) = merged(&[one]);
    assert_eq!(whole.len(), 60);
    assert_eq!(
        reports[0].feed.as_ref().unwrap().sidedness(),
        Sidedness::Both
    );
    // The first half of the time and the second one, of either direction.
    let mut files = Vec::new();
    for (name, side) in [("out", &there), ("in", &back)] {
        for (half, rows) in [&side[..30], &side[30..]].into_iter().enumerate() {
            files.push(nfdump(folder.path(), &format!("{name}{half}"), &[rows]));
        }
    }
    let (flows, reports) = merged(&files);
    assert_eq!(flows, whole);
    for report in &reports {
        assert_eq!(report.records, 30);
        let feed = report.feed.as_ref().unwrap();
        assert_eq!((feed.records, feed.flows, feed.two_sided), (30, 30, 30));
        assert!(feed.withheld().is_empty());
    }
    assert_eq!(reports.iter().map(|report| report.flows).sum::<u64>(), 60);
    // One direction alone is one-sided still.
    let (_, reports) = merged(&files[..2]);
    assert!(
        reports
            .iter()
            .all(|report| { report.feed.as_ref().unwrap().sidedness() == Sidedness::One })
    );
}

#[test]
fn a_sampled_feed_among_exact_ones_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let [there, back] = connections(60);
    let exact = nfdump(folder.path(), "exact", &[&there, &back]);
    // Counts scaled by 100, of another network, at the same times.
    let scaled: Vec<String> = (1..=60)
        .flat_map(|i| {
            let ends = (
                format!("10.1.0.{i},192.0.2.1"),
                format!("192.0.2.1,10.1.0.{i}"),
            );
            [
                record(10 * i, &ends.0, "50000,4662", "...AP.SF", 100 * (5 + i % 7)),
                record(10 * i, &ends.1, "4662,50000", "...AP.SF", 100 * (4 + i % 5)),
            ]
        })
        .collect();
    let sampled = nfdump(folder.path(), "sampled", &[&scaled]);
    let (flows, reports) = merged(&[exact, sampled]);
    assert_eq!(flows.len(), 120);
    let sampling: Vec<_> = reports
        .iter()
        .map(|report| report.feed.as_ref().unwrap().sampling())
        .collect();
    assert_eq!(sampling, [None, Some(Sampling::Scaled(100))]);
}

/// Two exporters on one path, whose clocks differ by 3 ms.
#[test]
fn packets_that_two_exporters_saw_are_told_and_volumes_withheld() {
    let folder = tempfile::tempdir().unwrap();
    let [there, back] = connections(60);
    let one = nfdump(folder.path(), "one", &[&there, &back]);
    let (alone, reports) = merged(std::slice::from_ref(&one));
    let feed = reports[0].feed.as_ref().unwrap();
    assert_eq!((feed.lasting, feed.repeated), (60, 0));
    assert!(feed.withheld().is_empty());
    let later = |rows: &[String]| -> Vec<String> {
        let rows = rows.iter().map(|row| row.replace(".000,", ".003,"));
        rows.collect()
    };
    for (seen, told) in [(60, true), (6, true), (5, false)] {
        let (there, back) = (later(&there[..seen]), later(&back[..seen]));
        let two = nfdump(folder.path(), "two", &[&there, &back]);
        let (flows, reports) = merged(&[one.clone(), two]);
        assert_eq!(flows.len(), 60);
        let keys = |flows: &[Flow]| flows.iter().map(Flow::key).collect::<Vec<_>>();
        assert_eq!(keys(&flows), keys(&alone));
        let doubled = flows.iter().zip(&alone);
        let doubled = doubled.filter(|(flow, alone)| flow.fwd.bytes == 2 * alone.fwd.bytes);
        assert_eq!(doubled.count(), seen);
        let feed = reports[0].feed.as_ref().unwrap();
        assert_eq!((feed.lasting, feed.repeated), (60, seen as u64));
        let withheld: Vec<_> = feed.withheld().iter().map(|held| held.metric).collect();
        let volumes = [
            "bps-rcvd-TCP",
            "bps-rcvd-UDP",
            "bps-sent-TCP",
            "bps-sent-UDP",
        ];
        assert_eq!(withheld, if told { &volumes[..] } else { &[] }, "{seen}");
        assert_eq!(feed.is_seen_twice(), told);
        if told {
            let reason = feed.withheld()[0].reason.to_string();
            assert!(
                reason.starts_with(&format!("{seen} of 60 flows")),
                "{reason}"
            );
        }
    }
}

/// What one exporter may send of one direction: parts that a timeout cut, and records of their own
/// for each type of service.
#[test]
fn parts_of_one_conversation_are_not_seen_twice() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (1..=60).flat_map(|i| {
        let ends = format!("10.0.0.{i},192.0.2.1");
        let part = |second, packets| record(second, &ends, "50000,4662", "...AP..", packets);
        [part(i, 5), part(i + 1, 5), part(i + 1, 6)]
    });
    let file = nfdump(folder.path(), "parts", &[&rows.collect::<Vec<_>>()]);
    let (flows, reports) = merged(&[file]);
    let feed = reports[0].feed.as_ref().unwrap();
    assert_eq!((flows.len(), feed.lasting, feed.repeated), (60, 60, 0));
}

#[test]
fn a_stream_takes_part() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [flow(0, 1, 1), flow(10, 1, 2)];
    let file = write(folder.path(), "file", &csv(&rows));
    let text = csv(&[flow(5, 2, 1), flow(15, 2, 2)]);
    let options = options();
    let stream = Source::from_reader("stream", std::io::Cursor::new(text), &options).unwrap();
    let stream = Waiting::new(stream).unwrap();
    assert_eq!(stream.start(), Timestamp::MIN);
    let merged = MergedLogs::new(vec![waiting(&file), stream]);
    let files: Vec<_> = merged.map(|flow| flow.unwrap().src.port).collect();
    assert_eq!(files, [1, 2, 1, 2]);
    let empty = write(folder.path(), "empty", &format!("{HEADER}\n"));
    let (flows, reports) = crate::merged(&[empty]);
    assert!(flows.is_empty() && reports[0].records == 0 && reports[0].digest.is_some());
}
