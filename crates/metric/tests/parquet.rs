//! The Parquet samples hold what the CSV ones do.
#![cfg(feature = "parquet")]
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::net::IpAddr;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use peerscope_flow::{
    Application, Endpoint, Family, Flow, SlotLength, Span, Timestamp, Topology, Transport, Volume,
};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_slot::{Aggregation, HostSlot, aggregate};
use proptest::prelude::*;

/// Samples of hosts, each in one of two slots, with metrics of any value beside those of the paper.
fn table(hosts: u32, flows: u32, set: &MetricSet) -> SampleTable {
    let family = Family::emule();
    let topology = Topology::new(["10.0.0.0/8".parse().unwrap()], []);
    let flows: Vec<Flow> = (0..flows)
        .map(|i| Flow {
            app: Some(Application::Kad),
            fwd: Volume::new(3, u64::from(100 + i % 7)),
            rev: Volume::new(u64::from(i % 3), u64::from(i % 3) * 40),
            ..Flow::new(
                Transport::Udp,
                Endpoint::new(
                    std::net::Ipv4Addr::from_bits(0x0a00_0000 + i % hosts).into(),
                    4672,
                ),
                Endpoint::new([192, 0, 2, 7].into(), 4672),
                Span::at(Timestamp::from_secs(i64::from(i / hosts) * 300)),
            )
        })
        .collect();
    let slots = aggregate(&flows, &Aggregation::new(family.clone(), topology));
    SampleTable::new(&slots, &family, set)
}

#[test]
fn every_cell_is_that_of_the_csv() {
    let table = table(20_000, 40_000, &MetricSet::paper());
    assert_eq!(table.len(), 40_000);
    same_cells(&table);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Numbers of any size: their text reads back exactly, and Parquet holds the same.
    #[test]
    fn any_values_survive_both_files(bits in prop::collection::vec(prop::option::of(any::<u64>()), 1..40)) {
        let hosts = u32::try_from(bits.len()).unwrap();
        let values: Vec<Option<f64>> = bits.iter().map(|bits| bits.map(f64::from_bits)).collect();
        let given = values.clone();
        let value = move |slot: &HostSlot, _: SlotLength| match slot.host {
            IpAddr::V4(host) => given[(host.to_bits() & 0xff_ffff) as usize],
            IpAddr::V6(_) => None,
        };
        let set = MetricSet::paper().with("any", "", value).unwrap();
        let table = table(hosts, hosts, &set);
        same_cells(&table);
        let mut csv = Vec::new();
        table.write_csv(&mut csv).unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_slice());
        let any = reader.headers().unwrap().iter().position(|name| name == "any").unwrap();
        let read: Vec<Option<u64>> = reader
            .records()
            .map(|row| row.unwrap()[any].parse::<f64>().ok().map(f64::to_bits))
            .collect();
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite()).map(f64::to_bits);
        let expected: Vec<Option<u64>> = values.into_iter().map(finite).collect();
        prop_assert_eq!(read, expected);
    }
}

/// Parquet and CSV hold the same text in every cell.
fn same_cells(table: &SampleTable) {
    let mut csv = Vec::new();
    table.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let mut lines = csv.lines();
    let file = tempfile::NamedTempFile::new().unwrap();
    table.write_parquet(file.reopen().unwrap()).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.reopen().unwrap()).unwrap();
    let names: Vec<_> = reader
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names.join(","), lines.next().unwrap());
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let mut cells = vec![
                batch.column(0).as_string::<i32>().value(row).to_owned(),
                batch
                    .column(1)
                    .as_primitive::<Int64Type>()
                    .value(row)
                    .to_string(),
                batch.column(2).as_string::<i32>().value(row).to_owned(),
            ];
            for column in &batch.columns()[3..] {
                let values = column.as_primitive::<Float64Type>();
                cells.push(if values.is_null(row) {
                    String::new()
                } else {
                    values.value(row).to_string()
                });
            }
            assert_eq!(Some(cells.join(",").as_str()), lines.next());
        }
    }
    assert_eq!(lines.next(), None);
}
