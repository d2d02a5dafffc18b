//! From aggregates to the values of a metric.

use peerscope_flow::SlotLength;
use peerscope_slot::{Amount, Direction, DirectionSlot, HostSlot, TransportSlot};

use crate::{Metric, Quantity};

impl Metric {
    /// The metric's value for one host and slot, always finite; `None` if the transport has no
    /// active flow in the slot or the metric's denominator is 0.
    pub fn value(self, host_slot: &HostSlot, slot_length: SlotLength) -> Option<f64> {
        let slot = host_slot.active(self.transport())?;
        let values = self.values(std::slice::from_ref(slot), slot_length);
        values.into_iter().find(|value| !value.is_nan())
    }

    /// The metric's values for hosts and slots with active flows of its transport, which these are; NaN
    /// where its denominator is 0.
    ///
    /// What is measured is asked once for all of them: asked for each, it takes longer than the values.
    pub(crate) fn values(self, slots: &[TransportSlot], slot_length: SlotLength) -> Vec<f64> {
        let slots = slots.iter();
        match self.direction() {
            Some(Direction::InOut) => directed(self.quantity(), slots.map(|slot| &slot.inout)),
            Some(Direction::OutIn) => directed(self.quantity(), slots.map(|slot| &slot.outin)),
            None => undirected(self.quantity(), slots, slot_length),
        }
    }
}

fn undirected<'s>(
    quantity: Quantity,
    slots: impl Iterator<Item = &'s TransportSlot>,
    slot_length: SlotLength,
) -> Vec<f64> {
    let seconds = slot_length.as_secs();
    let rate = |bytes: Amount| bytes.to_f64() * 8.0 / seconds;
    let started =
        |slot: &TransportSlot| f64::from(slot.inout.started) + f64::from(slot.outin.started);
    match quantity {
        Quantity::AvgDuration => slots
            .map(|slot| ratio(slot.duration_micros as f64 / 1e6, started(slot)))
            .collect(),
        Quantity::LiveConn => slots.map(|slot| f64::from(slot.live)).collect(),
        Quantity::FractIncomingConn => slots
            .map(|slot| ratio(f64::from(slot.outin.started), started(slot)))
            .collect(),
        Quantity::BpsRcvd => slots.map(|slot| rate(slot.rcvd)).collect(),
        Quantity::BpsSent => slots.map(|slot| rate(slot.sent)).collect(),
        Quantity::AvgPktSize => slots
            .map(|slot| {
                let mut bytes = slot.sent;
                bytes += slot.rcvd;
                ratio(bytes.to_f64(), slot.packets.to_f64())
            })
            .collect(),
        Quantity::RatioBytesSentToRcvd => slots
            .map(|slot| slot.sent.contrast(slot.rcvd).unwrap_or(f64::NAN))
            .collect(),
        _ => slots.map(|_| f64::NAN).collect(),
    }
}

fn directed<'s>(quantity: Quantity, flows: impl Iterator<Item = &'s DirectionSlot>) -> Vec<f64> {
    let fraction = |part: u32, whole: u32| ratio(f64::from(part), f64::from(whole));
    match quantity {
        Quantity::TotalConnAttempts => flows.map(|flows| f64::from(flows.started)).collect(),
        Quantity::AvgConnPerIp => flows
            .map(|flows| fraction(flows.started, flows.peers))
            .collect(),
        Quantity::TotalPeers => flows.map(|flows| f64::from(flows.peers)).collect(),
        Quantity::DestPorts => flows.map(|flows| f64::from(flows.dest_ports)).collect(),
        Quantity::ReservedDestPorts => flows.map(|flows| f64::from(flows.reserved_ports)).collect(),
        Quantity::FailureRatio => flows
            .map(|flows| {
                let known = f64::from(flows.failed) + f64::from(flows.complete);
                ratio(f64::from(flows.failed), known)
            })
            .collect(),
        Quantity::FractUnansweredAppl => flows
            .map(|flows| fraction(flows.payload_none, flows.payload_known))
            .collect(),
        Quantity::FractUnanswered => flows
            .map(|flows| fraction(flows.unanswered, flows.started))
            .collect(),
        Quantity::IspToInternetRatio => flows
            .map(|flows| fraction(flows.isp_peers, flows.peers))
            .collect(),
        _ => flows.map(|_| f64::NAN).collect(),
    }
}

/// NaN if the denominator is 0.
fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator > 0.0 {
        numerator / denominator
    } else {
        f64::NAN
    }
}
