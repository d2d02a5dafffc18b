//! From a scenario to hosts and their activities.
//!
//! Hosts get their sessions first; then every count of flows is shared out among them by activity
//! and time online. So the counts hold in expectation, and each host keeps its own pace.

use peerscope_flow::{Endpoint, Zone};

use crate::ScenarioError;
use crate::address::{Population, Ports, service};
use crate::behaviour::{Act, Background, Contact, FIRST_SERVICE, World};
use crate::host::{Acquaintance, HOUR, Host, Window, draw_sessions, micros, total};
use crate::process::{Pace, Process};
use crate::rng::{Rng, mix};
use crate::scenario::{Protocol, Scenario, Sessions, Side, System};
use crate::truth::{Entry, PlantedId};

mod planting;
pub(crate) use planting::Planting;

/// First names of random streams.
const HOSTS: u64 = 1;
const PROCESSES: u64 = 2;
const PLANTED: u64 = 3;

/// A network under construction.
pub(crate) struct Builder<'s> {
    scenario: &'s Scenario,
    seed: u64,
    trace: Window,
    /// Time of day at the begin of the trace.
    offset: i64,
    hosts: Vec<Host>,
    populations: Vec<Population>,
    processes: Vec<Process>,
    /// Processes of each host so far: the last name of a process' random stream.
    process_counts: Vec<u64>,
    entries: Vec<Entry>,
    services: u32,
    expected_scaled: f64,
    expected_fixed: f64,
}

/// A network that is ready to run.
pub(crate) struct Built {
    pub(crate) world: World,
    pub(crate) processes: Vec<Process>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) trace: Window,
    pub(crate) expected_scaled: f64,
    pub(crate) expected_fixed: f64,
}

/// Builds a checked scenario.
pub(crate) fn build(scenario: &Scenario, seed: u64) -> Result<Built, ScenarioError> {
    let trace = Window {
        start: 0,
        end: micros(scenario.hours * HOUR as f64).max(1),
    };
    let offset = scenario.start_secs.rem_euclid(86_400) * 1_000_000;
    let mut builder = Builder {
        scenario,
        seed,
        trace,
        offset,
        hosts: Vec::new(),
        populations: Vec::new(),
        processes: Vec::new(),
        process_counts: Vec::new(),
        entries: Vec::new(),
        services: FIRST_SERVICE,
        expected_scaled: 0.0,
        expected_fixed: 0.0,
    };
    for (number, system) in scenario.systems.iter().enumerate() {
        builder.add_hosts(number, system);
    }
    builder.add_browsers();
    let claims = builder.claim()?;
    for system in &scenario.systems {
        builder.ordinary(system);
    }
    builder.background();
    for (index, planted) in scenario.planted.iter().enumerate() {
        if planted.intensity > 0.0 {
            planted.plant().act(&mut Planting::new(
                &mut builder,
                planted,
                claims[index].clone(),
            ));
        }
    }
    Ok(Built {
        world: World {
            hosts: builder.hosts,
            populations: builder.populations,
            scenario: scenario.clone(),
        },
        processes: builder.processes,
        entries: builder.entries,
        trace,
        expected_scaled: builder.expected_scaled,
        expected_fixed: builder.expected_fixed,
    })
}

impl Builder<'_> {
    fn add_hosts(&mut self, number: usize, system: &System) {
        let (default_udp, default_tcp) = system.protocol.default_ports();
        let mut population = |zone, side: &Side| {
            let Side {
                random_ports: random,
                reserved_ports: reserved,
                ..
            } = *side;
            let ports = Ports {
                default_udp,
                default_tcp,
                random,
                reserved,
            };
            let number = u32::try_from(number).unwrap_or(0);
            self.populations
                .push(Population::new(zone, number, side.peers, ports, side.stale));
            self.populations.len() - 1
        };
        let provider = system
            .provider
            .as_ref()
            .map(|side| population(Zone::Provider, side));
        let internet = system
            .internet
            .as_ref()
            .map(|side| population(Zone::Internet, side));
        let random = system.random_ports;
        let ports = Ports {
            default_udp,
            default_tcp,
            random,
            reserved: 0.0,
        };
        for _ in 0..system.hosts {
            let (mut host, mut rng) = self.new_host(&system.sessions);
            let mut known = |index: Option<usize>| {
                index.map(|index| Acquaintance::new(index, &self.populations[index], &mut rng))
            };
            host.provider = known(provider);
            host.internet = known(internet);
            host.protocol = Some(system.protocol);
            // The middle of a log-normal lies below its mean, so at least every other draw will do.
            host.weight = loop {
                let weight = rng.lognormal(system.activity_sigma);
                if weight <= system.activity_max {
                    break weight;
                }
            };
            (host.udp_port, host.tcp_port) = ports.of(mix(rng.bits()));
            self.hosts.push(host);
            self.process_counts.push(0);
        }
    }

    /// Hosts without a peer-to-peer client.
    fn add_browsers(&mut self) {
        let browsers = self
            .scenario
            .background
            .map_or(0, |background| background.hosts);
        let sessions = Sessions {
            per_host: 1.3,
            mean_hours: 3.0,
            sigma: 0.7,
        };
        for _ in 0..browsers {
            let (mut host, mut rng) = self.new_host(&sessions);
            host.weight = rng.lognormal(0.7);
            self.hosts.push(host);
            self.process_counts.push(0);
        }
    }

    fn new_host(&self, sessions: &Sessions) -> (Host, Rng) {
        let number = u32::try_from(self.hosts.len()).unwrap_or(0);
        let mut rng = Rng::stream(self.seed, [HOSTS, u64::from(number), 0]);
        let mut host = Host::new(number, &mut rng);
        let diurnal = &self.scenario.diurnal;
        host.sessions = draw_sessions(sessions, diurnal, self.offset, self.trace.end, &mut rng);
        (host, rng)
    }

    /// Hosts of a protocol.
    fn of(&self, protocol: Protocol) -> Vec<u32> {
        let hosts = (0..).zip(&self.hosts);
        hosts
            .filter(|(_, host)| host.protocol == Some(protocol))
            .map(|(number, _)| number)
            .collect()
    }

    /// Gives every planted behaviour its hosts, and lets it shape them.
    fn claim(&mut self) -> Result<Vec<Vec<u32>>, ScenarioError> {
        let mut claims = Vec::with_capacity(self.scenario.planted.len());
        for (index, planted) in self.scenario.planted.iter().enumerate() {
            if planted.intensity <= 0.0 {
                claims.push(Vec::new());
                continue;
            }
            let plant = planted.plant();
            let role = plant.is_role();
            let mut pool = self.of(planted.system);
            pool.retain(|&number| !(role && self.hosts[number as usize].taken));
            let wanted = planted.hosts.saturating_add(plant.companions());
            if pool.len() < wanted as usize {
                let (kind, free) = (plant.kind(), pool.len());
                return Err(ScenarioError::NotEnoughHosts {
                    index,
                    kind,
                    wanted,
                    free,
                });
            }
            let mut rng = Rng::stream(self.seed, [PLANTED, index as u64, 0]);
            let mut claimed = Vec::new();
            for nth in 0..wanted {
                let drawn = rng.below(u32::try_from(pool.len()).unwrap_or(0));
                let number = pool.swap_remove(drawn as usize);
                claimed.push(number);
                if role {
                    self.shape(number, index, nth < planted.hosts, &mut rng);
                }
            }
            claims.push(claimed);
        }
        Ok(claims)
    }

    fn shape(&mut self, number: u32, index: usize, is_planted: bool, rng: &mut Rng) {
        let planted = &self.scenario.planted[index];
        let plant = planted.plant();
        let (trace, offset) = (self.trace, self.offset);
        let id = is_planted.then(|| self.add_entry(index));
        let host = &mut self.hosts[number as usize];
        host.planted = id;
        host.role = is_planted.then(|| plant.kind());
        host.taken = true;
        if let Some(hours) = planted.hours {
            let length = micros(hours * HOUR as f64);
            let diurnal = &self.scenario.diurnal;
            // A session that is asked for is not cut short by the ends of the trace.
            let window = crate::host::place(length, diurnal, offset, trace.end, rng);
            let start = window.start.min(trace.end - length).max(0);
            host.sessions = vec![Window {
                start,
                end: (start + length).min(trace.end),
            }];
        }
        plant.shape(planted.intensity, host, trace, rng);
    }

    fn add_entry(&mut self, index: usize) -> PlantedId {
        let id = PlantedId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        self.entries.push(Entry::new(index, self.trace));
        id
    }

    /// What hosts of a system do anyway.
    fn ordinary(&mut self, system: &System) {
        let hosts = self.of(system.protocol);
        let sides = [
            (Zone::Provider, &system.provider),
            (Zone::Internet, &system.internet),
        ];
        for (zone, side) in sides {
            let Some(side) = side else { continue };
            for (contact, share) in Contact::SHARES {
                let act = Act::Contact(contact, zone);
                self.share_out(&hosts, side.udp_out * share, &act, |host| host.weight);
            }
            let open = |host: &Host| if host.traits.natted { 0.0 } else { host.weight };
            self.share_out(&hosts, side.udp_in, &Act::Answer(zone), open);
            self.share_out(&hosts, side.tcp_in, &Act::Accept(zone), open);
            let staying = |host: &Host| match zone {
                Zone::Internet => host.weight,
                Zone::Monitored | Zone::Provider => host.weight * (1.0 - host.traits.leaving),
            };
            let attempts = side.tcp_out / (1.0 - side.stale);
            self.share_out(&hosts, attempts, &Act::Connect(zone), staying);
        }
        if system.server_sessions > 0.0 {
            let server = self.service(Zone::Internet, system.protocol.server_port());
            for number in hosts {
                let sessions = self.hosts[number as usize].sessions.clone();
                let pace = Pace::Once {
                    probability: system.server_sessions,
                };
                self.add(number, Act::Server(server), pace, sessions, Scale::Fixed);
            }
        }
    }

    fn background(&mut self) {
        let Some(background) = self.scenario.background else {
            return;
        };
        let everyone: Vec<u32> = (0..).take(self.hosts.len()).collect();
        let web = Act::Web {
            mean_bytes: background.web_bytes,
        };
        let other = Act::Background;
        for (flows, act) in [
            (background.web, web),
            (background.dns, Act::Dns),
            (background.udp_in_answered, other(Background::UdpAnswered)),
            (
                background.udp_in_unanswered,
                other(Background::UdpUnanswered),
            ),
            (background.tcp_in, other(Background::TcpAccepted)),
            (background.tcp_in_failed, other(Background::TcpFailed)),
        ] {
            self.share_out(&everyone, flows, &act, |host| host.weight);
        }
    }

    /// Shares flows out among hosts by weight and time online, scaled by the traffic.
    fn share_out(&mut self, hosts: &[u32], flows: f64, act: &Act, weight: impl Fn(&Host) -> f64) {
        let share = |host: &Host| weight(host) * host.online();
        let sum: f64 = hosts
            .iter()
            .map(|&number| share(&self.hosts[number as usize]))
            .sum();
        for &number in hosts {
            let host = &self.hosts[number as usize];
            let rate = flows * self.scenario.traffic * weight(host) / sum;
            let windows = host.sessions.clone();
            self.add_at_rate(number, rate, act, windows, Scale::Traffic);
        }
    }

    /// Adds an activity at a rate per microsecond; a rate of 0 adds nothing.
    fn add_at_rate(
        &mut self,
        host: u32,
        rate: f64,
        act: &Act,
        windows: Vec<Window>,
        scale: Scale,
    ) -> Option<usize> {
        let gap = 1.0 / rate;
        if !(gap.is_finite() && gap > 0.0) {
            return None;
        }
        let pace = match act {
            // A search asks on until it has its answer; a publish stores at several peers.
            Act::Contact(Contact::Search, _) => Pace::Bursts {
                gap,
                size: 8.0,
                inner: 4e5,
            },
            Act::Contact(Contact::Publish, _) => Pace::Bursts {
                gap,
                size: 5.0,
                inner: 4e5,
            },
            Act::Web { .. } => Pace::Bursts {
                gap,
                size: 6.0,
                inner: 1e6,
            },
            _ => Pace::Poisson { gap },
        };
        self.add(host, act.clone(), pace, windows, scale)
    }

    fn add(
        &mut self,
        host: u32,
        act: Act,
        pace: Pace,
        mut windows: Vec<Window>,
        scale: Scale,
    ) -> Option<usize> {
        windows.retain(|window| window.length() > 0);
        if total(&windows) <= 0.0 {
            return None;
        }
        let count = &mut self.process_counts[host as usize];
        *count += 1;
        let rng = Rng::stream(self.seed, [PROCESSES, u64::from(host), *count]);
        let process = Process::new(act, host, pace, windows, rng);
        match scale {
            Scale::Traffic => self.expected_scaled += process.expected(),
            Scale::Fixed => self.expected_fixed += process.expected(),
        }
        self.processes.push(process);
        Some(self.processes.len() - 1)
    }

    /// A server or victim of its own.
    fn service(&mut self, zone: Zone, port: u16) -> Endpoint {
        let ip = service(zone, self.services);
        self.services += 1;
        Endpoint::new(ip.into(), port)
    }
}

/// Whether an activity grows with the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Traffic,
    Fixed,
}
