//! The settings of all kinds.

use crate::Benign;
use crate::kinds::{
    Buddy, ControlOnly, DdosReservedPort, DepartedHosts, FakeServer, IdleConnections, InterIsp,
    NattedHosts, Selfish, VeryActive,
};
use crate::presence::Departure;

/// The thresholds of every kind, and what is known to be harmless.
///
/// The defaults are the paper's where it gives any; the others say why at their field.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by users with struct syntax"
)]
pub struct FindingsConfig {
    /// Attacks on reserved ports.
    pub ddos_reserved_port: DdosReservedPort,
    /// When a host counts as gone; for the shares of unanswered flows.
    pub departure: Departure,
    /// Hosts that left.
    pub departed_hosts: DepartedHosts,
    /// Hosts behind a NAT.
    pub natted_hosts: NattedHosts,
    /// Servers that are of no use.
    pub fake_server: FakeServer,
    /// Peers that connect again and again.
    pub buddy: Buddy,
    /// Traffic that leaves the provider's network.
    pub inter_isp: InterIsp,
    /// Very active hosts.
    pub very_active: VeryActive,
    /// Connections on which the peer says nothing.
    pub idle_connections: IdleConnections,
    /// Hosts that exchange control messages only.
    pub control_only: ControlOnly,
    /// Hosts that take and do not give.
    pub selfish: Selfish,
    /// Known to be harmless.
    pub benign: Vec<Benign>,
}
