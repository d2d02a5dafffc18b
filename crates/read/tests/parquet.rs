//! The canonical Parquet file: round trips, foreign layouts, damage.
#![cfg(feature = "parquet")]
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, Int32Builder, Int64Builder, StringBuilder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use peerscope_flow::Flow;
use peerscope_read::{
    CsvReader, Digest, Fault, HEADER, ParquetFile, ParquetOptions, ParquetWriter, Policy,
    ReadError, ReadOptions, ReadReport, Source,
};
use proptest::prelude::*;
use tempfile::NamedTempFile;

fn write(flows: &[Flow], options: &ParquetOptions) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let mut writer = ParquetWriter::new(file.reopen().unwrap(), options).unwrap();
    for flow in flows {
        writer.write(flow).unwrap();
    }
    writer.finish().unwrap();
    file
}

fn read(file: &NamedTempFile) -> Result<Vec<Flow>, ReadError> {
    ParquetFile::open(file.path())?.flows()?.collect()
}

/// Everything a file has to give, by start time, through so many sinks; and the account.
fn shared_out(file: &NamedTempFile, sinks: usize) -> Result<(Vec<Flow>, ReadReport), ReadError> {
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let mut parts = vec![Vec::new(); sinks];
    let report = Source::open(file.path(), &options)?.share_out(
        &mut parts,
        |part: &mut Vec<Flow>, flows| {
            part.extend_from_slice(flows);
        },
    )?;
    let mut flows = parts.concat();
    flows.sort_by_key(|flow| flow.span.start());
    Ok((flows, report))
}

/// A file with the given columns, made by the Parquet library alone.
fn foreign(columns: Vec<(&str, ArrayRef)>, dictionary: bool) -> NamedTempFile {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let file = NamedTempFile::new().unwrap();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_dictionary_enabled(dictionary)
        .set_writer_version(parquet::file::properties::WriterVersion::PARQUET_2_0)
        .build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(
        file.reopen().unwrap(),
        batch.schema(),
        Some(properties),
    )
    .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

fn int64(values: &[i64]) -> ArrayRef {
    let mut builder = Int64Builder::new();
    builder.append_slice(values);
    Arc::new(builder.finish())
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    let mut builder = StringBuilder::new();
    for value in values {
        builder.append_option(*value);
    }
    Arc::new(builder.finish())
}

/// Two flows, in another order of columns and with one more.
fn columns() -> Vec<(&'static str, ArrayRef)> {
    let mut ports = Int32Builder::new();
    ports.append_slice(&[4672, 80]);
    let mut v4 = UInt32Builder::new();
    v4.append_slice(&[0x0a00_0001, 0x0a00_0002]);
    let mut v6 = FixedSizeBinaryBuilder::new(16);
    v6.append_value(std::net::Ipv6Addr::LOCALHOST.octets())
        .unwrap();
    let mapped: std::net::Ipv6Addr = "::ffff:192.0.2.1".parse().unwrap();
    v6.append_value(mapped.octets()).unwrap();
    let mut payload = UInt64Builder::new();
    payload.append_option(None);
    payload.append_option(Some(7));
    vec![
        ("note", text(&[Some("x"), None])),
        ("app", text(&[Some("kad"), None])),
        ("rev_payload_bytes", Arc::new(payload.finish())),
        ("handshake", text(&[None, Some("complete")])),
        ("start_us", int64(&[5, 6])),
        ("end_us", int64(&[5, 9])),
        ("transport", text(&[Some("udp"), Some("tcp")])),
        ("src_ip", Arc::new(v4.finish())),
        ("dst_ip", Arc::new(v6.finish())),
        ("src_port", Arc::new(ports.finish())),
        ("dst_port", int64(&[1, 2])),
        ("fwd_packets", int64(&[1, 2])),
        ("fwd_bytes", int64(&[60, 120])),
        ("rev_packets", int64(&[0, 2])),
        ("rev_bytes", int64(&[0, 120])),
    ]
}

fn with(name: &str, array: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    let mut columns = columns();
    columns
        .iter_mut()
        .find(|column| column.0 == name)
        .unwrap()
        .1 = array;
    columns
}

#[test]
fn foreign_layouts_are_read() {
    for dictionary in [true, false] {
        let flows = read(&foreign(columns(), dictionary)).unwrap();
        let text = String::from_utf8(common::csv(&flows)).unwrap();
        assert_eq!(
            text,
            format!(
                "{HEADER}\n5,5,udp,10.0.0.1,4672,::1,1,1,60,0,0,,,kad\n\
                 6,9,tcp,10.0.0.2,80,192.0.2.1,2,2,120,2,120,complete,7,\n"
            )
        );
    }
}

#[test]
fn bad_rows_are_named_and_passed() {
    for (name, array, expected) in [
        (
            "end_us",
            int64(&[4, 9]),
            "record 1: end 4 us is before start 5 us",
        ),
        (
            "start_us",
            int64(&[-5, 6]),
            "record 1: column \"start_us\": \"-5\" is negative",
        ),
        (
            "fwd_bytes",
            int64(&[1 << 54, 1]),
            "\"18014398509481984\" is above 2^53",
        ),
        (
            "dst_port",
            int64(&[65_536, 1]),
            "column \"dst_port\": \"65536\" is not a port",
        ),
        (
            "src_ip",
            text(&[Some("10.0.0"), Some("::1")]),
            "\"10.0.0\" is not an IP address",
        ),
        (
            "src_ip",
            text(&[None, Some("::1")]),
            "column \"src_ip\" has no value",
        ),
        (
            "transport",
            text(&[None, Some("tcp")]),
            "column \"transport\" has no value",
        ),
        (
            "handshake",
            text(&[Some("maybe"), None]),
            "\"maybe\" is not complete",
        ),
        (
            "app",
            text(&[Some(" "), None]),
            "column \"app\": \" \" is not a label",
        ),
    ] {
        let file = foreign(with(name, array), true);
        let options = ReadOptions::new().with_policy(Policy::Skip);
        let mut reader = Source::open(file.path(), &options)
            .unwrap()
            .into_flows()
            .unwrap();
        assert_eq!(reader.by_ref().flatten().count(), 1, "{name}");
        let report = reader.into_report();
        let message = &report.first_errors[0];
        assert!(message.contains(expected), "{message}");
        assert_eq!((report.records, report.skipped_records()), (2, 1));
        assert_eq!(shared_out(&file, 2).unwrap().1, report);
    }
}

#[test]
fn layouts_that_cannot_hold_flows_are_refused() {
    let mut without = columns();
    without.retain(|column| column.0 != "app");
    let error = read(&foreign(without, true)).unwrap_err();
    assert!(
        matches!(error.fault, Fault::MissingColumn("app")),
        "{error}"
    );
    let floats: ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![1.0, f64::NAN]));
    let error = read(&foreign(with("fwd_bytes", floats), true)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("column \"fwd_bytes\" has type Float64"),
        "{error}"
    );
}

#[test]
fn row_groups_are_read_apart() {
    let text = (0..10_000_u32).map(|i| {
        format!(
            "{i},{i},udp,10.0.{}.{},1,192.0.2.1,2,1,60,0,0,,,kad\n",
            i / 256,
            i % 256
        )
    });
    let text = format!("{HEADER}\n{}", text.collect::<String>());
    let flows: Vec<Flow> = CsvReader::new("f", text.as_bytes(), &ReadOptions::new())
        .collect::<Result<_, _>>()
        .unwrap();
    let file = write(&flows, &ParquetOptions::new().with_row_group(3000));
    let parquet = ParquetFile::open(file.path()).unwrap();
    assert_eq!(parquet.row_groups(), 4);
    assert_eq!(parquet.rows(1..4), 7000);
    let parts: Vec<Flow> = (0..4)
        .rev()
        .map(|group| parquet.flows_of(group..group + 1).unwrap())
        .map(|part| part.collect::<Result<Vec<_>, _>>().unwrap())
        .rev()
        .flatten()
        .collect();
    assert_eq!(parts, flows);
    assert_eq!(read(&file).unwrap(), flows);
    for sinks in [1, 3, 9] {
        let (shared, report) = shared_out(&file, sinks).unwrap();
        assert!(shared == flows, "{sinks} sinks");
        assert_eq!((report.flows, report.records), (10_000, 10_000));
        assert_eq!(
            report.last,
            Some(peerscope_flow::Timestamp::from_micros(9_999))
        );
        assert_eq!(report.digest, Some(Digest::of_file(file.path()).unwrap()));
    }
}

#[test]
fn an_empty_file_has_no_flows() {
    assert!(
        read(&write(&[], &ParquetOptions::new()))
            .unwrap()
            .is_empty()
    );
}

proptest! {
    #[test]
    fn csv_to_parquet_to_csv_is_byte_for_byte(
        flows in prop::collection::vec(common::flow(), 0..60),
        row_group in 1..40_usize,
    ) {
        let text = common::csv(&flows);
        let first: Vec<Flow> = CsvReader::new("f", &text[..], &ReadOptions::new())
            .collect::<Result<_, _>>()
            .unwrap();
        let file = write(&first, &ParquetOptions::new().with_row_group(row_group));
        prop_assert_eq!(common::csv(&read(&file).unwrap()), text);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic(
        flows in prop::collection::vec(common::flow(), 1..40),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let file = write(&flows, &ParquetOptions::new().with_row_group(16));
        let mut bytes = std::fs::read(file.path()).unwrap();
        for (place, byte) in hits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut damaged = NamedTempFile::new().unwrap();
        damaged.write_all(&bytes).unwrap();
        let _ = read(&damaged);
        if let Ok((flows, report)) = shared_out(&damaged, 1) {
            prop_assert_eq!(flows.len() as u64, report.flows);
            let (again, same) = shared_out(&damaged, 3).unwrap();
            prop_assert_eq!(report, same);
            prop_assert_eq!(flows.len(), again.len());
        }
    }
}
