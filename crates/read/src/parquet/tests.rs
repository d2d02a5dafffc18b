//! Pages read straight, held against Arrow's reader.

use proptest::prelude::*;

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, FixedSizeBinaryBuilder, StringBuilder, TimestampMicrosecondBuilder,
    UInt32Builder,
};
use arrow_array::{ArrayRef, Int16Array, Int64Array, RecordBatch, UInt8Array, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use tempfile::NamedTempFile;

use super::batches::{BATCH, Batches};
use super::reader::{ParquetFile, Way};
use crate::csv::COLUMNS;

/// How a file is written.
#[derive(Clone, Debug)]
struct Layout {
    version: WriterVersion,
    dictionary: bool,
    dictionary_bytes: usize,
    page_rows: usize,
    group_rows: usize,
    compressed: bool,
    /// Text, binary, a number, or 4 or 16 bytes.
    addresses: usize,
    nullable: bool,
}

fn layout() -> impl Strategy<Value = Layout> {
    let version = prop_oneof![
        Just(WriterVersion::PARQUET_1_0),
        Just(WriterVersion::PARQUET_2_0)
    ];
    (
        version,
        any::<bool>(),
        prop_oneof![Just(64_usize), Just(1 << 20)],
        prop_oneof![Just(7_usize), Just(100), Just(20_000)],
        prop_oneof![Just(50_usize), Just(3000), Just(1 << 20)],
        any::<bool>(),
        0..5_usize,
        any::<bool>(),
    )
        .prop_map(
            |(
                version,
                dictionary,
                dictionary_bytes,
                page_rows,
                group_rows,
                compressed,
                addresses,
                nullable,
            )| Layout {
                version,
                dictionary,
                dictionary_bytes,
                page_rows,
                group_rows,
                compressed,
                addresses,
                nullable,
            },
        )
}

/// A row from a few numbers: mostly one that can be read. Of 64 rows in a row `odd` has a fault.
fn columns(seeds: &[u32], odd: Option<usize>, layout: &Layout) -> Vec<ArrayRef> {
    let rows = seeds.len();
    let is_odd = |column: usize, row: usize| odd == Some(column) && row % 64 == 9;
    let gone = |column, row| layout.nullable && is_odd(column, row);
    let start = |row: usize| 1_000_000 + i64::try_from(row).unwrap();
    let tcp = |row: usize| seeds[row].is_multiple_of(5);
    let int64 = |column: usize, value: &dyn Fn(usize) -> i64| -> ArrayRef {
        let value = |row| match is_odd(column, row) {
            true if layout.nullable => None,
            true => Some(-1 - i64::from(seeds[row] % 3)),
            false => Some(value(row)),
        };
        Arc::new((0..rows).map(value).collect::<Int64Array>())
    };
    let text = |column: usize, value: &dyn Fn(usize) -> Option<&'static str>| -> ArrayRef {
        let mut builder = StringBuilder::new();
        for row in 0..rows {
            match is_odd(column, row) {
                true if layout.nullable => builder.append_null(),
                true => builder.append_value(" ?"),
                false => builder.append_option(value(row)),
            }
        }
        Arc::new(builder.finish())
    };
    let mut end = TimestampMicrosecondBuilder::new();
    for (row, seed) in seeds.iter().enumerate() {
        let lasts = i64::from(seed % 7) - i64::from(is_odd(1, row)) * 8;
        end.append_option((!gone(1, row)).then_some(start(row) + lasts));
    }
    let ports: UInt8Array = (0..rows)
        .map(|row| (!gone(4, row)).then_some(u8::try_from(seeds[row] % 200).unwrap()))
        .collect();
    let more_ports: Int16Array = (0..rows)
        .map(|row| (!gone(6, row)).then_some(i16::from(is_odd(6, row)) * -5 + 80))
        .collect();
    let bytes: UInt64Array = (0..rows)
        .map(|row| {
            let huge = u64::from(is_odd(8, row)) << (50 + seeds[row] % 12);
            (!gone(8, row)).then_some(huge + u64::from(seeds[row] % 1000))
        })
        .collect();
    let payload: Int64Array = (0..rows)
        .map(|row| {
            (!seeds[row].is_multiple_of(3))
                .then_some(i64::from(seeds[row] % 4) - i64::from(is_odd(12, row)) * 9)
        })
        .collect();
    vec![
        int64(0, &start),
        Arc::new(end.finish()),
        text(2, &|row| Some(if tcp(row) { "tcp" } else { "udp" })),
        addresses(seeds, |row| is_odd(3, row), layout),
        Arc::new(ports),
        addresses(seeds, |row| is_odd(5, row), layout),
        Arc::new(more_ports),
        int64(7, &|row| i64::from(seeds[row] % 3)),
        Arc::new(bytes),
        int64(9, &|_| 0),
        int64(10, &|row| 1 << (seeds[row] % 54)),
        text(11, &|row| tcp(row).then_some("failed")),
        Arc::new(payload),
        text(13, &|row| {
            [None, Some("kad"), Some(""), Some("own")][seeds[row] as usize % 4]
        }),
    ]
}

fn addresses(seeds: &[u32], is_odd: impl Fn(usize) -> bool, layout: &Layout) -> ArrayRef {
    let rows = 0..seeds.len();
    // Few enough to repeat, so that dictionaries are kept.
    let v4 = |row: usize| 0x0a00_0000 + seeds[row] % 300;
    let v6 = |row: usize| (u128::from(seeds[row] % 40) << 77 | 7).to_be_bytes();
    let mapped = |row: usize| (0xffff_0000_0000 | u128::from(v4(row))).to_be_bytes();
    match layout.addresses {
        0 => {
            let mut builder = StringBuilder::new();
            for row in rows {
                match (is_odd(row), layout.nullable) {
                    (true, true) => builder.append_null(),
                    (true, false) => builder.append_value(["", "10.0.0.256", "::g"][row / 64 % 3]),
                    _ if seeds[row] % 50 == 1 => {
                        builder.append_value(std::net::Ipv6Addr::from(v6(row)).to_string());
                    }
                    _ => builder.append_value(std::net::Ipv4Addr::from(v4(row)).to_string()),
                }
            }
            Arc::new(builder.finish())
        }
        1 => {
            let mut builder = BinaryBuilder::new();
            for row in rows {
                match (is_odd(row), layout.nullable) {
                    (true, true) => builder.append_null(),
                    (true, false) => builder.append_value(b"\xff\x00!"),
                    _ if seeds[row] % 3 == 1 => builder.append_value(v6(row)),
                    _ => builder.append_value(v4(row).to_be_bytes()),
                }
            }
            Arc::new(builder.finish())
        }
        2 => {
            let mut builder = UInt32Builder::new();
            for row in rows {
                builder.append_option((!is_odd(row) || !layout.nullable).then_some(v4(row)));
            }
            Arc::new(builder.finish())
        }
        width => {
            let mut builder = FixedSizeBinaryBuilder::new(if width == 3 { 4 } else { 16 });
            for row in rows {
                if is_odd(row) && layout.nullable {
                    builder.append_null();
                } else if width == 3 {
                    builder.append_value(v4(row).to_be_bytes()).unwrap();
                } else if seeds[row].is_multiple_of(2) {
                    builder.append_value(mapped(row)).unwrap();
                } else {
                    builder.append_value(v6(row)).unwrap();
                }
            }
            Arc::new(builder.finish())
        }
    }
}

fn write(columns: Vec<ArrayRef>, layout: &Layout) -> NamedTempFile {
    let fields = COLUMNS.into_iter().zip(columns);
    let nullable = layout.nullable;
    let fields = fields.map(|(name, array)| {
        let has_nulls = array.null_count() > 0;
        (name, array, nullable || has_nulls)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(fields).unwrap();
    let mut properties = WriterProperties::builder()
        .set_writer_version(layout.version)
        .set_dictionary_enabled(layout.dictionary)
        .set_dictionary_page_size_limit(layout.dictionary_bytes)
        .set_data_page_row_count_limit(layout.page_rows)
        .set_write_batch_size(layout.page_rows)
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_statistics_enabled(EnabledStatistics::None)
        // The default of version 2 is known to Arrow only.
        .set_encoding(Encoding::PLAIN);
    if layout.compressed {
        properties = properties.set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()));
    }
    let file = NamedTempFile::new().unwrap();
    let output = file.reopen().unwrap();
    let mut writer =
        ArrowWriter::try_new(output, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

/// What a way of reading gives.
#[derive(Debug, PartialEq)]
struct Rows {
    /// Every row as a flow or as the text of its error.
    rows: Vec<String>,
    /// The error that ended it.
    fault: Option<String>,
}

/// Row by row; batch by batch there are the same flows and the same errors, each in their order.
fn read(file: &ParquetFile, way: Way) -> Rows {
    let reader = || {
        file.reader(0..file.row_groups(), file.columns().unwrap(), way)
            .unwrap()
    };
    let mut batches = reader();
    assert_eq!(
        matches!(batches.batches(), Batches::Pages(_)),
        way == Way::Shortest
    );
    let (mut flows, mut errors) = (Vec::new(), Vec::new());
    while batches.next_batch(&mut flows, |error| errors.push(error.to_string())) {}
    let (mut others, mut faults) = (Vec::new(), Vec::new());
    let mut all = Rows {
        rows: Vec::new(),
        fault: None,
    };
    for row in reader() {
        assert_eq!(all.fault, None);
        match row {
            Ok(flow) => {
                all.rows.push(format!("{flow:?}"));
                others.push(flow);
            }
            Err(error) => {
                faults.push(error.to_string());
                if error.is_fatal() {
                    all.fault = Some(error.to_string());
                } else {
                    all.rows.push(error.to_string());
                }
            }
        }
    }
    assert_eq!((flows, errors), (others, faults));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pages_and_arrow_give_the_same_flows_and_faults(
        layout in layout(),
        seeds in prop::collection::vec(any::<u32>(), 1..150),
        times in prop_oneof![Just(1_usize), Just(2 * BATCH / 75)],
        odd in prop::option::of(0..COLUMNS.len()),
    ) {
        let seeds = seeds.repeat(times);
        let file = write(columns(&seeds, odd, &layout), &layout);
        let file = ParquetFile::open(file.path()).unwrap();
        let all = read(&file, Way::Shortest);
        prop_assert_eq!(all.rows.len(), seeds.len());
        prop_assert_eq!(all, read(&file, Way::Arrow));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Changed bytes, and pages whose end is gone: either way may see the damage first.
    #[test]
    fn damaged_pages_and_arrow_agree_up_to_the_damage(
        layout in layout(),
        seeds in prop::collection::vec(any::<u32>(), 1..150),
        // Of the ports' columns, narrower than what they are stored as, Arrow drops the upper bytes.
        column in (0..COLUMNS.len()).prop_filter("wide", |column| ![4, 6].contains(column)),
        place in any::<prop::sample::Index>(),
        damage in prop_oneof![Just(None), any::<u8>().prop_map(Some)],
    ) {
        let layout = Layout { compressed: false, ..layout };
        let stored = write(columns(&seeds, None, &layout), &layout);
        let mut bytes = std::fs::read(stored.path()).unwrap();
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&bytes::Bytes::from(bytes.clone()))
            .unwrap();
        let (start, length) = metadata.row_group(0).column(column).byte_range();
        let range = usize::try_from(start).unwrap()..usize::try_from(start + length).unwrap();
        let at = range.start + place.index(range.len());
        match damage {
            Some(byte) => bytes[at] = byte,
            None => bytes[at..range.end].fill(0),
        }
        std::fs::write(stored.path(), bytes).unwrap();
        let file = ParquetFile::open(stored.path()).unwrap();
        let [own, other] = [Way::Shortest, Way::Arrow].map(|way| read(&file, way));
        for (own, other) in own.rows.iter().zip(&other.rows) {
            prop_assert_eq!(own, other);
        }
        for rows in [own, other] {
            prop_assert!(rows.fault.is_some() || rows.rows.len() == seeds.len());
        }
    }
}

#[test]
fn a_dictionary_that_differs_in_one_byte_is_another() {
    let layout = Layout {
        version: WriterVersion::PARQUET_1_0,
        dictionary: true,
        dictionary_bytes: 1 << 20,
        page_rows: 20_000,
        group_rows: 50,
        compressed: false,
        addresses: 0,
        nullable: false,
    };
    let seeds: Vec<u32> = (0..50).map(|i| i * 50).collect();
    let stored = write(columns(&seeds.repeat(3), None, &layout), &layout);
    let rows = || read(&ParquetFile::open(stored.path()).unwrap(), Way::Shortest).rows;
    let same = rows();
    let mut bytes = std::fs::read(stored.path()).unwrap();
    let metadata = ParquetMetaDataReader::new()
        .parse_and_finish(&bytes::Bytes::from(bytes.clone()))
        .unwrap();
    let (start, _) = metadata.row_group(1).column(3).byte_range();
    let start = usize::try_from(start).unwrap();
    let text = bytes[start..].windows(3).position(|part| part == b"10.");
    bytes[start + text.unwrap()] = b'2';
    std::fs::write(stored.path(), bytes).unwrap();
    let changed = rows();
    let differ = |row: &usize| same[*row] != changed[*row];
    let differ: Vec<usize> = (0..same.len()).filter(differ).collect();
    assert!(!differ.is_empty() && differ.iter().all(|row| (50..100).contains(row)));
    let file = ParquetFile::open(stored.path()).unwrap();
    assert_eq!(changed, read(&file, Way::Arrow).rows);
}
