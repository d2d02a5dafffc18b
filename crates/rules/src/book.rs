//! The rule book: what is known of a site, and what is new today.

use std::collections::BTreeMap;

use crate::{FlowGroup, Rule, Template};

/// Known rules of a site.
///
/// A new trace's rules come back from [`RuleBook::diff`] as known, novel, changed or gone. Strength
/// is compared by confidence (the share of X's events with Y), which does not depend on the
/// length of the trace as the score does.
///
/// With feature `serde` a book is saved and loaded as JSON with a version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleBook {
    rules: BTreeMap<RuleKey, Strength>,
}

/// What identifies a rule: its shape and its two sides, whichever implies the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RuleKey {
    /// The lower side.
    pub lower: FlowGroup,
    /// The upper side.
    pub upper: FlowGroup,
    /// The shape.
    pub template: Template,
}

/// How strong a known rule is: its confidence either way, `None` where that way was not accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Strength {
    /// Confidence of lower => upper.
    pub up: Option<f64>,
    /// Confidence of upper => lower.
    pub down: Option<f64>,
}

/// A trace's rules against a book; numbers are positions in the rules given.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Diff {
    /// In the book, about as strong.
    pub known: Vec<usize>,
    /// Not in the book.
    pub novel: Vec<usize>,
    /// In the book, with another direction or another strength, and what the book says.
    pub changed: Vec<(usize, Strength)>,
    /// In the book only.
    pub gone: Vec<RuleKey>,
}

impl RuleKey {
    /// The key of a rule.
    pub fn of(rule: &Rule) -> Self {
        Self {
            lower: rule.left.min(rule.right),
            upper: rule.left.max(rule.right),
            template: rule.template,
        }
    }
}

impl Strength {
    fn of(rule: &Rule) -> Self {
        let forward = Some(rule.evidence.confidence());
        let back = rule.reverse.as_ref().map(crate::Evidence::confidence);
        if rule.left <= rule.right {
            Self {
                up: forward,
                down: back,
            }
        } else {
            Self {
                up: back,
                down: forward,
            }
        }
    }

    fn differs(self, other: Self, tolerance: f64) -> bool {
        let apart = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() > tolerance,
            (a, b) => a.is_some() != b.is_some(),
        };
        apart(self.up, other.up) || apart(self.down, other.down)
    }
}

impl RuleBook {
    /// The version of the saved form.
    pub const VERSION: u32 = 1;
    /// How far apart two confidences count as a change.
    pub const TOLERANCE: f64 = 0.25;

    /// A book with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds rules; of those known already the newer strength is kept.
    pub fn learn<'a>(&mut self, rules: impl IntoIterator<Item = &'a Rule>) {
        for rule in rules {
            self.rules.insert(RuleKey::of(rule), Strength::of(rule));
        }
    }

    /// Removes a rule; `None` if it was not known.
    pub fn forget(&mut self, key: &RuleKey) -> Option<Strength> {
        self.rules.remove(key)
    }

    /// Whether a rule is known, however strong.
    pub fn knows(&self, rule: &Rule) -> bool {
        self.rules.contains_key(&RuleKey::of(rule))
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether the book is empty: everything is novel to it.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&RuleKey, &Strength)> {
        self.rules.iter()
    }

    /// Compares a trace's rules with the book.
    pub fn diff(&self, rules: &[Rule]) -> Diff {
        let mut gone = self.rules.clone();
        let mut diff = Diff::default();
        for (number, rule) in rules.iter().enumerate() {
            let key = RuleKey::of(rule);
            gone.remove(&key);
            match self.rules.get(&key) {
                None => diff.novel.push(number),
                Some(was) if was.differs(Strength::of(rule), Self::TOLERANCE) => {
                    diff.changed.push((number, *was));
                }
                Some(_) => diff.known.push(number),
            }
        }
        diff.gone = gone.into_keys().collect();
        diff
    }
}

#[cfg(feature = "serde")]
pub use json::BookError;

#[cfg(feature = "serde")]
mod json {
    use std::io::{Read, Write};

    use thiserror::Error;

    use super::{RuleBook, RuleKey, Strength};

    /// Why a book cannot be saved or loaded.
    #[derive(Debug, Error)]
    #[non_exhaustive]
    pub enum BookError {
        /// The file is no rule book; the message has the line and column.
        #[error("not a rule book: {0}")]
        Malformed(#[source] serde_json::Error),
        /// The book is of a version that this crate does not read.
        #[error("rule book of version {found}, expected version {expected}")]
        Version {
            /// The book's.
            found: u64,
            /// This crate's.
            expected: u32,
        },
        /// A confidence outside 0 to 1.
        #[error("rule {number}: confidence {value} is not between 0 and 1")]
        Confidence {
            /// Position of the rule in the book, from 0.
            number: usize,
            /// The value.
            value: f64,
        },
        /// The sides of a rule are in the wrong order.
        #[error("rule {number}: its sides are in the wrong order")]
        Order {
            /// Position of the rule in the book, from 0.
            number: usize,
        },
        /// Writing failed.
        #[error("cannot write the rule book: {0}")]
        Write(#[source] serde_json::Error),
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Saved {
        version: u64,
        rules: Vec<Entry>,
    }

    #[derive(serde::Deserialize)]
    struct Header {
        version: u64,
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Entry {
        #[serde(flatten)]
        key: RuleKey,
        #[serde(flatten)]
        strength: Strength,
    }

    impl RuleBook {
        /// Writes the book as JSON.
        ///
        /// # Errors
        ///
        /// If writing fails.
        pub fn save(&self, to: impl Write) -> Result<(), BookError> {
            let saved = Saved {
                version: u64::from(Self::VERSION),
                rules: self
                    .iter()
                    .map(|(&key, &strength)| Entry { key, strength })
                    .collect(),
            };
            serde_json::to_writer_pretty(to, &saved).map_err(BookError::Write)
        }

        /// Reads a book.
        ///
        /// # Errors
        ///
        /// If the text is no book, is of another version, or holds impossible values.
        pub fn load(mut from: impl Read) -> Result<Self, BookError> {
            let mut text = Vec::new();
            from.read_to_end(&mut text)
                .map_err(|error| BookError::Malformed(serde_json::Error::io(error)))?;
            // The version first: another one may have other rules.
            let header: Header = serde_json::from_slice(&text).map_err(BookError::Malformed)?;
            if header.version != u64::from(Self::VERSION) {
                return Err(BookError::Version {
                    found: header.version,
                    expected: Self::VERSION,
                });
            }
            let saved: Saved = serde_json::from_slice(&text).map_err(BookError::Malformed)?;
            for (number, entry) in saved.rules.iter().enumerate() {
                for value in [entry.strength.up, entry.strength.down]
                    .into_iter()
                    .flatten()
                {
                    if !(0.0..=1.0).contains(&value) {
                        return Err(BookError::Confidence { number, value });
                    }
                }
                if entry.key.lower > entry.key.upper {
                    return Err(BookError::Order { number });
                }
            }
            Ok(Self {
                rules: saved
                    .rules
                    .into_iter()
                    .map(|entry| (entry.key, entry.strength))
                    .collect(),
            })
        }
    }
}
