//! A directed rule on its way to acceptance.

use crate::evidence::Pair;
use crate::{Parameters, Template};

/// One side of a directed rule, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    Group(u32),
    Pattern(u32),
}

/// A directed rule with its evidence.
#[derive(Clone, Debug)]
pub(crate) struct Hypothesis {
    pub(crate) left: Side,
    pub(crate) right: Side,
    pub(crate) template: Template,
    pub(crate) pair: Pair,
    pub(crate) bindings: u32,
    pub(crate) ln_p: f64,
}

impl Parameters {
    /// Whether the score suffices.
    pub(crate) fn scores(&self, pair: &Pair) -> bool {
        pair.counts
            .positive_j()
            .is_some_and(|score| score > 0.0 && score >= self.min_score)
    }

    /// `None` for a p-value that no adjustment can bring below the false discovery rate.
    pub(crate) fn may_pass(&self, ln_p: f64) -> Option<()> {
        (ln_p <= self.fdr.ln()).then_some(())
    }
}
