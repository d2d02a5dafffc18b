//! Rules found against rules planted.

use peerscope_simulate::{RulesTruth, TrueShape};

/// A rule as two sides in the paper's notation.
pub(crate) type Sides = (String, String);

/// What became of a trace's planted pairs, and of its rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) pairs: usize,
    pub(crate) missing: Vec<String>,
    pub(crate) rules: usize,
    pub(crate) wrong: Vec<String>,
}

impl Judgement {
    pub(crate) fn new(truth: &RulesTruth, rules: &[Sides]) -> Self {
        let pairs = || {
            truth
                .shapes
                .iter()
                .flat_map(|shape| shape.pairs.iter().map(move |pair| (shape.kind, pair)))
        };
        Self {
            pairs: pairs().count(),
            missing: pairs()
                .filter(|(_, [a, b])| !rules.iter().any(|rule| says(rule, a, b)))
                .map(|(kind, [a, b])| format!("{kind:?}: {a} and {b}"))
                .collect(),
            rules: rules.len(),
            wrong: rules
                .iter()
                .filter(|rule| !truth.shapes.iter().any(|shape| is_of(rule, shape)))
                .map(|(left, right)| format!("{left} and {right}"))
                .collect(),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.missing.extend(other.missing);
        self.rules += other.rules;
        self.wrong.extend(other.wrong);
    }

    pub(crate) fn recall(&self) -> f64 {
        1.0 - self.missing.len() as f64 / self.pairs.max(1) as f64
    }

    pub(crate) fn precision(&self) -> f64 {
        1.0 - self.wrong.len() as f64 / self.rules.max(1) as f64
    }
}

/// Whether a rule says that two flow groups occur together, on its own or for any client.
fn says((left, right): &Sides, a: &str, b: &str) -> bool {
    (fits(left, a) && fits(right, b)) || (fits(left, b) && fits(right, a))
}

fn fits(side: &str, group: &str) -> bool {
    let any_client = || {
        let (port, dst) = side.strip_prefix("*.")?.split_once(" : ")?;
        let (src, to) = group.split_once(" : ")?;
        Some(dst == to && src.rsplit('.').next() == Some(port))
    };
    side == group || any_client() == Some(true)
}

/// Whether both sides belong to one shape.
fn is_of(rule: &Sides, shape: &TrueShape) -> bool {
    shape.groups.iter().any(|a| {
        let mut others = shape.groups.iter().filter(|b| *b != a);
        others.any(|b| says(rule, a, b))
    })
}
