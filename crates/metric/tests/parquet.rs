//! The Parquet samples hold what the CSV ones do.
#![cfg(feature = "parquet")]

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use peerscope_flow::{
    Application, Endpoint, Family, Flow, Span, Timestamp, Topology, Transport, Volume,
};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_slot::{Aggregation, aggregate};

#[test]
fn every_cell_is_that_of_the_csv() {
    let family = Family::emule();
    let topology = Topology::new(["10.0.0.0/8".parse().unwrap()], []);
    let flows: Vec<Flow> = (0..40_000_u32)
        .map(|i| Flow {
            app: Some(Application::Kad),
            fwd: Volume::new(3, u64::from(100 + i % 7)),
            rev: Volume::new(u64::from(i % 3), u64::from(i % 3) * 40),
            ..Flow::new(
                Transport::Udp,
                Endpoint::new(
                    std::net::Ipv4Addr::from_bits(0x0a00_0000 + i % 20_000).into(),
                    4672,
                ),
                Endpoint::new([192, 0, 2, 7].into(), 4672),
                Span::at(Timestamp::from_secs(i64::from(i / 20_000) * 300)),
            )
        })
        .collect();
    let slots = aggregate(&flows, &Aggregation::new(family.clone(), topology));
    let table = SampleTable::new(&slots, &family, &MetricSet::paper());
    assert_eq!(table.len(), 40_000);
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
