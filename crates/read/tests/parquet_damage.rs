//! Damaged Parquet files: what is lost, and what is not.
#![cfg(feature = "parquet")]
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use peerscope_flow::Flow;
use peerscope_read::{Policy, ReadOptions, ReadReport, Source};
use tempfile::NamedTempFile;

/// Rows whose source is their number, as text or as a number, in row groups of this many rows.
fn file(rows: u32, group: usize, text: bool, dictionary: bool) -> Vec<u8> {
    let all = |value: i64| -> ArrayRef { Arc::new(Int64Array::from_value(value, rows as usize)) };
    let texts =
        |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; rows as usize])) };
    let addresses: ArrayRef = if text {
        let address = |row| std::net::Ipv4Addr::from(row).to_string();
        Arc::new(
            (0..rows)
                .map(|row| Some(address(row)))
                .collect::<StringArray>(),
        )
    } else {
        // Few, as in a monitored network: places of a few bits, not all of which have a value.
        Arc::new((0..rows).map(|row| row % 5).collect::<UInt32Array>())
    };
    let columns = [
        (
            "start_us",
            Arc::new((0..i64::from(rows)).collect::<Int64Array>()) as ArrayRef,
        ),
        ("end_us", all(1 << 40)),
        ("transport", texts("udp")),
        ("src_ip", addresses),
        ("src_port", all(1)),
        ("dst_ip", texts("192.0.2.1")),
        ("dst_port", all(2)),
        ("fwd_packets", all(1)),
        ("fwd_bytes", all(60)),
        ("rev_packets", all(0)),
        ("rev_bytes", all(0)),
        ("handshake", texts("")),
        ("rev_payload_bytes", all(0)),
        ("app", texts("kad")),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(dictionary)
        .set_max_row_group_row_count(Some(group))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn stored(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// One after the other, and shared out: the same flows and the same account.
fn read(bytes: &[u8]) -> (Vec<Flow>, ReadReport) {
    let file = stored(bytes);
    let source = || {
        let options = ReadOptions::new().with_policy(Policy::Skip);
        Source::open(file.path(), &options).unwrap()
    };
    let mut reader = source().into_flows().unwrap();
    let flows: Vec<Flow> = reader.by_ref().flatten().collect();
    let report = reader.into_report();
    let mut parts = [Vec::new(), Vec::new()];
    let shared = source()
        .share_out(&mut parts, |part: &mut Vec<Flow>, flows| {
            part.extend_from_slice(flows);
        })
        .unwrap();
    let mut others = parts.concat();
    others.sort_by_key(|flow| flow.span.start());
    assert_eq!(others, flows);
    assert_eq!(shared, report);
    assert_eq!(flows.len() as u64, report.flows);
    (flows, report)
}

/// Where the pages of a column lie in the first row group.
fn column(bytes: &[u8], name: &str) -> Range<usize> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    let group = reader.metadata().row_group(0);
    let mut columns = group.columns().iter();
    let column = columns.find(|column| column.column_path().string() == name);
    let (start, length) = column.unwrap().byte_range();
    let start = usize::try_from(start).unwrap();
    start..start + usize::try_from(length).unwrap()
}

#[test]
fn a_changed_byte_among_ipv4_addresses_is_an_error_and_never_a_panic() {
    let whole = file(300, 300, false, true);
    let (flows, _) = read(&whole);
    assert_eq!(flows.len(), 300);
    for place in column(&whole, "src_ip") {
        for change in [0xff, 1] {
            let mut bytes = whole.clone();
            bytes[place] ^= change;
            let (kept, report) = read(&bytes);
            assert!(kept.len() == 300 || report.ended_by.is_some(), "{report:?}");
            // Nothing else is changed.
            let rest = |flow: &Flow| (flow.span, flow.dst, flow.app.clone());
            assert!(
                kept.iter()
                    .map(rest)
                    .eq(flows.iter().take(kept.len()).map(rest))
            );
        }
    }
}

#[test]
fn rows_before_a_fault_are_kept_and_so_are_the_row_groups_behind_it() {
    let whole = file(12_000, 5000, true, false);
    let (flows, _) = read(&whole);
    for row in [0_u32, 1, 2047, 2048, 2049, 4095, 4999, 6000, 11_999] {
        let text = std::net::Ipv4Addr::from(row).to_string();
        // As it stands in a page: its length, and the text.
        let mut item = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
        item.extend(text.bytes());
        let place = whole.windows(item.len()).position(|part| part == item);
        let mut bytes = whole.clone();
        bytes[place.unwrap() + 3] = 0x7f;
        let (kept, report) = read(&bytes);
        let row = row as usize;
        let group_end = ((row / 5000 + 1) * 5000).min(12_000);
        let expected = [&flows[..row], &flows[group_end..]].concat();
        assert!(kept == expected, "{row}: {} rows", kept.len());
        let fault = report.ended_by.unwrap();
        assert!(fault.contains(&format!("record {}:", row + 1)), "{fault}");
    }
}

#[test]
fn all_refused_values_are_counted_however_many_there_are() {
    let bytes = file(3000, 3000, true, true);
    // "0.0.x.y" is an address, ".0.x.y" is none.
    let mut damaged = bytes.clone();
    for place in column(&bytes, "src_ip") {
        if damaged[place..].starts_with(b"0.0.") {
            damaged[place] = b'.';
        }
    }
    let (flows, report) = read(&damaged);
    assert!(flows.is_empty());
    let counts: Vec<u64> = report.skipped.into_values().collect();
    assert_eq!(counts, [3000]);
    assert!(
        report.first_errors[0].contains("0.0\" is not an IP address"),
        "{:?}",
        report.first_errors
    );
}
