//! Traffic in which nothing belongs together, unlike that of `simulate`: pages within a second or
//! two, favourites of a session, clocks, a translated network, broken links, a scan.

use std::net::{IpAddr, Ipv4Addr};

use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Transport};

/// A generator of 8 bytes: `SplitMix64` (Steele, Lea and Flood 2014).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    /// A number from 0 below `n`; `skew` above 1 favours small ones.
    fn below(&mut self, n: u32, skew: f64) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below n"
        )]
        let drawn = (self.uniform().powf(skew) * f64::from(n)) as u32;
        drawn.min(n - 1)
    }
}

/// Flows as they are drawn.
pub(crate) struct Traffic {
    pub(crate) flows: Vec<Flow>,
    dice: Dice,
    secs: f64,
}

/// How clients browse: pages, each of several fetches within `width` seconds.
#[derive(Clone, Copy)]
pub(crate) struct Browsing {
    pub(crate) clients: u32,
    pub(crate) sites: u32,
    /// Mean seconds between the pages of a client on line.
    pub(crate) pause: f64,
    pub(crate) width: f64,
    /// Mean fetches of a page.
    pub(crate) fetches: f64,
    /// Sites that a session keeps to; 0 is all.
    pub(crate) favourites: u32,
    /// Fetches last from this to five times as many seconds; 0 is heavy-tailed, mostly below one.
    pub(crate) lasts: f64,
    /// Whether a lookup precedes each fetch.
    pub(crate) resolves: bool,
    /// Twice as busy at noon, silent at midnight.
    pub(crate) daily: bool,
}

impl Default for Browsing {
    fn default() -> Self {
        Self {
            clients: 30,
            sites: 30,
            pause: 15.0,
            width: 1.0,
            fetches: 4.0,
            favourites: 0,
            lasts: 0.0,
            resolves: false,
            daily: false,
        }
    }
}

fn address(net: u8, number: u32) -> IpAddr {
    Ipv4Addr::from((u32::from(net) << 24) + 1 + number).into()
}

pub(crate) const CLIENTS: u8 = 10;
pub(crate) const SITES: u8 = 80;
pub(crate) const SERVICE: u8 = 90;

pub(crate) fn resolver() -> IpAddr {
    address(9, 52)
}

impl Traffic {
    pub(crate) fn new(seed: u64, hours: f64) -> Self {
        Self {
            flows: Vec::new(),
            dice: Dice(seed.wrapping_mul(0x5851_f42d_4c95_7f2d)),
            secs: hours * 3600.0,
        }
    }

    fn flow(
        &mut self,
        transport: Transport,
        src: (IpAddr, u16),
        dst: (IpAddr, u16),
        from: f64,
        secs: f64,
    ) {
        if from >= self.secs {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "within some days")]
        let at = |secs: f64| Timestamp::from_micros(1_700_000_000_000_000 + (secs * 1e6) as i64);
        let span = Span::new(at(from), at(from + secs)).unwrap();
        let end = |(ip, port)| Endpoint::new(ip, port);
        self.flows
            .push(Flow::new(transport, end(src), end(dst), span));
    }

    fn port(&mut self) -> u16 {
        u16::try_from(32_768 + self.dice.below(28_000, 1.0)).unwrap()
    }

    /// Clients on line a fifth of the time, ten minutes each.
    pub(crate) fn browse(mut self, how: Browsing) -> Self {
        for number in 0..how.clients {
            let client = address(CLIENTS, number);
            let mut now = self.dice.exponential(1500.0);
            while now < self.secs {
                let end = now + self.dice.exponential(600.0);
                let favourites: Vec<u32> = (0..how.favourites)
                    .map(|_| self.dice.below(how.sites, 1.0))
                    .collect();
                while now < end {
                    let noon = 1.0 - (now / 86_400.0 * std::f64::consts::TAU).cos();
                    if !how.daily || self.dice.uniform() * 2.0 < noon {
                        self.page(client, now, how, &favourites);
                    }
                    now += self.dice.exponential(how.pause);
                }
                now += self.dice.exponential(2400.0);
            }
        }
        self
    }

    fn page(&mut self, client: IpAddr, now: f64, how: Browsing, favourites: &[u32]) {
        let mut more = true;
        while more {
            let at = now + self.dice.between(0.0, how.width);
            let site = match favourites {
                [] => self.dice.below(how.sites, 2.0),
                some => some[self.dice.below(how.favourites, 1.0) as usize],
            };
            let port = self.port();
            if how.resolves {
                self.flow(Transport::Udp, (client, port), (resolver(), 53), at, 0.02);
            }
            let drawn = self.dice.uniform();
            let lasts = if how.lasts > 0.0 {
                how.lasts * (1.0 + 4.0 * drawn)
            } else {
                0.1 / (1.0 - drawn).powf(0.8)
            };
            let site = address(SITES, site);
            self.flow(
                Transport::Tcp,
                (client, port),
                (site, 443),
                at + 0.03,
                lasts.min(900.0),
            );
            more = self.dice.uniform() > 1.0 / how.fetches;
        }
    }

    /// Hosts that call one server each minute, each at a moment of its own.
    pub(crate) fn beacons(mut self, hosts: u32, period: f64) -> Self {
        for number in 0..hosts {
            let phase = self.dice.between(0.0, period);
            for beat in 0.. {
                let at = phase + f64::from(beat) * period + self.dice.between(0.0, 0.2);
                if at >= self.secs {
                    break;
                }
                let host = (address(CLIENTS, 1000 + number), 123);
                self.flow(Transport::Udp, host, (address(SERVICE, 0), 123), at, 0.05);
            }
        }
        self
    }

    /// Connections that last and talk every few seconds, over a link that breaks now and then:
    /// all of a host's come back at the same steps of the backoff.
    pub(crate) fn storms(mut self, hosts: u32) -> Self {
        for number in 0..hosts {
            let host = address(CLIENTS, 2000 + number);
            let mut ends = [0.0_f64; 12];
            let mut ports: Vec<u16> = (0..12).map(|_| self.port()).collect();
            let mut now = self.dice.exponential(700.0);
            while now < self.secs {
                for peer in 0..12 {
                    // Some of the connections are open.
                    if self.dice.uniform() < 0.4 {
                        continue;
                    }
                    if self.dice.uniform() < 0.1 {
                        ports[peer] = self.port();
                    }
                    let to = (address(SITES, 500 + u32::try_from(peer).unwrap()), 443);
                    let from = (host, ports[peer]);
                    let before = ends[peer].max(now - 40.0);
                    self.flow(Transport::Tcp, from, to, before, (now - before).max(0.0));
                    for backoff in [1.0, 3.0, 7.0, 15.0, 31.0] {
                        let at = now + backoff + self.dice.between(0.0, 0.3);
                        self.flow(Transport::Tcp, from, to, at, 0.0);
                        ends[peer] = at;
                    }
                }
                now += 40.0 + self.dice.exponential(700.0);
            }
        }
        self
    }

    /// Many clients behind one address.
    pub(crate) fn translated(mut self, clients: u32, how: Browsing) -> Self {
        let from = self.flows.len();
        self = self.browse(Browsing { clients, ..how });
        for flow in &mut self.flows[from..] {
            flow.src.ip = address(CLIENTS, 9999);
        }
        self
    }

    /// One host tries 10,000 addresses, some of which refuse.
    pub(crate) fn scan(mut self) -> Self {
        let scanner = address(77, 0);
        for number in 0..10_000 {
            let at = self.dice.between(0.0, self.secs);
            let (port, victim) = (self.port(), address(20, number));
            self.flow(Transport::Tcp, (scanner, port), (victim, 22), at, 0.0);
            if self.dice.uniform() < 0.3 {
                self.flow(
                    Transport::Other(1),
                    (victim, 0),
                    (scanner, 0),
                    at + 0.02,
                    0.0,
                );
            }
        }
        self
    }

    /// Hosts whose clocks agree, each with two jobs at every full five minutes.
    pub(crate) fn cron(mut self, hosts: u32) -> Self {
        let mut now = 0.0;
        while now < self.secs {
            for number in 0..hosts {
                for job in 0..2 {
                    let at = now + self.dice.between(0.0, 0.3);
                    let (host, port) = (address(CLIENTS, 3000 + number), self.port());
                    self.flow(
                        Transport::Tcp,
                        (host, port),
                        (address(SERVICE, 10 + job), 443),
                        at,
                        0.2,
                    );
                }
            }
            now += 300.0;
        }
        self
    }
}
