//! The SIGMETRICS 2009 paper's tables and figures beside ours, on a simulated network like the paper's.
//!
//! `cargo run --release --example reproduce -- --flows 10000000 --seed 1 > reproduction.md`
//!
//! Every row has its criterion, and the verdict is computed from it. Nothing is compared that the
//! simulator was given as it is; what it was given as an input is marked so.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Parser;
use peerscope::cluster::{Scale, Sensitivity, SortedValues};
use peerscope::correlate::{MetricOutcome, MetricPercentiles, SystemCorrelation};
use peerscope::findings::{Finding, FlowCounts, Kind};
use peerscope::flow::SystemId;
use peerscope::prelude::*;
use peerscope::simulate::Scenario;
use peerscope_examples::{AnyError, run, say};

#[path = "shared/simulated.rs"]
mod simulated;
use simulated::analysed;

/// Print every table and figure of the paper beside ours, with a verdict for each row.
#[derive(Parser)]
struct Arguments {
    /// About how many flows minipop-2008 has; the week of BitTorrent and that of DC++ have a fifth
    /// and a twentieth of them.
    #[arg(long, default_value = "10000000")]
    flows: u64,
    /// Seed of everything random.
    #[arg(long, default_value = "1")]
    seed: u64,
}

/// One figure of the paper's, and ours.
struct Row {
    place: &'static str,
    what: String,
    paper: String,
    ours: String,
    criterion: String,
    same: bool,
}

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn row(
        &mut self,
        (place, what): (&'static str, &str),
        [paper, ours, criterion]: [String; 3],
        same: bool,
    ) {
        self.0.push(Row {
            place,
            what: what.to_owned(),
            paper,
            ours,
            criterion,
            same,
        });
    }

    /// Two shares, `points` percentage points apart at most.
    fn share(&mut self, at: (&'static str, &str), paper: f64, ours: Option<f64>, points: f64) {
        let same = ours.is_some_and(|ours| (100.0 * (ours - paper)).abs() <= points);
        let texts = [
            percent(paper),
            ours.map_or_else(nothing, percent),
            format!("within {points} points"),
        ];
        self.row(at, texts, same);
    }

    /// Two numbers of which one is at most `factor` times the other.
    fn factor(&mut self, at: (&'static str, &str), paper: f64, ours: Option<f64>, factor: f64) {
        let same = ours.is_some_and(|ours| {
            let [low, high] = [ours.min(paper), ours.max(paper)];
            low >= 0.0 && high <= low * factor
        });
        let texts = [
            number(paper),
            ours.map_or_else(nothing, number),
            format!("within a factor of {factor}"),
        ];
        self.row(at, texts, same);
    }

    /// A share that is said to be `paper` or more.
    fn at_least(&mut self, at: (&'static str, &str), paper: f64, ours: Option<f64>) {
        let same = ours.is_some_and(|ours| ours >= paper);
        let texts = [
            format!("> {}", percent(paper)),
            ours.map_or_else(nothing, percent),
            "at least so much".to_owned(),
        ];
        self.row(at, texts, same);
    }

    fn table(&self) -> String {
        let mut text = String::new();
        let same = self.0.iter().filter(|row| row.same).count();
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{same} of {} rows have the same shape.\n",
            self.0.len()
        );
        let _ = writeln!(
            text,
            "| place | what | paper | ours | criterion | verdict |"
        );
        let _ = writeln!(text, "|---|---|---|---|---|---|");
        for row in &self.0 {
            let verdict = if row.same {
                "same shape"
            } else {
                "**differs**"
            };
            let Row {
                place,
                what,
                paper,
                ours,
                criterion,
                ..
            } = row;
            let _ = writeln!(
                text,
                "| {place} | {what} | {paper} | {ours} | {criterion} | {verdict} |"
            );
        }
        text
    }
}

fn main() -> ExitCode {
    run(|| {
        let arguments = Arguments::parse();
        let seed = arguments.seed;
        let mut rows = Rows::default();
        let trace = |preset: &str, flows: u64, family: Family| -> Result<Analysis, AnyError> {
            let scenario = Scenario::preset(preset)?.with_flows(flows)?;
            Ok(analysed(&scenario, seed, &family)?.0)
        };
        let minipop = trace("minipop-2008", arguments.flows, Family::emule())?;
        let paper = Paper { analysis: &minipop };
        paper.traffic(&mut rows);
        paper.samples(&mut rows);
        paper.percentiles(&mut rows);
        paper.sensitivity(&mut rows)?;
        paper.single_cluster(&mut rows);
        paper.clusters(&mut rows);
        paper.stability(&mut rows);
        paper.dominance(&mut rows);
        paper.attack(&mut rows);
        paper.unanswered(&mut rows);
        paper.servers(&mut rows);
        paper.others(&mut rows);
        let torrent = trace("bittorrent-week", arguments.flows / 5, Family::bittorrent())?;
        bittorrent(&torrent, &mut rows);
        let direct = trace("dcpp-week", arguments.flows / 20, Family::dcpp())?;
        dcpp(&direct, &mut rows);
        say(&format!(
            "`reproduce --flows {} --seed {seed}`: {} flows, {} samples.\n\n{}",
            arguments.flows,
            minipop.input.flows,
            minipop.samples.total,
            rows.table()
        ));
        Ok(ExitCode::SUCCESS)
    })
}

/// Place, system, metric, clusters, interesting share, and whether it is the low end.
const TABLES_4_AND_5: [(&str, &str, &str, usize, f64, bool); 11] = [
    ("Table 4", "kad", "avg-pkt-size-TCP", 3, 0.1628, true),
    (
        "Table 4",
        "kad",
        "outin-fract-unanswered-UDP",
        2,
        0.5804,
        false,
    ),
    (
        "Table 4",
        "kad",
        "ratio-bytes-sent-to-rcvd-UDP",
        2,
        0.1798,
        true,
    ),
    (
        "Table 4",
        "kad",
        "inout-1024-dest-ports-UDP",
        2,
        0.2628,
        false,
    ),
    (
        "Table 4",
        "kad",
        "ratio-bytes-sent-to-rcvd-TCP",
        3,
        0.1349,
        true,
    ),
    (
        "Table 5",
        "kadu",
        "inout-ISP-to-Internet-ratio-TCP",
        2,
        0.5177,
        true,
    ),
    (
        "Table 5",
        "kadu",
        "outin-fract-unanswered-UDP",
        2,
        0.6021,
        false,
    ),
    (
        "Table 5",
        "kadu",
        "ratio-bytes-sent-to-rcvd-UDP",
        2,
        0.4942,
        true,
    ),
    (
        "Table 5",
        "kadu",
        "fract-incoming-conn-UDP",
        2,
        0.7558,
        false,
    ),
    (
        "Table 5",
        "kadu",
        "outin-failure-ratio-TCP",
        2,
        0.3306,
        false,
    ),
    (
        "Table 5",
        "kadu",
        "ratio-bytes-sent-to-rcvd-TCP",
        2,
        0.0561,
        true,
    ),
];

struct Paper<'a> {
    analysis: &'a Analysis,
}

impl Paper<'_> {
    fn system(&self, name: &str) -> Option<&SystemCorrelation> {
        self.analysis.correlation.system(name)
    }

    fn outcome(&self, system: &str, metric: &str) -> Option<&MetricOutcome> {
        self.system(system)?.metric(metric)
    }

    fn metric(&self, system: &str, metric: &str) -> Option<&MetricPercentiles> {
        let mut systems = self.analysis.overview.percentiles.iter();
        let of = systems.find(|of| of.system == system)?;
        of.metrics.iter().find(|of| of.metric == metric)
    }

    fn findings(&self, kind: &Kind, system: &str) -> Vec<&Finding> {
        let all = self.analysis.findings.active.iter();
        all.filter(|finding| finding.kind == *kind && finding.system == system)
            .collect()
    }

    /// The share of the interesting samples that the leading hosts make.
    fn leading(&self, system: &str, metric: &str, hosts: usize) -> Option<f64> {
        let interesting = self.outcome(system, metric)?.interesting()?;
        let lead: usize = interesting
            .by_host
            .iter()
            .take(hosts)
            .map(|host| host.count)
            .sum();
        (interesting.count > 0).then(|| lead as f64 / interesting.count as f64)
    }

    /// Table 1, and Figure 3.
    fn traffic(&self, rows: &mut Rows) {
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

    fn samples(&self, rows: &mut Rows) {
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
    fn percentiles(&self, rows: &mut Rows) {
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

    /// Figure 4 and Table 3.
    fn sensitivity(&self, rows: &mut Rows) -> Result<(), AnyError> {
        let table = &self.analysis.table;
        let metric = "outin-fract-unanswered-UDP";
        let column = table
            .metric_index(metric)
            .ok_or("a metric of the paper's")?;
        let values: Vec<f64> = table.column(SystemId(0), column).map(|(_, v)| v).collect();
        let share = |inside: &dyn Fn(f64) -> bool| {
            let count = values.iter().filter(|&&value| inside(value)).count();
            (!values.is_empty()).then(|| count as f64 / values.len() as f64)
        };
        let low = share(&|value| value <= 0.08);
        rows.share(
            ("Fig 4", "Kad outin-fract-unanswered-UDP in [0, 0.08]"),
            0.36,
            low,
            15.0,
        );
        let high = share(&|value| value >= 0.93);
        rows.share(
            ("Fig 4", "Kad outin-fract-unanswered-UDP in [0.93, 1]"),
            0.58,
            high,
            15.0,
        );

        let published: [[(usize, f64); 6]; 5] = [
            [
                (3, 0.04),
                (2, 0.15),
                (2, 0.16),
                (2, 0.19),
                (1, 0.49),
                (0, 1.0),
            ],
            [
                (2, 0.011),
                (2, 0.023),
                (2, 0.037),
                (2, 0.04),
                (1, 0.41),
                (0, 1.0),
            ],
            [
                (2, 0.005),
                (2, 0.009),
                (2, 0.01),
                (2, 0.012),
                (1, 0.408),
                (0, 1.0),
            ],
            [
                (2, 0.0),
                (2, 0.001),
                (2, 0.001),
                (2, 0.002),
                (2, 0.003),
                (0, 1.0),
            ],
            [(1, 0.0), (1, 0.0), (1, 0.0), (1, 0.0), (1, 0.0), (1, 0.33)],
        ];
        let sorted = SortedValues::new(values.iter().copied())?;
        if !sorted.is_empty() {
            let (radii, percents) = (Sensitivity::PAPER_RADII, Sensitivity::PAPER_PERCENTS);
            let grid = Sensitivity::new(&sorted, Scale::Range, &radii, &percents)?;
            for (trials, published) in grid.trials.chunks(percents.len()).zip(published) {
                let cell =
                    |(clusters, noise): (usize, f64)| format!("{clusters} ({})", percent(noise));
                let own = trials
                    .iter()
                    .map(|trial| (trial.clusters, trial.noise as f64 / grid.n as f64));
                let own: Vec<_> = own.collect();
                let same = own
                    .iter()
                    .zip(published)
                    .filter(|(own, paper)| own.0 == paper.0)
                    .count();
                let line = |cells: &[(usize, f64)]| {
                    cells
                        .iter()
                        .map(|&c| cell(c))
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                let what = format!(
                    "clusters (noise) at radius {}, densities 1 to 60 %",
                    trials[0].eps_relative
                );
                let criterion = "as many clusters in five of six cells".to_owned();
                rows.row(
                    ("Table 3", &what),
                    [line(&published), line(&own), criterion],
                    same >= 5,
                );
            }
        }
        Ok(())
    }

    /// Figure 5.
    fn single_cluster(&self, rows: &mut Rows) {
        let found = self
            .outcome("kad", "inout-avg-conn-per-IP-TCP")
            .and_then(MetricOutcome::found);
        let ours = found.map_or_else(nothing, |found| {
            let clusters = &found.clustering.clusters;
            let regions: Vec<String> = clusters.iter().map(|c| range(c.low, c.high)).collect();
            format!("{} clusters {}", clusters.len(), regions.join(", "))
        });
        let same = found.is_some_and(|found| {
            let (clusters, noise) = (&found.clustering.clusters, &found.clustering.noise.regions);
            clusters.len() == 1 && noise.iter().any(|noise| noise.low > clusters[0].high)
        });
        let texts = [
            "1 cluster [1, 1.4), noise above".to_owned(),
            ours,
            "one cluster, noise above it".to_owned(),
        ];
        rows.row(("Fig 5", "Kad inout-avg-conn-per-IP-TCP"), texts, same);
    }

    /// Tables 4 and 5.
    fn clusters(&self, rows: &mut Rows) {
        for (place, system, metric, clusters, fraction, low) in TABLES_4_AND_5 {
            let outcome = self.outcome(system, metric);
            let found = outcome.and_then(MetricOutcome::found);
            let interesting = outcome.and_then(MetricOutcome::interesting);
            let end = |low| if low { "low" } else { "high" };
            let seen = found.zip(interesting).and_then(|(found, interesting)| {
                let (first, last) = (interesting.regions.first()?, interesting.regions.last()?);
                let clusters = &found.clustering.clusters;
                let middle = f64::midpoint(clusters.first()?.low, clusters.last()?.high);
                // Where most of it lies.
                let below: usize = interesting
                    .regions
                    .iter()
                    .filter(|r| r.high <= middle)
                    .map(|r| r.count)
                    .sum();
                let low = 2 * below >= interesting.count;
                Some((
                    found.clustering.clusters.len(),
                    interesting.fraction,
                    low,
                    range(first.low, last.high),
                ))
            });
            let same = seen.as_ref().is_some_and(|(count, share, at_low, _)| {
                *count >= 2 && *at_low == low && (share - fraction).abs() <= 0.15
            });
            let ours = seen.map_or_else(nothing, |(count, share, low, range)| {
                format!("{count} clusters, {} {} {range}", end(low), percent(share))
            });
            let what = format!("{system} {metric}");
            let texts = [
                format!("{clusters} clusters, {} {}", end(low), percent(fraction)),
                ours,
                "several clusters, interesting at the same end, share within 15 points".to_owned(),
            ];
            rows.row((place, &what), texts, same);
        }
    }

    /// Section 7.2.
    fn stability(&self, rows: &mut Rows) {
        let stability = &self.analysis.overview.stability.metrics;
        let settled = stability
            .iter()
            .filter(|metric| metric.interesting.iter().all(Option::is_some));
        let settled: Vec<_> = settled.collect();
        let kept = settled.iter().filter(|metric| {
            let [first, second, whole] = metric.interesting.map(|share| share.unwrap_or(0.0));
            (first - whole).abs() <= 0.1 && (second - whole).abs() <= 0.1
        });
        let share = (!settled.is_empty()).then(|| kept.count() as f64 / settled.len() as f64);
        let what =
            "metrics whose interesting share in both halves is that of the whole, to 10 points";
        rows.at_least(("7.2", what), 0.9, share);
    }

    /// Figures 6 and 7.
    fn dominance(&self, rows: &mut Rows) {
        let published = [
            ("Fig 6", "kad", "inout-1024-dest-ports-UDP", 0.26, 0.24),
            ("Fig 7", "kadu", "ratio-bytes-sent-to-rcvd-UDP", 0.49, 0.6),
            ("Fig 7", "kadu", "outin-fract-unanswered-UDP", 0.60, 0.6),
            ("Fig 7", "kadu", "fract-incoming-conn-UDP", 0.6, 0.6),
        ];
        for (place, system, metric, samples, hosts) in published {
            let points = self.system(system).map(SystemCorrelation::dominance_points);
            let point = points.and_then(|mut points| points.find(|point| point.metric == metric));
            let what = format!("{system} {metric}: interesting samples");
            rows.share(
                (place, &what),
                samples,
                point.as_ref().map(|p| p.sample_fraction),
                20.0,
            );
            let what = format!("{system} {metric}: hosts that make 90 % of them");
            rows.share(
                (place, &what),
                hosts,
                point.as_ref().map(|p| p.host_fraction),
                20.0,
            );
        }
    }

    /// Section 8.1 and Figure 8.
    fn attack(&self, rows: &mut Rows) {
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
    fn unanswered(&self, rows: &mut Rows) {
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
    fn servers(&self, rows: &mut Rows) {
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
    fn others(&self, rows: &mut Rows) {
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
            let what = format!("very active hosts of {system}");
            rows.factor(("8.4", &what), paper, Some(found), 1.5);
        }
    }
}

/// Section 9.
fn bittorrent(analysis: &Analysis, rows: &mut Rows) {
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
fn dcpp(analysis: &Analysis, rows: &mut Rows) {
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
    rows.row(("9", "DC++: reserved ports under attack"), texts, same);
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn number(value: f64) -> String {
    peerscope_examples::short(value)
}

fn range(low: f64, high: f64) -> String {
    format!("[{}, {}]", number(low), number(high))
}

fn nothing() -> String {
    "nothing".to_owned()
}
