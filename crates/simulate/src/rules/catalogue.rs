//! The catalogue of shapes: their hosts, ports and times.

use peerscope_flow::Transport;

use super::shape::{Group, Length, Port, Shape};
use super::{RESOLVER, RulesScenario, ShapeKind, client, host};
use crate::rng::Rng;

/// Times of shapes over a trace.
struct Plan<'a> {
    scenario: &'a RulesScenario,
    rng: &'a mut Rng,
    shapes: Vec<Shape>,
}

/// The scenario's shapes, each with its times.
pub(super) fn shapes(scenario: &RulesScenario, rng: &mut Rng) -> Vec<Shape> {
    let mut plan = Plan {
        scenario,
        rng,
        shapes: Vec::new(),
    };
    for &kind in &scenario.shapes {
        plan.add(kind);
    }
    plan.shapes
}

impl Plan<'_> {
    #[expect(clippy::too_many_lines, reason = "a catalogue: an arm for each shape")]
    fn add(&mut self, kind: ShapeKind) {
        match kind {
            ShapeKind::Mail => {
                let mail = |server| Group::tcp(host(10, 1, 0, 1), host(10, 2, 0, server), 25);
                let groups = [1, 2, 3].map(|n| mail(n).lasting(Length::Between(1.0, 8.0)));
                self.at_random(kind, &groups, &[(0, 1), (1, 2), (0, 2)]);
            }
            ShapeKind::Ident => {
                let (user, server) = (host(10, 1, 1, 1), host(10, 1, 1, 2));
                let mail = Group::tcp(user, server, 25).after(0.0, 0.0);
                let ident = Group::tcp(server, user, 113);
                self.at_random(kind, &[mail, ident], &[(0, 1)]);
            }
            ShapeKind::SshScan => {
                for attacker in 1..=3 {
                    let scan = |router| {
                        Group::tcp(host(61, 1, 0, attacker), host(10, 3, 0, router), 22)
                            .from(Port::Fixed(22))
                    };
                    self.at_random(kind, &[1, 2, 3].map(scan), &[(0, 1), (1, 2), (0, 2)]);
                }
            }
            ShapeKind::CooperativeScan => {
                let scan = |n| Group::tcp(host(62, n, 0, n), host(10, 3, 1, 1), 22);
                self.at_random(kind, &[scan(1), scan(2)], &[(0, 1)]);
            }
            ShapeKind::Crawler => {
                let fetch = |site| Group::tcp(host(66, 1, 0, 1), host(198, 18, 0, site), 80);
                let groups = [1, 2].map(|n| fetch(n).lasting(Length::Between(0.3, 0.8)));
                let times = self.rounds(10, 6.0, 20.0);
                self.shape(kind, &groups, &[(0, 1)], times);
            }
            ShapeKind::Ftp => {
                let (user, server) = (host(10, 1, 3, 1), host(10, 2, 3, 2));
                let control = Group::tcp(user, server, 21)
                    .after(0.0, 0.0)
                    .lasting(Length::Between(9.0, 9.0));
                let transfer = Group::tcp(user, server, 0)
                    .to(Port::Ephemeral)
                    .after(1.0, 8.0);
                let transfer = transfer.lasting(Length::Between(0.3, 0.6));
                self.at_random(kind, &[control, transfer, transfer], &[(1, 0)]);
            }
            ShapeKind::FtpKept => {
                let (user, server) = (host(10, 1, 2, 1), host(10, 2, 2, 2));
                let control = Group::tcp(user, server, 21).from(Port::Kept(40_021));
                let control = control.lasting(Length::Between(0.1, 0.3));
                let transfer = Group::tcp(user, server, 0).to(Port::Ephemeral);
                let times = self.rounds(3, 7.0, 40.0);
                self.shape(kind, &[control, transfer], &[(1, 0)], times);
            }
            ShapeKind::NameResolution => {
                for number in 0..5 {
                    let asks = |server, port| Group::udp(client(number), server, port);
                    let groups = [
                        asks(RESOLVER, 53).lasting(Length::Between(0.05, 0.05)),
                        asks(host(10, 9, 9, 137), 137).from(Port::Fixed(137)),
                        asks(host(224, 0, 0, 252), 5355),
                    ];
                    self.at_random(kind, &groups, &[(0, 1), (1, 2), (0, 2)]);
                }
            }
            ShapeKind::Traceroute => {
                let probe = |hop| {
                    Group::new(Transport::ICMP, host(10, 4, 0, 1), host(172, 16, 0, hop), 0)
                        .from(Port::Fixed(0))
                };
                self.at_random(kind, &[1, 2, 3, 4].map(probe), &[(0, 1), (1, 2), (2, 3)]);
            }
            ShapeKind::Ntp => {
                let ask = |n| {
                    Group::udp(host(10, 5, 0, n), host(10, 5, 9, 9), 123).from(Port::Fixed(123))
                };
                let times = self.beats(64.0);
                self.shape(kind, &[1, 2].map(ask), &[(0, 1)], times);
            }
            ShapeKind::Tor => {
                let relay = host(10, 6, 0, 1);
                let arrives = Group::tcp(host(71, 1, 0, 1), relay, 9001).after(0.0, 0.0);
                let leaves = Group::tcp(relay, host(72, 1, 0, 1), 9001);
                let groups = [arrives, leaves].map(|one| one.lasting(Length::Between(2.0, 25.0)));
                self.at_random(kind, &groups, &[(0, 1)]);
                // Met in its midst: the relay's neighbour seems to begin.
                let relay = host(10, 6, 0, 2);
                let arrives = Group::tcp(host(71, 2, 0, 1), relay, 0)
                    .from(Port::Fixed(9001))
                    .to(Port::Ephemeral);
                let leaves = Group::tcp(relay, host(72, 2, 0, 1), 9001);
                self.at_random(kind, &[arrives, leaves], &[(0, 1)]);
            }
            ShapeKind::Heartbeat => {
                let beat = |n: u8| {
                    Group::tcp(host(10, 7, 0, 1), host(81, n, 0, 1), 1081)
                        .from(Port::Kept(40_000 + u16::from(n)))
                        .lasting(Length::Between(0.0, 0.1))
                };
                let times = self.beats(30.0);
                let pairs = [(0, 1), (1, 2), (2, 3), (0, 3)];
                self.shape(kind, &[1, 2, 3, 4].map(beat), &pairs, times);
            }
            ShapeKind::Dhcp => {
                let everyone = host(255, 255, 255, 255);
                let ask = Group::udp(host(0, 0, 0, 0), everyone, 67).from(Port::Fixed(68));
                let offer = |n| Group::udp(host(10, 8, 0, n), everyone, 68).from(Port::Fixed(67));
                let groups = [ask.after(0.0, 0.0), offer(1), offer(2)];
                self.at_random(kind, &groups, &[(0, 1), (0, 2), (1, 2)]);
            }
            ShapeKind::Mdns => {
                let tell = |from, to| Group::udp(from, to, 5353).from(Port::Fixed(5353));
                let neighbour = |n| tell(host(10, 8, 1, 1), host(10, 8, 1, n));
                self.at_random(kind, &[2, 3, 4].map(neighbour), &[(0, 1), (1, 2)]);
                let member = |n| tell(host(10, 8, 1, n), host(224, 0, 0, 251));
                self.at_random(kind, &[5, 6].map(member), &[(0, 1)]);
            }
            ShapeKind::P2pPorts => {
                for (user, base) in [(5_u8, 6881), (6, 6346)] {
                    for peer in 1..=5 {
                        let first = base + u16::from(peer) % 3;
                        let to = |port| {
                            Group::tcp(client(u32::from(user)), host(90, user, 0, peer), port)
                                .lasting(Length::Heavy(300.0))
                        };
                        self.at_random(kind, &[to(first), to(first + 1)], &[(0, 1)]);
                    }
                }
            }
            ShapeKind::InstantMessaging => {
                for user in 7..9 {
                    let groups = [(65, 1863), (64, 5190)]
                        .map(|(net, port)| Group::tcp(client(user), host(net, 1, 0, 1), port));
                    let times = self.beats(120.0);
                    self.shape(kind, &groups, &[(0, 1)], times);
                }
            }
        }
    }

    fn shape(
        &mut self,
        kind: ShapeKind,
        groups: &[Group],
        pairs: &[(usize, usize)],
        mut times: Vec<f64>,
    ) {
        times.retain(|&time| time < self.end());
        times.sort_unstable_by(f64::total_cmp);
        self.shapes.push(Shape::new(kind, groups, pairs, times));
    }

    fn at_random(&mut self, kind: ShapeKind, groups: &[Group], pairs: &[(usize, usize)]) {
        let end = self.end();
        let times = (0..self.scenario.co_occurrences)
            .map(|_| self.rng.between(0.0, end))
            .collect();
        self.shape(kind, groups, pairs, times);
    }

    /// Rounds of `length` instances with some seconds between them, as many as it takes.
    fn rounds(&mut self, length: u32, least: f64, most: f64) -> Vec<f64> {
        let mut times = Vec::new();
        for _ in 0..self.scenario.co_occurrences.div_ceil(length) {
            let room = f64::from(length) * most;
            let mut now = self.rng.between(0.0, (self.end() - room).max(0.0));
            for _ in 0..length {
                times.push(now);
                now += self.rng.between(least, most);
            }
        }
        times.truncate(self.scenario.co_occurrences as usize);
        times
    }

    /// Every `period` seconds, give or take a twentieth.
    fn beats(&mut self, period: f64) -> Vec<f64> {
        let mut times = Vec::new();
        let mut now = self.rng.between(0.0, period);
        while now < self.end() {
            times.push(now);
            now += period * self.rng.between(0.95, 1.05);
        }
        times
    }

    /// What happens later might be cut by the end of the trace.
    fn end(&self) -> f64 {
        self.scenario.seconds() - 30.0
    }
}
