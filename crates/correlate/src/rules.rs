//! A set of rules: read from text, checked, searched.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;
use toml::Spanned;

use crate::Rule;

/// Interpretation rules, of which at most one settles each metric of each system.
///
/// Of several rules that apply the most specific one does: a metric's name beats a pattern, a
/// longer pattern a shorter one; then a rule for the system beats one for the family, which beats
/// one for every family. A later set beats an earlier one where both have the same key.
///
/// ```
/// use peerscope_correlate::Rules;
/// use peerscope_metric::Metric;
///
/// let known: Vec<String> = Metric::ALL.iter().map(Metric::to_string).collect();
/// let mine = Rules::from_toml(
///     r#"
///     [[rule]]
///     name = "chatty"
///     metric = "avg-duration-*"
///     sides = ["high"]
///     explanation = "long conversations"
///     "#,
///     &known,
/// )?;
/// let rules = Rules::built_in().extended(mine);
/// let name = |system, metric| Some(rules.find("emule", system, metric)?.name.as_str());
/// assert_eq!(name("kad", "avg-duration-UDP"), Some("chatty"));
/// assert_eq!(name("kad", "live-conn-TCP"), Some("very-active-connections"));
/// assert_eq!(name("kad", "avg-pkt-size-UDP"), None);
///
/// let typo = r#"
///     [[rule]]
///     name = "typo"
///     metric = "live-con-TCP"
///     explanation = "?"
/// "#;
/// let error = Rules::from_toml(typo, &known).unwrap_err();
/// assert!(error.to_string().starts_with("line 2: rule \"typo\""));
/// # Ok::<(), peerscope_correlate::RulesError>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "RuleFile<Rule>", into = "RuleFile<Rule>")]
pub struct Rules {
    rules: Vec<Located>,
}

#[derive(Clone, Debug)]
struct Located {
    /// Of the file the rule was read from.
    line: Option<usize>,
    rule: Rule,
}

/// Why rules are refused.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The text is not TOML or not made of rules. The message has line, column and an excerpt.
    #[error("{0}")]
    Toml(Box<toml::de::Error>),
    /// The text is not JSON or not made of rules. The message has line and column.
    #[error("{0}")]
    Json(String),
    /// A rule says something impossible.
    #[error("{}rule {rule:?} {problem}", at(*.line))]
    Rule {
        /// The line it begins on, if it was read from a file.
        line: Option<usize>,
        /// Its name.
        rule: String,
        /// What is wrong.
        problem: RuleProblem,
    },
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleProblem {
    /// It has no name.
    #[error("has no name")]
    NoName,
    /// It does not explain.
    #[error("has no explanation")]
    NoExplanation,
    /// It has neither a side nor a selection.
    #[error("has neither sides nor select, hence says nothing")]
    SaysNothing,
    /// No known metric has the name or matches the pattern.
    #[error("speaks of {0:?}, which is no known metric")]
    UnknownMetric(String),
    /// Another rule of the same set has the same family, system and metric.
    #[error("has the same family, system and metric as rule {0:?} of the same set")]
    Duplicate(String),
}

impl Rules {
    /// The built-in rules as text, in the form that [`from_toml`](Self::from_toml) reads.
    pub const BUILT_IN: &str = include_str!("../rules/built-in.toml");

    /// Checks rules made in code.
    ///
    /// # Errors
    ///
    /// If a rule has no name or explanation, says nothing, or has the key of an earlier one.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, RulesError> {
        Self::checked(rules.into_iter().map(|rule| Located { line: None, rule }))
    }

    /// The rules of Tables 4 and 5 of the SIGMETRICS 2009 paper, and of its sections 8.3, 8.4
    /// and 9.
    ///
    /// # Panics
    ///
    /// Never: the file is part of the crate, and a test reads it.
    #[expect(clippy::expect_used, reason = "a file of the crate, read in a test")]
    pub fn built_in() -> Self {
        let file: RuleFile<Spanned<Rule>> = toml::from_str(Self::BUILT_IN).expect("rules");
        Self::checked(located(Self::BUILT_IN, file)).expect("consistent rules")
    }

    /// Reads rules from TOML: an array of tables `[[rule]]`, see [`Rule`].
    ///
    /// `known` are the names of all metrics, those of a user's own included, for example
    /// `SampleTable::metrics`.
    ///
    /// # Errors
    ///
    /// With the line, if the text is no TOML, a field is missing, unknown or malformed, a rule
    /// speaks of no known metric, or one of the reasons of [`new`](Self::new) holds.
    pub fn from_toml(text: &str, known: &[impl AsRef<str>]) -> Result<Self, RulesError> {
        let file: RuleFile<Spanned<Rule>> =
            toml::from_str(text).map_err(|error| RulesError::Toml(Box::new(error)))?;
        let rules = Self::checked(located(text, file))?;
        rules.check(known)?;
        Ok(rules)
    }

    /// Reads rules from JSON, `{"rule": [...]}` with the fields of [`Rule`].
    ///
    /// # Errors
    ///
    /// As for [`from_toml`](Self::from_toml).
    pub fn from_json(text: &str, known: &[impl AsRef<str>]) -> Result<Self, RulesError> {
        let json = |error: serde_json::Error| RulesError::Json(error.to_string());
        let file: RuleFile<Rule> = serde_json::from_str(text).map_err(json)?;
        let raw: RawFile<'_> = serde_json::from_str(text).map_err(json)?;
        let lines = raw.rule.iter().map(|rule| {
            let offset = rule.get().as_ptr().addr() - text.as_ptr().addr();
            Some(line_of(text, offset))
        });
        let rules = file.rule.into_iter().zip(lines);
        let rules = Self::checked(rules.map(|(rule, line)| Located { line, rule }))?;
        rules.check(known)?;
        Ok(rules)
    }

    fn checked(rules: impl IntoIterator<Item = Located>) -> Result<Self, RulesError> {
        let mut checked: Vec<Located> = Vec::new();
        for located in rules {
            let rule = &located.rule;
            let twin = checked
                .iter()
                .find(|earlier| key(&earlier.rule) == key(rule));
            let problem = if rule.name.trim().is_empty() {
                Some(RuleProblem::NoName)
            } else if rule.explanation.trim().is_empty() {
                Some(RuleProblem::NoExplanation)
            } else if rule.sides.is_empty() && rule.select.is_empty() {
                Some(RuleProblem::SaysNothing)
            } else {
                twin.map(|twin| RuleProblem::Duplicate(twin.rule.name.clone()))
            };
            match problem {
                Some(problem) => return Err(located.refused(problem)),
                None => checked.push(located),
            }
        }
        Ok(Self { rules: checked })
    }

    /// Checks that every rule speaks of a known metric.
    ///
    /// # Errors
    ///
    /// At the first that does not.
    pub fn check(&self, known: &[impl AsRef<str>]) -> Result<(), RulesError> {
        let stranger = self.rules.iter().find(|located| {
            let pattern = &located.rule.metric;
            !known.iter().any(|name| pattern.matches(name.as_ref()))
        });
        stranger.map_or(Ok(()), |located| {
            let metric = located.rule.metric.to_string();
            Err(located.refused(RuleProblem::UnknownMetric(metric)))
        })
    }

    /// Adds the rules of another set, which replace those with the same family, system and metric.
    #[must_use]
    pub fn extended(mut self, other: Self) -> Self {
        let replaced = |rule: &Rule| other.iter().any(|new| key(new) == key(rule));
        self.rules.retain(|located| !replaced(&located.rule));
        self.rules.extend(other.rules);
        self
    }

    /// The rules, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|located| &located.rule)
    }

    /// The most specific rule for a metric of a system of a family.
    pub fn find(&self, family: &str, system: &str, metric: &str) -> Option<&Rule> {
        let applicable = self
            .iter()
            .filter(|rule| rule.applies_to(family, system, metric));
        // Of equally specific ones, the last.
        applicable.max_by_key(|rule| {
            let (system, family) = (rule.system.is_some(), rule.family.is_some());
            (rule.metric.specificity(), system, family)
        })
    }
}

impl Located {
    fn refused(&self, problem: RuleProblem) -> RulesError {
        RulesError::Rule {
            line: self.line,
            rule: self.rule.name.clone(),
            problem,
        }
    }
}

impl TryFrom<RuleFile<Rule>> for Rules {
    type Error = RulesError;

    fn try_from(file: RuleFile<Rule>) -> Result<Self, RulesError> {
        Self::new(file.rule)
    }
}

impl From<Rules> for RuleFile<Rule> {
    fn from(rules: Rules) -> Self {
        let rule = rules.rules.into_iter().map(|located| located.rule);
        Self {
            rule: rule.collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile<R> {
    #[serde(default = "Vec::new")]
    rule: Vec<R>,
}

#[derive(Deserialize)]
struct RawFile<'a> {
    #[serde(borrow, default)]
    rule: Vec<&'a RawValue>,
}

fn located(text: &str, file: RuleFile<Spanned<Rule>>) -> impl Iterator<Item = Located> + '_ {
    file.rule.into_iter().map(|rule| Located {
        line: Some(line_of(text, rule.span().start)),
        rule: rule.into_inner(),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    1 + before.filter(|&byte| byte == b'\n').count()
}

fn at(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}

fn key(rule: &Rule) -> (&Option<String>, &Option<String>, &str) {
    (&rule.family, &rule.system, rule.metric.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, Severity, Side};
    use peerscope_metric::Metric;

    fn known() -> Vec<String> {
        Metric::ALL.iter().map(Metric::to_string).collect()
    }

    fn toml_error(text: &str) -> String {
        Rules::from_toml(text, &known()).unwrap_err().to_string()
    }

    #[test]
    fn the_built_in_rules_are_the_papers_tables() {
        let rules = Rules::from_toml(Rules::BUILT_IN, &known()).unwrap();
        assert_eq!(rules.iter().count(), Rules::built_in().iter().count());
        let selected = |system: &str, metric: &str| {
            let rule = rules.find("emule", system, metric).unwrap();
            assert!(!rule.sides.is_empty(), "{metric}");
            rule.select.clone()
        };
        let (low, high) = (vec![Selection::Lowest], vec![Selection::Highest]);
        // Table 4.
        assert_eq!(selected("kad", "avg-pkt-size-TCP"), low);
        assert_eq!(selected("kad", "outin-fract-unanswered-UDP"), high);
        assert_eq!(selected("kad", "ratio-bytes-sent-to-rcvd-UDP"), low);
        let above = vec![Selection::AboveLowest];
        assert_eq!(selected("kad", "inout-1024-dest-ports-UDP"), above);
        assert_eq!(selected("kad", "ratio-bytes-sent-to-rcvd-TCP"), low);
        // Table 5.
        assert_eq!(selected("kadu", "inout-ISP-to-Internet-ratio-TCP"), low);
        assert_eq!(selected("kadu", "outin-fract-unanswered-UDP"), high);
        assert_eq!(selected("kadu", "ratio-bytes-sent-to-rcvd-UDP"), low);
        assert_eq!(selected("kadu", "fract-incoming-conn-UDP"), high);
        assert_eq!(selected("kadu", "outin-failure-ratio-TCP"), high);
        assert_eq!(selected("kadu", "ratio-bytes-sent-to-rcvd-TCP"), low);
        // Rows of one table do not leak into the other.
        assert!(rules.find("emule", "kadu", "avg-pkt-size-TCP").is_none());
        assert!(
            rules
                .find("emule", "kad", "outin-failure-ratio-TCP")
                .is_none()
        );
        for family in ["emule", "bittorrent", "dcpp", "any", "my-own"] {
            let rule = rules
                .find(family, "x", "inout-1024-dest-ports-TCP")
                .unwrap();
            assert_eq!(rule.severity, Severity::High);
            assert_eq!(rule.sides, [Side::High]);
        }
    }

    #[test]
    fn the_most_specific_rule_wins_whatever_the_order() {
        let text = |name: &str, key: &str| {
            format!("[[rule]]\nname='{name}'\n{key}\nsides=['low']\nexplanation='e'\n")
        };
        let mut texts = [
            text("all", "metric='*'"),
            text("long", "metric='live-*'"),
            text("name", "metric='live-conn-TCP'"),
            text("family", "metric='live-conn-TCP'\nfamily='emule'"),
            text("system", "metric='live-conn-TCP'\nsystem='kad'"),
        ];
        for _ in 0..2 {
            let rules = Rules::from_toml(&texts.concat(), &known()).unwrap();
            let name = |family, system, metric| &rules.find(family, system, metric).unwrap().name;
            assert_eq!(name("emule", "kad", "live-conn-TCP"), "system");
            assert_eq!(name("emule", "kadu", "live-conn-TCP"), "family");
            assert_eq!(name("dcpp", "dcpp", "live-conn-TCP"), "name");
            assert_eq!(name("emule", "kad", "live-conn-UDP"), "long");
            assert_eq!(name("emule", "kad", "bps-sent-UDP"), "all");
            texts.reverse();
        }
    }

    #[test]
    fn errors_name_the_line_and_the_rule() {
        let good = "[[rule]]\nname='a'\nmetric='live-conn-TCP'\nsides=['low']\nexplanation='e'\n";
        let broken =
            |from: &str, to: &str| toml_error(&format!("{good}{}", good.replace(from, to)));
        assert_eq!(
            broken("'live-conn-TCP'", "'live-conn'"),
            "line 6: rule \"a\" speaks of \"live-conn\", which is no known metric"
        );
        assert!(broken("name='a'", "name='b'").contains("same set"));
        assert!(broken("'e'", "' '").contains("line 6: rule \"a\" has no explanation"));
        assert!(broken("sides=['low']", "").contains("line 6: rule \"a\" has neither"));
        assert!(broken("'low'", "'left'").contains("line 9"));
        assert!(broken("sides", "size").contains("line 9"));
        assert!(broken("'low'", "{range={low=2,high=1}}").contains("from 2 to 1"));
        assert!(broken("'low'", "{range={low=nan}}").contains("no value"));
        assert!(toml_error("[[rule").contains("line 1"));
        assert!(toml_error("rules = []").contains("line 1"));
    }

    #[test]
    fn json_is_read_and_its_errors_have_lines_too() {
        let json = serde_json::to_string_pretty(&Rules::built_in()).unwrap();
        let rules = Rules::from_json(&json, &known()).unwrap();
        assert!(rules.iter().eq(Rules::built_in().iter()));
        let error = |from: &str, to: &str| {
            let text = json.replacen(from, to, 1);
            Rules::from_json(&text, &known()).unwrap_err().to_string()
        };
        assert!(error("inout-1024-dest", "inout-1025-dest").starts_with("line 3: rule"));
        assert!(error("\"above-lowest\"", "\"above\"").contains("line 10"));
        assert!(error("{", "[").contains("line 2"));
    }

    #[test]
    fn users_metrics_are_known_if_said_so() {
        let text = "[[rule]]\nname='a'\nmetric='mine'\nsides=['low']\nexplanation='e'\n";
        assert!(Rules::from_toml(text, &known()).is_err());
        assert!(Rules::from_toml(text, &["mine"]).is_ok());
    }
}
