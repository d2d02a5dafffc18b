//! Why flows to monitored hosts stayed unanswered: the shares that section 8.2 reports.

use std::collections::BTreeMap;

use peerscope_flow::Transport;

use crate::Scene;
use crate::host::Host;
use crate::presence::{Cause, Departure, Presence, share};

/// Why incoming flows of one system stayed unanswered.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UnansweredShares {
    /// The system.
    pub system: String,
    /// Unanswered incoming UDP flows.
    pub udp: CauseCounts,
    /// Failed incoming TCP attempts.
    pub tcp: CauseCounts,
}

/// Flows that nobody answered, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CauseCounts {
    /// Incoming flows with a known outcome, answered or not.
    pub incoming: u64,
    /// To hosts that had left.
    pub departed: u64,
    /// To hosts that were there: behind a NAT.
    pub nat: u64,
    /// To hosts that were gone for a while and came back.
    pub away: u64,
    /// To hosts of which it cannot be told.
    pub undecided: u64,
    /// `departed` as a share of those that nobody answered.
    pub departed_share: f64,
    /// `nat` and `away` together, which the paper does not tell apart.
    pub nat_share: f64,
    /// `undecided` as a share.
    pub undecided_share: f64,
    /// The paper's split in two: `departed` as a share of what is decided; `None` of nothing.
    pub departed_of_decided: Option<f64>,
}

impl UnansweredShares {
    /// The shares of every system with a monitored host, by the system's name, from the counts of each
    /// host; none if these were not taken.
    pub(crate) fn of(scene: &Scene<'_>, of_hosts: Vec<Option<[CauseCounts; 2]>>) -> Vec<Self> {
        let mut by_system: BTreeMap<&str, [CauseCounts; 2]> = BTreeMap::new();
        for (host, counts) in scene.hosts().iter().zip(of_hosts) {
            let Some(counts) = counts else { continue };
            let sums = by_system.entry(scene.system_name(host.system)).or_default();
            for (sum, counts) in sums.iter_mut().zip(counts) {
                sum.merge(counts);
            }
        }
        let shares = by_system.into_iter().map(|(system, [udp, tcp])| Self {
            system: system.to_owned(),
            udp: udp.with_shares(),
            tcp: tcp.with_shares(),
        });
        shares.collect()
    }
}

/// Why UDP flows to a host, and TCP attempts, stayed unanswered.
pub(crate) fn cause_counts(scene: &Scene<'_>, host: &Host, config: Departure) -> [CauseCounts; 2] {
    let presence = Presence::new(scene, host, &config);
    let mut counts = [CauseCounts::default(); 2];
    let mut cause_at = presence.causes();
    let incoming = host.flows.iter().filter(|flow| !flow.is_initiated());
    for flow in incoming.filter(|flow| flow.is_decided()) {
        let of = &mut counts[usize::from(flow.transport == Transport::Tcp)];
        of.add(flow.is_in_vain().then(|| cause_at(flow.start)));
    }
    counts
}

impl CauseCounts {
    fn merge(&mut self, other: Self) {
        self.incoming += other.incoming;
        self.departed += other.departed;
        self.nat += other.nat;
        self.away += other.away;
        self.undecided += other.undecided;
    }

    fn add(&mut self, cause: Option<Cause>) {
        self.incoming += 1;
        match cause {
            None => {}
            Some(Cause::Departed) => self.departed += 1,
            Some(Cause::Nat) => self.nat += 1,
            Some(Cause::Away) => self.away += 1,
            Some(Cause::Undecided) => self.undecided += 1,
        }
    }

    /// Flows that nobody answered.
    pub const fn in_vain(&self) -> u64 {
        self.departed + self.nat + self.away + self.undecided
    }

    fn with_shares(self) -> Self {
        let all = self.in_vain();
        let decided = all - self.undecided;
        Self {
            departed_share: share(self.departed, all),
            nat_share: share(self.nat + self.away, all),
            undecided_share: share(self.undecided, all),
            departed_of_decided: (decided > 0).then(|| share(self.departed, decided)),
            ..self
        }
    }
}
