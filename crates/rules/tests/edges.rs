//! Inputs at the edge, sampled buckets, books and streams.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is a failed test"
)]

mod common;

use common::{activity, flow};
use peerscope_flow::{Flow, SlotLength, Span, Timestamp};
use peerscope_rules::{Miner, Parameters, Rule, RuleBook, StreamMiner, Template};

#[test]
fn degenerate_traces_have_defined_results() {
    let miner = Miner::new(Parameters::default()).unwrap();
    let rules = |flows: &[Flow]| miner.mine(&activity(&miner, flows)).rules.len();
    assert_eq!(rules(&[]), 0);
    assert_eq!(rules(&[flow((1, 2, 0, 0))]), 0);
    // All in one window, at the same time.
    let all: Vec<_> = (1..100).map(|dst| flow((1, dst, 0, 0))).collect();
    assert_eq!(rules(&all), 0);
    // One window as long as the trace.
    let wide = Parameters {
        window: SlotLength::from_secs(1e6).unwrap(),
        ..Parameters::default()
    };
    let miner = Miner::new(wide).unwrap();
    let long: Vec<_> = (0..200).map(|s| flow((1, s % 7, s, 1))).collect();
    let trace = activity(&miner, &long);
    assert_eq!((trace.windows(), miner.mine(&trace).rules.len()), (1, 0));
}

#[test]
fn a_busy_bucket_is_sampled_and_says_so() {
    let mut flows = Vec::new();
    for client in 1..=120_u8 {
        for t in 0..12_u8 {
            let mut flow = flow((client, 200, 0, 0));
            let start = Timestamp::from_secs(1000 + i64::from(t) * 100);
            flow.span = Span::new(start, start.saturating_add_micros(3_000_000)).unwrap();
            flows.push(flow);
        }
    }
    let parameters = Parameters {
        bucket_limit: 20,
        ..Parameters::default()
    };
    let miner = Miner::new(parameters).unwrap();
    let trace = activity(&miner, &flows);
    let found = miner.mine(&trace);
    assert_eq!(found.sampled.len(), 1);
    assert_eq!(found.sampled[0].groups, 120);
    assert!(
        (5..60).contains(&found.sampled[0].kept),
        "{:?}",
        found.sampled
    );
    assert!(!found.rules.is_empty());
    assert!(found.to_string().contains("# sampled: "));
    assert_eq!(miner.mine(&trace).rules, found.rules);
}

/// Heartbeats of one host to two others, on one 5-tuple each.
fn heartbeats(count: u32) -> Vec<Flow> {
    let mut flows = Vec::new();
    for beat in 0..i64::from(count) {
        for dst in 8..10 {
            let mut flow = flow((7, dst, 0, 0));
            flow.span = Span::at(Timestamp::from_secs(1000 + beat * 30));
            flows.push(flow);
        }
    }
    flows
}

/// Hosts that call a server once a minute: at moments of their own, or all at once.
#[test]
fn phases_that_meet_by_chance_are_no_rules() {
    let mine = |phase: fn(u8) -> i64, phase_test: bool| {
        let mut flows = Vec::new();
        for host in 1..=50_u8 {
            for beat in 0..60 {
                let mut flow = flow((host, 200, 0, 0));
                flow.span = Span::at(Timestamp::from_secs(1000 + phase(host) + 60 * beat));
                flows.push(flow);
            }
        }
        let parameters = Parameters {
            phase_test,
            ..Parameters::default()
        };
        let miner = Miner::new(parameters).unwrap();
        miner.mine(&activity(&miner, &flows))
    };
    // Thirteen pairs of hosts share a moment.
    let own = |host| i64::from(host) * 47 * 47 % 37;
    let without = mine(own, false);
    assert_eq!((without.rules.len(), without.in_step), (13, 0));
    let found = mine(own, true);
    assert_eq!((found.rules.len(), found.in_step), (0, 2 * 13));
    assert!(found.to_string().contains("# left out: 26 "), "{found}");
    assert!(mine(|host| i64::from(host) % 2, true).rules.len() > 500);
}

/// A poller asks each of many devices in two ways at once, each device at a moment of its own.
#[test]
fn what_two_hosts_share_is_not_judged_by_one_of_them() {
    let mut flows = Vec::new();
    for device in 1..=50_u8 {
        for beat in 0..60 {
            for port in 0..2 {
                let mut flow = flow((200, device, 0, 0));
                flow.dst.port += port;
                let phase = i64::from(device) * 47 * 47 % 37;
                flow.span = Span::at(Timestamp::from_secs(1000 + phase + 60 * beat));
                flows.push(flow);
            }
        }
    }
    let parameters = Parameters {
        templates: Vec::new(),
        ..Parameters::default()
    };
    let miner = Miner::new(parameters).unwrap();
    let found = miner.mine(&activity(&miner, &flows));
    assert_eq!(found.rules.len(), 50, "{found}");
    assert!(found.in_step > 0);
}

#[test]
fn a_book_tells_known_from_novel_changed_and_gone() {
    let miner = Miner::new(Parameters::default()).unwrap();
    let rules = miner.mine(&activity(&miner, &heartbeats(40))).rules;
    assert_eq!(rules.len(), 1);
    assert_eq!(
        rules[0].to_string(),
        "10.0.0.7.* : 10.0.0.8.53 <=> 10.0.0.7.* : 10.0.0.9.53"
    );
    let mut book = RuleBook::new();
    assert_eq!(book.diff(&rules).novel, [0]);
    book.learn(&rules);
    assert_eq!(book.diff(&rules).known, [0]);
    assert_eq!(book.diff(&[]).gone.len(), 1);
    let mut weaker = rules;
    weaker[0].evidence.count_both /= 2;
    assert_eq!(book.diff(&weaker).changed.len(), 1);
    weaker[0].evidence.count_both *= 2;
    weaker[0].reverse = None;
    weaker[0].both_ways = false;
    assert_eq!(book.diff(&weaker).changed.len(), 1);
}

#[test]
fn a_stream_reports_a_novel_rule_once_and_stays_bounded() {
    let miner = Miner::new(Parameters::default()).unwrap();
    let mut stream = StreamMiner::new(miner.clone(), RuleBook::new()).with_max_stretches(300);
    let mut novel = Vec::new();
    for flow in heartbeats(600) {
        novel.extend(stream.push(&flow).unwrap());
    }
    assert_eq!(novel.len(), 1);
    assert!(stream.counts().minings >= 8 && stream.counts().dropped > 0);
    // Time runs back beyond the horizon: skipped and counted.
    assert!(stream.push(&flow((1, 2, 0, 0))).unwrap().is_empty());
    assert_eq!(stream.counts().late, 1);
    let mut book = RuleBook::new();
    book.learn(&novel);
    // A clock that runs wild throws nothing away, the first records and a gap neither.
    let mut stream = StreamMiner::new(miner.clone(), RuleBook::new()).with_max_jump(7_200_000_000);
    let mut flows = heartbeats(600);
    let (gap, last) = (Timestamp::MICROS_PER_SEC * 86_400, flows.len() - 150);
    for flow in &mut flows[last..] {
        let moved = |time: Timestamp| time.saturating_add_micros(gap);
        flow.span = Span::new(moved(flow.span.start()), moved(flow.span.end())).unwrap();
    }
    let mut again = Vec::new();
    let mut wild_flows = 0;
    for (number, flow) in flows.iter().enumerate() {
        if number % 10 == 0 {
            let mut wild = flow.clone();
            wild.span = Span::at(Timestamp::MAX);
            wild_flows += 1;
            assert!(stream.push(&wild).unwrap().is_empty());
        }
        again.extend(stream.push(flow).unwrap());
    }
    let wild_left_out = (stream.counts().ahead, stream.counts().late);
    assert_eq!(
        (wild_left_out, wild_flows),
        ((0, 0), flows.len().div_ceil(10))
    );
    let names = |rules: &[Rule]| rules.iter().map(Rule::to_string).collect::<Vec<_>>();
    assert_eq!(names(&again), names(&novel));
    let mut stream = StreamMiner::new(miner, book);
    for flow in heartbeats(600) {
        assert!(stream.push(&flow).unwrap().is_empty());
    }
    assert!(stream.mine().unwrap().is_empty());
}

/// A connection of a day, told of when it begins, leaves time where it is.
#[test]
fn a_long_flow_does_not_make_a_stream_late() {
    let mut flows = heartbeats(40);
    let first = &flows[0];
    let day = first.span.start().saturating_add_micros(86_400_000_000);
    let long = Flow {
        span: Span::new(first.span.start(), day).unwrap(),
        ..first.clone()
    };
    flows.insert(0, long);
    let miner = Miner::new(Parameters::default()).unwrap();
    let mut stream = StreamMiner::new(miner, RuleBook::new()).with_horizon(600_000_000, i64::MAX);
    for flow in &flows {
        stream.push(flow).unwrap();
    }
    assert_eq!(stream.counts().late, 0);
    assert_eq!(stream.counts().minings, 0);
}

#[test]
fn two_different_peers_of_a_server_are_a_template_of_their_own() {
    let mut flows = Vec::new();
    for t in 0..25_i64 {
        for peer in [3 + t % 4, 3 + (t + 1) % 4] {
            let mut flow = flow((u8::try_from(peer).unwrap(), 9, 0, 0));
            flow.span = Span::at(Timestamp::from_secs(1000 + t * 150 + (t * t) % 40));
            flows.push(flow);
        }
    }
    let parameters = Parameters {
        templates: vec![Template::Peers],
        ..Parameters::default()
    };
    let miner = Miner::new(parameters).unwrap();
    let rules = miner.mine(&activity(&miner, &flows)).rules;
    assert!(
        rules
            .iter()
            .any(|rule| rule.to_string() == "*.* : 10.0.0.9.53 <=> *'.* : 10.0.0.9.53"),
        "{rules:?}"
    );
}

#[cfg(feature = "serde")]
mod files {
    use super::*;
    use peerscope_rules::{BookError, RuleSet};

    fn found() -> RuleSet {
        let miner = Miner::new(Parameters::default()).unwrap();
        miner.mine(&activity(&miner, &heartbeats(40)))
    }

    #[test]
    fn books_survive_saving_and_bad_ones_are_refused() {
        let mut book = RuleBook::new();
        book.learn(&found().rules);
        let mut text = Vec::new();
        book.save(&mut text).unwrap();
        assert_eq!(RuleBook::load(text.as_slice()).unwrap(), book);
        let text = String::from_utf8(text).unwrap();
        let other = text.replacen("\"version\": 1", "\"version\": 9", 1);
        let error = RuleBook::load(other.as_bytes()).unwrap_err();
        assert!(
            matches!(error, BookError::Version { found: 9, .. }),
            "{error}"
        );
        let error = RuleBook::load(text.replacen("\"up\": 1.0", "\"up\": 7.0", 1).as_bytes());
        assert!(matches!(
            error,
            Err(BookError::Confidence { number: 0, .. })
        ));
        let error = RuleBook::load(&text.as_bytes()[..text.len() / 2]).unwrap_err();
        assert!(error.to_string().contains("line"), "{error}");
        assert!(RuleBook::load("".as_bytes()).is_err());
        let empty = RuleBook::load(r#"{"version":1,"rules":[]}"#.as_bytes()).unwrap();
        assert_eq!(empty.diff(&found().rules).novel, [0]);
    }

    #[test]
    fn reports_hold_the_fields_of_the_file() {
        let found = found();
        let json = serde_json::to_value(found.report()).unwrap();
        let rule = &json["rules"][0];
        assert_eq!(rule["left"], "10.0.0.7.* : 10.0.0.8.53");
        assert_eq!(rule["both_ways"], true);
        for (field, value) in [("count_left", 40), ("count_both", 40), ("bindings", 1)] {
            assert_eq!(rule[field], value, "{field}");
        }
        assert_eq!(json["clusters"], serde_json::json!([[0]]));
        assert_eq!(json["parameters"]["fdr"], 0.01);
        let dot = found.to_dot();
        assert!(
            dot.starts_with("digraph") && dot.contains("dir=both"),
            "{dot}"
        );
    }
}
