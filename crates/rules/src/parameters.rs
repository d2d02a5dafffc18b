//! What can be set, with the method's defaults.

use peerscope_flow::{SlotLength, Timestamp};
use thiserror::Error;

use crate::surroundings::Lags;
use crate::{Null, PortRules};

/// Settings of the [`Miner`](crate::Miner).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain settings, checked by Miner::new"
)]
pub struct Parameters {
    /// Length of a window, 1 s.
    pub window: SlotLength,
    /// Idle time after which a flow's next activity is new, in microseconds: 5 s.
    pub idle_gap_us: i64,
    /// How server ports are told from ephemeral ones.
    pub ports: PortRules,
    /// What of X makes a rule `X => Y`.
    pub left: LeftSide,
    /// The test.
    pub null: Null,
    /// Which pairs are looked at.
    pub policy: CandidatePolicy,
    /// Least score of a rule, in nats: 1e-4. Over a day at windows of a second that asks of 10
    /// co-occurrences 2.4 times the chance level, and it falls with the length of the trace.
    pub min_score: f64,
    /// Least co-occurrences of a rule: 10.
    pub min_cooccurrence: u32,
    /// False discovery rate of Benjamini and Hochberg: 0.01.
    pub fdr: f64,
    /// The baseline leaves out windows nearer than this to an event, in seconds: 5.
    pub guard_s: f64,
    /// The baseline and the lag profile reach this far, in seconds: 60, at most 600 windows.
    pub reach_s: f64,
    /// How many times the baseline must be exceeded, beyond chance: 1.75. Traffic comes in bursts of all
    /// lengths; those too short for the baseline lift every pair a little. 1 is the plain test.
    pub min_lift: f64,
    /// Leaves out concrete rules of beats that may be in step by chance, and counts them: yes.
    pub phase_test: bool,
    /// Mean number of co-active groups in a host's bucket above which the bucket is sampled: 200.
    /// So is one with more than [`Parameters::MAX_VISITS`] pairs to count over all windows.
    pub bucket_limit: u32,
    /// Generic rules looked for, beside concrete ones: any client, and chains.
    pub templates: Vec<Template>,
    /// Least distinct bindings of a generic rule, at least 2: 2.
    pub min_bindings: u32,
    /// A cluster is cut in two where the cut's conductance is at most this: 0.2.
    pub max_conductance: f64,
    /// Seed of all sampling.
    pub seed: u64,
}

/// What of X makes a rule `X => Y`; Y is always present or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum LeftSide {
    /// X begins, or returns after an idle gap. Long flows overlap by chance; beginnings do not.
    New,
    /// X is present. Costs memory and time for every window of every flow.
    Present,
}

/// Which pairs of flow groups are candidates.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum CandidatePolicy {
    /// Pairs that share an address.
    SharedAddress,
    /// These, and a seeded random fraction of all others.
    SharedAddressAnd {
        /// Fraction of the other pairs, from 0 to 1.
        fraction: f64,
    },
    /// All pairs: quadratic, for small inputs.
    AllPairs,
}

/// Shapes of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Template {
    /// T0: hosts are concrete on both sides.
    Concrete,
    /// T1: `*.* : S1.p1 => *.* : S2.p2`, any client, the same host on both sides.
    AnyClient,
    /// T2: `*.* : S1.p1 => S1.* : S2.p2`, clients of a server and the server's own requests.
    Chain,
    /// T3: `*.* : S.p1 => *'.* : S.p2`, two different peers of a server. Off by default.
    Peers,
}

/// Settings that make no sense.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{name} is {value}: expected {expected}")]
#[non_exhaustive]
pub struct ParameterError {
    /// The setting.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// What it may be.
    pub expected: &'static str,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            window: SlotLength::from_micros(Timestamp::MICROS_PER_SEC).unwrap_or_default(),
            idle_gap_us: crate::ActivityBuilder::IDLE_GAP,
            ports: PortRules::default(),
            left: LeftSide::New,
            null: Null::LocalBaseline,
            policy: CandidatePolicy::SharedAddress,
            min_score: 1e-4,
            min_cooccurrence: 10,
            fdr: 0.01,
            guard_s: 5.0,
            reach_s: 60.0,
            min_lift: 1.75,
            phase_test: true,
            bucket_limit: 200,
            templates: vec![Template::AnyClient, Template::Chain],
            min_bindings: 2,
            max_conductance: 0.2,
            seed: 0,
        }
    }
}

impl Parameters {
    /// Most windows that the baseline reaches.
    pub const MAX_REACH: u32 = 600;

    /// Pairs counted in one host's bucket, over all windows, above which the bucket is sampled.
    pub const MAX_VISITS: f64 = 1e7;

    pub(crate) fn check(&self) -> Result<(), ParameterError> {
        let fraction = match self.policy {
            CandidatePolicy::SharedAddressAnd { fraction } => fraction,
            CandidatePolicy::SharedAddress | CandidatePolicy::AllPairs => 0.0,
        };
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let checks = [
            (
                "min_score",
                self.min_score,
                self.min_score >= 0.0 && self.min_score.is_finite(),
                "a finite number from 0",
            ),
            (
                "fdr",
                self.fdr,
                self.fdr > 0.0 && self.fdr < 1.0,
                "above 0 and below 1",
            ),
            ("guard_s", self.guard_s, positive(self.guard_s), "above 0"),
            (
                "reach_s",
                self.reach_s,
                positive(self.reach_s) && self.reach_s >= self.guard_s,
                "at least guard_s",
            ),
            (
                "min_lift",
                self.min_lift,
                self.min_lift >= 1.0 && self.min_lift.is_finite(),
                "a finite number from 1",
            ),
            (
                "max_conductance",
                self.max_conductance,
                (0.0..=1.0).contains(&self.max_conductance),
                "from 0 to 1",
            ),
            (
                "min_cooccurrence",
                f64::from(self.min_cooccurrence),
                self.min_cooccurrence > 0,
                "at least 1",
            ),
            (
                "min_bindings",
                f64::from(self.min_bindings),
                self.min_bindings > 1,
                "at least 2",
            ),
            (
                "bucket_limit",
                f64::from(self.bucket_limit),
                self.bucket_limit > 0,
                "at least 1",
            ),
            (
                "fraction",
                fraction,
                (0.0..=1.0).contains(&fraction),
                "from 0 to 1",
            ),
        ];
        match checks.into_iter().find(|check| !check.2) {
            Some((name, value, _, expected)) => Err(ParameterError {
                name,
                value,
                expected,
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn lags(&self) -> Lags {
        let windows = |secs: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to 1..=600"
            )]
            let count = (secs / self.window.as_secs())
                .round()
                .clamp(1.0, f64::from(Self::MAX_REACH)) as u32;
            count
        };
        Lags {
            burst: windows(Lags::BURST_S),
            guard: windows(self.guard_s),
            reach: windows(self.reach_s),
            lift: self.min_lift,
        }
    }

    pub(crate) fn looks_for(&self, template: Template) -> bool {
        self.templates.contains(&template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_and_nonsense_is_named() {
        assert_eq!(Parameters::default().check(), Ok(()));
        let lags = Parameters::default().lags();
        assert_eq!((lags.guard, lags.reach), (5, 60));
        let bad = Parameters {
            fdr: f64::NAN,
            ..Parameters::default()
        };
        assert_eq!(
            bad.check().unwrap_err().to_string(),
            "fdr is NaN: expected above 0 and below 1"
        );
        let bad = Parameters {
            min_bindings: 1,
            ..Parameters::default()
        };
        assert!(
            bad.check()
                .unwrap_err()
                .to_string()
                .contains("min_bindings is 1")
        );
    }

    #[test]
    fn lags_follow_the_window() {
        let with = |secs| {
            Parameters {
                window: SlotLength::from_secs(secs).unwrap(),
                ..Parameters::default()
            }
            .lags()
        };
        assert_eq!((with(10.0).guard, with(10.0).reach), (1, 6));
        assert_eq!((with(0.1).guard, with(0.1).reach), (50, 600));
        assert_eq!((with(300.0).guard, with(300.0).reach), (1, 1));
    }
}
