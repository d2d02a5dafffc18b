//! The search for a coarse clustering with little noise.

use crate::{
    Clustering, Interval, MinPoints, Noise, Percent, Radius, RelativeRadius, Scale, ScaleError,
    Scaled, SortedValues, Trial,
};

/// The parameter search of the SIGMETRICS 2009 paper, section 6.1, with its open steps settled.
///
/// 1. From the starting radius, the density falls from 50 percent of the values in steps of 5 to
///    10, then in steps of 1 to 1, until the noise is at most the target. If it never is, 1 stays.
/// 2. If it was, the radius is multiplied by 0.8 again and again while it stays at or above the
///    floor and the noise at or below the target. The last radius that passed is kept.
///
/// Less radius never means less noise, so a failed first stage needs no second one.
///
/// ```
/// use peerscope_cluster::{Search, SearchOutcome, SortedValues};
///
/// let values = SortedValues::new((0..100).map(|i| f64::from(i % 2) + f64::from(i) / 1e4))?;
/// let SearchOutcome::Clustered(found) = Search::default().run(&values)? else {
///     return Err("100 values are enough".into());
/// };
/// assert_eq!(found.clustering.clusters.len(), 2);
/// assert_eq!(found.percent.map(|percent| percent.get()), Some(50));
/// // The last step failed, the one before is kept.
/// let kept = &found.trail[found.trail.len() - 2];
/// assert!(kept.passed && kept.trial.eps == found.eps);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Search {
    scale: Scale,
    start: RelativeRadius,
    floor: RelativeRadius,
    noise_target: Percent,
    min_values: usize,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "status", rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "the two states of the method")]
pub enum SearchOutcome {
    /// Fewer values than the search asks for.
    TooFewValues {
        /// How many there are.
        n: usize,
    },
    /// Parameters and clusters.
    Clustered(Found),
}

/// The parameters a search settled on, their clustering, and how it got there.
///
/// If all values are equal nothing is searched: they are one cluster with radius 0.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Found {
    /// How many values were clustered.
    pub n: usize,
    /// The radius on the scale of the search.
    pub eps: Radius,
    /// The radius as a fraction of the scale's unit; none if all values are equal.
    pub eps_relative: Option<RelativeRadius>,
    /// The density as a number of values; none if all values are equal.
    pub min_points: Option<MinPoints>,
    /// The density in percent of the values; none if all values are equal.
    pub percent: Option<Percent>,
    /// Clusters and noise.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub clustering: Clustering,
    /// Every step tried, in order; empty if all values are equal.
    pub trail: Vec<Step>,
}

/// One step of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Step {
    /// The setting and what came of it.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub trial: Trial,
    /// Whether the noise was at or below the target.
    pub passed: bool,
}

impl Search {
    /// The densities in percent of the values, in the order they are tried.
    pub const PERCENTS: [Percent; 18] = Percent::constants([
        50, 45, 40, 35, 30, 25, 20, 15, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1,
    ]);

    /// What each step of the second stage multiplies the radius by.
    pub const SHRINK: f64 = 0.8;

    /// Measures radii on another scale than [`Scale::Range`].
    #[must_use]
    pub const fn with_scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Starts from another radius than 0.1.
    #[must_use]
    pub const fn with_start(mut self, start: RelativeRadius) -> Self {
        self.start = start;
        self
    }

    /// Shrinks the radius to another floor than 1e-6.
    #[must_use]
    pub const fn with_floor(mut self, floor: RelativeRadius) -> Self {
        self.floor = floor;
        self
    }

    /// Accepts another share of noise than at most 6 percent.
    #[must_use]
    pub const fn with_noise_target(mut self, target: Percent) -> Self {
        self.noise_target = target;
        self
    }

    /// Asks for another number of values than at least 50.
    #[must_use]
    pub const fn with_min_values(mut self, min_values: usize) -> Self {
        self.min_values = min_values;
        self
    }

    /// Searches. No values at all are always too few.
    ///
    /// # Errors
    ///
    /// If there are values enough but the scale cannot measure them.
    ///
    /// # Complexity
    ///
    /// At most 18 passes over the values, and one more for each radius from the start down to the
    /// floor, 51 by default; see [`Dbscan1d`](crate::Dbscan1d).
    pub fn run(&self, values: &SortedValues) -> Result<SearchOutcome, ScaleError> {
        let n = values.len();
        let (Some(low), Some(high)) = (values.min(), values.max()) else {
            return Ok(SearchOutcome::TooFewValues { n });
        };
        if n < self.min_values {
            return Ok(SearchOutcome::TooFewValues { n });
        }
        let scaled = self.scale.on(values)?;
        Ok(SearchOutcome::Clustered(if low < high {
            self.descend(&scaled)
        } else {
            Found::all_equal(low, n)
        }))
    }

    fn descend(&self, scaled: &Scaled<'_>) -> Found {
        let mut trail = Vec::new();
        let mut try_out = |relative, percent| {
            let trial = scaled.try_out(relative, percent);
            let passed = self.noise_target.holds(trial.noise, scaled.len());
            let step = Step { trial, passed };
            trail.push(step);
            step
        };
        let [first, rest @ ..] = Self::PERCENTS;
        let mut kept = try_out(self.start, first);
        for percent in rest {
            if kept.passed {
                break;
            }
            kept = try_out(self.start, percent);
        }
        while kept.passed {
            let last = kept.trial.eps_relative.get();
            let next = RelativeRadius::constant(last * Self::SHRINK);
            // The tiniest numbers no longer shrink when multiplied.
            if next < self.floor || next.get() >= last {
                break;
            }
            let step = try_out(next, kept.trial.percent);
            if !step.passed {
                break;
            }
            kept = step;
        }
        let kept = kept.trial;
        Found {
            n: scaled.len(),
            eps: kept.eps,
            eps_relative: Some(kept.eps_relative),
            min_points: Some(kept.min_points),
            percent: Some(kept.percent),
            clustering: scaled.fit(kept.eps_relative, kept.min_points),
            trail,
        }
    }
}

impl Default for Search {
    /// The paper's search: from a tenth of the range, at most 6 percent noise, 50 values or more.
    fn default() -> Self {
        let [noise_target] = Percent::constants([6]);
        Self {
            scale: Scale::Range,
            start: RelativeRadius::constant(0.1),
            floor: RelativeRadius::constant(1e-6),
            noise_target,
            min_values: 50,
        }
    }
}

impl Found {
    fn all_equal(value: f64, n: usize) -> Self {
        let all = Interval {
            low: value,
            high: value,
            count: n,
        };
        Self {
            n,
            eps: Radius::ZERO,
            eps_relative: None,
            min_points: None,
            percent: None,
            clustering: Clustering {
                clusters: vec![all],
                noise: Noise::default(),
            },
            trail: Vec::new(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the results are exact")]
mod tests {
    use super::*;

    fn found(search: &Search, values: impl IntoIterator<Item = f64>) -> Found {
        match search.run(&SortedValues::new(values).unwrap()).unwrap() {
            SearchOutcome::Clustered(found) => found,
            SearchOutcome::TooFewValues { n } => panic!("{n} values are too few"),
        }
    }

    #[test]
    fn forty_nine_values_are_too_few_and_fifty_are_not() {
        let outcome = |n: u32| {
            let values = SortedValues::new((0..n).map(f64::from)).unwrap();
            Search::default().run(&values).unwrap()
        };
        assert_eq!(outcome(49), SearchOutcome::TooFewValues { n: 49 });
        assert!(matches!(outcome(50), SearchOutcome::Clustered(_)));
        let none = Search::default().with_min_values(0);
        assert_eq!(
            none.run(&SortedValues::default()),
            Ok(SearchOutcome::TooFewValues { n: 0 })
        );
    }

    #[test]
    fn equal_values_are_one_cluster_without_a_search() {
        let found = found(&Search::default(), [7.5; 60]);
        assert_eq!(found.eps, Radius::ZERO);
        assert_eq!((found.percent, found.trail.len()), (None, 0));
        assert_eq!(found.clustering.clusters[0].count, 60);
    }

    #[test]
    fn two_values_settle_just_above_the_floor() {
        let found = found(&Search::default(), (0..100).map(|i| f64::from(i % 2)));
        let eps = found.eps_relative.unwrap().get();
        assert!(eps >= 1e-6 && eps * 0.8 < 1e-6, "{eps}");
        // 0.1 * 0.8^51 = 1.14e-6, so one trial at 0.1 and 51 smaller ones.
        assert_eq!(found.trail.len(), 52);
        assert!(found.trail.iter().all(|step| step.passed));
        assert_eq!(found.clustering.clusters.len(), 2);
    }

    #[test]
    fn a_search_that_never_passes_keeps_one_percent_and_its_radius() {
        // Of 300 values a fifth have no other within a thousandth of the range.
        let lonely = (1..=60).map(|i| f64::from(i) * 1000.0);
        let search = Search::default().with_start(RelativeRadius::new(1e-3).unwrap());
        let found = found(&search, lonely.chain([0.0; 240]));
        assert_eq!(found.percent.unwrap().get(), 1);
        assert_eq!(found.eps_relative.unwrap().get(), 1e-3);
        assert_eq!(found.trail.len(), Search::PERCENTS.len());
        assert!(found.trail.iter().all(|step| !step.passed));
        assert_eq!(found.clustering.noise.count, 60);
    }

    #[test]
    fn a_floor_of_zero_ends() {
        let search = Search::default().with_floor(RelativeRadius::new(0.0).unwrap());
        let found = found(&search, (0..100).map(|i| f64::from(i % 2)));
        assert!(found.trail.len() > 1000);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn json_has_the_report_names() {
        let outcome = SearchOutcome::Clustered(found(&Search::default(), [1.0; 50]));
        let text = r#"{"status":"clustered","n":50,"eps":0.0,"eps_relative":null,"min_points":null,"percent":null,"clusters":[{"low":1.0,"high":1.0,"count":50}],"noise":{"count":0,"regions":[]},"trail":[]}"#;
        assert_eq!(serde_json::to_string(&outcome).unwrap(), text);
        assert_eq!(
            serde_json::from_str::<SearchOutcome>(text).unwrap(),
            outcome
        );

        let step = found(&Search::default(), (0..50).map(|i| f64::from(i % 2))).trail[0];
        let text = r#"{"percent":50,"eps_relative":0.1,"eps":0.1,"min_points":25,"clusters":2,"noise":0,"passed":true}"#;
        assert_eq!(serde_json::to_string(&step).unwrap(), text);
        assert_eq!(serde_json::from_str::<Step>(text).unwrap(), step);

        let search: Search = serde_json::from_str(r#"{"scale":"log","min_values":9}"#).unwrap();
        assert_eq!(
            search,
            Search::default().with_scale(Scale::Log).with_min_values(9)
        );
        assert!(serde_json::from_str::<Search>(r#"{"noise_target":0}"#).is_err());
    }
}
