//! Background: clients in sessions and bursts, long-lived connections, busy servers.

use peerscope_flow::Transport;

use super::{Draft, Host, RESOLVER, RulesScenario, client, ephemeral, host};
use crate::rng::Rng;

/// Sites of popularity 1/rank: the shares added up.
#[derive(Clone, Debug)]
pub(super) struct Sites(Vec<f64>);

impl Sites {
    pub(super) fn new(count: u32) -> Self {
        let mut sum = 0.0;
        Self(
            (1..=count)
                .map(|rank| {
                    sum += 1.0 / f64::from(rank);
                    sum
                })
                .collect(),
        )
    }

    fn pick(&self, rng: &mut Rng) -> Host {
        let place = rng.uniform() * self.0.last().copied().unwrap_or(1.0);
        let rank = self.0.partition_point(|&sum| sum <= place);
        let rank = rank.min(self.0.len().saturating_sub(1));
        host(198, 18, 0, 1) + u32::try_from(rank).unwrap_or(0)
    }
}

/// A client that browses while it is on line.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    host: Host,
    /// Ends of the session and of the burst or the pause.
    session: f64,
    turn: f64,
    busy: bool,
}

impl Browser {
    /// A client and when its first session begins.
    pub(super) fn new(number: u32, scenario: &RulesScenario, rng: &mut Rng) -> (f64, Self) {
        let mut browser = Self {
            host: client(number),
            session: 0.0,
            turn: f64::INFINITY,
            busy: true,
        };
        // At the begin of the trace a share of them is on line, for as long again as any.
        let begin = if rng.chance(scenario.online) {
            0.0
        } else {
            pause(scenario, rng)
        };
        browser.begin(begin, scenario, rng);
        (begin, browser)
    }

    fn begin(&mut self, now: f64, scenario: &RulesScenario, rng: &mut Rng) {
        self.session = now + 60.0 * scenario.session_minutes * rng.exponential();
        self.busy = true;
        self.turn = match scenario.burst_secs {
            burst if burst > 0.0 => now + burst * rng.exponential(),
            _ => f64::INFINITY,
        };
    }

    /// The time of the visit after the one at `now`.
    fn next(&mut self, mut now: f64, scenario: &RulesScenario, rng: &mut Rng) -> f64 {
        let burst = scenario.burst_secs;
        let rate = scenario.rate * if burst > 0.0 { 3.0 } else { 1.0 };
        loop {
            if self.busy {
                let next = now + rng.exponential() / rate;
                if next < self.turn.min(self.session) {
                    return next;
                }
            }
            now = self.turn.min(self.session);
            if now >= self.session {
                now += pause(scenario, rng);
                self.begin(now, scenario, rng);
                return now;
            }
            self.busy = !self.busy;
            self.turn = now + burst * rng.exponential() * if self.busy { 1.0 } else { 2.0 };
        }
    }

    /// The visit at `now`, and the time of the next.
    pub(super) fn visit(
        &mut self,
        now: f64,
        scenario: &RulesScenario,
        sites: &Sites,
        rng: &mut Rng,
    ) -> (Draft, f64) {
        let src = (self.host, ephemeral(rng));
        let draft = if rng.chance(0.25) {
            Draft {
                start: now,
                length: 0.05,
                transport: Transport::Udp,
                src,
                dst: (RESOLVER, 53),
            }
        } else {
            Draft {
                start: now,
                length: rng.pareto(0.3, 1.1, 1800.0),
                transport: Transport::Tcp,
                src,
                dst: (sites.pick(rng), 443),
            }
        };
        (draft, self.next(now, scenario, rng))
    }
}

fn pause(scenario: &RulesScenario, rng: &mut Rng) -> f64 {
    // Without pauses a session begins where the last one ended.
    let away = (1.0 - scenario.online) / scenario.online;
    60.0 * scenario.session_minutes * away * rng.exponential()
}

/// A visit to a busy server by one of its many clients.
pub(super) fn visit(server: u32, now: f64, scenario: &RulesScenario, rng: &mut Rng) -> Draft {
    let visitor = host(20, 0, 0, 0) + (server << 20) + rng.below(scenario.server_clients);
    Draft {
        start: now,
        length: rng.pareto(0.2, 1.2, 600.0),
        transport: Transport::Tcp,
        src: (visitor, ephemeral(rng)),
        dst: (host(10, 9, 0, 1) + server, 443),
    }
}

/// A request of a busy server's own.
pub(super) fn request(server: u32, now: f64, rng: &mut Rng) -> Draft {
    Draft {
        start: now,
        length: rng.pareto(0.1, 1.2, 60.0),
        transport: Transport::Tcp,
        src: (host(10, 9, 0, 1) + server, ephemeral(rng)),
        dst: (host(10, 9, 1, 1) + 256 * server + rng.below(3), 5432),
    }
}

/// A connection for hours.
pub(super) fn long_lived(number: u32, now: f64, rng: &mut Rng) -> Draft {
    Draft {
        start: now,
        length: rng.between(3600.0, 36_000.0),
        transport: Transport::Tcp,
        src: (client(number), ephemeral(rng)),
        dst: (host(198, 51, 100, 1) + number % 8, 22),
    }
}
