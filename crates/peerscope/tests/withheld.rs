//! A feed of one direction only: what it cannot tell is withheld, not told wrong.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fmt::Write as _;

use peerscope::correlate::MetricOutcome;
use peerscope::findings::{Detectors, FindingsConfig};
use peerscope::flow::{Family, Topology};
use peerscope::{Analysis, Pipeline};

const HEADER: &str = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n";

/// What nfdump prints of 60 hosts with 10 peers each.
fn feed(answers: bool) -> String {
    let mut text = HEADER.to_owned();
    let mut packets = 0;
    let mut record = |from: &str, to: &str, ports: &str, transport: &str, flags: &str| {
        // Counts without a common divisor, which would look like sampling.
        packets = 5 + packets % 7;
        let time = "2026-11-21 16:40:04,2026-11-21 16:40:06,2.0";
        writeln!(
            text,
            "{time},{from},{to},{ports},{transport},{flags},0,0,{packets},4500,0,0"
        )
        .unwrap();
    };
    for host in 1..=60 {
        let own = format!("10.0.0.{host}");
        for peer in 1..=10 {
            let other = format!("192.0.2.{peer}");
            record(&own, &other, "50000,4662", "TCP", "...AP.SF");
            record(&own, &other, "4672,4672", "UDP", "........");
            if answers {
                record(&other, &own, "4662,50000", "TCP", "...AP.SF");
                record(&other, &own, "4672,4672", "UDP", "........");
            }
        }
    }
    text
}

fn analysis(feed: &str) -> Analysis {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.csv");
    std::fs::write(&path, feed).unwrap();
    let topology = Topology::new(["10.0.0.0/24".parse().unwrap()], []);
    let detectors = Detectors::built_in(&FindingsConfig::default());
    let pipeline = Pipeline::new(Family::any(), topology).with_findings(detectors);
    let mut session = pipeline.session();
    session.add_file(&path).unwrap();
    session.finish().unwrap()
}

#[test]
fn a_one_sided_feed_withholds_metrics_and_findings() {
    let whole = analysis(&feed(true));
    assert!(whole.withheld.is_empty() && whole.findings.withheld.is_empty());
    assert!(!whole.findings.unanswered.is_empty());

    let half = analysis(&feed(false));
    let durations = [
        "avg-duration-TCP",
        "avg-duration-UDP",
        "live-conn-TCP",
        "live-conn-UDP",
    ];
    let system = &half.correlation.systems[0];
    for metric in &system.metrics {
        let column = half.table.metric_index(&metric.metric).unwrap();
        let values = (0..half.table.len()).any(|row| half.table.value(row, column).is_some());
        let reason = half.table.withheld(column);
        if durations.contains(&metric.metric.as_str()) {
            assert!(values && reason.is_none(), "{}", metric.metric);
            assert!(!matches!(metric.outcome, MetricOutcome::Withheld { .. }));
            continue;
        }
        assert!(!values, "{}", metric.metric);
        let MetricOutcome::Withheld { reason: shown } = &metric.outcome else {
            unreachable!("{} is {:?}", metric.metric, metric.outcome);
        };
        assert_eq!(Some(shown.as_str()), reason);
        assert!(shown.contains("one-sided"), "{shown}");
    }
    assert_eq!(half.withheld.len(), 40);
    assert!(
        half.withheld
            .iter()
            .all(|metric| metric.source.ends_with("feed.csv"))
    );
    assert!(half.findings.active.is_empty() && half.findings.unanswered.is_empty());
    assert_eq!(half.findings.withheld.len(), 10);

    let json = serde_json::to_value(&half).unwrap();
    let metric = &json["systems"][&system.system]["metrics"]["outin-failure-ratio-TCP"];
    assert_eq!(metric["status"], "withheld");
    assert!(metric["reason"].as_str().unwrap().contains("one-sided"));
}
