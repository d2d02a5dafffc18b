//! Section 8: what is behind the interesting samples.

use peerscope::findings::{Finding, FlowCounts, Kind};
use peerscope::prelude::*;

use crate::paper::Paper;
use crate::rows::Rows;

impl Paper<'_> {
    /// Section 8.1 and Figure 8.
    pub(crate) fn attack(&self, rows: &mut Rows) {
        let attacks = self.findings(&Kind::DdosReservedPort, "kad");
        let attack = attacks.iter().find(|finding| finding.ports == [53]);
        let number = |name: &str| attack.and_then(|finding| finding.evidence.get(name).copied());
        rows.share(
            ("8.1", "share of port 53 of the flows to reserved ports"),
            0.554,
            number("share-of-reserved-port-flows"),
            15.0,
        );
        rows.at_least(
            ("Fig 8", "unanswered of those to port 53"),
            0.9,
            number("unanswered-fraction"),
        );
        let hosts = attack
            .zip(self.system("kad"))
            .map(|(attack, kad)| attack.hosts.len() as f64 / kad.hosts as f64);
        rows.share(("8.1", "Kad hosts involved (input)"), 0.25, hosts, 5.0);
        let others = self.findings(&Kind::DdosReservedPort, "kadu").len() + attacks.len();
        rows.factor(("8.1", "ports under attack"), 1.0, Some(others as f64), 1.0);
    }

    /// Section 8.2 and Figure 9.
    pub(crate) fn unanswered(&self, rows: &mut Rows) {
        let counts = |transport: &str, of_interest: Option<bool>| {
            let classes = self.analysis.overview.traffic.classes.iter();
            classes
                .filter(|class| class.to == Zone::Monitored && class.transport == transport)
                .filter(|class| of_interest.is_none_or(|of| class.of_interest == of))
                .fold([0, 0, 0], |sum, class| {
                    let FlowCounts {
                        flows,
                        failed,
                        unanswered,
                        ..
                    } = class.counts;
                    [sum[0] + flows, sum[1] + failed, sum[2] + unanswered]
                })
        };
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let [udp, _, silent] = counts("udp", None);
        let [.., own] = counts("udp", Some(true));
        rows.share(
            ("8.2", "incoming UDP flows unanswered (input)"),
            0.28,
            ratio(silent, udp),
            5.0,
        );
        rows.share(
            ("8.2", "of these Kad's and KadU's (input)"),
            0.65,
            ratio(own, silent),
            5.0,
        );
        let [tcp, failed, _] = counts("tcp", None);
        rows.share(
            ("8.2", "incoming TCP attempts failed (input)"),
            0.3,
            ratio(failed, tcp),
            5.0,
        );
        let shares = &self.analysis.findings.unanswered;
        let of = |system: &str| shares.iter().find(|shares| shares.system == system);
        let kadu = of("kadu").and_then(|kadu| ratio(kadu.tcp.in_vain(), failed));
        rows.share(("8.2", "of these KadU's (input)"), 0.5, kadu, 10.0);
        let gone = |system| of(system).and_then(|shares| shares.udp.departed_of_decided);
        rows.share(
            ("8.2", "Kad's unanswered UDP explained by departure"),
            0.41,
            gone("kad"),
            5.0,
        );
        rows.share(
            ("8.2", "KadU's unanswered UDP explained by departure"),
            0.48,
            gone("kadu"),
            5.0,
        );
        let tcp = of("kadu").and_then(|shares| shares.tcp.departed_of_decided);
        rows.share(("8.2", "failed TCP explained by departure"), 0.75, tcp, 5.0);

        let gone: Vec<&Finding> = ["kad", "kadu"]
            .iter()
            .flat_map(|system| self.findings(&Kind::DepartedHosts, system))
            .collect();
        let slot = self.analysis.table.slot_length().as_micros();
        let jumps = gone.iter().filter(|finding| {
            let changes = self.analysis.changes.hosts.iter();
            let mut rises = changes.filter(|change| {
                change.metric == "outin-fract-unanswered-UDP"
                    && finding.hosts.contains(&change.host)
                    && change.change.effect > 0.0
            });
            rises.any(|rise| {
                (rise.change.at.as_micros() - finding.start.as_micros()).abs() <= 3 * slot
            })
        });
        let share = ratio(jumps.count() as u64, gone.len() as u64);
        rows.at_least(
            (
                "Fig 9",
                "departed hosts with a jump to unanswered within 3 slots of their departure",
            ),
            0.8,
            share,
        );
        let longest = gone
            .iter()
            .filter_map(|finding| finding.evidence.get("contacted-for-s"));
        let hours = longest
            .copied()
            .reduce(f64::max)
            .map(|seconds| seconds / 3600.0);
        rows.factor(
            (
                "Fig 9",
                "hours that a departed host is still contacted, the longest",
            ),
            14.0,
            hours,
            2.0,
        );
    }

    /// Section 8.3 and Figure 10.
    pub(crate) fn servers(&self, rows: &mut Rows) {
        let servers = self.findings(&Kind::FakeServer, "kadu");
        let pairs = [(51.0, 15.0, "fake"), (63.0, 8.0, "full")];
        for (interval, hold, what) in pairs {
            let of = |name: &str| {
                let values = servers.iter().filter_map(|finding| {
                    Some((finding, *finding.evidence.get("mean-duration-s")?))
                });
                let nearest =
                    values.min_by(|a, b| (a.1 - hold).abs().total_cmp(&(b.1 - hold).abs()))?;
                nearest.0.evidence.get(name).copied()
            };
            let name = format!("seconds between connections to the {what} server (input)");
            rows.factor(("Fig 10", &name), interval, of("median-interval-s"), 1.25);
            let name = format!("seconds of a connection to the {what} server (input)");
            rows.factor(("Fig 10", &name), hold, of("mean-duration-s"), 1.25);
        }
        let metric = "inout-avg-conn-per-IP-TCP";
        rows.share(
            (
                "8.3",
                "KadU's interesting avg-conn-per-IP-TCP from two hosts",
            ),
            0.94,
            self.leading("kadu", metric, 2),
            15.0,
        );
        rows.share(
            ("8.3", "Kad's from one host"),
            0.92,
            self.leading("kad", metric, 1),
            15.0,
        );
    }

    /// Section 8.4.
    pub(crate) fn others(&self, rows: &mut Rows) {
        let classes = || {
            self.analysis
                .overview
                .traffic
                .classes
                .iter()
                .filter(|class| class.of_interest)
        };
        let received = |zone: Option<Zone>| -> u64 {
            classes()
                .map(|class| {
                    let own =
                        zone.is_none_or(|zone| class.to == zone) && class.from == Zone::Monitored;
                    let others =
                        zone.is_none_or(|zone| class.from == zone) && class.to == Zone::Monitored;
                    let rev = if own { class.counts.rev.bytes } else { 0 };
                    rev + if others { class.counts.fwd.bytes } else { 0 }
                })
                .sum()
        };
        let outside = received(Some(Zone::Internet)) as f64 / received(None) as f64;
        rows.share(
            ("8.4", "of the P2P bytes received, from the Internet"),
            0.2,
            Some(outside),
            10.0,
        );
        let buddies = self.findings(&Kind::Buddy, "kadu");
        let number = |name: &str| {
            buddies
                .first()
                .and_then(|buddy| buddy.evidence.get(name).copied())
        };
        rows.factor(
            ("8.4", "the buddy's TCP connections (input)"),
            825.0,
            number("tcp-connections"),
            1.1,
        );
        rows.factor(
            ("8.4", "the buddy's UDP flows (input)"),
            1678.0,
            number("udp-flows"),
            1.2,
        );
        let of_host = |metric: &str| {
            let host = buddies.first()?.hosts.first()?;
            let interesting = self.outcome("kadu", metric)?.interesting()?;
            let own = interesting.by_host.iter().find(|count| count.host == *host);
            Some(own.map_or(0, |own| own.count) as f64 / interesting.count as f64)
        };
        rows.share(
            (
                "8.4",
                "the host's share of interesting outin-avg-conn-per-IP-TCP",
            ),
            0.57,
            of_host("outin-avg-conn-per-IP-TCP"),
            25.0,
        );
        rows.share(
            (
                "8.4",
                "the host's share of interesting outin-total-conn-attempts-UDP",
            ),
            0.33,
            of_host("outin-total-conn-attempts-UDP"),
            25.0,
        );
        for (system, paper) in [("kadu", 3.0), ("kad", 6.0)] {
            let found = self.findings(&Kind::VeryActive, system).len() as f64;
            let what = format!("very active hosts of {system} (input)");
            rows.factor(("8.4", &what), paper, Some(found), 1.5);
        }
    }
}
