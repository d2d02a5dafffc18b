//! What is written to files and read back gives the result that memory gives, bit for bit.

use std::fs::File;
use std::io;

use peerscope_flow::Timestamp;
use peerscope_slot::{HostSlot, SpillingAggregator, TransportSlot};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::common::{SLOT, batch, config, flow, whole};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn spilled_or_not_nothing_differs(
        flows in prop::collection::vec(flow(), 0..300),
        memory in prop::sample::select(vec![0_usize, 100, 2_000, 10_000_000]),
        size in 1_usize..100,
        threads in prop::sample::select(vec![1_usize, 2, 3, 8]),
    ) {
        let config = config();
        let expected = batch(&flows, &config);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (found, spilled) = pool.install(|| {
            let mut aggregator = SpillingAggregator::new(&config, memory, tempfile::tempfile);
            for batch in flows.chunks(size) {
                aggregator.add(batch);
            }
            let spilled = aggregator.spilled();
            (aggregator.finish().unwrap(), spilled)
        });
        prop_assert_eq!(whole(found.rows().collect(), &found), expected);
        if memory == 0 {
            prop_assert_eq!(spilled > 0, found.rows().any(|row| started(&row)));
        }
        prop_assert!(memory < 10_000_000 || spilled == 0);
    }
}

proptest! {
    #[test]
    fn scopes_told_on_the_way_are_those_of_each_flow(
        flows in prop::collection::vec(flow(), 0..200),
        ahead in 0_usize..3,
    ) {
        let from = Timestamp::from_micros(20 * SLOT);
        let config = config().with_from(from).with_max_slots_per_flow(10);
        let mut aggregator = SpillingAggregator::new(&config, 1_000, tempfile::tempfile);
        let part = &mut aggregator.parts_mut()[0];
        let mut scopes = vec![None; ahead];
        part.add_and_scope(&flows, &mut scopes);
        let expected: Vec<_> = flows.iter().map(|flow| config.scope(flow)).collect();
        prop_assert_eq!(&scopes[ahead..], expected);
        let found = aggregator.finish().unwrap();
        prop_assert_eq!(whole(found.rows().collect(), &found), batch(&flows, &config));
    }
}

fn started(row: &HostSlot) -> bool {
    let started = |slot: &TransportSlot| slot.inout.started + slot.outin.started > 0;
    started(&row.tcp) || started(&row.udp)
}

fn no_file() -> io::Result<File> {
    Err(io::Error::other("no space left"))
}

fn read_only() -> io::Result<File> {
    let file = tempfile::NamedTempFile::new()?;
    File::open(file.path())
}

#[test]
fn a_file_that_fails_is_an_error_not_a_wrong_number() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let flows = prop::collection::vec(flow(), 500);
    let flows = flows.new_tree(&mut runner).unwrap().current();
    let config = config();
    for (open, text) in [
        (no_file as fn() -> _, "no space left"),
        (read_only, "os error"),
    ] {
        let mut aggregator = SpillingAggregator::new(&config, 100, open);
        aggregator.add(&flows);
        let message = aggregator.finish().unwrap_err().to_string();
        assert!(
            message.contains(text) && message.starts_with("temporary file"),
            "{message}"
        );
        let mut aggregator = SpillingAggregator::new(&config, 1 << 30, open);
        aggregator.add(&flows);
        assert!(aggregator.finish().is_ok());
    }
}
