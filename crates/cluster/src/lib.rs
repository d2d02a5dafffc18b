//! Exact density clustering (DBSCAN) of numbers on a line, with the parameter search and the
//! sensitivity table that make it usable without tuning.
//!
//! The values are sorted once, as [`SortedValues`]. [`Dbscan1d`] clusters them for one radius and
//! one density; [`Search`] finds both; [`Sensitivity`] tabulates many settings; [`Stability`] says
//! whether two halves of the data tell the same story as the whole.
//!
//! ```
//! use peerscope_cluster::{Assignment, Dbscan1d, Interval, MinPoints, Radius, SortedValues};
//!
//! let input = [0.0, 9.2, 0.1, 5.0, 0.2, 9.0, 9.1];
//! let values = SortedValues::new(input)?;
//! let clustering = Dbscan1d::new(Radius::new(0.5)?, MinPoints::new(3)?).fit(&values);
//!
//! assert_eq!(clustering.clusters.len(), 2);
//! assert_eq!(clustering.clusters[0], Interval { low: 0.0, high: 0.2, count: 3 });
//! assert_eq!(clustering.noise.count, 1);
//! assert_eq!(clustering.assign(9.1), Some(Assignment::Cluster(1)));
//! assert_eq!(
//!     clustering.labels(&input),
//!     [Some(0), Some(1), Some(0), None, Some(0), Some(1), Some(1)]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Definitions
//!
//! Two values are within the radius eps if `|a - b| <= eps`, the difference computed in `f64`. A
//! value is **core** if at least `min_points` values, itself included, lie within eps of it. Cores
//! within eps of each other share a cluster. A value that is not core but within eps of one is
//! **border** and joins the cluster of its nearest core, the lower one of two equally near. All
//! else is **noise**. Having no cluster at all is a valid result.
//!
//! On a line this makes every cluster a run of neighbours in sorted order, borders included: a
//! value between two cores of a cluster is within eps of both, and of the values between two
//! clusters the lower ones belong to the lower cluster, the upper ones to the upper one, and the
//! noise lies between. Hence an [`Interval`] says all there is to say about a cluster, intervals
//! never overlap, and the result depends on neither the order of the input nor on any visiting
//! order, as the labels of border points do in the general algorithm.
//!
//! # Complexity
//!
//! Sorting is O(n log n), once. After it each pair of parameters costs O(n) at the worst and
//! usually far less: see [`Dbscan1d`].
//!
//! # References
//!
//! - M. Ester, H.-P. Kriegel, J. Sander, X. Xu. A density-based algorithm for discovering clusters
//!   in large spatial databases with noise. KDD 1996.
//! - E. Schubert, J. Sander, M. Ester, H.-P. Kriegel, X. Xu. DBSCAN revisited, revisited: why and
//!   how you should (still) use DBSCAN. ACM Transactions on Database Systems 42 (3), 2017.
//! - The search and the sensitivity table: the paper on undesirable behaviour from P2P traffic,
//!   SIGMETRICS 2009, section 6.1 and Table 3; the stability check: section 7.2.
//!
//! The crate depends on nothing else of the workspace, knows nothing of networks and starts no
//! threads: clusterings of different metrics are independent, so callers may run them in parallel.
//! Feature `serde` derives `Serialize` and `Deserialize` for parameters and results.

mod clustering;
mod dbscan;
mod parameter;
mod scale;
mod search;
mod sensitivity;
mod stability;
mod values;

pub use clustering::{Assignment, Clustering, Interval, Noise};
pub use dbscan::{Counts, Dbscan1d, PointKind};
pub use parameter::{
    MinPoints, MinPointsError, Percent, PercentError, Radius, RadiusError, RelativeRadius,
};
pub use scale::{QuantileRange, QuantileRangeError, Scale, ScaleError, Scaled};
pub use search::{Found, Search, SearchOutcome, Step};
pub use sensitivity::{Sensitivity, Trial};
pub use stability::{ClusterMatch, Comparison, Stability};
pub use values::{NonFiniteError, SortedValues};
