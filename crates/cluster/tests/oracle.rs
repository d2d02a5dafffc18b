//! The clustering, the search and the table against slow and obvious restatements.
#![expect(clippy::float_cmp, reason = "the results are exact")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

use peerscope_cluster::{
    Assignment, Clustering, Counts, Dbscan1d, MinPoints, Percent, PointKind, Radius,
    RelativeRadius, Scale, Search, SearchOutcome, Sensitivity, SortedValues,
};
use proptest::prelude::*;

/// DBSCAN as in the textbook, O(n^2) and more, in the order of the input.
struct Textbook {
    kinds: Vec<PointKind>,
    /// Clusters numbered from the lowest core up; `None` is noise.
    labels: Vec<Option<usize>>,
}

fn textbook(values: &[f64], eps: f64, min_points: usize) -> Textbook {
    let n = values.len();
    let near = |i: usize, j: usize| (values[i] - values[j]).abs() <= eps;
    let is_core: Vec<bool> = (0..n)
        .map(|i| (0..n).filter(|&j| near(i, j)).count() >= min_points)
        .collect();
    let mut cores: Vec<usize> = (0..n).filter(|&i| is_core[i]).collect();
    cores.sort_by(|&i, &j| values[i].partial_cmp(&values[j]).unwrap());

    // Flood each cluster from its lowest core.
    let mut labels = vec![None; n];
    let mut clusters = 0;
    for &seed in &cores {
        if labels[seed].is_some() {
            continue;
        }
        let mut open = vec![seed];
        while let Some(i) = open.pop() {
            labels[i] = Some(clusters);
            open.extend(
                cores
                    .iter()
                    .filter(|&&j| labels[j].is_none() && near(i, j))
                    .copied(),
            );
        }
        clusters += 1;
    }

    let mut kinds = vec![PointKind::Noise; n];
    for i in 0..n {
        if is_core[i] {
            kinds[i] = PointKind::Core;
            continue;
        }
        // The first of several nearest is the lower one: cores ascend.
        let nearest = cores
            .iter()
            .filter(|&&j| near(i, j))
            .min_by(|&&j, &&k| {
                let distance = |core: usize| (values[i] - values[core]).abs();
                distance(j).partial_cmp(&distance(k)).unwrap()
            })
            .copied();
        if let Some(core) = nearest {
            kinds[i] = PointKind::Border;
            labels[i] = labels[core];
        }
    }
    Textbook { kinds, labels }
}

/// Ends and sizes of maximal runs of equally labelled neighbours in sorted order.
fn runs(values: &[f64], labels: &[Option<usize>]) -> Vec<(Option<usize>, f64, f64, usize)> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].partial_cmp(&values[j]).unwrap());
    let mut runs: Vec<(Option<usize>, f64, f64, usize)> = Vec::new();
    for i in order {
        match runs.last_mut() {
            Some((label, _, high, count)) if *label == labels[i] => {
                *high = values[i];
                *count += 1;
            }
            _ => runs.push((labels[i], values[i], values[i], 1)),
        }
    }
    runs
}

fn dbscan(eps: f64, min_points: usize) -> Dbscan1d {
    Dbscan1d::new(
        Radius::new(eps).unwrap(),
        MinPoints::new(min_points).unwrap(),
    )
}

fn sorted(values: &[f64]) -> SortedValues {
    SortedValues::new(values.iter().copied()).unwrap()
}

fn check(values: &[f64], eps: f64, min_points: usize) -> Result<(), TestCaseError> {
    let expected = textbook(values, eps, min_points);
    let sorted = sorted(values);
    let fit = dbscan(eps, min_points).fit(&sorted);
    prop_assert_eq!(&fit.labels(values), &expected.labels);

    let expected_runs = runs(values, &expected.labels);
    let select = |noise: bool| -> Vec<_> {
        expected_runs
            .iter()
            .filter(|run| run.0.is_none() == noise)
            .map(|&(_, low, high, count)| (low, high, count))
            .collect()
    };
    let ends = |intervals: &[peerscope_cluster::Interval]| -> Vec<_> {
        intervals.iter().map(|i| (i.low, i.high, i.count)).collect()
    };
    prop_assert_eq!(ends(&fit.clusters), select(false));
    prop_assert_eq!(ends(&fit.noise.regions), select(true));
    let noise = expected.labels.iter().filter(|l| l.is_none()).count();
    prop_assert_eq!(fit.noise.count, noise);
    prop_assert_eq!(
        dbscan(eps, min_points).count(&sorted),
        Counts {
            clusters: select(false).len(),
            noise
        }
    );

    let kinds = dbscan(eps, min_points).kinds(&sorted);
    for (i, &value) in values.iter().enumerate() {
        let positions = sorted.as_slice().iter().zip(&kinds);
        for (_, kind) in positions.filter(|&(&other, _)| other == value) {
            prop_assert_eq!(*kind, expected.kinds[i]);
        }
        match (fit.assign(value), expected.labels[i]) {
            (Some(Assignment::Cluster(found)), Some(label)) => prop_assert_eq!(found, label),
            (Some(Assignment::Noise(region)), None) => {
                prop_assert!(fit.noise.regions[region].contains(value));
            }
            other => prop_assert!(false, "{value} is assigned {other:?}"),
        }
    }
    Ok(())
}

/// Steps of a tenth: many repeats, ties and differences that round to either side of the radius.
fn tenths() -> impl Strategy<Value = f64> {
    (-30_i32..30).prop_map(|i| f64::from(i) / 10.0)
}

fn extremes() -> impl Strategy<Value = f64> {
    let tiny = f64::from_bits(1);
    prop_oneof![
        prop::sample::select(vec![
            0.0,
            -0.0,
            tiny,
            -tiny,
            3.0 * tiny,
            f64::MIN_POSITIVE,
            f64::MAX,
            f64::MIN,
            f64::MAX / 2.0,
            -f64::MAX / 2.0,
            1.0,
            1.0 + f64::EPSILON,
            -1.0,
        ]),
        any::<f64>().prop_filter("finite", |value| value.is_finite()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn tenths_cluster_as_in_the_textbook(
        values in prop::collection::vec(tenths(), 0..50),
        eps in 0_u8..12,
        min_points in 1_usize..12,
    ) {
        check(&values, f64::from(eps) / 10.0, min_points)?;
    }

    #[test]
    fn reals_cluster_as_in_the_textbook(
        values in prop::collection::vec(-1.0..1.0_f64, 0..80),
        eps in 0.0..0.5_f64,
        min_points in 1_usize..30,
    ) {
        check(&values, eps, min_points)?;
    }

    #[test]
    fn extremes_cluster_as_in_the_textbook(
        values in prop::collection::vec(extremes(), 0..30),
        eps in extremes(),
        min_points in 1_usize..5,
    ) {
        check(&values, eps.abs(), min_points)?;
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(
        (values, shuffled) in prop::collection::vec(tenths(), 0..40)
            .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())),
        min_points in 1_usize..8,
    ) {
        let dbscan = dbscan(0.3, min_points);
        let (fit, again) = (dbscan.fit(&sorted(&values)), dbscan.fit(&sorted(&shuffled)));
        prop_assert_eq!(&fit, &again);
        for (value, label) in shuffled.iter().zip(again.labels(&shuffled)) {
            let at = values.iter().position(|other| other == value).unwrap();
            prop_assert_eq!(fit.labels(&values)[at], label);
        }
    }
}

/// Steps, kept setting and clustering of the search, restated from its definition.
type Restated = (
    Vec<(u8, f64, f64, usize, usize, usize, bool)>,
    Vec<Option<usize>>,
);

fn restated_search(values: &[f64]) -> Restated {
    let n = values.len();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut trail = Vec::new();
    let mut attempt = |p: usize, eps_rel: f64| {
        let eps = eps_rel * (high - low);
        let min_points = usize::max(1, (p * n).div_ceil(100));
        let labels = textbook(values, eps, min_points).labels;
        let noise = labels.iter().filter(|label| label.is_none()).count();
        let clusters = labels.iter().flatten().max().map_or(0, |last| last + 1);
        let passes = 100 * noise <= 6 * n;
        let percent = u8::try_from(p).unwrap();
        trail.push((percent, eps_rel, eps, min_points, clusters, noise, passes));
        (passes, labels)
    };
    let mut p = 50;
    let (mut passes, mut labels) = attempt(p, 0.1);
    while !passes && p > 1 {
        p -= if p > 10 { 5 } else { 1 };
        (passes, labels) = attempt(p, 0.1);
    }
    let mut eps_rel = 0.1;
    while passes {
        eps_rel *= 0.8;
        if eps_rel < 1e-6 {
            break;
        }
        let (still, smaller) = attempt(p, eps_rel);
        passes = still;
        if still {
            labels = smaller;
        }
    }
    (trail, labels)
}

fn mixture() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        4 => 0.0..0.05_f64,
        2 => 0.9..1.0_f64,
        2 => prop::sample::select(vec![0.0, 1.0]),
        1 => 0.0..1.0_f64,
        1 => (0.0..8.0_f64).prop_map(f64::exp),
    ];
    prop::collection::vec(value, 50..110)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_search_follows_its_definition(values in mixture(), scale in 0.001..1000.0_f64) {
        let values: Vec<f64> = values.iter().map(|value| value * scale).collect();
        let (trail, labels) = restated_search(&values);
        let SearchOutcome::Clustered(found) = Search::default().run(&sorted(&values)).unwrap()
        else {
            return Err(TestCaseError::fail("50 values are enough"));
        };
        let steps: Vec<_> = found
            .trail
            .iter()
            .map(|step| {
                let trial = step.trial;
                (
                    trial.percent.get(),
                    trial.eps_relative.get(),
                    trial.eps.get(),
                    trial.min_points.get(),
                    trial.clusters,
                    trial.noise,
                    step.passed,
                )
            })
            .collect();
        prop_assert_eq!(&steps, &trail);
        prop_assert_eq!(found.clustering.labels(&values), labels);
        let kept = trail.iter().rev().find(|step| step.6).or(trail.last()).unwrap();
        prop_assert_eq!(found.percent.map(Percent::get), Some(kept.0));
        prop_assert_eq!(found.eps.get(), kept.2);
        prop_assert_eq!(found.min_points.map(MinPoints::get), Some(kept.3));
    }

    #[test]
    fn the_table_is_its_single_fits(values in mixture()) {
        let values = sorted(&values);
        let range = values.max().unwrap() - values.min().unwrap();
        let table = Sensitivity::new(
            &values,
            Scale::Range,
            &Sensitivity::PAPER_RADII,
            &Sensitivity::PAPER_PERCENTS,
        ).unwrap();
        let mut trials = table.trials.iter();
        for eps_rel in [0.01, 0.05, 0.1, 0.2, 0.5] {
            for percent in [1, 5, 10, 20, 40, 60] {
                let trial = trials.next().unwrap();
                prop_assert_eq!(trial.percent.get(), percent);
                prop_assert_eq!(trial.eps_relative.get(), eps_rel);
                let min_points = (values.len() * usize::from(percent)).div_ceil(100);
                let fit = dbscan(eps_rel * range, min_points).fit(&values);
                prop_assert_eq!(trial.clusters, fit.clusters.len());
                prop_assert_eq!(trial.noise, fit.noise.count);
            }
        }
        prop_assert!(trials.next().is_none());
    }

    #[test]
    fn a_log_clustering_is_that_of_the_logarithms(
        values in prop::collection::vec((-20.0..20.0_f64).prop_map(f64::exp), 1..60),
        min_points in 1_usize..8,
    ) {
        let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
        let sorted = sorted(&values);
        let scaled = Scale::Log.on(&sorted).unwrap();
        let tenth = RelativeRadius::new(0.1).unwrap();
        let fit: Clustering = scaled.fit(tenth, MinPoints::new(min_points).unwrap());
        let expected = textbook(&logs, scaled.radius(tenth).get(), min_points);
        prop_assert_eq!(fit.labels(&values), expected.labels);
    }
}
