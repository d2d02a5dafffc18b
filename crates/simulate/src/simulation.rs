//! The simulation: pending events in a queue, one for each activity.

use std::cmp::Reverse;
use std::collections::binary_heap::{BinaryHeap, PeekMut};

use peerscope_flow::{Flow, Timestamp, Topology, Zone};

use crate::ScenarioError;
use crate::address::topology;
use crate::behaviour::{Moment, World};
use crate::builder::build;
use crate::host::Window;
use crate::process::Process;
use crate::scenario::Scenario;
use crate::truth::{Cause, Entry, Session, TrueHost, TruePlanted, Truth};

/// A running simulation: an iterator of flows in order of their start.
///
/// Equal scenarios and seeds give equal flows on every machine. Memory is proportional to the number
/// of monitored hosts and does not grow with the number of flows.
///
/// ```
/// use peerscope_simulate::{PlantedKind, Scenario, Simulation};
///
/// let scenario = Scenario::preset("tiny")?.with_flows(20_000)?;
/// let mut simulation = Simulation::new(&scenario, 7)?;
/// let unanswered = simulation.by_ref().filter(|s| s.flow.rev.packets == 0).count();
/// assert!(unanswered > 0);
/// let truth = simulation.truth();
/// assert!(truth.planted.iter().any(|planted| planted.kind == PlantedKind::Buddy));
/// # Ok::<(), peerscope_simulate::ScenarioError>(())
/// ```
///
/// # Complexity
///
/// O(log a) for each flow, a being the number of activities (about ten for each host).
#[derive(Debug)]
pub struct Simulation {
    seed: u64,
    begin: i64,
    trace: Window,
    world: World,
    processes: Vec<Process>,
    entries: Vec<Entry>,
    /// Next moment of each process that has one, the earliest first; ties go by process.
    queue: BinaryHeap<Reverse<(i64, u32)>>,
    flows: u64,
    expected: ExpectedFlows,
}

/// A flow, and why there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct SimulatedFlow {
    /// The flow as a perfect meter would record it.
    pub flow: Flow,
    /// Its cause.
    pub cause: Cause,
}

/// Number of flows that a scenario gives in expectation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct ExpectedFlows {
    /// Those that grow with the traffic.
    pub scaled: f64,
    /// Those of activities with a clock of their own.
    pub fixed: f64,
}

impl ExpectedFlows {
    /// Both.
    pub const fn total(self) -> f64 {
        self.scaled + self.fixed
    }
}

impl Simulation {
    /// A simulation at its begin.
    ///
    /// # Errors
    ///
    /// If the scenario is bad, or its planted behaviours want more hosts than there are.
    pub fn new(scenario: &Scenario, seed: u64) -> Result<Self, ScenarioError> {
        scenario.check()?;
        let built = build(scenario, seed)?;
        let mut processes = built.processes;
        if processes.iter().any(Process::is_too_fast) {
            return Err(ScenarioError::TooFast(scenario.traffic));
        }
        let queue = (0..)
            .zip(&mut processes)
            .filter_map(|(id, process)| Some(Reverse((process.first()?, id))))
            .collect();
        Ok(Self {
            seed,
            begin: scenario.start_secs * Timestamp::MICROS_PER_SEC,
            trace: built.trace,
            world: built.world,
            processes,
            entries: built.entries,
            queue,
            flows: 0,
            expected: ExpectedFlows {
                scaled: built.expected_scaled,
                fixed: built.expected_fixed,
            },
        })
    }

    /// The address plan of the network.
    pub fn topology(&self) -> Topology {
        topology()
    }

    /// Number of flows in expectation; the actual one differs by chance, and by the flows that the
    /// provider's NAT keeps out.
    pub const fn expected_flows(&self) -> ExpectedFlows {
        self.expected
    }

    /// Number of events that wait: at most one for each activity, so it never grows.
    pub fn pending_events(&self) -> usize {
        self.queue.len()
    }

    /// The ground truth, with the counts of the flows given so far: take it at the end.
    pub fn truth(&self) -> Truth {
        let hosts = self.world.hosts.iter().map(|host| TrueHost {
            ip: host.ip,
            zone: Zone::Monitored,
            system: host.protocol.map(|protocol| protocol.system().to_owned()),
            role: host.role,
            udp_port: host.udp_port,
            tcp_port: host.tcp_port,
            sessions: host
                .sessions
                .iter()
                .map(|&window| self.session(window))
                .collect(),
        });
        Truth {
            schema: Truth::SCHEMA.to_owned(),
            scenario: self.world.scenario.name.clone(),
            seed: self.seed,
            start_us: self.at(self.trace.start),
            end_us: self.at(self.trace.end),
            flows: self.flows,
            hosts: hosts.collect(),
            planted: self.planted(),
        }
    }

    fn planted(&self) -> Vec<TruePlanted> {
        let mut planted: Vec<TruePlanted> = (0..)
            .zip(&self.entries)
            .map(|(id, entry)| {
                let given = &self.world.scenario.planted[entry.index];
                let session = self.session(entry.window);
                TruePlanted {
                    id: crate::PlantedId(id),
                    kind: given.kind(),
                    system: given.system.system().to_owned(),
                    hosts: Vec::new(),
                    peers: entry.peers.clone(),
                    ports: entry.ports.clone(),
                    start_us: session.start_us,
                    end_us: session.end_us,
                    intensity: given.intensity,
                    expected: given.plant().expected().to_owned(),
                    flows: 0,
                }
            })
            .collect();
        for process in &self.processes {
            if let (Some(id), 1..) = (process.planted, process.planted_flows) {
                let planted = &mut planted[id.0 as usize];
                planted.flows += process.planted_flows;
                planted
                    .hosts
                    .push(self.world.hosts[process.host as usize].ip);
            }
        }
        planted.retain(|planted| planted.flows > 0);
        for planted in &mut planted {
            planted.hosts.sort_unstable();
            planted.hosts.dedup();
        }
        planted
    }

    fn session(&self, window: Window) -> Session {
        Session {
            start_us: self.at(window.start),
            end_us: self.at(window.end),
        }
    }

    const fn at(&self, time: i64) -> Timestamp {
        Timestamp::from_micros(self.begin + time)
    }
}

impl Iterator for Simulation {
    type Item = SimulatedFlow;

    fn next(&mut self) -> Option<SimulatedFlow> {
        loop {
            let mut top = self.queue.peek_mut()?;
            let Reverse((now, id)) = *top;
            let process = &mut self.processes[id as usize];
            let (begin, end) = (self.begin, self.trace.end);
            let moment = Moment {
                now,
                begin,
                end,
                until: process.until(),
            };
            let Process { act, host, rng, .. } = process;
            let action = act.perform(*host, &moment, &mut self.world, rng);
            match process.next(now) {
                Some(next) => *top = Reverse((next, id)),
                None => drop(PeekMut::pop(top)),
            }
            if let Some(action) = action {
                let planted = process.planted.filter(|_| action.planted);
                process.planted_flows += u64::from(planted.is_some());
                self.flows += 1;
                let cause = Cause {
                    activity: action.activity,
                    planted,
                };
                return Some(SimulatedFlow {
                    flow: action.flow,
                    cause,
                });
            }
        }
    }
}
