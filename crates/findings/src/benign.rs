//! What is known to be harmless.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::{Finding, Kind};

/// Findings that are known to be harmless, with the reason.
///
/// Every condition that is given has to hold; one left empty holds for every finding.
///
/// ```toml
/// [[benign]]
/// kinds = ["fake-server"]
/// peers = ["192.0.2.7/32"]
/// reason = "our own tracker"
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct Benign {
    /// It is of one of these kinds.
    #[cfg_attr(feature = "serde", serde(default))]
    pub kinds: BTreeSet<Kind>,
    /// All its hosts are here.
    #[cfg_attr(feature = "serde", serde(default))]
    pub hosts: Vec<IpNet>,
    /// It has peers, and all are here.
    #[cfg_attr(feature = "serde", serde(default))]
    pub peers: Vec<IpNet>,
    /// It has ports, and all are among these.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ports: BTreeSet<u16>,
    /// Why it is harmless.
    pub reason: String,
}

/// A finding that a [`Benign`] entry mutes.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Muted {
    /// The finding.
    pub finding: Finding,
    /// Why it is harmless.
    pub reason: String,
}

impl Benign {
    /// Whether the entry speaks of the finding. One without any condition speaks of none.
    pub fn covers(&self, finding: &Finding) -> bool {
        let within = |nets: &[IpNet], ips: &[IpAddr]| {
            nets.is_empty()
                || !ips.is_empty() && ips.iter().all(|ip| nets.iter().any(|net| net.contains(ip)))
        };
        let says_nothing = self.kinds.is_empty()
            && self.hosts.is_empty()
            && self.peers.is_empty()
            && self.ports.is_empty();
        let ports = &finding.ports;
        !says_nothing
            && (self.kinds.is_empty() || self.kinds.contains(&finding.kind))
            && within(&self.hosts, &finding.hosts)
            && within(&self.peers, &finding.peers)
            && (self.ports.is_empty()
                || !ports.is_empty() && ports.iter().all(|port| self.ports.contains(port)))
    }
}
