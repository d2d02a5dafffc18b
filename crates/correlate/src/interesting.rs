//! Which regions of a metric are interesting, and by whose reading.

use peerscope_cluster::{Clustering, SortedValues};

use crate::{Rule, Selection, Side};

/// A run of neighbouring values that is interesting.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Region {
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
    /// How many values lie in it.
    pub count: usize,
    /// What it is, or is a part of.
    pub kind: RegionKind,
    /// Why it is interesting.
    pub reading: Reading,
}

/// What a region is, or is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "a value is in a cluster or noise")]
pub enum RegionKind {
    /// A cluster.
    Cluster,
    /// Noise.
    Noise,
}

/// Why a region is interesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "explained or not")]
pub enum Reading {
    /// The rule says so: its explanation holds.
    Rule,
    /// It is noise that no rule explains.
    Outlier,
}

/// The interesting regions, ascending; `None` if there are several clusters and no rule selects.
///
/// * Several clusters: what the rule selects. Noise it does not select is not interesting.
/// * One cluster: all noise; the rule explains that on its sides, the rest are outliers.
/// * No cluster: nothing is normal, so nothing stands out beside it and there is no lower or
///   higher side; only values in a range that the rule's sides name are interesting. The default
///   search always finds a cluster: of ten tenths of the range one holds a tenth of the values.
///
/// A range that cuts a cluster or a noise region gives regions that are parts of it.
///
/// # Complexity
///
/// O(n) for n values.
pub(crate) fn regions(
    values: &SortedValues,
    clustering: &Clustering,
    rule: Option<&Rule>,
) -> Option<Vec<Region>> {
    let several = clustering.clusters.len() > 1;
    if several && rule.is_none_or(|rule| rule.select.is_empty()) {
        return None;
    }
    let clusters = clustering.clusters.iter();
    let noise = clustering.noise.regions.iter();
    let clusters = clusters.map(|interval| (interval, RegionKind::Cluster));
    let noise = noise.map(|interval| (interval, RegionKind::Noise));
    let mut regions = Vec::new();
    for (interval, kind) in clusters.chain(noise) {
        let members = &values.as_slice()[values.positions(interval)];
        let read = |value| reading(value, kind, clustering, rule);
        for run in members.chunk_by(|&a, &b| read(a) == read(b)) {
            let (Some(&low), Some(&high)) = (run.first(), run.last()) else {
                continue;
            };
            if let Some(reading) = read(low) {
                regions.push(Region {
                    low,
                    high,
                    count: run.len(),
                    kind,
                    reading,
                });
            }
        }
    }
    regions.sort_by(|a, b| a.low.total_cmp(&b.low));
    Some(regions)
}

/// Why a value is interesting, if it is.
fn reading(
    value: f64,
    kind: RegionKind,
    clustering: &Clustering,
    rule: Option<&Rule>,
) -> Option<Reading> {
    let noise = kind == RegionKind::Noise;
    match clustering.clusters.as_slice() {
        [] => {
            let ranges = |side: &Side| matches!(side, Side::Range(range) if range.contains(value));
            let named = rule.is_some_and(|rule| rule.sides.iter().any(ranges));
            named.then_some(Reading::Rule)
        }
        [only] => {
            let on_side = |side: &Side| match side {
                Side::Low => value < only.low,
                Side::High => value > only.high,
                Side::Range(range) => range.contains(value),
            };
            let explained = rule.is_some_and(|rule| rule.sides.iter().any(on_side));
            noise.then_some(if explained {
                Reading::Rule
            } else {
                Reading::Outlier
            })
        }
        [lowest, .., highest] => {
            let selected = |selection: &Selection| match selection {
                Selection::Lowest => !noise && lowest.contains(value),
                Selection::Highest => !noise && highest.contains(value),
                Selection::AllButLowest => !noise && !lowest.contains(value),
                Selection::Noise => noise,
                Selection::BelowLowest => value < lowest.low,
                Selection::AboveHighest => value > highest.high,
                Selection::AboveLowest => value > lowest.high,
                Selection::Range(range) => range.contains(value),
            };
            let selected = rule.is_some_and(|rule| rule.select.iter().any(selected));
            selected.then_some(Reading::Rule)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Severity, ValueRange};
    use peerscope_cluster::{Dbscan1d, MinPoints, Radius};

    fn rule(sides: &[Side], select: &[Selection]) -> Rule {
        Rule {
            name: "r".to_owned(),
            family: None,
            system: None,
            metric: "m".parse().unwrap(),
            sides: sides.to_vec(),
            select: select.to_vec(),
            explanation: "e".to_owned(),
            severity: Severity::Info,
        }
    }

    /// (low, high, count, is noise, is outlier).
    type Plain = (f64, f64, usize, bool, bool);

    fn read(values: &[f64], min_points: usize, rule: Option<&Rule>) -> Option<Vec<Plain>> {
        let values = SortedValues::new(values.iter().copied()).unwrap();
        let dbscan = Dbscan1d::new(
            Radius::new(1.0).unwrap(),
            MinPoints::new(min_points).unwrap(),
        );
        let regions = regions(&values, &dbscan.fit(&values), rule)?;
        let plain = regions.iter().map(|r| {
            let (noise, outlier) = (r.kind == RegionKind::Noise, r.reading == Reading::Outlier);
            (r.low, r.high, r.count, noise, outlier)
        });
        Some(plain.collect())
    }

    fn range(low: f64, high: f64) -> ValueRange {
        ValueRange::new(low, high).unwrap()
    }

    const ONE: [f64; 7] = [0.0, 5.0, 6.0, 6.5, 7.0, 20.0, 30.0];

    #[test]
    fn one_cluster_makes_all_noise_interesting_and_the_side_explains() {
        let (low, high) = ((0.0, 0.0, 1, true), (20.0, 30.0, 2, true));
        let outlier = |(a, b, c, d)| (a, b, c, d, true);
        let explained = |(a, b, c, d)| (a, b, c, d, false);
        assert_eq!(read(&ONE, 2, None), Some(vec![outlier(low), outlier(high)]));
        let with =
            |sides: &[Side]| read(&ONE, 2, Some(&rule(sides, &[Selection::Lowest]))).unwrap();
        assert_eq!(with(&[Side::High]), [outlier(low), explained(high)]);
        assert_eq!(with(&[Side::Low]), [explained(low), outlier(high)]);
        assert_eq!(
            with(&[Side::Low, Side::High]),
            [explained(low), explained(high)]
        );
        // Ranges cut noise, and leave the cluster alone.
        assert_eq!(
            with(&[Side::Range(range(6.0, 25.0))]),
            [
                outlier(low),
                (20.0, 20.0, 1, true, false),
                (30.0, 30.0, 1, true, true)
            ]
        );
        assert_eq!(with(&[]), [outlier(low), outlier(high)]);
    }

    /// Noise at -9, 30, 90; clusters at 0..1, 50..51, 70..71.
    const THREE: [f64; 9] = [-9.0, 0.0, 1.0, 30.0, 50.0, 51.0, 70.0, 71.0, 90.0];

    #[test]
    fn several_clusters_follow_the_selection() {
        let lows = |select: &[Selection]| {
            let regions = read(&THREE, 2, Some(&rule(&[Side::Low], select))).unwrap();
            assert!(regions.iter().all(|region| !region.4));
            regions.iter().map(|region| region.0).collect::<Vec<_>>()
        };
        assert_eq!(lows(&[Selection::Lowest]), [0.0]);
        assert_eq!(lows(&[Selection::Highest]), [70.0]);
        assert_eq!(lows(&[Selection::AllButLowest]), [50.0, 70.0]);
        assert_eq!(lows(&[Selection::Noise]), [-9.0, 30.0, 90.0]);
        assert_eq!(lows(&[Selection::BelowLowest]), [-9.0]);
        assert_eq!(lows(&[Selection::AboveHighest]), [90.0]);
        assert_eq!(lows(&[Selection::AboveLowest]), [30.0, 50.0, 70.0, 90.0]);
        assert_eq!(
            lows(&[Selection::Lowest, Selection::Noise]),
            [-9.0, 0.0, 30.0, 90.0]
        );
        assert_eq!(
            lows(&[Selection::Range(range(0.5, 50.0))]),
            [1.0, 30.0, 50.0]
        );
    }

    #[test]
    fn several_clusters_need_a_rule_that_selects() {
        assert_eq!(read(&THREE, 2, None), None);
        assert_eq!(read(&THREE, 2, Some(&rule(&[Side::Low], &[]))), None);
    }

    #[test]
    fn without_a_cluster_only_named_ranges_are_interesting() {
        assert_eq!(read(&THREE, 5, None), Some(vec![]));
        let sides = [Side::High, Side::Low, Side::Range(range(60.0, 80.0))];
        let regions = read(&THREE, 5, Some(&rule(&sides, &[Selection::Noise])));
        assert_eq!(regions, Some(vec![(70.0, 71.0, 2, true, false)]));
        assert_eq!(read(&[], 1, None), Some(vec![]));
    }
}
