//! The shapes that can be planted: those of the case studies of eXpose (Kandula, Chandra and
//! Katabi, SIGCOMM 2008).

use serde::{Deserialize, Serialize};

use peerscope_flow::Transport;

use super::{Draft, Host, RulesScenario, TrueShape, address, ephemeral};
use crate::rng::Rng;

/// What can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ShapeKind {
    /// A user's mail to several servers.
    Mail,
    /// A mail server that asks back who calls.
    Ident,
    /// One host that tries several routers, from port 22.
    SshScan,
    /// Two hosts that try one router.
    CooperativeScan,
    /// A robot that fetches from two sites at once.
    Crawler,
    /// Control connections of some seconds, each with two transfers.
    Ftp,
    /// A control connection on one 5-tuple for the whole trace, seen at its packets.
    FtpKept,
    /// DNS, WINS and link-local multicast.
    NameResolution,
    /// One-second bursts of ICMP to the hops of a path.
    Traceroute,
    /// Two clients that ask one server in step, on one 5-tuple each.
    Ntp,
    /// A relay between two others, seen from either of their ports.
    Tor,
    /// Beats of one victim to four hosts, on one 5-tuple each.
    Heartbeat,
    /// A request to everyone, and the answers of two servers.
    Dhcp,
    /// Service announcements, to neighbours and to the group, on one 5-tuple each.
    Mdns,
    /// Two ports of one peer's range (6881 to 6889, 6346 to 6349).
    P2pPorts,
    /// Two messaging services of one user, in step.
    InstantMessaging,
}

impl ShapeKind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Mail,
        Self::Ident,
        Self::SshScan,
        Self::CooperativeScan,
        Self::Crawler,
        Self::Ftp,
        Self::FtpKept,
        Self::NameResolution,
        Self::Traceroute,
        Self::Ntp,
        Self::Tor,
        Self::Heartbeat,
        Self::Dhcp,
        Self::Mdns,
        Self::P2pPorts,
        Self::InstantMessaging,
    ];
}

/// A shape with its hosts and its times.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    kind: ShapeKind,
    groups: Vec<Group>,
    pairs: Vec<(usize, usize)>,
    /// When it happens, ascending.
    times: Vec<f64>,
    happened: u32,
}

/// Flows of one kind between two hosts, one in each instance of a shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    transport: Transport,
    src: (Host, Port),
    dst: (Host, Port),
    /// Seconds after the instance's time; `None` is the scenario's jitter.
    delay: Option<(f64, f64)>,
    length: Length,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Port {
    Fixed(u16),
    Ephemeral,
    /// An ephemeral one that stays the same.
    Kept(u16),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    Between(f64, f64),
    /// Pareto of shape 1.2 from 1 s, cut here.
    Heavy(f64),
}

impl Group {
    pub(super) const fn new(transport: Transport, src: Host, dst: Host, port: u16) -> Self {
        Self {
            transport,
            src: (src, Port::Ephemeral),
            dst: (dst, Port::Fixed(port)),
            delay: None,
            length: Length::Between(0.0, 0.0),
        }
    }

    pub(super) const fn tcp(src: Host, dst: Host, port: u16) -> Self {
        Self::new(Transport::Tcp, src, dst, port).lasting(Length::Between(0.2, 3.0))
    }

    pub(super) const fn udp(src: Host, dst: Host, port: u16) -> Self {
        Self::new(Transport::Udp, src, dst, port)
    }

    pub(super) const fn from(mut self, port: Port) -> Self {
        self.src.1 = port;
        self
    }

    pub(super) const fn to(mut self, port: Port) -> Self {
        self.dst.1 = port;
        self
    }

    pub(super) const fn after(mut self, least: f64, most: f64) -> Self {
        self.delay = Some((least, most));
        self
    }

    pub(super) const fn lasting(mut self, length: Length) -> Self {
        self.length = length;
        self
    }

    fn draft(self, now: f64, jitter: f64, rng: &mut Rng) -> Draft {
        let (least, most) = self.delay.unwrap_or((0.0, jitter));
        let start = now + rng.between(least, most);
        let mut port = |port| match port {
            Port::Fixed(port) | Port::Kept(port) => port,
            Port::Ephemeral => ephemeral(rng),
        };
        let (src, dst) = (
            (self.src.0, port(self.src.1)),
            (self.dst.0, port(self.dst.1)),
        );
        let length = match self.length {
            Length::Between(least, most) => rng.between(least, most),
            Length::Heavy(most) => rng.pareto(1.0, 1.2, most),
        };
        Draft {
            start,
            length,
            transport: self.transport,
            src,
            dst,
        }
    }

    fn text(self, ipv6: bool) -> String {
        let end = |(host, port): (Host, Port)| match port {
            Port::Fixed(port) => format!("{}.{port}", address(host, ipv6)),
            Port::Ephemeral | Port::Kept(_) => format!("{}.*", address(host, ipv6)),
        };
        let text = format!("{} : {}", end(self.src), end(self.dst));
        match self.transport {
            Transport::Tcp | Transport::Udp => text,
            Transport::Other(number) => format!("{text} : {number}"),
        }
    }
}

impl Shape {
    pub(super) fn new(
        kind: ShapeKind,
        groups: &[Group],
        pairs: &[(usize, usize)],
        times: Vec<f64>,
    ) -> Self {
        Self {
            kind,
            groups: groups.to_vec(),
            pairs: pairs.to_vec(),
            times,
            happened: 0,
        }
    }

    /// When it happens first.
    pub(super) fn first(&self) -> Option<f64> {
        self.times.first().copied()
    }

    /// Its flows at `now`, and when it happens next.
    pub(super) fn happen(
        &mut self,
        now: f64,
        scenario: &RulesScenario,
        rng: &mut Rng,
    ) -> (Vec<Draft>, Option<f64>) {
        self.happened += 1;
        let drafts = self
            .groups
            .iter()
            .map(|group| group.draft(now, scenario.jitter_secs, rng))
            .collect();
        (drafts, self.times.get(self.happened as usize).copied())
    }

    pub(super) fn truth(&self, ipv6: bool) -> TrueShape {
        let text = |at: usize| self.groups[at].text(ipv6);
        let mut groups: Vec<String> = (0..self.groups.len()).map(text).collect();
        groups.sort_unstable();
        groups.dedup();
        TrueShape {
            kind: self.kind,
            happened: self.happened,
            groups,
            pairs: self
                .pairs
                .iter()
                .map(|&(a, b)| [text(a), text(b)])
                .collect(),
        }
    }
}
