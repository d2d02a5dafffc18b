//! What was planted, in the notation of rules.

use peerscope_flow::Timestamp;
use serde::{Deserialize, Serialize};

use super::ShapeKind;

/// Everything that is known about a trace with planted rules; as JSON it is `truth.json`.
///
/// A flow group is written as rules are, `10.0.0.1.* : 192.0.2.1.80`, with `*` for ephemeral ports
/// and the protocol's number appended where it is neither TCP nor UDP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RulesTruth {
    /// Name of this layout: [`RulesTruth::SCHEMA`].
    pub schema: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Begin of the trace.
    pub start_us: Timestamp,
    /// End of the trace: no flow begins later.
    pub end_us: Timestamp,
    /// Flows given so far: all of them once the trace is at its end.
    pub flows: u64,
    /// What was planted; everything else is independent, but for its sessions and bursts.
    pub shapes: Vec<TrueShape>,
}

/// A planted shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrueShape {
    /// What it is.
    pub kind: ShapeKind,
    /// How often it happened so far.
    pub happened: u32,
    /// Its flow groups: any two of them occur together.
    pub groups: Vec<String>,
    /// The pairs of groups that make the shape.
    pub pairs: Vec<[String; 2]>,
}

impl RulesTruth {
    /// The name of the layout; the number changes when a reader would have to.
    pub const SCHEMA: &str = "peerscope-rules-truth-1";
}
