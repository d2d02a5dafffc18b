//! What a feed of records can be trusted for.

use std::collections::BTreeMap;
use std::fmt;

use peerscope_flow::{Flow, InitiatorEvidence, Transport, is_group_address};

use super::conversation::{Conversation, Side};
use crate::{Record, TcpFlags};

/// The account of a feed: how its records became flows, and what it cannot tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Feed {
    /// Records read.
    pub records: u64,
    /// Flows they are part of.
    pub flows: u64,
    /// Of these, the flows whose first record is of this feed: all, unless several sources are
    /// paired as one.
    pub begun: u64,
    /// Flows with packets of both sides.
    pub two_sided: u64,
    /// Flows with packets of one side only.
    pub one_sided: u64,
    /// Of the one-sided flows, the TCP attempts without any answer: a SYN and no ACK.
    pub attempts: u64,
    /// Of the one-sided flows, those to a multicast address or to 255.255.255.255.
    pub to_groups: u64,
    /// Of the one-sided flows, TCP connections whose one side acknowledges what the feed lacks.
    pub halves: u64,
    /// Two-sided TCP flows in which both sides acknowledge.
    pub established: u64,
    /// Records joined to an earlier one of the same side, of this feed or of another: what timeouts
    /// had cut.
    pub joined: u64,
    /// Conversations given out early because too many records were held.
    pub forced: u64,
    /// Flows by how their initiator is known.
    pub initiators: BTreeMap<InitiatorEvidence, u64>,
    /// TCP flows with an ACK on either side.
    pub acknowledged: u64,
    /// Of these, those without a SYN on either side.
    pub without_syn: u64,
    /// Of these, those of up to three packets, none of which ends a connection either.
    pub fragments: u64,
    /// Flows of which some record is longer than an instant.
    pub lasting: u64,
    /// Of these, those in which two records of one direction count as many packets and bytes, at
    /// times that overlap: most likely the same packets.
    pub repeated: u64,
    /// The greatest common divisor of all counts of packets, 0 before the first.
    pub packet_divisor: u64,
    /// One packet in so many was sampled, as the exporter says.
    pub stated_sampling: Option<u64>,
}

/// Whether a feed holds both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Sidedness {
    /// Nothing speaks against it.
    Both,
    /// Nearly every flow lacks the reversed record.
    One,
    /// Many connections lack it: routing is asymmetric, or some interfaces do not export.
    Partly,
}

/// How a feed appears to be sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Sampling {
    /// The exporter says so: one packet in so many.
    Stated(u64),
    /// Every count of packets is a multiple of this number.
    Scaled(u64),
    /// Most TCP connections show neither their beginning nor their end, and hardly a packet.
    Apparent,
}

/// A metric that would be wrong, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Withheld {
    /// The metric's full name, as `outin-failure-ratio-TCP`.
    pub metric: &'static str,
    /// Why it would be wrong.
    pub reason: WithheldReason,
}

/// Why a metric is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum WithheldReason {
    /// Answers are not in the feed, so that everything looks unanswered.
    NoAnswers {
        /// Flows that lack a reversed record.
        missing: u64,
        /// Flows that could have one.
        of: u64,
    },
    /// The bytes and packets of one direction are not in the feed.
    OneDirection,
    /// The initiator cannot be told from the responder.
    NoInitiator,
    /// Only some of the packets are in the feed.
    Sampled(Sampling),
    /// Several exporters saw the same packets, and all count.
    SeenTwice {
        /// Flows with two records of the same packets.
        repeated: u64,
        /// Flows that could show such records.
        of: u64,
    },
}

impl fmt::Display for WithheldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswers { missing, of } => write!(
                f,
                "{missing} of {of} flows have no record of the other direction: \
                 the feed is one-sided, and every flow in it looks unanswered"
            ),
            Self::OneDirection => {
                f.write_str("the feed is one-sided: it lacks the traffic of one direction")
            }
            Self::NoInitiator => {
                f.write_str("the feed is one-sided: who began cannot be told from who answered")
            }
            Self::SeenTwice { repeated, of } => write!(
                f,
                "{repeated} of {of} flows have two records of one direction with the same packets at \
                 one time: several exporters, or both sides of one, saw them, and volumes count twice"
            ),
            Self::Sampled(Sampling::Stated(n)) => {
                write!(f, "the exporter samples one packet in {n}")
            }
            Self::Sampled(Sampling::Scaled(n)) => {
                write!(
                    f,
                    "the feed is sampled: every count of packets is a multiple of {n}"
                )
            }
            Self::Sampled(Sampling::Apparent) => f.write_str(
                "the feed appears to be sampled: most TCP flows lack SYN, FIN and RST and have few packets",
            ),
        }
    }
}

/// So many flows at least, before a feed is judged.
const ENOUGH: u64 = 20;

const ANSWERS: [&str; 6] = [
    "inout-failure-ratio-TCP",
    "outin-failure-ratio-TCP",
    "inout-fract-unanswered-appl-TCP",
    "outin-fract-unanswered-appl-TCP",
    "inout-fract-unanswered-UDP",
    "outin-fract-unanswered-UDP",
];

/// In a sampled feed shares of bytes still hold.
const VOLUMES: [&str; 8] = [
    "bps-rcvd-TCP",
    "bps-rcvd-UDP",
    "bps-sent-TCP",
    "bps-sent-UDP",
    "avg-pkt-size-TCP",
    "avg-pkt-size-UDP",
    "ratio-bytes-sent-to-rcvd-TCP",
    "ratio-bytes-sent-to-rcvd-UDP",
];

const DIRECTIONS: [&str; 26] = [
    "fract-incoming-conn-TCP",
    "fract-incoming-conn-UDP",
    "inout-total-conn-attempts-TCP",
    "inout-total-conn-attempts-UDP",
    "outin-total-conn-attempts-TCP",
    "outin-total-conn-attempts-UDP",
    "inout-avg-conn-per-IP-TCP",
    "inout-avg-conn-per-IP-UDP",
    "outin-avg-conn-per-IP-TCP",
    "outin-avg-conn-per-IP-UDP",
    "inout-total-peers-TCP",
    "inout-total-peers-UDP",
    "outin-total-peers-TCP",
    "outin-total-peers-UDP",
    "inout-dest-ports-TCP",
    "inout-dest-ports-UDP",
    "outin-dest-ports-TCP",
    "outin-dest-ports-UDP",
    "inout-1024-dest-ports-TCP",
    "inout-1024-dest-ports-UDP",
    "outin-1024-dest-ports-TCP",
    "outin-1024-dest-ports-UDP",
    "inout-ISP-to-Internet-ratio-TCP",
    "inout-ISP-to-Internet-ratio-UDP",
    "outin-ISP-to-Internet-ratio-TCP",
    "outin-ISP-to-Internet-ratio-UDP",
];

const LIFETIMES: [&str; 4] = [
    "avg-duration-TCP",
    "avg-duration-UDP",
    "live-conn-TCP",
    "live-conn-UDP",
];

impl Feed {
    /// Whether the feed holds both directions.
    ///
    /// One-sided: of at least 20 flows that could have an answer in the feed (all but TCP attempts
    /// without an ACK, and those to groups) no more than one in 20 has. A feed of nothing but
    /// unanswered UDP is taken for one-sided too: it cannot be told from one.
    ///
    /// Partly: of at least 20 TCP connections that acknowledge something, one in ten and more lack
    /// the other side.
    pub const fn sidedness(&self) -> Sidedness {
        let judged = self.judged();
        let connections = self.halves + self.established;
        if judged >= ENOUGH && self.two_sided.saturating_mul(20) <= judged {
            Sidedness::One
        } else if connections >= ENOUGH && self.halves.saturating_mul(10) >= connections {
            Sidedness::Partly
        } else {
            Sidedness::Both
        }
    }

    /// Whether the packets were sampled, if there is a sign of it.
    ///
    /// The exporter's word; or, from 50 records on, a common divisor of all counts of packets; or,
    /// of at least 50 TCP flows with an ACK, eight in ten without SYN, and half of them of up to three
    /// packets without FIN and RST as well.
    pub fn sampling(&self) -> Option<Sampling> {
        const RECORDS: u64 = 50;
        match self.stated_sampling {
            Some(interval) if interval > 1 => return Some(Sampling::Stated(interval)),
            _ => {}
        }
        if self.records >= RECORDS && self.packet_divisor > 1 {
            return Some(Sampling::Scaled(self.packet_divisor));
        }
        let most = self.without_syn.saturating_mul(10) >= self.acknowledged.saturating_mul(8);
        if self.acknowledged >= RECORDS
            && most
            && self.fragments.saturating_mul(2) >= self.acknowledged
        {
            return Some(Sampling::Apparent);
        }
        None
    }

    /// Whether several exporters, or the incoming and the outgoing side of one, report the same
    /// packets: of at least 20 flows longer than an instant, one in ten and more are
    /// [`Feed::repeated`]. Flows, their times and their initiators stay right, volumes are too high.
    pub const fn is_seen_twice(&self) -> bool {
        self.lasting >= ENOUGH && self.repeated.saturating_mul(10) >= self.lasting
    }

    /// The metrics that would be wrong, each with the reason; none twice.
    pub fn withheld(&self) -> Vec<Withheld> {
        let mut withheld: Vec<Withheld> = Vec::new();
        let mut add = |metrics: &[&'static str], reason| {
            for &metric in metrics {
                if withheld.iter().all(|known| known.metric != metric) {
                    withheld.push(Withheld { metric, reason });
                }
            }
        };
        let no_answers = match self.sidedness() {
            Sidedness::Both => None,
            Sidedness::One => Some((self.judged() - self.two_sided, self.judged())),
            Sidedness::Partly => Some((self.halves, self.halves + self.established)),
        };
        if let Some((missing, of)) = no_answers {
            add(&ANSWERS, WithheldReason::NoAnswers { missing, of });
            add(&VOLUMES, WithheldReason::OneDirection);
            add(&DIRECTIONS, WithheldReason::NoInitiator);
        }
        if let Some(sampling) = self.sampling() {
            let reason = WithheldReason::Sampled(sampling);
            add(&ANSWERS, reason);
            add(&VOLUMES[..4], reason);
            add(&DIRECTIONS, reason);
            add(&LIFETIMES, reason);
        }
        if self.is_seen_twice() {
            let (repeated, of) = (self.repeated, self.lasting);
            add(&VOLUMES[..4], WithheldReason::SeenTwice { repeated, of });
        }
        withheld
    }

    /// Flows that would show an answer if they had one and the feed were two-sided.
    const fn judged(&self) -> u64 {
        self.flows
            .saturating_sub(self.attempts)
            .saturating_sub(self.to_groups)
    }

    pub(super) fn count_record(&mut self, record: &Record) {
        self.records += 1;
        let rev = record.rev.map_or(0, |rev| rev.packets);
        self.packet_divisor = [record.fwd.packets, rev]
            .into_iter()
            .fold(self.packet_divisor, common_divisor);
    }

    pub(super) fn count_flow(&mut self, conversation: &Conversation<'_>, flow: &Flow) {
        self.flows += 1;
        if conversation.lasts() {
            self.lasting += 1;
            self.repeated += u64::from(conversation.is_repeated());
        }
        *self.initiators.entry(flow.initiator).or_default() += 1;
        let sides = &conversation.sides;
        let tcp = conversation.transport == Transport::Tcp;
        let [ack, syn] = [TcpFlags::ACK, TcpFlags::SYN]
            .map(|flag| sides.each_ref().map(|side| tcp && side.sent(flag)));
        self.acknowledged += u64::from(ack != [false; 2]);
        if ack != [false; 2] && syn == [false; 2] {
            self.without_syn += 1;
            let ends = sides
                .iter()
                .any(|side| side.sent(TcpFlags::FIN) || side.sent(TcpFlags::RST));
            let packets = flow.fwd.packets.saturating_add(flow.rev.packets);
            self.fragments += u64::from(!ends && packets <= 3);
        }
        if flow.fwd.packets > 0 && flow.rev.packets > 0 {
            self.two_sided += 1;
            self.established += u64::from(ack == [true; 2]);
            return;
        }
        self.one_sided += 1;
        self.to_groups += u64::from(is_group_address(flow.dst.ip));
        if tcp {
            self.attempts += u64::from(syn != [false; 2] && ack == [false; 2]);
            self.halves += u64::from(sides.iter().any(is_half));
        }
    }
}

/// Packets that acknowledge others of a connection; a lone reset or answer may be a stray.
fn is_half(side: &Side) -> bool {
    side.sent(TcpFlags::ACK) && !side.sent(TcpFlags::RST) && side.sent.packets >= 3
}

/// Euclid's; 0 divides by everything.
const fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 && a != 1 {
        (a, b) = (b, a % b);
    }
    a
}
