//! What stands behind the findings (`evidence.json`).

use serde::Deserialize;

use super::Volume;

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
