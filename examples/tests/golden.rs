//! Samples of edge cases against those of an independent reference in exact fractions.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use peerscope::prelude::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers/golden")
}

fn samples_of(case: &str, family: &str, slot: &str) -> String {
    let topology = std::fs::read_to_string(folder().join(format!("{case}.topology.json"))).unwrap();
    let topology: Topology = serde_json::from_str(&topology).unwrap();
    let family = Family::built_in()
        .into_iter()
        .find(|known| known.name() == family)
        .unwrap();
    let aggregation =
        Aggregation::new(family.clone(), topology.clone()).with_slot_length(slot.parse().unwrap());
    let pipeline = Pipeline::new(family, topology).with_aggregation(aggregation);
    let mut session = pipeline.session();
    session
        .add_file(folder().join(format!("{case}.flows.csv")))
        .unwrap();
    let analysis = session.finish().unwrap();
    assert!(analysis.input.records_skipped.is_empty(), "{case}");
    let mut csv = Vec::new();
    analysis.table.write_csv(&mut csv).unwrap();
    String::from_utf8(csv).unwrap()
}

/// Keys to the letter, numbers to 1e-9, relative or absolute.
fn assert_same(case: &str, ours: &str, reference: &str) {
    assert_eq!(
        ours.lines().count(),
        reference.lines().count(),
        "{case}: number of samples"
    );
    let header: Vec<&str> = reference.lines().next().unwrap().split(',').collect();
    for (line, (ours, reference)) in ours.lines().zip(reference.lines()).enumerate() {
        for (column, (a, b)) in ours.split(',').zip(reference.split(',')).enumerate() {
            let close = match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(x), Ok(y)) => (x - y).abs() <= 1e-9 * y.abs().max(1.0),
                _ => a == b,
            };
            assert!(
                close,
                "{case}, sample {line}, {}: {a}, reference {b}",
                header[column]
            );
        }
        assert_eq!(
            ours.split(',').count(),
            reference.split(',').count(),
            "{case}, sample {line}"
        );
    }
}

#[test]
fn samples_equal_the_reference() {
    let cases = std::fs::read_to_string(folder().join("cases.csv")).unwrap();
    let mut tried = 0;
    for case in cases.lines().skip(1) {
        let [name, family, slot] = case.split(',').collect::<Vec<_>>().try_into().unwrap();
        let reference = std::fs::read_to_string(folder().join(format!("{name}.samples.csv")));
        assert_same(name, &samples_of(name, family, slot), &reference.unwrap());
        tried += 1;
    }
    assert!(tried > 10, "only {tried} cases found");
}
