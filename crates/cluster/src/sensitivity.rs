//! The sensitivity table: how clusters and noise depend on the parameters.

use crate::{MinPoints, Percent, Radius, RelativeRadius, Scale, ScaleError, SortedValues};

/// One setting of the parameters and what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trial {
    /// The density in percent of the values.
    pub percent: Percent,
    /// The radius as a fraction of the scale's unit.
    pub eps_relative: RelativeRadius,
    /// The radius on the scale.
    pub eps: Radius,
    /// The density as a number of values.
    pub min_points: MinPoints,
    /// Number of clusters.
    pub clusters: usize,
    /// Number of noise values.
    pub noise: usize,
}

/// Clusters and noise for every pair of a radius and a density (SIGMETRICS 2009, Table 3).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sensitivity {
    /// How many values were clustered.
    pub n: usize,
    /// One per pair: the densities of the first radius, then those of the second, and so on.
    pub trials: Vec<Trial>,
}

impl Sensitivity {
    /// The radii of the paper's table, its rows.
    pub const PAPER_RADII: [RelativeRadius; 5] = [
        RelativeRadius::constant(0.01),
        RelativeRadius::constant(0.05),
        RelativeRadius::constant(0.1),
        RelativeRadius::constant(0.2),
        RelativeRadius::constant(0.5),
    ];

    /// The densities of the paper's table, its columns.
    pub const PAPER_PERCENTS: [Percent; 6] = Percent::constants([1, 5, 10, 20, 40, 60]);

    /// Tries every pair.
    ///
    /// # Errors
    ///
    /// If the scale cannot measure the values.
    ///
    /// # Complexity
    ///
    /// As many passes as pairs, see [`Dbscan1d`](crate::Dbscan1d).
    ///
    /// ```
    /// use peerscope_cluster::{Scale, Sensitivity, SortedValues};
    ///
    /// let values = SortedValues::new((0..100).map(|i| f64::from(i % 2) + f64::from(i) / 1e4))?;
    /// let table = Sensitivity::new(
    ///     &values,
    ///     Scale::Range,
    ///     &Sensitivity::PAPER_RADII,
    ///     &Sensitivity::PAPER_PERCENTS,
    /// )?;
    /// assert_eq!(table.trials.len(), 30);
    /// // A radius of a tenth of the range: two halves, too small for a density of 60 percent.
    /// let clusters: Vec<_> = table.trials[12..18].iter().map(|trial| trial.clusters).collect();
    /// assert_eq!(clusters, [2, 2, 2, 2, 2, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        values: &SortedValues,
        scale: Scale,
        radii: &[RelativeRadius],
        percents: &[Percent],
    ) -> Result<Self, ScaleError> {
        let scaled = scale.on(values)?;
        let pairs = radii
            .iter()
            .flat_map(|&radius| percents.iter().map(move |&percent| (radius, percent)));
        Ok(Self {
            n: values.len(),
            trials: pairs
                .map(|(radius, percent)| scaled.try_out(radius, percent))
                .collect(),
        })
    }
}
