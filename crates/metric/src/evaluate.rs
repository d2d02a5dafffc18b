//! From an aggregate to the value of a metric.

use peerscope_flow::SlotLength;
use peerscope_slot::{Amount, DirectionSlot, HostSlot, TransportSlot};

use crate::{Metric, Quantity};

impl Metric {
    /// The metric's value for one host and slot, always finite; `None` if the transport has no
    /// active flow in the slot or the metric's denominator is 0.
    pub fn value(self, host_slot: &HostSlot, slot_length: SlotLength) -> Option<f64> {
        let slot = host_slot.active(self.transport())?;
        self.of_transport(slot, slot_length)
    }

    /// The metric's value for a host and slot with active flows of its transport, which these are.
    #[inline]
    pub(crate) fn of_transport(self, slot: &TransportSlot, slot_length: SlotLength) -> Option<f64> {
        match self.direction() {
            Some(direction) => directed(self.quantity(), slot.direction(direction)),
            None => undirected(self.quantity(), slot, slot_length),
        }
    }
}

#[inline]
fn undirected(quantity: Quantity, slot: &TransportSlot, slot_length: SlotLength) -> Option<f64> {
    let started = f64::from(slot.inout.started) + f64::from(slot.outin.started);
    let rate = |bytes: Amount| Some(bytes.to_f64() * 8.0 / slot_length.as_secs());
    match quantity {
        Quantity::AvgDuration => ratio(slot.duration_micros as f64 / 1e6, started),
        Quantity::LiveConn => Some(f64::from(slot.live)),
        Quantity::FractIncomingConn => ratio(f64::from(slot.outin.started), started),
        Quantity::BpsRcvd => rate(slot.rcvd),
        Quantity::BpsSent => rate(slot.sent),
        Quantity::AvgPktSize => {
            let mut bytes = slot.sent;
            bytes += slot.rcvd;
            ratio(bytes.to_f64(), slot.packets.to_f64())
        }
        Quantity::RatioBytesSentToRcvd => slot.sent.contrast(slot.rcvd),
        _ => None,
    }
}

#[inline]
fn directed(quantity: Quantity, flows: &DirectionSlot) -> Option<f64> {
    let fraction = |part: u32, whole: u32| ratio(f64::from(part), f64::from(whole));
    match quantity {
        Quantity::TotalConnAttempts => Some(f64::from(flows.started)),
        Quantity::AvgConnPerIp => fraction(flows.started, flows.peers),
        Quantity::TotalPeers => Some(f64::from(flows.peers)),
        Quantity::DestPorts => Some(f64::from(flows.dest_ports)),
        Quantity::ReservedDestPorts => Some(f64::from(flows.reserved_ports)),
        Quantity::FailureRatio => ratio(
            f64::from(flows.failed),
            f64::from(flows.failed) + f64::from(flows.complete),
        ),
        Quantity::FractUnansweredAppl => fraction(flows.payload_none, flows.payload_known),
        Quantity::FractUnanswered => fraction(flows.unanswered, flows.started),
        Quantity::IspToInternetRatio => fraction(flows.isp_peers, flows.peers),
        _ => None,
    }
}

fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}
