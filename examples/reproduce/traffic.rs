//! Sections 3, 4 and 7.1: traffic, samples and percentiles.

use peerscope::prelude::*;

use crate::paper::Paper;
use crate::rows::Rows;

impl Paper<'_> {
    /// Table 1, and Figure 3.
    pub(crate) fn traffic(&self, rows: &mut Rows) {
        use Zone::{Internet, Monitored, Provider};
        let traffic = &self.analysis.overview.traffic;
        let pairs = [
            (
                "MiniPoP to ISP",
                Monitored,
                Provider,
                [264e3, 512e9, 4.7e6, 820e6],
            ),
            (
                "MiniPoP to Internet",
                Monitored,
                Internet,
                [377e3, 80e9, 412.7e3, 58e6],
            ),
            (
                "ISP to MiniPoP",
                Provider,
                Monitored,
                [174e3, 341e9, 3.8e6, 735e6],
            ),
            (
                "Internet to MiniPoP",
                Internet,
                Monitored,
                [0.0, 0.0, 208e3, 35e6],
            ),
        ];
        let columns = ["TCP connections", "TCP bytes", "UDP flows", "UDP bytes"];
        let ours: Vec<[f64; 4]> = pairs
            .iter()
            .map(|(_, from, to, _)| {
                let mut zones = traffic.zone_pairs.iter();
                let pair = zones.find(|pair| (pair.from, pair.to) == (*from, *to));
                pair.map_or([0.0; 4], |pair| {
                    let (tcp, udp) = (pair.tcp, pair.udp);
                    [tcp.complete, tcp.bytes(), udp.flows, udp.bytes()].map(|count| count as f64)
                })
            })
            .collect();
        for (column, name) in columns.iter().enumerate() {
            let sum = |values: &[f64]| values.iter().sum::<f64>();
            let published: Vec<f64> = pairs.iter().map(|pair| pair.3[column]).collect();
            let own: Vec<f64> = ours.iter().map(|row| row[column]).collect();
            for (i, (pair, ..)) in pairs.iter().enumerate() {
                let what = format!("{pair}, share of {name} (input)");
                let own = own[i] / sum(&own);
                rows.share(
                    ("Table 1", &what),
                    published[i] / sum(&published),
                    Some(own),
                    5.0,
                );
            }
        }
        for (what, published, inbound) in [("inbound", 0.65, true), ("outbound", 0.95, false)] {
            let mut shares: Vec<f64> = traffic
                .over_time
                .iter()
                .filter_map(|period| {
                    let bytes = if inbound {
                        &period.inbound
                    } else {
                        &period.outbound
                    };
                    let all: u64 = bytes.values().sum();
                    let own: u64 = ["emule", "kad", "kadu"]
                        .iter()
                        .filter_map(|label| bytes.get(*label))
                        .sum();
                    (all > 0).then(|| own as f64 / all as f64)
                })
                .collect();
            shares.sort_by(f64::total_cmp);
            let median = shares.get(shares.len() / 2).copied();
            let what = format!("eMule's share of {what} bytes, median hour");
            rows.share(("Fig 3", &what), published, median, 10.0);
        }
    }

    pub(crate) fn samples(&self, rows: &mut Rows) {
        let hosts = |system| Some(self.system(system)?.hosts as f64);
        rows.factor(("3.3", "KadU hosts (input)"), 478.0, hosts("kadu"), 1.1);
        rows.factor(("3.3", "Kad hosts (input)"), 136.0, hosts("kad"), 1.1);
        let count = |system| {
            let by_system = &self.analysis.samples.by_system;
            by_system.get(system).map(|&count| count as f64)
        };
        rows.factor(("4.2", "KadU samples"), 12_963.0, count("kadu"), 1.5);
        rows.factor(("4.2", "Kad samples"), 1_519.0, count("kad"), 1.5);
        rows.factor(
            ("4.2", "samples of neither"),
            1_200.0,
            count("emule-only"),
            2.0,
        );
        rows.factor(
            ("Table 2", "metrics"),
            44.0,
            Some(self.analysis.table.metrics().len() as f64),
            1.0,
        );
    }

    /// Section 7.1.
    pub(crate) fn percentiles(&self, rows: &mut Rows) {
        let of = |system, metric| self.metric(system, metric);
        let kbps = |system, metric| of(system, metric).map(|of| of.p90 / 1e3);
        let at = "7.1";
        let inside = of("kadu", "inout-ISP-to-Internet-ratio-UDP").map(|of| of.p5);
        rows.factor(
            (at, "KadU peers inside over UDP, 5th percentile"),
            1.0,
            inside,
            1.05,
        );
        let median = |system| of(system, "inout-dest-ports-UDP").map(|of| of.p50);
        rows.factor(
            (at, "destination ports of KadU, median"),
            1.0,
            median("kadu"),
            1.0,
        );
        rows.factor(
            (at, "destination ports of Kad, median"),
            33.0,
            median("kad"),
            2.0,
        );
        let incoming = of("kad", "fract-incoming-conn-TCP").map(|of| of.p90);
        rows.factor(
            (at, "Kad's incoming TCP, 90th percentile"),
            0.0,
            incoming,
            1.0,
        );
        let bps = [
            ("kadu", "bps-rcvd-TCP", 164.0),
            ("kadu", "bps-sent-TCP", 674.0),
            ("kad", "bps-rcvd-TCP", 36.0),
            ("kad", "bps-sent-TCP", 54.0),
        ];
        for (system, metric, paper) in bps {
            let what = format!("{metric} of {system}, 90th percentile, kbit/s");
            rows.factor((at, &what), paper, kbps(system, metric), 2.0);
        }
        let ratio = kbps("kadu", "bps-sent-TCP").zip(kbps("kadu", "bps-rcvd-TCP"));
        let ratio = ratio.map(|(sent, rcvd)| sent / rcvd);
        rows.factor(
            (at, "KadU sends like a seed: sent to received"),
            674.0 / 164.0,
            ratio,
            2.0,
        );
    }
}
