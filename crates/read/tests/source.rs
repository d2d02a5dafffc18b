//! Opening files: compression, detection, policies, the report.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::{Read, Write};
use std::path::PathBuf;

use peerscope_read::{
    Compression, Fault, FaultKind, Format, HEADER, Policy, ReadError, ReadOptions, Source,
};

const GOOD: &str = "1000000,2500000,udp,10.0.0.1,4672,192.0.2.1,4672,1,60,0,0,,,kad";

type Compress = fn(&[u8]) -> Vec<u8>;

struct Scratch {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn file(bytes: &[u8]) -> Scratch {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows");
    std::fs::write(&path, bytes).unwrap();
    Scratch { _dir: dir, path }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn text(rows: usize) -> String {
    let mut text = format!("{HEADER}\n");
    for row in 0..rows {
        text.push_str(&GOOD.replace("4672,1,", &format!("4672,{row},")));
        text.push('\n');
    }
    text
}

/// Flows read, and the error that ended the source.
fn drain(source: Source) -> (usize, Option<ReadError>) {
    let mut flows = 0;
    for flow in source.into_flows().unwrap() {
        match flow {
            Ok(_) => flows += 1,
            Err(error) => return (flows, Some(error)),
        }
    }
    (flows, None)
}

#[test]
fn compression_is_seen_by_content_and_may_have_several_members() {
    let (first, second) = (text(3), GOOD.to_owned() + "\n");
    let all: [(Compression, Compress); 4] = [
        (Compression::None, <[u8]>::to_vec),
        (Compression::Gzip, gzip),
        (Compression::Zstd, zstd),
        (Compression::Xz, xz),
    ];
    for (compression, compress) in all {
        let bytes = [compress(first.as_bytes()), compress(second.as_bytes())].concat();
        let scratch = file(&bytes);
        let source = Source::open(&scratch.path, &ReadOptions::new()).unwrap();
        assert_eq!(
            (source.compression(), source.format()),
            (compression, Format::Csv)
        );
        assert_eq!(source.size(), Some(bytes.len() as u64));
        let (flows, error) = drain(source);
        assert!(
            flows == 4 && error.is_none(),
            "{compression:?}: {flows} {error:?}"
        );
    }
}

#[test]
fn a_truncated_file_delivers_what_was_before() {
    // Random enough not to fit into the first block.
    let rows: String = (0..40_000_u64)
        .map(|i| {
            let noise = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            GOOD.replace("4672,1,", &format!("4672,{noise},")) + "\n"
        })
        .collect();
    let text = format!("{HEADER}\n{rows}");
    for bytes in [
        gzip(text.as_bytes()),
        zstd(text.as_bytes()),
        xz(text.as_bytes()),
    ] {
        for policy in [Policy::Stop, Policy::Skip] {
            let scratch = file(&bytes[..bytes.len() - bytes.len() / 4]);
            let options = ReadOptions::new().with_policy(policy);
            let mut reader = Source::open(&scratch.path, &options)
                .unwrap()
                .into_flows()
                .unwrap();
            let all: Vec<_> = reader.by_ref().collect();
            let (last, flows) = all.split_last().unwrap();
            assert!(last.as_ref().unwrap_err().is_fatal());
            assert!(
                flows.len() > 10_000 && flows.iter().all(Result::is_ok),
                "{}",
                flows.len()
            );
            let report = reader.report();
            assert_eq!(report.flows, flows.len() as u64);
            assert_eq!(report.skipped_records(), 0);
            assert!(report.ended_by.is_some());
        }
    }
}

#[test]
fn a_bomb_is_defused() {
    let line = GOOD.to_owned() + "\n";
    let mut bomb = format!("{HEADER}\n").into_bytes();
    while bomb.len() < 80 << 20 {
        bomb.extend(line.repeat(10_000).as_bytes());
    }
    let bytes = zstd(&bomb);
    assert!(bytes.len() < 1 << 20);
    let options = ReadOptions::new().with_max_expansion(3);
    let scratch = file(&bytes);
    let (flows, error) = drain(Source::open(&scratch.path, &options).unwrap());
    assert!(flows > 100_000);
    assert!(matches!(
        error.unwrap().fault,
        Fault::Expansion { limit: 3 }
    ));
    // With the default limit: 100 MiB from 100 kB, and where it ended.
    let lines = ("1".repeat(65_535) + "\n").repeat(1600);
    let bytes = gzip(format!("{HEADER}\n{line}{lines}").as_bytes());
    assert!(bytes.len() < 150_000, "{}", bytes.len());
    let scratch = file(&bytes);
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let mut reader = Source::open(&scratch.path, &options)
        .unwrap()
        .into_flows()
        .unwrap();
    assert!(reader.by_ref().last().unwrap().is_err());
    let report = reader.report();
    let message = report.ended_by.as_deref().unwrap();
    let line = report.records + 2;
    assert!(report.flows == 1 && (1000..1600).contains(&line), "{line}");
    let limit = "decompresses to more than 200 times its size, the limit";
    assert!(
        message.ends_with(&format!("flows:{line}: {limit}")),
        "{message}"
    );
    // xz: 100 streams of 1 MiB each.
    let lines = xz(("1".repeat(65_535) + "\n").repeat(16).as_bytes());
    let bytes = [xz(format!("{HEADER}\n").as_bytes()), lines.repeat(100)].concat();
    assert!(bytes.len() < 150_000, "{}", bytes.len());
    let scratch = file(&bytes);
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let (_, error) = drain(Source::open(&scratch.path, &options).unwrap());
    assert!(matches!(
        error.unwrap().fault,
        Fault::Expansion { limit: 200 }
    ));
    // One endless line.
    let scratch = file(&gzip(&vec![b'1'; 8 << 20]));
    let options = ReadOptions::new().with_format(Format::Csv);
    let (_, error) = drain(Source::open(&scratch.path, &options).unwrap());
    assert!(matches!(error.unwrap().fault, Fault::LineLength { .. }));
}

#[test]
fn skipped_records_are_counted_by_kind() {
    let bad = [
        GOOD.replace("2500000", "1"),
        GOOD.replace(",60,", ",-60,"),
        GOOD.replace(",kad", ""),
        GOOD.replace("kad", "\"kad"),
        GOOD.replace(",60,", ",,"),
    ];
    let text = format!(
        "{HEADER}\n{GOOD}\n{}\n{GOOD}\n{}\n",
        bad.join("\n"),
        bad.join("\n")
    );
    let scratch = file(text.as_bytes());
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let mut reader = Source::open(&scratch.path, &options)
        .unwrap()
        .into_flows()
        .unwrap();
    assert!(reader.by_ref().all(|flow| flow.is_ok()));
    let report = reader.into_report();
    assert_eq!(
        (report.records, report.flows, report.skipped_records()),
        (12, 2, 10)
    );
    for kind in [
        FaultKind::Order,
        FaultKind::Value,
        FaultKind::FieldCount,
        FaultKind::Syntax,
        FaultKind::Unset,
    ] {
        assert_eq!(report.skipped[&kind], 2, "{kind}");
    }
    assert_eq!(report.first_errors.len(), 5);
    assert!(report.first_errors[0].contains("flows:3: end 1 us is before start 1000000 us"));
    assert_eq!(report.ended_by, None);
    assert_eq!(report.first.unwrap().as_micros(), 1_000_000);
    assert_eq!(report.last.unwrap().as_micros(), 2_500_000);

    // The default stops at the first.
    let (flows, error) = drain(Source::open(&scratch.path, &ReadOptions::new()).unwrap());
    assert_eq!(flows, 1);
    assert!(!error.unwrap().is_fatal());
}

#[test]
fn what_is_no_source_of_flows_says_so() {
    let open = |bytes: &[u8]| {
        let scratch = file(bytes);
        Source::open(&scratch.path, &ReadOptions::new())
            .and_then(Source::into_flows)
            .unwrap_err()
    };
    assert!(matches!(open(b"").fault, Fault::Empty));
    assert!(matches!(open(&gzip(b"")).fault, Fault::Empty));
    assert!(matches!(open(b"hello\n").fault, Fault::UnknownFormat(_)));
    assert!(matches!(
        open(b"\xd4\xc3\xb2\xa1rest").fault,
        Fault::NotFlows(Format::Pcap)
    ));
    assert!(matches!(open(b"\x1f\x8b\x08\x00").fault, Fault::Io(_)));
    let text = format!("{HEADER}\n{GOOD}\n");
    assert!(matches!(
        open(&xz(&gzip(text.as_bytes()))).fault,
        Fault::CompressedTwice(Compression::Gzip)
    ));
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(matches!(open(&utf16).fault, Fault::Utf16));
    let folder = tempfile::tempdir().unwrap();
    let error = Source::open(folder.path(), &ReadOptions::new()).unwrap_err();
    assert!(error.to_string().contains("directory"), "{error}");
    let missing = Source::open("no/such/file.csv", &ReadOptions::new()).unwrap_err();
    assert!(
        missing.to_string().starts_with("no/such/file.csv: "),
        "{missing}"
    );
    #[cfg(feature = "parquet")]
    {
        assert!(matches!(open(b"PAR1PAR1").fault, Fault::Parquet(_)));
        assert!(matches!(
            open(&gzip(b"PAR1PAR1")).fault,
            Fault::NeedsFile(Format::Parquet)
        ));
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_and_a_pipe_without_content_say_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = file(format!("{HEADER}\n{GOOD}\n").as_bytes());
    std::fs::set_permissions(&scratch.path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&scratch.path).is_ok() {
        eprintln!("skipped: this user may read every file");
    } else {
        let error = Source::open(&scratch.path, &ReadOptions::new()).unwrap_err();
        assert!(error.to_string().contains("denied"), "{error}");
        assert!(error.to_string().contains("flows: "), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, "").unwrap()
    });
    let error = Source::open(&pipe, &ReadOptions::new()).unwrap_err();
    writer.join().unwrap();
    assert!(matches!(error.fault, Fault::Empty), "{error}");
    assert!(error.to_string().contains("pipe: "), "{error}");
}

/// A shorter file than it was when it was opened: what is there is read, and its size told.
#[test]
fn a_file_that_is_cut_while_it_is_read_is_read_to_its_end() {
    let scratch = file(text(40_000).as_bytes());
    let source = Source::open(&scratch.path, &ReadOptions::new()).unwrap();
    let length = text(20_000).len() as u64;
    let cut = std::fs::OpenOptions::new().write(true).open(&scratch.path);
    cut.unwrap().set_len(length).unwrap();
    let mut reader = source.into_flows().unwrap();
    assert_eq!(reader.by_ref().flatten().count(), 20_000);
    assert_eq!(reader.into_report().size, Some(length));
}

#[test]
fn a_capture_keeps_its_bytes() {
    let bytes = [b"\x0a\x0d\x0d\x0a".as_slice(), &vec![7; 200_000]].concat();
    let scratch = file(&gzip(&bytes));
    let source = Source::open(&scratch.path, &ReadOptions::new()).unwrap();
    assert_eq!(source.format(), Format::Pcap);
    let mut read = Vec::new();
    source.into_input().read_to_end(&mut read).unwrap();
    assert!(read == bytes);
}
