//! A provider's network, simulated from hosts that behave, with planted behaviour and its truth.
//!
//! The network is that of the SIGMETRICS 2009 paper on undesirable peer-to-peer behaviour: a few
//! hundred monitored hosts, some hundred thousand peers in the provider's network and the Internet,
//! and a full-cone NAT between the two, which lets no TCP in and UDP only to hosts that sent out.
//! Hosts have sessions; while online they search, publish, transfer and browse. No metric is drawn
//! from anywhere: what a detector measures is what hosts do.
//!
//! A [`Scenario`] (TOML, or a preset) and a seed make a [`Simulation`], an iterator of flows in order
//! of their start, each with its [`Cause`]. At its end [`Simulation::truth`] says who did what.
//!
//! ```
//! use peerscope_simulate::{PlantedKind, Scenario, Simulation};
//!
//! let scenario = Scenario::preset("minipop-2008")?.with_flows(50_000)?;
//! let mut simulation = Simulation::new(&scenario, 1)?;
//! let poisoned = simulation.by_ref().filter(|simulated| simulated.flow.dst.port == 53).count();
//! assert!(poisoned > 0);
//!
//! let truth = simulation.truth();
//! let ddos = truth.planted.iter().find(|planted| planted.kind == PlantedKind::DdosReservedPort);
//! assert_eq!(ddos.map(|ddos| ddos.ports.as_slice()), Some([53].as_slice()));
//! # Ok::<(), peerscope_simulate::ScenarioError>(())
//! ```
//!
//! A [`RulesScenario`] makes another kind of trace: clients that browse in sessions, and flows that
//! occur together among them; see [`RulesTrace`].
//!
//! # Same everywhere
//!
//! Random bits come from a generator written out in this crate, and distributions from additions,
//! multiplications and divisions only: equal scenarios and seeds give equal flows on every machine
//! with IEEE 754 arithmetic in double precision (all 64-bit targets).
//!
//! # What it is not
//!
//! Peers outside have no memory and do not speak with one another; there is no packet loss, no
//! queueing, and links are not shared: a transfer's rate does not depend on the others. Flows between
//! two monitored hosts do not occur. Addresses are IPv4.
//!
//! The crate shares nothing with the detectors but `peerscope-flow`, opens no files and reads no
//! clock.

mod address;
mod behaviour;
mod builder;
mod check;
mod error;
mod host;
mod planted;
mod preset;
mod process;
mod rng;
mod rules;
mod scenario;
mod simulation;
mod truth;

pub use error::ScenarioError;
pub use planted::{
    BadServer, Behaviour, Buddy, ControlOnly, DdosReservedPort, DepartedHosts, FakeServer,
    IdleConnections, InterIsp, NattedHosts, Planted, PlantedKind, PlantedKindError, Selfish,
    VeryActive, Wire,
};
pub use rules::{RulesScenario, RulesTrace, RulesTruth, ShapeKind, TrueShape};
pub use scenario::{Background, Protocol, Scenario, Sessions, Side, System};
pub use simulation::{ExpectedFlows, SimulatedFlow, Simulation};
pub use truth::{Activity, Cause, CauseWriter, PlantedId, Session, TrueHost, TruePlanted, Truth};
