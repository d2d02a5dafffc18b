//! Rule sets as text in the paper's notation, as a graph for Graphviz, and as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use crate::{Rule, RuleSet, Template};

impl fmt::Display for RuleSet {
    /// A paragraph per cluster, `A <=> B; C; D` for the rules that share a side, then what joins
    /// clusters, then what was sampled and left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, cluster) in (1..).zip(&self.clusters.clusters) {
            writeln!(f, "# cluster {number}: {} rules", cluster.len())?;
            lines(f, &self.rules, cluster)?;
        }
        if !self.clusters.cut.is_empty() {
            writeln!(f, "# between clusters: {} rules", self.clusters.cut.len())?;
            lines(f, &self.rules, &self.clusters.cut)?;
        }
        for bucket in &self.sampled {
            writeln!(
                f,
                "# sampled: {} of {} flow groups of {}",
                bucket.kept, bucket.groups, bucket.host
            )?;
        }
        if self.in_step > 0 {
            writeln!(
                f,
                "# left out: {} that chance may have put in step",
                self.in_step
            )?;
        }
        Ok(())
    }
}

/// Writes rules grouped under the side that most of the remaining ones share.
fn lines(f: &mut fmt::Formatter<'_>, rules: &[Rule], numbers: &[usize]) -> fmt::Result {
    let sides: Vec<(String, String, &str)> = numbers
        .iter()
        .map(|&number| {
            let (left, right) = rules[number].sides();
            (left, right, rules[number].arrow())
        })
        .collect();
    // The sides that can head a line, with the rules they would cover.
    let mut heads: BTreeMap<(&str, &str), BTreeSet<usize>> = BTreeMap::new();
    for (at, (left, right, arrow)) in sides.iter().enumerate() {
        heads.entry((left, arrow)).or_default().insert(at);
        if *arrow == "<=>" {
            heads.entry((right, arrow)).or_default().insert(at);
        }
    }
    let mut rest: BTreeSet<usize> = (0..sides.len()).collect();
    // The most covering head first; counts only fall, so one pass from the top suffices nearly
    // always, and the order is fixed in any case.
    let mut order: Vec<_> = heads.into_iter().collect();
    order.sort_by_key(|(_, covers)| std::cmp::Reverse(covers.len()));
    for ((head, arrow), covers) in order {
        let mut others = Vec::new();
        for at in covers {
            if rest.remove(&at) {
                let (left, right, _) = &sides[at];
                others.push(if left == head {
                    right.as_str()
                } else {
                    left.as_str()
                });
            }
        }
        if !others.is_empty() {
            writeln!(f, "{head} {arrow} {}", others.join("; "))?;
        }
    }
    Ok(())
}

impl Rule {
    /// Both sides in the paper's notation.
    pub fn sides(&self) -> (String, String) {
        let alike = self.left.to_string() == self.right.to_string() && self.left != self.right;
        let text = |group| {
            if alike {
                format!("{group:#}")
            } else {
                format!("{group}")
            }
        };
        let right: String = text(self.right);
        match self.template {
            Template::Peers => (text(self.left), right.replacen('*', "*'", 1)),
            _ => (text(self.left), right),
        }
    }

    /// `=>`, or `<=>` if both directions passed.
    pub const fn arrow(&self) -> &'static str {
        if self.both_ways { "<=>" } else { "=>" }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = self.sides();
        write!(f, "{left} {} {right}", self.arrow())
    }
}

impl RuleSet {
    /// The rules as a Graphviz graph: clusters as boxes, rules between clusters dashed.
    pub fn to_dot(&self) -> String {
        let mut text = String::from("digraph rules {\n  node [shape=box];\n");
        let mut homes = BTreeSet::new();
        for (number, cluster) in self.clusters.clusters.iter().enumerate() {
            let _ = writeln!(text, "  subgraph cluster_{number} {{");
            for &rule in cluster {
                let (left, right) = self.rules[rule].sides();
                for node in [left, right] {
                    if homes.insert(node.clone()) {
                        let _ = writeln!(text, "    \"{node}\";");
                    }
                }
            }
            text.push_str("  }\n");
        }
        let cut: BTreeSet<usize> = self.clusters.cut.iter().copied().collect();
        for (number, rule) in self.rules.iter().enumerate() {
            let (left, right) = rule.sides();
            let dir = if rule.both_ways { "both" } else { "forward" };
            let style = if cut.contains(&number) {
                "dashed"
            } else {
                "solid"
            };
            let score = rule.best().score;
            let _ = writeln!(
                text,
                "  \"{left}\" -> \"{right}\" [dir={dir}, style={style}, label=\"{score:.3e}\"];"
            );
        }
        text.push_str("}\n");
        text
    }
}

#[cfg(feature = "serde")]
pub use json::{Report, RuleLine};

#[cfg(feature = "serde")]
mod json {
    use crate::{ActivitySource, Parameters, Rule, RuleSet, SampledBucket, Template};

    /// A rule set as the JSON file has it.
    #[derive(Clone, Debug, serde::Serialize)]
    #[non_exhaustive]
    pub struct Report<'a> {
        /// The rules.
        pub rules: Vec<RuleLine<'a>>,
        /// Numbers of the rules in each cluster.
        pub clusters: &'a [Vec<usize>],
        /// Numbers of the rules between clusters.
        pub cut: &'a [usize],
        /// Buckets of which a sample was looked at.
        pub sampled: &'a [SampledBucket],
        /// Concrete rules left out because as many phases meet by chance.
        pub in_step: usize,
        /// Pairs that count as tested.
        pub tests: u64,
        /// Windows of the trace.
        pub windows: u32,
        /// What activity was read from.
        pub source: ActivitySource,
        /// The settings.
        pub parameters: &'a Parameters,
    }

    /// A rule as the JSON file has it: figures of the direction with the higher score.
    #[derive(Clone, Debug, serde::Serialize)]
    #[non_exhaustive]
    pub struct RuleLine<'a> {
        /// X in the paper's notation.
        pub left: String,
        /// Y in the paper's notation.
        pub right: String,
        /// Whether both directions were accepted.
        pub both_ways: bool,
        /// The shape.
        pub template: Template,
        /// Positive part of the J-measure, nats.
        pub score: f64,
        /// Adjusted p-value.
        pub p_adjusted: f64,
        /// Windows with an event of X (of Y, if that direction scores higher; so below).
        pub count_left: u64,
        /// Windows with Y.
        pub count_right: u64,
        /// Windows with both.
        pub count_both: u64,
        /// Co-occurrences expected by the local baseline.
        pub expected: f64,
        /// Windows looked at.
        pub windows: u64,
        /// Distinct bindings of `*`.
        pub bindings: u32,
        /// Counts at lags, the middle one lag 0.
        pub lag_profile: &'a [u64],
        /// Concrete rules it explains.
        pub instances: Vec<[String; 2]>,
    }

    impl RuleSet {
        /// What the JSON file holds.
        pub fn report(&self) -> Report<'_> {
            Report {
                rules: self.rules.iter().map(line).collect(),
                clusters: &self.clusters.clusters,
                cut: &self.clusters.cut,
                sampled: &self.sampled,
                in_step: self.in_step,
                tests: u64::try_from(self.tests).unwrap_or(u64::MAX),
                windows: self.windows,
                source: self.source,
                parameters: &self.parameters,
            }
        }
    }

    fn line(rule: &Rule) -> RuleLine<'_> {
        let (left, right) = rule.sides();
        let best = rule.best();
        RuleLine {
            left,
            right,
            both_ways: rule.both_ways,
            template: rule.template,
            score: best.score,
            p_adjusted: best.p_adjusted,
            count_left: best.count_left,
            count_right: best.count_right,
            count_both: best.count_both,
            expected: best.expected,
            windows: best.windows,
            bindings: best.bindings,
            lag_profile: &best.lag_profile,
            instances: rule
                .instances
                .iter()
                .map(|(x, y)| [x.to_string(), y.to_string()])
                .collect(),
        }
    }
}
