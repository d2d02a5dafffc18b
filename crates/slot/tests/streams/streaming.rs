//! The stream gives what the batch gives of the flows that were not late, bit for bit.

use std::collections::HashSet;

use peerscope_flow::{
    Application, Endpoint, Family, Flow, SlotIndex, SlotLength, Span, Timestamp, Topology,
    Transport, Watermark,
};
use peerscope_slot::{Aggregation, HostSlot, HostSlots, StreamingAggregator};
use proptest::prelude::*;

use super::common::{LONGEST, Result, SECOND, SLOT, batch, config, flow, whole};

/// Sends flows in batches, cut where it is told, and gives all that came out as one.
fn streamed(flows: &[Flow], config: &Aggregation, watermark: Watermark, cuts: &[usize]) -> Result {
    let mut stream = StreamingAggregator::new(config, watermark);
    let mut rows: Vec<HostSlot> = Vec::new();
    let mut rest = flows;
    for cut in cuts {
        let (batch, behind) = rest.split_at(*cut.min(&rest.len()));
        rows.extend(final_rows(&mut stream, batch).rows());
        rest = behind;
    }
    rows.extend(final_rows(&mut stream, rest).rows());
    let last = stream.finish();
    rows.extend(last.rows());
    let given: HashSet<_> = rows.iter().map(|row| (row.host, row.slot)).collect();
    assert_eq!(given.len(), rows.len(), "each host slot once");
    rows.sort_by_key(|row| (row.host, row.slot));
    whole(rows, &last)
}

/// Rows are only given of slots that are final, all of them, and the right edge is never among them.
fn final_rows(stream: &mut StreamingAggregator<'_>, batch: &[Flow]) -> HostSlots {
    let given = stream.push(batch);
    assert!(given.rows().map(|row| (row.host, row.slot)).is_sorted());
    for row in given.rows() {
        assert!(Some(row.slot) < stream.open_from());
        assert!(
            given
                .edge_slots()
                .is_some_and(|(first, last)| first <= row.slot && row.slot < last)
        );
    }
    given
}

/// In which order flows come that start up to `lateness` before one that came.
fn shuffle(flows: &mut [Flow], lateness: i64, jitter: &[i64]) {
    let mut number = 0;
    flows.sort_by_cached_key(|flow| {
        number += 1;
        flow.span.start().as_micros() + jitter[number % jitter.len()].rem_euclid(lateness + 1)
    });
}

fn micros(time: i64) -> u64 {
    time.unsigned_abs()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_order_within_the_lateness_nothing_differs_from_the_batch(
        mut flows in prop::collection::vec(flow(), 1..200),
        lateness in prop::sample::select(vec![0, 5 * SECOND, 3 * SLOT, 40 * SLOT]),
        jitter in prop::collection::vec(any::<i64>(), 1..200),
        cuts in prop::collection::vec(0_usize..40, 0..10),
        threads in prop::sample::select(vec![1_usize, 2, 3, 8]),
        jumps in any::<bool>(),
        copies in prop::sample::select(vec![1_usize, 20]),
    ) {
        // Enough for one batch to be shared out.
        flows = vec![flows; copies].concat();
        let config = config();
        let expected = batch(&flows, &config);
        shuffle(&mut flows, lateness, &jitter);
        let mut watermark = Watermark::new(micros(lateness));
        if jumps {
            watermark = watermark.with_max_jump(u64::MAX / 2);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| streamed(&flows, &config, watermark, &cuts));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn flows_that_come_at_their_ends_need_the_longest_flow_as_lateness(
        mut flows in prop::collection::vec(flow(), 1..200),
        cuts in prop::collection::vec(0_usize..40, 0..10),
    ) {
        let config = config();
        let expected = batch(&flows, &config);
        flows.sort_by_key(|flow| flow.span.end());
        let found = streamed(&flows, &config, Watermark::new(micros(LONGEST)), &cuts);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn what_is_late_is_counted_and_nothing_else_differs(
        mut flows in prop::collection::vec(flow(), 1..200),
        lateness in prop::sample::select(vec![0, 5 * SECOND, 3 * SLOT]),
        jitter in prop::collection::vec(any::<i64>(), 1..200),
        cuts in prop::collection::vec(0_usize..40, 0..10),
    ) {
        let config = config();
        shuffle(&mut flows, 10 * SLOT, &jitter);
        // The definition, flow by flow.
        let mut latest = i64::MIN;
        let late: Vec<bool> = flows.iter().map(|flow| {
            let start = flow.span.start().as_micros();
            latest = latest.max(start);
            start.div_euclid(SLOT) < (latest - lateness).div_euclid(SLOT)
        }).collect();
        let mut in_time = flows.clone();
        let mut is_late = late.iter();
        in_time.retain(|_| !is_late.next().unwrap());
        let expected = batch(&in_time, &config);
        let counted = late.iter().zip(&flows).filter(|(late, flow)| **late && config.enters(flow) != [false; 2]);
        let counted = counted.count() as u64;

        let found = streamed(&flows, &config, Watermark::new(micros(lateness)), &cuts);
        prop_assert_eq!(found.0, expected.0);
        prop_assert_eq!(found.3, expected.3);
        prop_assert_eq!(found.2.late, counted);
        prop_assert_eq!(found.1 - found.2.total(), expected.1 - expected.2.total());
        prop_assert_eq!(found.1, flows.len() as u64);
    }
}

fn network() -> Aggregation {
    let monitored = ["2001:db8::/32".parse().unwrap()];
    Aggregation::new(Family::emule(), Topology::new(monitored, []))
}

fn simple(start: i64, end: i64, host: u16) -> Flow {
    let at = Timestamp::from_secs;
    let v6 = [0x2001, 0xdb8, 0, 0, 0, 0, 1, host].into();
    Flow {
        app: Some(Application::Kad),
        ..Flow::new(
            Transport::Udp,
            Endpoint::new(v6, 4672),
            Endpoint::new([192, 0, 2, 1].into(), 4672),
            Span::new(at(start), at(end)).unwrap(),
        )
    }
}

#[test]
fn flows_without_end_and_hosts_that_never_come_back_do_not_fill_memory() {
    let config = network();
    let mut stream = StreamingAggregator::new(&config, Watermark::new(600_000_000));
    let threads = rayon::current_num_threads();
    let mut flows = Vec::new();
    for slot in 0..200_i64 {
        let host = |number: i64| u16::try_from((slot * 100 + number) % 60_000).unwrap();
        // A year long, each.
        let batch: Vec<Flow> = (0..100)
            .map(|number| {
                simple(
                    slot * 300,
                    slot * 300 + 25_000_000 * (number / 99),
                    host(number),
                )
            })
            .collect();
        stream.push(&batch);
        // The slots of the lateness, the latest one and 8 to come.
        assert!(stream.open_slots() <= (2 + 1 + 1 + 8) * threads);
        flows.extend(batch);
    }
    assert_eq!(stream.push(&[]).skipped().total(), 0);
    drop(stream);
    // What is carried is not lost.
    for flow in &mut flows {
        let start = flow.span.start();
        let end = flow
            .span
            .end()
            .min(start.saturating_add_micros(40 * 300 * SECOND));
        flow.span = Span::new(start, end).unwrap();
    }
    let expected = batch(&flows, &config);
    assert_eq!(
        streamed(&flows, &config, Watermark::new(0), &[50; 300]),
        expected
    );
}

#[test]
fn a_wrong_clock_is_held_and_counted_and_hurts_nobody() {
    let config = network();
    let watermark = Watermark::new(0).with_max_jump(3_600_000_000);
    let mut stream = StreamingAggregator::new(&config, watermark);
    let year = 366 * 86_400;
    let mut rows = 0;
    for second in 0..9000_i64 {
        let flows = [
            simple(second, second, 1),
            simple(second, second, 2),
            simple(year, year, 3),
        ];
        rows += stream.push(&flows).len();
    }
    // 30 slots, of which the last is open.
    assert_eq!(rows, 2 * 29);
    assert_eq!(
        stream.watermark().latest(),
        Some(Timestamp::from_secs(8999))
    );
    let given = stream.finish();
    assert_eq!(given.skipped().late, 0);
    assert_eq!(given.skipped().ahead, 3 * 2048);
    assert_eq!(given.flows(), 27_000);
    let wrong = SlotIndex(year / 300);
    assert_eq!(
        given.rows().last().map(|row| (row.slot, row.udp.live)),
        Some((wrong, 9000 - 3 * 2048))
    );
    // The same without a limit: everything after the first wrong record is late.
    let mut stream = StreamingAggregator::new(&config, Watermark::new(0));
    stream.push(&[simple(0, 0, 1), simple(year, year, 3), simple(1, 1, 1)]);
    assert_eq!(stream.finish().skipped().late, 1);
}

#[test]
fn a_clock_ahead_never_leads() {
    let config = network();
    let (hour, limit) = (3600, 3_600_000_000);
    let wrong = |second: i64| simple(second + 2 * hour, second + 2 * hour, 3);
    let mut flows = Vec::new();
    for second in 0..4 * hour {
        flows.push(simple(second, second, 1));
        if second % 10 == 0 {
            flows.push(wrong(second));
        }
    }
    let expected = batch(&flows, &config);
    let watermark = Watermark::new(60_000_000).with_max_jump(limit);
    for cuts in [&[][..], &[7; 2000]] {
        // Its flows enter when the others have come to their time, and none is late before.
        assert_eq!(streamed(&flows, &config, watermark, cuts), expected);
    }
}

#[test]
fn a_stream_of_few_flows_gives_all_of_them() {
    let config = network();
    let flows: Vec<Flow> = (0..1000)
        .map(|minute| simple(60 * minute, 60 * minute, 1))
        .collect();
    let watermark = Watermark::new(0).with_max_jump(3_600_000_000);
    let mut stream = StreamingAggregator::new(&config, watermark);
    let rows: usize = flows
        .iter()
        .map(|flow| stream.push(std::slice::from_ref(flow)).len())
        .sum();
    assert_eq!(rows, 1000 * 60 / 300 - 1);
    assert_eq!(stream.finish().skipped().total(), 0);
    assert_eq!(
        streamed(&flows, &config, watermark, &[1; 1000]),
        batch(&flows, &config)
    );
}

#[test]
fn traffic_that_comes_back_after_a_gap_is_not_lost() {
    let config = network();
    let watermark = Watermark::new(0).with_max_jump(3_600_000_000);
    for after in [1, 99, 100, 5000] {
        let morning = (0..after).map(|second| simple(50_000 + second, 50_000 + second, 2));
        let mut flows: Vec<Flow> = (0..300).map(|second| simple(second, 80_000, 1)).collect();
        flows.extend(morning);
        let found = streamed(&flows, &config, watermark, &[7; 40]);
        assert_eq!(found, batch(&flows, &config), "{after}");
    }
}

#[test]
fn the_ends_of_time_are_slots_like_others() {
    let micro = SlotLength::from_micros(1).unwrap();
    let config = config().with_slot_length(micro);
    let at = |time| Flow {
        app: Some(Application::Kad),
        ..Flow::new(
            Transport::Udp,
            Endpoint::new([10, 0, 0, 1].into(), 1),
            Endpoint::new([192, 0, 2, 1].into(), 1),
            Span::at(time),
        )
    };
    let times = [
        Timestamp::MIN,
        Timestamp::from_secs(0),
        Timestamp::MAX,
        Timestamp::MAX,
    ];
    let flows = times.map(at);
    let found = streamed(&flows, &config, Watermark::new(0), &[1, 1, 1]);
    assert_eq!(found, batch(&flows, &config));
    assert_eq!(found.0.len(), 3);
}
