//! The built-in kinds of findings: each has its thresholds and its drill-down in a file of its own.

mod buddy;
mod control_only;
mod ddos_reserved_port;
mod departed_hosts;
mod fake_server;
mod idle_connections;
mod inter_isp;
mod natted_hosts;
mod persistent;
mod selfish;
mod very_active;

use std::collections::BTreeMap;

pub use buddy::Buddy;
pub use control_only::ControlOnly;
pub use ddos_reserved_port::{DdosReservedPort, PortUse};
pub use departed_hosts::DepartedHosts;
pub use fake_server::FakeServer;
pub use idle_connections::IdleConnections;
pub use inter_isp::InterIsp;
pub use natted_hosts::NattedHosts;
pub use persistent::Persistence;
pub use selfish::Selfish;
pub use very_active::VeryActive;

/// Named numbers.
fn evidence<const N: usize>(numbers: [(&str, f64); N]) -> BTreeMap<String, f64> {
    numbers
        .map(|(name, number)| (name.to_owned(), number))
        .into()
}

/// The value in the middle, the lower of two; `None` of nothing.
fn median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    let middle = values.len().checked_sub(1)? / 2;
    Some(*values.select_nth_unstable(middle).1)
}
