//! What the report reads of an analysis: the JSON that `analyze` writes, as far as it is shown.
//!
//! Fields that an older analysis lacks are empty; fields that are not shown are passed over.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// An analysis (`analysis.json`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Document {
    /// The family analysed.
    pub family: String,
    /// The length of a slot, seconds.
    pub slot_seconds: f64,
    /// What was read.
    pub input: Input,
    /// Metrics that the input makes wrong.
    pub withheld: Vec<Withheld>,
    /// Numbers of samples.
    pub samples: SampleNumbers,
    /// Who exchanges how much with whom.
    pub overview: Overview,
    /// What stands out in each clustered system.
    pub systems: Named<System>,
    /// Hosts that stand out in several metrics.
    pub heavy_hosts: Vec<HeavyHost>,
    /// Metrics that are interesting together.
    pub metric_groups: Vec<MetricGroup>,
    /// What an operator can act on.
    pub findings: Findings,
}

/// A JSON object in the order of its text.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a list of pairs")]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<T> {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Named(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

/// What was read and what of it was withheld.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Input {
    /// Flows read.
    pub flows: u64,
    /// Flows that entered samples.
    pub of_interest: u64,
    /// Flows that did not, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Records that could not be read, by the kind of fault.
    pub records_skipped: BTreeMap<String, u64>,
    /// The account of every source.
    pub sources: Vec<Source>,
    /// What the meter saw, if a source was a capture.
    pub meter: Option<Meter>,
}

/// The account of one source.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Source {
    /// `log`, `capture` or `repeat`.
    pub kind: String,
    /// Its name, usually a path.
    pub name: String,
    /// Size in bytes as stored.
    pub size: Option<u64>,
    /// Of a capture: its packets.
    pub offered: Option<Volume>,
    /// Of a log: the flows it gave.
    pub flows: Option<u64>,
    /// Of a repeat: the source that was read.
    pub of: Option<String>,
    /// The error that ended it before its end.
    pub ended_by: Option<String>,
}

/// The account of the meter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Meter {
    /// Packets offered.
    pub offered: Volume,
    /// Packets that entered flows.
    pub metered: Volume,
    /// Packets that did not, by reason.
    pub skipped: BTreeMap<String, serde_json::Value>,
    /// Flows closed for want of memory.
    pub evicted: u64,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Numbers of samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SampleNumbers {
    /// All samples.
    pub total: u64,
    /// Samples in the first and last slot.
    pub edge: u64,
    /// Monitored hosts with a sample.
    pub hosts: u64,
    /// Samples of each system.
    pub by_system: BTreeMap<String, u64>,
}

/// What a trace looks like before anything in it is interesting.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Overview {
    /// Flows and bytes by zones, and over time.
    pub traffic: Traffic,
}

/// The traffic of monitored hosts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Traffic {
    /// Flows of interest by zones (Table 1).
    pub zone_pairs: Vec<ZonePair>,
    /// Length of a period, microseconds.
    pub period_us: i64,
    /// Bytes by application (Figure 3); periods without any are left out.
    pub over_time: Vec<Period>,
}

/// Flows of interest from one zone to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ZonePair {
    /// The zone of the initiators.
    pub from: String,
    /// The zone of the responders.
    pub to: String,
    /// TCP.
    pub tcp: FlowCounts,
    /// UDP.
    pub udp: FlowCounts,
}

/// Numbers of flows and what they carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FlowCounts {
    /// Flows.
    pub flows: u64,
    /// TCP: those that were set up.
    pub complete: u64,
    /// TCP: those that failed.
    pub failed: u64,
    /// UDP: those without an answer.
    pub unanswered: u64,
    /// What the initiators sent.
    pub fwd: Volume,
    /// What the responders sent.
    pub rev: Volume,
}

/// Bytes in one period, by application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Period {
    /// When it begins.
    pub start_us: i64,
    /// Received by monitored hosts.
    pub inbound: BTreeMap<String, u64>,
    /// Sent by monitored hosts.
    pub outbound: BTreeMap<String, u64>,
}

/// What stands out in a system.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct System {
    /// Its samples.
    pub samples: u64,
    /// Hosts with at least one of them.
    pub hosts: u64,
    /// Every metric.
    pub metrics: Named<Metric>,
    /// Every pair of metrics with interesting samples.
    pub pairs: Vec<Pair>,
}

/// A metric without values, because the input makes them wrong.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Withheld {
    /// Its name.
    pub metric: String,
    /// The source that makes it wrong.
    pub source: String,
    /// Why.
    pub reason: String,
}

/// How far a metric was brought.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Metric {
    /// `withheld`, `too-few-values`, `needs-rule` or `clustered`.
    pub status: String,
    /// Defined values.
    pub n: u64,
    /// The radius found.
    pub eps: f64,
    /// The density found, as a number of values.
    pub min_points: Option<u64>,
    /// The clusters.
    pub clusters: Vec<Interval>,
    /// What is in none.
    pub noise: Noise,
    /// The interesting samples.
    pub interesting: Option<Interesting>,
    /// The hosts that make nearly all of them.
    pub dominance: Option<Dominance>,
}

/// Values in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Interval {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// How many.
    pub count: u64,
}

/// Values in no cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Noise {
    /// How many.
    pub count: u64,
    /// Where they lie.
    pub regions: Vec<Interval>,
}

impl Metric {
    /// Whether there are clusters, of interest or not.
    pub fn is_clustered(&self) -> bool {
        !matches!(self.status.as_str(), "withheld" | "too-few-values")
    }
}

/// The interesting samples of a metric.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Interesting {
    /// The rule that speaks of the metric.
    pub rule: Option<String>,
    /// Its explanation.
    pub explanation: String,
    /// Its severity.
    pub severity: Option<String>,
    /// Where they lie.
    pub regions: Vec<Interval>,
    /// How many there are.
    pub count: u64,
    /// Their share of the defined values.
    pub fraction: f64,
}

/// The hosts that make nearly all interesting samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Dominance {
    /// How many.
    pub hosts: u64,
    /// As a share of the system's hosts.
    pub host_fraction: f64,
}

/// Two metrics that are compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Pair {
    /// One metric.
    pub left: String,
    /// The other.
    pub right: String,
    /// Samples interesting in both.
    pub both: u64,
    /// Those as a share of the samples interesting in either.
    pub overlap: Option<f64>,
    /// How many times as many as by chance.
    pub lift: Option<f64>,
    /// The test against shifted series.
    pub shift: Option<Test>,
}

/// A significance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Test {
    /// The p-value.
    pub p: f64,
    /// Adjusted for the number of pairs.
    pub adjusted: f64,
}

/// A host that stands out in several metrics.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HeavyHost {
    /// The system.
    pub system: String,
    /// Its address.
    pub host: String,
    /// Where it stands out.
    pub metrics: Vec<Standout>,
}

/// A metric in which a host stands out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Standout {
    /// The metric.
    pub metric: String,
    /// Interesting samples of the host.
    pub count: u64,
    /// As a share of all of the metric.
    pub fraction: f64,
}

/// Metrics that are interesting together.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MetricGroup {
    /// The system.
    pub system: String,
    /// The metrics.
    pub metrics: Vec<String>,
    /// Coincident pairs among them.
    pub pairs: u64,
}

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

/// What stands behind the findings (`evidence.json`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Evidence {
    /// The first microsecond of every series.
    pub start_us: i64,
    /// The length of a bin of every series, microseconds.
    pub bin_us: i64,
    /// Use of reserved ports.
    pub ports: Vec<PortCount>,
    /// One a finding, in their order.
    pub exhibits: Vec<Exhibit>,
}

/// How the hosts of a system use one reserved port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PortCount {
    /// The hosts' system.
    pub system: String,
    /// `tcp` or `udp`.
    pub transport: String,
    /// The destination port.
    pub port: u16,
    /// Flows to it.
    pub flows: u64,
    /// Of these, those without an answer.
    pub unanswered: u64,
}

/// What stands behind one finding.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Exhibit {
    /// All flows of interest of its hosts.
    pub activity: Activity,
    /// The flows that support it.
    pub supporting: Vec<u64>,
    /// The leading host's flows with its top peers.
    pub contacts: Vec<Contact>,
    /// Hosts with a supporting flow.
    pub hosts: Vec<Party>,
    /// Peers of supporting flows.
    pub peers: Vec<Party>,
    /// How many peers there are.
    pub all_peers: u64,
    /// The first of the supporting flows.
    pub flows: Vec<Flow>,
}

/// Flows of some hosts a bin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Activity {
    /// Flows that the hosts initiated.
    pub initiated: Vec<u64>,
    /// Incoming flows that were not in vain.
    pub answered: Vec<u64>,
    /// Incoming flows in vain.
    pub in_vain: Vec<u64>,
}

/// The flows between one host and one peer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Contact {
    /// The monitored host.
    pub host: String,
    /// The peer.
    pub peer: String,
    /// Flows a bin.
    pub flows: Vec<u64>,
}

/// A host or peer and the flows it takes part in.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Party {
    /// Its address.
    pub ip: String,
    /// Flows.
    pub flows: u64,
    /// Of these, UDP unanswered or TCP failed.
    pub in_vain: u64,
    /// Bytes that the monitored hosts sent.
    pub sent: u64,
    /// Bytes that they received.
    pub received: u64,
    /// First start of a flow.
    pub first_us: i64,
    /// Last end of a flow.
    pub last_us: i64,
}

/// A flow.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Flow {
    /// First packet.
    pub start_us: i64,
    /// Last packet.
    pub end_us: i64,
    /// `tcp` or `udp`.
    pub transport: String,
    /// The initiator.
    pub src: Endpoint,
    /// The responder.
    pub dst: Endpoint,
    /// What the initiator sent.
    pub fwd: Volume,
    /// What the responder sent.
    pub rev: Volume,
    /// `complete`, `failed`, `unknown`, or none.
    pub handshake: Option<String>,
}

/// An address and a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Endpoint {
    /// The address.
    pub ip: String,
    /// The port.
    pub port: u16,
}
