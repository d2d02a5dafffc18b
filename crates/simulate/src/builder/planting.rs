//! What a planted behaviour may do to the network under construction.

use std::net::IpAddr;

use peerscope_flow::{Endpoint, Zone};

use super::{Builder, Scale};
use crate::behaviour::Act;
use crate::host::{Host, Window, total};
use crate::planted::Planted;
use crate::process::Pace;
use crate::scenario::{Protocol, Side};
use crate::truth::{Entry, PlantedId};

/// The hosts of one planted behaviour, and the means to give them activities.
pub(crate) struct Planting<'b, 's> {
    builder: &'b mut Builder<'s>,
    planted: &'s Planted,
    hosts: Vec<u32>,
}

impl<'b, 's> Planting<'b, 's> {
    pub(super) const fn new(
        builder: &'b mut Builder<'s>,
        planted: &'s Planted,
        hosts: Vec<u32>,
    ) -> Self {
        Self {
            builder,
            planted,
            hosts,
        }
    }

    /// The whole trace.
    pub(crate) const fn trace(&self) -> Window {
        self.builder.trace
    }

    pub(crate) const fn intensity(&self) -> f64 {
        self.planted.intensity
    }

    /// Factor on flows that grow with the traffic.
    pub(crate) const fn scale(&self) -> f64 {
        self.planted.intensity * self.builder.scenario.traffic
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        self.planted.system
    }

    /// The behaviour's hosts, companions last.
    pub(crate) fn hosts(&self) -> &[u32] {
        &self.hosts
    }

    pub(crate) fn host(&self, number: u32) -> &Host {
        &self.builder.hosts[number as usize]
    }

    /// The zone that most peers of the system are in.
    pub(crate) fn home(&self) -> Zone {
        let flows = |zone| {
            self.side(zone)
                .map_or(0.0, |side| side.udp_out + side.tcp_out)
        };
        if flows(Zone::Internet) > flows(Zone::Provider) {
            Zone::Internet
        } else {
            Zone::Provider
        }
    }

    /// Attempts that it takes for so many successful connections.
    pub(crate) fn attempts(&self, zone: Zone, successes: f64) -> f64 {
        successes / (1.0 - self.side(zone).map_or(0.0, |side| side.stale))
    }

    fn side(&self, zone: Zone) -> Option<&Side> {
        let systems = &self.builder.scenario.systems;
        let system = systems
            .iter()
            .find(|system| system.protocol == self.planted.system)?;
        match zone {
            Zone::Internet => system.internet.as_ref(),
            Zone::Monitored | Zone::Provider => system.provider.as_ref(),
        }
    }

    /// A server, victim or peer of its own.
    pub(crate) fn service(&mut self, zone: Zone, port: u16) -> Endpoint {
        self.builder.service(zone, port)
    }

    /// An entry of the truth for all hosts together.
    pub(crate) fn entry(
        &mut self,
        window: Window,
        peers: Vec<IpAddr>,
        ports: Vec<u16>,
    ) -> PlantedId {
        let scenario = self.builder.scenario;
        let index = scenario
            .planted
            .iter()
            .position(|planted| std::ptr::eq(planted, self.planted));
        let id = self.builder.add_entry(index.unwrap_or(0));
        self.describe(id, window, peers, ports);
        id
    }

    fn describe(&mut self, id: PlantedId, window: Window, peers: Vec<IpAddr>, mut ports: Vec<u16>) {
        ports.sort_unstable();
        ports.dedup();
        let entry = &mut self.builder.entries[id.0 as usize];
        *entry = Entry {
            window,
            peers,
            ports,
            ..*entry
        };
    }

    /// When one host behaves so.
    pub(crate) fn host_entry(&mut self, number: u32, window: Window) {
        if let Some(id) = self.host(number).planted {
            self.describe(id, window, Vec::new(), Vec::new());
        }
    }

    /// Every host behaves so from the begin of its first session to the end of its last.
    pub(crate) fn session_entries(&mut self) {
        self.session_entries_with(&[], &[]);
    }

    /// The same, with peers and ports.
    pub(crate) fn session_entries_with(&mut self, peers: &[IpAddr], ports: &[u16]) {
        for number in self.hosts.clone() {
            self.host_session_entry(number, peers.to_vec(), ports.to_vec());
        }
    }

    /// The same for one host.
    pub(crate) fn host_session_entry(&mut self, number: u32, peers: Vec<IpAddr>, ports: Vec<u16>) {
        let host = self.host(number);
        let (Some(id), Some(first), Some(last)) =
            (host.planted, host.sessions.first(), host.sessions.last())
        else {
            return;
        };
        let window = Window {
            start: first.start,
            end: last.end,
        };
        self.describe(id, window, peers, ports);
    }

    /// Shares flows out among the hosts by activity and time, as part of one entry.
    pub(crate) fn share_out(
        &mut self,
        id: PlantedId,
        flows: f64,
        act: &Act,
        windows: impl Fn(&Host) -> Vec<Window>,
    ) {
        self.spread(flows, act, windows, |_| Some(id));
    }

    /// Shares flows out among the hosts while they are online, each as part of its own entry.
    pub(crate) fn share_out_each(&mut self, flows: f64, act: &Act) {
        self.spread(
            flows,
            act,
            |host| host.sessions.clone(),
            |host| host.planted,
        );
    }

    fn spread(
        &mut self,
        flows: f64,
        act: &Act,
        windows: impl Fn(&Host) -> Vec<Window>,
        entry: impl Fn(&Host) -> Option<PlantedId>,
    ) {
        let shares: Vec<f64> = self
            .hosts
            .iter()
            .map(|&number| self.host(number).weight * total(&windows(self.host(number))))
            .collect();
        let sum: f64 = shares.iter().sum();
        for number in self.hosts.clone() {
            let host = self.host(number);
            let (rate, windows) = (flows * host.weight / sum, windows(host));
            let id = entry(host);
            let added = self
                .builder
                .add_at_rate(number, rate, act, windows, Scale::Traffic);
            self.assign(added, id);
        }
    }

    /// An activity of one host at a rate per microsecond.
    pub(crate) fn at_rate(&mut self, number: u32, rate: f64, act: &Act, window: Window) {
        let added = self
            .builder
            .add_at_rate(number, rate, act, vec![window], Scale::Traffic);
        self.assign(added, self.host(number).planted);
    }

    /// Flows of one host while it is online, which do not grow with the traffic.
    pub(crate) fn while_online(&mut self, number: u32, flows: f64, act: &Act) {
        let windows = self.host(number).sessions.clone();
        let rate = flows / total(&windows);
        let added = self
            .builder
            .add_at_rate(number, rate, act, windows, Scale::Fixed);
        self.assign(added, self.host(number).planted);
    }

    /// An activity of every host while it is online, which does not grow with the traffic.
    pub(crate) fn each_host(&mut self, act: &Act, pace: Pace) {
        for number in self.hosts.clone() {
            let windows = self.host(number).sessions.clone();
            let added = self
                .builder
                .add(number, act.clone(), pace, windows, Scale::Fixed);
            self.assign(added, self.host(number).planted);
        }
    }

    /// Counts ordinary activities of the hosts as part of the behaviour.
    pub(crate) fn mark(&mut self, is_part: impl Fn(&Act) -> bool) {
        let hosts = &self.builder.hosts;
        for process in &mut self.builder.processes {
            if self.hosts.contains(&process.host) && is_part(&process.act) {
                process.planted = hosts[process.host as usize].planted;
            }
        }
    }

    fn assign(&mut self, process: Option<usize>, id: Option<PlantedId>) {
        if let Some(process) = process {
            self.builder.processes[process].planted = id;
        }
    }
}
