//! What was found, and the way back to the flows behind it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use peerscope_correlate::Severity;
use peerscope_flow::{Flow, SlotIndex, Timestamp};
use peerscope_slot::{Aggregation, Direction};

use crate::host_flow::PeerId;
use crate::{FlowSelection, HostFlow, Kind};

/// Something a network operator can act on.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data, built by the makers of kinds of their own"
)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, in a sentence.
    pub explanation: String,
    /// The system of the hosts.
    pub system: String,
    /// The monitored hosts, by address.
    pub hosts: Vec<IpAddr>,
    /// Victims, servers or the peer, where the kind has some: those with most flows first.
    pub peers: Vec<IpAddr>,
    /// The ports it is about, where the kind has some.
    pub ports: Vec<u16>,
    /// When it begins.
    #[cfg_attr(feature = "serde", serde(rename = "start_us"))]
    pub start: Timestamp,
    /// When it ends.
    #[cfg_attr(feature = "serde", serde(rename = "end_us"))]
    pub end: Timestamp,
    /// The numbers it rests on, by name.
    pub evidence: BTreeMap<String, f64>,
    /// The interesting samples it came from, by metric; in JSON their number.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "counts", skip_deserializing)
    )]
    pub samples: BTreeMap<String, Vec<SampleRef>>,
    /// Number of flows that support it.
    pub flows: u64,
    /// Which flows these are.
    pub selection: FlowSelection,
}

/// A sample by its host and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct SampleRef {
    /// The monitored host.
    pub host: IpAddr,
    /// The time slot.
    pub slot: SlotIndex,
}

impl Finding {
    /// The flows that support the finding, out of all flows of the trace in any order.
    ///
    /// `aggregation` is the one the finding was made with. Each flow has its key
    /// ([`Flow::key`]).
    ///
    /// # Complexity
    ///
    /// O(log n) for each flow, n being the number of hosts and peers of the finding.
    pub fn flows_in<'a>(
        &'a self,
        flows: impl IntoIterator<Item = &'a Flow> + 'a,
        aggregation: &'a Aggregation,
    ) -> impl Iterator<Item = &'a Flow> + 'a {
        flows
            .into_iter()
            .filter(|flow| supports(&self.selection, flow, aggregation))
    }
}

fn supports(selection: &FlowSelection, flow: &Flow, aggregation: &Aggregation) -> bool {
    let mut ends = Direction::BOTH.into_iter().zip(aggregation.enters(flow));
    ends.any(|(direction, enters)| {
        let [host, peer] = HostFlow::ends(flow, direction);
        let view = HostFlow::new(flow, direction, PeerId::of(peer, |_| 0));
        enters
            && selection.holds(
                aggregation.host_of(host).into(),
                &view,
                peer.into(),
                aggregation.topology(),
            )
    })
}

#[cfg(feature = "serde")]
fn counts<S: serde::Serializer>(
    samples: &BTreeMap<String, Vec<SampleRef>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(samples.iter().map(|(metric, refs)| (metric, refs.len())))
}
