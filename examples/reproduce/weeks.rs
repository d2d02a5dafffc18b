//! Section 9: the weeks of BitTorrent and of Direct Connect.

use peerscope::findings::Kind;
use peerscope::flow::SystemId;
use peerscope::prelude::*;

use crate::rows::Rows;

/// Section 9.
pub(crate) fn bittorrent(analysis: &Analysis, rows: &mut Rows) {
    let table = &analysis.table;
    let idle = table
        .metric_index("inout-fract-unanswered-appl-TCP")
        .and_then(|column| {
            let values: Vec<f64> = table.column(SystemId(0), column).map(|(_, v)| v).collect();
            let high = values.iter().filter(|&&value| value >= 0.6).count();
            (!values.is_empty()).then(|| high as f64 / values.len() as f64)
        });
    rows.at_least(
        (
            "9",
            "BitTorrent samples with fract-unanswered-appl in [0.6, 1]",
        ),
        0.4,
        idle,
    );
    let sent = analysis.overview.traffic.classes.iter().filter(|class| {
        class.of_interest && class.transport == "udp" && class.from == Zone::Monitored
    });
    let [flows, silent] = sent.fold([0, 0], |sum, class| {
        [
            sum[0] + class.counts.flows,
            sum[1] + class.counts.unanswered,
        ]
    });
    rows.at_least(
        ("9", "BitTorrent's outgoing UDP unanswered"),
        0.5,
        Some(silent as f64 / flows as f64),
    );
}

/// Section 9.
pub(crate) fn dcpp(analysis: &Analysis, rows: &mut Rows) {
    let tcp = |zone: Option<Zone>| -> u64 {
        let pairs = analysis.overview.traffic.zone_pairs.iter();
        pairs
            .filter(|pair| zone.is_none_or(|zone| pair.from == zone || pair.to == zone))
            .map(|pair| pair.tcp.complete)
            .sum()
    };
    let inside = 1.0 - tcp(Some(Zone::Internet)) as f64 / tcp(None) as f64;
    rows.share(
        ("9", "DC++ connections that stay inside"),
        0.95,
        Some(inside),
        5.0,
    );
    let attacked = analysis
        .findings
        .active
        .iter()
        .filter(|finding| finding.kind == Kind::DdosReservedPort);
    let ports: Vec<String> = attacked
        .flat_map(|finding| &finding.ports)
        .map(u16::to_string)
        .collect();
    let same = ports.iter().any(|port| port == "80");
    let texts = [
        "80".to_owned(),
        ports.join(", "),
        "port 80 among them".to_owned(),
    ];
    rows.row(
        ("9", "DC++: reserved ports under attack (input)"),
        texts,
        same,
    );
}
