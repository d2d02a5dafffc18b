//! The shapes of the case studies, planted.

use peerscope_flow::{Endpoint, Flow, Span, Transport, is_group_address};

use super::{Dice, Shape, Trace, at, ephemeral, ip, v4};

impl Trace {
    /// Every shape of the case studies, each with `count` co-occurrences where that is free.
    pub(crate) fn plant_all(&mut self, dice: &mut Dice, secs: f64, count: usize) {
        let times = |dice: &mut Dice| -> Vec<f64> {
            (0..count).map(|_| dice.within(0.0, secs - 30.0)).collect()
        };
        let beats = |dice: &mut Dice, period: f64| -> Vec<f64> {
            let mut now = dice.within(0.0, period);
            let mut list = Vec::new();
            while now < secs - 30.0 {
                list.push(now);
                now += period + dice.within(-1.0, 1.0) * period / 20.0;
            }
            list
        };

        for t in times(dice) {
            for mail in 1..=3 {
                let (late, length) = (dice.within(0.0, 0.3), dice.within(1.0, 8.0));
                self.tcp(
                    dice,
                    ip("10.1.0.1"),
                    (v4(10, 2, 0, mail), 25),
                    t + late,
                    length,
                );
            }
        }
        self.shape(
            "mail",
            &[
                ("10.1.0.1.* : 10.2.0.1.25", "10.1.0.1.* : 10.2.0.2.25"),
                ("10.1.0.1.* : 10.2.0.2.25", "10.1.0.1.* : 10.2.0.3.25"),
                ("10.1.0.1.* : 10.2.0.1.25", "10.1.0.1.* : 10.2.0.3.25"),
            ],
        );
        for t in times(dice) {
            self.tcp(dice, ip("10.1.1.1"), (ip("10.1.1.2"), 25), t, 3.0);
            self.tcp(dice, ip("10.1.1.2"), (ip("10.1.1.1"), 113), t + 0.1, 0.2);
        }
        self.shape(
            "ident",
            &[("10.1.1.1.* : 10.1.1.2.25", "10.1.1.2.* : 10.1.1.1.113")],
        );

        for attacker in 1..=3 {
            for t in times(dice) {
                for router in 1..=3 {
                    let late = dice.within(0.0, 0.4);
                    let src = (v4(61, 1, 0, attacker), 22);
                    self.record(
                        Transport::Tcp,
                        src,
                        (v4(10, 3, 0, router), 22),
                        t + late,
                        1.5,
                    );
                }
            }
        }
        let mut pairs = Vec::new();
        for attacker in 1..=3 {
            for (one, two) in [(1, 2), (1, 3), (2, 3)] {
                let side = |router| format!("61.1.0.{attacker}.22 : 10.3.0.{router}.22");
                pairs.push((side(one), side(two)));
            }
        }
        self.shapes.push(Shape {
            name: "ssh scan",
            pairs,
        });
        for t in times(dice) {
            let (one, two) = (dice.within(0.0, 0.3), dice.within(0.0, 0.3));
            self.tcp(dice, ip("62.1.0.1"), (ip("10.3.1.1"), 22), t + one, 2.0);
            self.tcp(dice, ip("62.2.0.2"), (ip("10.3.1.1"), 22), t + two, 2.0);
        }
        self.shape(
            "cooperative scan",
            &[("62.1.0.1.* : 10.3.1.1.22", "62.2.0.2.* : 10.3.1.1.22")],
        );

        // A crawl fetches from both servers at once, every 6 to 20 s; the servers are popular.
        for _ in 0..count.div_ceil(10) {
            let mut t = dice.within(0.0, secs - 300.0);
            for _ in 0..10 {
                let late = dice.within(0.0, 0.3);
                self.tcp(dice, ip("66.1.0.1"), (v4(198, 51, 100, 1), 80), t, 0.5);
                self.tcp(
                    dice,
                    ip("66.1.0.1"),
                    (v4(198, 51, 100, 2), 80),
                    t + late,
                    0.5,
                );
                t += dice.within(6.0, 20.0);
            }
        }
        self.shape(
            "crawler",
            &[(
                "66.1.0.1.* : 198.51.100.1.80",
                "66.1.0.1.* : 198.51.100.2.80",
            )],
        );

        self.plant_ftp(dice, &times);

        for client in 1..=5_u8 {
            let host = v4(10, 0, 0, client);
            for t in times(dice) {
                self.udp(dice, host, (v4(10, 0, 9, 53), 53), t, 0.05);
                self.record(
                    Transport::Udp,
                    (host, 137),
                    (ip("10.0.9.137"), 137),
                    t + 0.1,
                    0.05,
                );
                self.udp(dice, host, (ip("224.0.0.252"), 5355), t + 0.15, 0.0);
            }
        }
        self.shape(
            "name resolution",
            &[
                ("10.0.0.1.* : 10.0.9.53.53", "10.0.0.1.137 : 10.0.9.137.137"),
                (
                    "10.0.0.1.137 : 10.0.9.137.137",
                    "10.0.0.1.* : 224.0.0.252.5355",
                ),
                ("10.0.0.4.* : 10.0.9.53.53", "10.0.0.4.* : 224.0.0.252.5355"),
            ],
        );

        for t in times(dice) {
            for hop in 1..=4 {
                let late = dice.within(0.0, 0.5);
                self.record(
                    Transport::ICMP,
                    (ip("10.4.0.1"), 0),
                    (v4(172, 16, 0, hop), 0),
                    t + late,
                    0.0,
                );
            }
        }
        self.shape(
            "traceroute",
            &[
                (
                    "10.4.0.1.0 : 172.16.0.1.0 : 1",
                    "10.4.0.1.0 : 172.16.0.2.0 : 1",
                ),
                (
                    "10.4.0.1.0 : 172.16.0.3.0 : 1",
                    "10.4.0.1.0 : 172.16.0.4.0 : 1",
                ),
            ],
        );

        for t in beats(dice, 16.0) {
            for client in 1..=2 {
                let late = dice.within(0.0, 0.2);
                self.record(
                    Transport::Udp,
                    (v4(10, 5, 0, client), 123),
                    (ip("10.5.9.9"), 123),
                    t + late,
                    0.0,
                );
            }
        }
        self.shape(
            "ntp",
            &[("10.5.0.1.123 : 10.5.9.9.123", "10.5.0.2.123 : 10.5.9.9.123")],
        );

        for t in times(dice) {
            let (length, more) = (dice.within(2.0, 20.0), dice.within(0.0, 10.0));
            self.tcp(dice, ip("71.1.0.1"), (ip("10.6.0.1"), 9001), t, length);
            self.tcp(
                dice,
                ip("10.6.0.1"),
                (ip("72.1.0.1"), 9001),
                t + 0.1,
                length + more,
            );
        }
        self.shape(
            "tor",
            &[("71.1.0.1.* : 10.6.0.1.9001", "10.6.0.1.* : 72.1.0.1.9001")],
        );

        for t in beats(dice, 30.0) {
            for other in 1..=4_u8 {
                let late = dice.within(0.0, 0.2);
                let src = (ip("10.7.0.1"), 40_000 + u16::from(other));
                self.record(
                    Transport::Tcp,
                    src,
                    (v4(81, other, 0, 1), 1081),
                    t + late,
                    0.0,
                );
            }
        }
        self.shape(
            "heartbeat",
            &[
                ("10.7.0.1.* : 81.1.0.1.1081", "10.7.0.1.* : 81.2.0.1.1081"),
                ("10.7.0.1.* : 81.3.0.1.1081", "10.7.0.1.* : 81.4.0.1.1081"),
            ],
        );

        let everyone = ip("255.255.255.255");
        for t in times(dice) {
            self.record(Transport::Udp, (ip("0.0.0.0"), 68), (everyone, 67), t, 0.0);
            for server in 1..=2 {
                let late = dice.within(0.0, 0.2);
                self.record(
                    Transport::Udp,
                    (v4(10, 8, 0, server), 67),
                    (everyone, 68),
                    t + late,
                    0.0,
                );
            }
        }
        assert!(is_group_address(everyone));
        self.shape(
            "dhcp",
            &[
                (
                    "0.0.0.0.68 : 255.255.255.255.67",
                    "10.8.0.1.67 : 255.255.255.255.68",
                ),
                (
                    "10.8.0.1.67 : 255.255.255.255.68",
                    "10.8.0.2.67 : 255.255.255.255.68",
                ),
            ],
        );

        for t in times(dice) {
            for other in 2..=4 {
                let late = dice.within(0.0, 0.2);
                self.record(
                    Transport::Udp,
                    (ip("10.8.1.1"), 5353),
                    (v4(10, 8, 1, other), 5353),
                    t + late,
                    0.0,
                );
            }
        }
        self.shape(
            "mdns",
            &[
                (
                    "10.8.1.1.5353 : 10.8.1.2.5353",
                    "10.8.1.1.5353 : 10.8.1.3.5353",
                ),
                (
                    "10.8.1.1.5353 : 10.8.1.2.5353",
                    "10.8.1.1.5353 : 10.8.1.4.5353",
                ),
            ],
        );

        for (name, base) in [("bittorrent", 6881_u16), ("gnutella", 6346)] {
            let user = if base == 6881 {
                ip("10.0.0.7")
            } else {
                ip("10.0.0.8")
            };
            let mut pairs = Vec::new();
            for peer in 1..=5_u8 {
                let host = v4(90, u8::from(base == 6881), 0, peer);
                let first = base + u16::from(peer) % 3;
                for t in times(dice) {
                    let (one, two) = (dice.pareto(1.0, 1.2, 300.0), dice.pareto(1.0, 1.2, 300.0));
                    self.tcp(dice, user, (host, first), t, one);
                    self.tcp(dice, user, (host, first + 1), t + 0.2, two);
                }
                pairs.push((
                    format!("{user}.* : {host}.{first}"),
                    format!("{user}.* : {host}.{}", first + 1),
                ));
            }
            self.shapes.push(Shape { name, pairs });
        }

        for user in 1..=2_u8 {
            for t in beats(dice, 120.0) {
                let late = dice.within(0.0, 0.3);
                self.tcp(
                    dice,
                    v4(10, 0, 0, 20 + user),
                    (ip("65.1.0.1"), 1863),
                    t,
                    0.6,
                );
                self.tcp(
                    dice,
                    v4(10, 0, 0, 20 + user),
                    (ip("64.1.0.1"), 5190),
                    t + late,
                    0.6,
                );
            }
        }
        self.shape(
            "im",
            &[
                ("10.0.0.21.* : 65.1.0.1.1863", "10.0.0.21.* : 64.1.0.1.5190"),
                ("10.0.0.22.* : 65.1.0.1.1863", "10.0.0.22.* : 64.1.0.1.5190"),
            ],
        );
    }

    /// Passive transfers: from packet times of a long control connection, and from records of
    /// short ones.
    fn plant_ftp(&mut self, dice: &mut Dice, times: &dyn Fn(&mut Dice) -> Vec<f64>) {
        for t in times(dice) {
            let port = ephemeral(dice);
            let control = Flow::new(
                Transport::Tcp,
                Endpoint::new(ip("10.1.2.1"), port),
                Endpoint::new(ip("10.2.2.2"), 21),
                Span::at(at(t)),
            )
            .key();
            let mut now = t;
            for _ in 0..3 {
                self.packets
                    .extend([0.0, 0.1, 0.2].map(|late| (control, now + late)));
                let data = 50_000 + u16::try_from(dice.below(10_000)).unwrap();
                self.tcp(
                    dice,
                    ip("10.1.2.1"),
                    (ip("10.2.2.2"), data),
                    now + 0.25,
                    0.5,
                );
                now += dice.within(7.0, 40.0);
            }
        }
        self.shape(
            "ftp packets",
            &[("10.1.2.1.* : 10.2.2.2.*", "10.1.2.1.* : 10.2.2.2.21")],
        );
        for t in times(dice) {
            self.tcp(dice, ip("10.1.3.1"), (ip("10.2.3.2"), 21), t, 9.0);
            for _ in 0..2 {
                let data = 50_000 + u16::try_from(dice.below(10_000)).unwrap();
                let late = dice.within(1.0, 8.0);
                self.tcp(dice, ip("10.1.3.1"), (ip("10.2.3.2"), data), t + late, 0.5);
            }
        }
        self.shape(
            "ftp records",
            &[("10.1.3.1.* : 10.2.3.2.*", "10.1.3.1.* : 10.2.3.2.21")],
        );
    }
}
