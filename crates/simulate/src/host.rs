//! Monitored hosts: what they run, when they are online, and whom they know.

use std::collections::VecDeque;
use std::net::IpAddr;

use peerscope_flow::{Endpoint, Zone};

use crate::address::{Population, Walk, monitored};
use crate::planted::PlantedKind;
use crate::rng::Rng;
use crate::scenario::{Protocol, Sessions};
use crate::truth::PlantedId;

/// Microseconds in an hour.
pub(crate) const HOUR: i64 = 3_600 * 1_000_000;
/// A UDP conversation that rests for ten minutes is over; contacts rest a little longer.
pub(crate) const REST: i64 = 660 * 1_000_000;

/// A stretch of time, in microseconds from the begin of the trace: `start` included, `end` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Window {
    pub(crate) const fn length(self) -> i64 {
        self.end - self.start
    }

    /// The common part, if it is not empty.
    pub(crate) fn meet(self, other: Self) -> Option<Self> {
        let meet = Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        };
        (meet.start < meet.end).then_some(meet)
    }
}

/// Total length of some windows.
pub(crate) fn total(windows: &[Window]) -> f64 {
    windows.iter().map(|window| window.length() as f64).sum()
}

/// How a host differs from the ordinary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// Behind a home NAT: nothing that outside peers begin reaches it.
    pub(crate) natted: bool,
    /// Factor on the data it sends.
    pub(crate) upload: f64,
    /// Factor on its connections that carry data.
    pub(crate) data: f64,
    /// Share of its TCP connections that leave the provider on top of the ordinary.
    pub(crate) leaving: f64,
    /// Share of its connections on which the peer never says anything.
    pub(crate) silent: f64,
}

/// What a host knows of the peers of one zone.
#[derive(Clone, Debug)]
pub(crate) struct Acquaintance {
    pub(crate) population: usize,
    /// Peers that it contacts.
    pub(crate) contacts: Walk,
    /// Peers that contact it.
    pub(crate) callers: Walk,
    /// Routing table, the longest rested first: peer and time of the last contact.
    pub(crate) table: VecDeque<(u32, i64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) ip: IpAddr,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) role: Option<PlantedKind>,
    pub(crate) planted: Option<PlantedId>,
    /// Whether a planted behaviour has the host, as a companion perhaps.
    pub(crate) taken: bool,
    pub(crate) sessions: Vec<Window>,
    /// Activity while online, relative to the other hosts of its system.
    pub(crate) weight: f64,
    pub(crate) udp_port: u16,
    pub(crate) tcp_port: u16,
    pub(crate) traits: Traits,
    pub(crate) provider: Option<Acquaintance>,
    pub(crate) internet: Option<Acquaintance>,
    /// Whether it ever sent UDP to the Internet, so that the full-cone NAT lets UDP in from there.
    pub(crate) opened: bool,
    next_port: u16,
}

const FIRST_EPHEMERAL: u16 = 32_768;

impl Host {
    /// The host of a number, offline and without a protocol.
    pub(crate) fn new(number: u32, rng: &mut Rng) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "below the number of ephemeral ports"
        )]
        let offset = rng.below(u32::from(u16::MAX - FIRST_EPHEMERAL)) as u16;
        Self {
            ip: monitored(number).into(),
            protocol: None,
            role: None,
            planted: None,
            taken: false,
            sessions: Vec::new(),
            weight: 1.0,
            udp_port: 0,
            tcp_port: 0,
            traits: Traits {
                natted: false,
                upload: 1.0,
                data: 1.0,
                leaving: 0.0,
                silent: 0.0,
            },
            provider: None,
            internet: None,
            opened: false,
            next_port: FIRST_EPHEMERAL + offset,
        }
    }

    pub(crate) fn udp(&self) -> Endpoint {
        Endpoint::new(self.ip, self.udp_port)
    }

    pub(crate) fn tcp(&self) -> Endpoint {
        Endpoint::new(self.ip, self.tcp_port)
    }

    /// An endpoint with a port that was not used for the longest time.
    pub(crate) fn ephemeral(&mut self) -> Endpoint {
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_EPHEMERAL);
        Endpoint::new(self.ip, self.next_port)
    }

    /// Acquaintance with the peers of a zone.
    pub(crate) const fn side(&mut self, zone: Zone) -> Option<&mut Acquaintance> {
        match zone {
            Zone::Internet => self.internet.as_mut(),
            Zone::Monitored | Zone::Provider => self.provider.as_mut(),
        }
    }

    /// Microseconds online.
    pub(crate) fn online(&self) -> f64 {
        total(&self.sessions)
    }
}

impl Acquaintance {
    const TABLE: usize = 64;

    pub(crate) fn new(index: usize, population: &Population, rng: &mut Rng) -> Self {
        let parity = rng.below(2);
        Self {
            population: index,
            contacts: Walk::new(population.size, parity, rng.bits()),
            callers: Walk::new(population.size, parity + 1, rng.bits()),
            table: VecDeque::with_capacity(Self::TABLE),
        }
    }

    /// A peer met for the first time, which enters the routing table.
    pub(crate) fn meet(&mut self, now: i64) -> u32 {
        let peer = self.contacts.next();
        self.keep(peer, now);
        peer
    }

    /// A peer of the routing table that rested long enough, if there is one. The caller keeps it.
    pub(crate) fn rested(&mut self, now: i64) -> Option<u32> {
        let &(peer, last) = self.table.front()?;
        (now - last >= REST).then(|| {
            self.table.pop_front();
            peer
        })
    }

    pub(crate) fn keep(&mut self, peer: u32, now: i64) {
        if self.table.len() == Self::TABLE {
            self.table.pop_front();
        }
        self.table.push_back((peer, now));
    }
}

/// Sessions of a host, disjoint and in order: times of day by the diurnal profile, lengths
/// log-normal. `offset` is the time from midnight to the begin of the trace.
pub(crate) fn draw_sessions(
    sessions: &Sessions,
    diurnal: &[f64; 24],
    offset: i64,
    span: i64,
    rng: &mut Rng,
) -> Vec<Window> {
    let mean = sessions.mean_hours * HOUR as f64;
    if mean >= span as f64 {
        return vec![Window {
            start: 0,
            end: span,
        }];
    }
    let count = 1 + rng.poisson(sessions.per_host - 1.0);
    let mut drawn: Vec<Window> = (0..count)
        .map(|_| {
            let length = micros(mean * rng.lognormal(sessions.sigma)).max(HOUR / 12);
            place(length, diurnal, offset, span, rng)
        })
        .collect();
    drawn.sort_unstable();
    let mut merged: Vec<Window> = Vec::with_capacity(drawn.len());
    for window in drawn {
        match merged.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => merged.push(window),
        }
    }
    merged
}

/// A window of a length around a time of day that the profile makes likely, cut to the trace.
pub(crate) fn place(
    length: i64,
    diurnal: &[f64; 24],
    offset: i64,
    span: i64,
    rng: &mut Rng,
) -> Window {
    let peak = diurnal.iter().copied().fold(0.0, f64::max);
    let mut time = 0;
    // Rejection; a profile of one hour in 24 fails a thousand times running once in 10^18 cases.
    for _ in 0..1_000 {
        time = micros(rng.uniform() * span as f64).min(span - 1);
        let hour = usize::try_from((time + offset).rem_euclid(24 * HOUR) / HOUR).unwrap_or(0);
        if rng.uniform() * peak < diurnal[hour] {
            break;
        }
    }
    let start = time - micros(rng.uniform() * length as f64);
    Window {
        start: start.max(0),
        end: start.saturating_add(length).clamp(time + 1, span),
    }
}

/// A number of microseconds, rounded down.
pub(crate) const fn micros(time: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; no time is beyond a year"
    )]
    let time = time as i64;
    time
}
