//! What was found.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Findings {
    /// What an operator should see.
    pub active: Vec<Finding>,
    /// What is known to be harmless.
    pub muted: Vec<Muted>,
    /// Why flows stayed unanswered.
    pub unanswered: Vec<Unanswered>,
    /// Kinds that were not looked for.
    pub withheld: Vec<WithheldKind>,
}

/// A kind of finding that was not looked for, because it rests on a withheld metric.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WithheldKind {
    /// The kind.
    pub kind: String,
    /// The metric.
    pub metric: String,
    /// Why that is withheld.
    pub reason: String,
}

/// Something an operator can act on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub kind: String,
    /// `info`, `low`, `medium` or `high`.
    pub severity: String,
    /// What happened.
    pub explanation: String,
    /// The system of the hosts.
    pub system: String,
    /// The monitored hosts.
    pub hosts: Vec<String>,
    /// Victims, servers or the peer.
    pub peers: Vec<String>,
    /// The ports it is about.
    pub ports: Vec<u16>,
    /// When it begins.
    pub start_us: i64,
    /// When it ends.
    pub end_us: i64,
    /// The numbers it rests on.
    pub evidence: BTreeMap<String, Option<f64>>,
    /// How many interesting samples it came from, by metric.
    pub samples: BTreeMap<String, u64>,
    /// How many flows support it.
    pub flows: u64,
}

/// A finding that is known to be harmless.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Muted {
    /// The finding.
    pub finding: Finding,
    /// Why it is harmless.
    pub reason: String,
}

/// Why incoming flows of a system stayed unanswered.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Unanswered {
    /// The system.
    pub system: String,
    /// Unanswered UDP flows.
    pub udp: Causes,
    /// Failed TCP attempts.
    pub tcp: Causes,
}

/// Flows that nobody answered, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Causes {
    /// Incoming flows, answered or not.
    pub incoming: u64,
    /// To hosts that had left.
    pub departed: u64,
    /// To hosts behind a NAT.
    pub nat: u64,
    /// To hosts that were gone for a while.
    pub away: u64,
    /// To hosts of which it cannot be told.
    pub undecided: u64,
}
