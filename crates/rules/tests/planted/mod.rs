//! Traces with known rules in them: session-modulated background and the planted shapes.

mod shapes;

use std::net::{IpAddr, Ipv4Addr};

use peerscope_flow::{Endpoint, Flow, InitiatorEvidence, Span, Timestamp, Transport};
use peerscope_rules::{ActivityBuilder, FlowGroup, Rule};

/// `SplitMix64`: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn within(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Pareto with the given least value and shape, cut at `most`.
    pub(crate) fn pareto(&mut self, least: f64, shape: f64, most: f64) -> f64 {
        (least * (1.0 - self.unit()).powf(-1.0 / shape)).min(most)
    }

    /// Rank below `n` with Zipf's weights 1/(rank + 1).
    pub(crate) fn zipf(&mut self, n: u32) -> u32 {
        let total: f64 = (1..=n).map(|k| 1.0 / f64::from(k)).sum();
        let mut left = self.unit() * total;
        (0..n)
            .find(|k| {
                left -= 1.0 / f64::from(k + 1);
                left < 0.0
            })
            .unwrap_or(n - 1)
    }
}

/// Activity in the making: flow records, and packets where a shape needs their times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) flows: Vec<Flow>,
    pub(crate) packets: Vec<(peerscope_flow::FlowKey, f64)>,
    pub(crate) shapes: Vec<Shape>,
}

/// A planted shape: pairs of flow groups that must come out, in the notation of rules.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) pairs: Vec<(String, String)>,
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

fn at(secs: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "test times are small")]
    Timestamp::from_micros(1_600_000_000_000_000 + (secs * 1e6) as i64)
}

fn ephemeral(dice: &mut Dice) -> u16 {
    32_768 + u16::try_from(dice.below(28_000)).unwrap()
}

/// How a client's flows arrive while it is on line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrivals {
    Poisson,
    /// Bursts of 40 s at three times the rate, then silence of 80 s, on average.
    Bursty,
    /// The same with 15 s and 30 s.
    Choppy,
}

impl Arrivals {
    pub(crate) const ALL: [Self; 3] = [Self::Poisson, Self::Bursty, Self::Choppy];

    /// Mean length of a burst; infinite without bursts.
    const fn burst(self) -> f64 {
        match self {
            Self::Poisson => f64::INFINITY,
            Self::Bursty => 40.0,
            Self::Choppy => 15.0,
        }
    }
}

impl Trace {
    pub(crate) fn tcp(
        &mut self,
        dice: &mut Dice,
        src: IpAddr,
        dst: (IpAddr, u16),
        start: f64,
        secs: f64,
    ) {
        let port = ephemeral(dice);
        self.record(Transport::Tcp, (src, port), dst, start, secs);
    }

    pub(crate) fn udp(
        &mut self,
        dice: &mut Dice,
        src: IpAddr,
        dst: (IpAddr, u16),
        start: f64,
        secs: f64,
    ) {
        let port = ephemeral(dice);
        self.record(Transport::Udp, (src, port), dst, start, secs);
    }

    pub(crate) fn record(
        &mut self,
        transport: Transport,
        src: (IpAddr, u16),
        dst: (IpAddr, u16),
        start: f64,
        secs: f64,
    ) {
        let mut flow = Flow::new(
            transport,
            Endpoint::new(src.0, src.1),
            Endpoint::new(dst.0, dst.1),
            Span::new(at(start), at(start + secs)).unwrap(),
        );
        flow.initiator = InitiatorEvidence::SynSeen;
        self.flows.push(flow);
    }

    fn shape(&mut self, name: &'static str, pairs: &[(&str, &str)]) {
        let own = |&(a, b): &(&str, &str)| (a.to_owned(), b.to_owned());
        self.shapes.push(Shape {
            name,
            pairs: pairs.iter().map(own).collect(),
        });
    }

    pub(crate) fn fill(&self, builder: &mut ActivityBuilder) {
        self.flows.iter().for_each(|flow| builder.push(flow));
        for &(key, secs) in &self.packets {
            builder.push_packet(key, at(secs), InitiatorEvidence::SynSeen);
        }
    }

    /// 40 clients on line a fifth of the time, a shared resolver, 30 web servers of Zipf
    /// popularity, heavy-tailed durations, and two busy servers with unrelated clients that make
    /// requests of their own.
    pub(crate) fn background(dice: &mut Dice, secs: f64, arrivals: Arrivals) -> Self {
        let mut trace = Self::default();
        for client in 0..40 {
            let host = v4(10, 0, 0, client + 1);
            let mut now = dice.exponential(1500.0);
            while now < secs {
                let end = (now + dice.exponential(600.0)).min(secs);
                trace.session(dice, host, now, end, arrivals);
                now = end + dice.exponential(2400.0);
            }
        }
        for server in 1..=2_u8 {
            let host = v4(203, 0, 113, server);
            let mut now = 0.0;
            while now < secs {
                now += dice.exponential(1.0);
                let [_, _, c, d] = (dice.below(600) as u32 + 256).to_be_bytes();
                let length = dice.pareto(0.2, 1.2, 120.0);
                trace.tcp(dice, v4(100, server, c, d), (host, 443), now, length);
            }
            let mut now = 0.0;
            while now < secs {
                now += dice.exponential(4.0);
                let backend = v4(10, 9, server, dice.below(3) as u8 + 1);
                let length = dice.pareto(0.1, 1.2, 60.0);
                trace.tcp(dice, host, (backend, 5432), now, length);
            }
        }
        trace.flows.retain(|flow| flow.span.start() < at(secs));
        trace
    }

    fn session(&mut self, dice: &mut Dice, host: IpAddr, from: f64, to: f64, arrivals: Arrivals) {
        let burst = arrivals.burst();
        let (mut now, mut busy, mut turn) = (from, true, from + dice.exponential(burst));
        let rate = if burst.is_finite() { 0.9 } else { 0.3 };
        while now < to {
            let next = if busy {
                now + dice.exponential(1.0 / rate)
            } else {
                f64::INFINITY
            };
            if next > turn {
                now = turn;
                busy = !busy;
                turn = now + dice.exponential(if busy { burst } else { 2.0 * burst });
            } else {
                now = next;
                if now < to {
                    self.visit(dice, host, now);
                }
            }
        }
    }

    fn visit(&mut self, dice: &mut Dice, host: IpAddr, now: f64) {
        if dice.unit() < 0.25 {
            self.udp(dice, host, (v4(10, 0, 9, 53), 53), now, 0.05);
        } else {
            let server = u8::try_from(dice.zipf(30)).unwrap();
            let length = dice.pareto(0.3, 1.1, 1800.0);
            self.tcp(dice, host, (v4(198, 51, 100, server + 1), 443), now, length);
        }
    }
}

/// Whether a rule says that two flow groups (as text) occur together.
pub(crate) fn says(rule: &Rule, (a, b): &(String, String)) -> bool {
    let fits = |side: &FlowGroup, text: &str| {
        let side = side.to_string();
        side == text
            || side.strip_prefix("*.").is_some_and(|rest| {
                text.split_once(" : ").is_some_and(|(src, dst)| {
                    let (port, wanted) = rest.split_once(" : ").unwrap();
                    dst == wanted && src.rsplit('.').next() == Some(port)
                })
            })
    };
    (fits(&rule.left, a) && fits(&rule.right, b)) || (fits(&rule.left, b) && fits(&rule.right, a))
}

/// Whether both sides of a rule belong to one planted shape.
pub(crate) fn is_planted(rule: &Rule, shapes: &[Shape]) -> bool {
    shapes.iter().any(|shape| {
        let nodes: Vec<&String> = shape.pairs.iter().flat_map(|(a, b)| [a, b]).collect();
        nodes.iter().any(|a| {
            nodes
                .iter()
                .any(|b| a != b && says(rule, &((*a).clone(), (*b).clone())))
        })
    })
}
