//! What is measured: the sixteen rows of the paper's Table 2.

use peerscope_flow::Transport;

/// A quantity of Table 2, before it is split by transport and direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Quantity {
    /// Mean duration of the flows started.
    AvgDuration,
    /// Flows active.
    LiveConn,
    /// Received flows among those started.
    FractIncomingConn,
    /// Bits received a second.
    BpsRcvd,
    /// Bits sent a second.
    BpsSent,
    /// Mean size of a packet, both directions together.
    AvgPktSize,
    /// Balance of bytes sent and received.
    RatioBytesSentToRcvd,
    /// Flows started.
    TotalConnAttempts,
    /// Flows started for each distinct peer.
    AvgConnPerIp,
    /// Distinct peers.
    TotalPeers,
    /// Distinct destination ports.
    DestPorts,
    /// Distinct destination ports from 0 to 1024.
    ReservedDestPorts,
    /// Failed TCP handshakes among those with a known outcome.
    FailureRatio,
    /// Completed TCP flows whose responder sent no payload.
    FractUnansweredAppl,
    /// UDP flows without a packet from the responder.
    FractUnanswered,
    /// Peers inside the provider's network.
    IspToInternetRatio,
}

/// The values a metric can take.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scale {
    /// A whole number of things, 0 or more.
    Count,
    /// A fraction in `[0, 1]`.
    Fraction,
    /// A balance in `[-1, 1]`.
    Balance,
    /// A real number, 0 or more.
    Amount,
}

/// A row of the table of quantities.
pub(crate) struct QuantityInfo {
    pub(crate) quantity: Quantity,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) scale: Scale,
    /// Evaluated once a direction.
    pub(crate) directed: bool,
    /// The only transport it is evaluated for.
    pub(crate) only: Option<Transport>,
    pub(crate) definition: &'static str,
}

/// All quantities, in the order of Table 2.
pub(crate) const QUANTITIES: [QuantityInfo; 16] = {
    use Quantity as Q;
    use Scale::{Amount, Balance, Count, Fraction};
    const BOTH: Option<Transport> = None;
    const TCP: Option<Transport> = Some(Transport::Tcp);
    const UDP: Option<Transport> = Some(Transport::Udp);
    [
        row(
            Q::AvgDuration,
            "avg-duration",
            "s",
            Amount,
            false,
            BOTH,
            "mean of end - start over flows started",
        ),
        row(
            Q::LiveConn,
            "live-conn",
            "flows",
            Count,
            false,
            BOTH,
            "number of flows active",
        ),
        row(
            Q::FractIncomingConn,
            "fract-incoming-conn",
            "",
            Fraction,
            false,
            BOTH,
            "outin flows / flows, over flows started",
        ),
        row(
            Q::BpsRcvd,
            "bps-rcvd",
            "bit/s",
            Amount,
            false,
            BOTH,
            "bits received by the host / slot length, apportioned",
        ),
        row(
            Q::BpsSent,
            "bps-sent",
            "bit/s",
            Amount,
            false,
            BOTH,
            "bits sent by the host / slot length, apportioned",
        ),
        row(
            Q::AvgPktSize,
            "avg-pkt-size",
            "byte",
            Amount,
            false,
            BOTH,
            "bytes / packets, both directions together, apportioned",
        ),
        row(
            Q::RatioBytesSentToRcvd,
            "ratio-bytes-sent-to-rcvd",
            "",
            Balance,
            false,
            BOTH,
            "(sent - rcvd) / (sent + rcvd), bytes apportioned",
        ),
        row(
            Q::TotalConnAttempts,
            "total-conn-attempts",
            "flows",
            Count,
            true,
            BOTH,
            "number of flows started",
        ),
        row(
            Q::AvgConnPerIp,
            "avg-conn-per-IP",
            "flows/peer",
            Amount,
            true,
            BOTH,
            "flows started / distinct peers",
        ),
        row(
            Q::TotalPeers,
            "total-peers",
            "peers",
            Count,
            true,
            BOTH,
            "distinct peers of flows started",
        ),
        row(
            Q::DestPorts,
            "dest-ports",
            "ports",
            Count,
            true,
            BOTH,
            "distinct destination ports of flows started",
        ),
        row(
            Q::ReservedDestPorts,
            "1024-dest-ports",
            "ports",
            Count,
            true,
            BOTH,
            "distinct destination ports from 0 to 1024 of flows started",
        ),
        row(
            Q::FailureRatio,
            "failure-ratio",
            "",
            Fraction,
            true,
            TCP,
            "failed / (failed + complete) handshakes of flows started",
        ),
        row(
            Q::FractUnansweredAppl,
            "fract-unanswered-appl",
            "",
            Fraction,
            true,
            TCP,
            "complete flows started without responder payload / complete ones with payload known",
        ),
        row(
            Q::FractUnanswered,
            "fract-unanswered",
            "",
            Fraction,
            true,
            UDP,
            "flows started without a packet from the responder / flows started",
        ),
        row(
            Q::IspToInternetRatio,
            "ISP-to-Internet-ratio",
            "",
            Fraction,
            true,
            BOTH,
            "distinct peers inside the provider's network / distinct peers, of flows started",
        ),
    ]
};

const fn row(
    quantity: Quantity,
    name: &'static str,
    unit: &'static str,
    scale: Scale,
    directed: bool,
    only: Option<Transport>,
    definition: &'static str,
) -> QuantityInfo {
    QuantityInfo {
        quantity,
        name,
        unit,
        scale,
        directed,
        only,
        definition,
    }
}

impl Quantity {
    pub(crate) const fn info(self) -> &'static QuantityInfo {
        &QUANTITIES[self as usize]
    }

    /// The paper's name, without transport and direction.
    pub const fn as_str(self) -> &'static str {
        self.info().name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (i, info) in QUANTITIES.iter().enumerate() {
            assert_eq!(info.quantity as usize, i);
        }
    }
}
