//! Sections 6 and 7: clusters, interesting regions, and the hosts that make them.

use peerscope::cluster::{Scale, Sensitivity, SortedValues};
use peerscope::correlate::{MetricOutcome, SystemCorrelation};
use peerscope::flow::SystemId;
use peerscope_examples::AnyError;

use crate::paper::Paper;
use crate::rows::{Rows, nothing, percent, range};

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

impl Paper<'_> {
    /// Figure 4 and Table 3.
    pub(crate) fn sensitivity(&self, rows: &mut Rows) -> Result<(), AnyError> {
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
    pub(crate) fn single_cluster(&self, rows: &mut Rows) {
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
    pub(crate) fn clusters(&self, rows: &mut Rows) {
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
    pub(crate) fn stability(&self, rows: &mut Rows) {
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
    pub(crate) fn dominance(&self, rows: &mut Rows) {
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
}
