//! How strong a rule is: the J-measure and its positive part.

/// Counts behind a rule `X => Y`, in windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the four cells of a 2x2 table")]
pub struct Counts {
    /// Windows in which X occurs.
    pub left: u64,
    /// Windows in which Y occurs.
    pub right: u64,
    /// Windows in which both occur.
    pub both: u64,
    /// All windows.
    pub windows: u64,
}

impl Counts {
    /// The J-measure in nats: `P(X,Y) ln[P(Y|X)/P(Y)] + P(X,!Y) ln[P(!Y|X)/P(!Y)]`.
    ///
    /// It rewards negative dependence too: two flows that alternate score high. `None` unless
    /// `both <= left, right <= windows`, at least one window, and the union fits in the windows.
    ///
    /// Source: Smyth and Goodman, *Rule induction using information theory* (1991).
    ///
    /// ```
    /// use peerscope_rules::Counts;
    ///
    /// let alternating = Counts { left: 1800, right: 1800, both: 0, windows: 3600 };
    /// assert!((alternating.j_measure().unwrap() - 0.347).abs() < 5e-4);
    /// assert_eq!(alternating.positive_j(), Some(0.0));
    /// ```
    pub fn j_measure(self) -> Option<f64> {
        let positive = self.term(self.both, self.right)?;
        let negative = self.term(self.left - self.both, self.windows - self.right)?;
        Some(positive + negative)
    }

    /// The first term of the J-measure, 0 where `P(Y|X) <= P(Y)`: positive dependence only.
    ///
    /// At most 1/e. `None` as in [`Counts::j_measure`].
    pub fn positive_j(self) -> Option<f64> {
        self.term(self.both, self.right).map(|term| term.max(0.0))
    }

    fn term(self, both: u64, right: u64) -> Option<f64> {
        if !self.is_consistent() {
            return None;
        }
        if both == 0 {
            return Some(0.0);
        }
        let windows = self.windows as f64;
        let given_left = both as f64 / self.left as f64;
        Some(both as f64 / windows * (given_left * windows / right as f64).ln())
    }

    fn is_consistent(self) -> bool {
        let union =
            u128::from(self.left) + u128::from(self.right) - u128::from(self.both.min(self.left));
        self.windows > 0
            && self.both <= self.left.min(self.right)
            && union <= u128::from(self.windows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(left: u64, right: u64, both: u64, windows: u64) -> Counts {
        Counts {
            left,
            right,
            both,
            windows,
        }
    }

    /// The check values of the method's description.
    #[test]
    fn published_check_values() {
        let close = |value: Option<f64>, expected: f64, tolerance: f64| {
            assert!(
                (value.unwrap() - expected).abs() < tolerance,
                "{value:?} {expected}"
            );
        };
        let alternating = counts(1800, 1800, 0, 3600);
        close(alternating.j_measure(), 0.347, 5e-4);
        close(alternating.j_measure(), 0.5 * 2_f64.ln(), 1e-12);
        close(alternating.positive_j(), 0.0, f64::MIN_POSITIVE);
        close(counts(10, 10, 10, 86_400).positive_j(), 1.05e-3, 5e-6);
        close(counts(10, 300, 9, 3600).positive_j(), 0.00595, 5e-6);
        // The maximum 1/e is at P = 1/e.
        let windows = 1_000_000;
        let score = |p: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "in 0..1e6"
            )]
            let n = (p * 1e6) as u64;
            counts(n, n, n, windows).positive_j().unwrap()
        };
        let top = 1.0 / std::f64::consts::E;
        close(Some(score(top)), top, 1e-6);
        for p in [0.01, 0.3, 0.4, 0.9] {
            assert!(score(p) < top);
        }
    }

    #[test]
    fn impossible_tables_have_no_score() {
        for bad in [
            counts(0, 0, 0, 0),
            counts(5, 5, 6, 100),
            counts(6, 6, 1, 10),
            counts(u64::MAX, u64::MAX, 0, 7),
        ] {
            assert_eq!(bad.positive_j(), None);
            assert_eq!(bad.j_measure(), None);
        }
        assert_eq!(counts(0, 5, 0, 10).positive_j(), Some(0.0));
        assert_eq!(counts(10, 10, 10, 10).j_measure(), Some(0.0));
    }
}
