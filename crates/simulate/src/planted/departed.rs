//! Hosts that leave for good while others still know them (paper, section 8.2 and Fig 9).
//!
//! For some hours peers contact the host at a steady rate, until their routing tables drop it; after
//! that a trickle goes on to the end of the trace.

use peerscope_flow::Zone;
use serde::{Deserialize, Serialize};

use super::{Plant, PlantedKind};
use crate::ScenarioError;
use crate::behaviour::{Act, Action, Contact, Moment, World, outside_port, tcp_failed};
use crate::builder::Planting;
use crate::check::{count, share, within};
use crate::host::{HOUR, Host, Window, micros};
use crate::rng::Rng;
use crate::truth::Activity;

/// Hosts leave for good, and peers go on contacting them.
///
/// `intensity` scales the flows after the departure; they grow with the traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepartedHosts {
    /// UDP flows to hosts that left, over the whole trace.
    pub udp: f64,
    /// Failing TCP attempts from the provider's network to hosts that left.
    #[serde(default)]
    pub tcp: f64,
    /// Hours until most peers have forgotten the host.
    #[serde(default = "two_and_a_half")]
    pub plateau_hours: f64,
    /// Rate afterwards, relative to that of the plateau.
    #[serde(default = "sixtieth")]
    pub tail: f64,
    /// Further hosts that are contacted while away in the same way, but come back. They are not
    /// part of the truth's `hosts`; their flows have the activity `away`.
    #[serde(default)]
    pub returning: u32,
}

const fn two_and_a_half() -> f64 {
    2.5
}

const fn sixtieth() -> f64 {
    1.0 / 60.0
}

/// Departures lie in this part of the trace, so that there is something before and after.
const DEPARTURES: (f64, f64) = (0.15, 0.8);

impl Plant for DepartedHosts {
    fn kind(&self) -> PlantedKind {
        PlantedKind::DepartedHosts
    }

    fn expected(&self) -> &'static str {
        "the host initiates nothing after start_us; UDP flows to it go unanswered and TCP attempts fail"
    }

    fn check(&self, path: &str, trace_hours: f64) -> Result<(), ScenarioError> {
        let at = |field: &str| format!("{path}.{field}");
        count(&at("udp"), self.udp)?;
        count(&at("tcp"), self.tcp)?;
        let expected = "from 0.01 h to the trace's length";
        within(
            &at("plateau_hours"),
            self.plateau_hours,
            0.01,
            trace_hours,
            expected,
        )?;
        share(&at("tail"), self.tail)
    }

    fn companions(&self) -> u32 {
        self.returning
    }

    fn shape(&self, _: f64, host: &mut Host, trace: Window, rng: &mut Rng) {
        // One session of the length drawn for the host, before its departure.
        let length = micros(host.online()).clamp(HOUR / 2, trace.end);
        let departure = micros(trace.end as f64 * rng.between(DEPARTURES.0, DEPARTURES.1));
        host.sessions = vec![Window {
            start: (departure - length).max(0),
            end: departure,
        }];
        if host.planted.is_none() {
            // A host that comes back does so after the plateau, or half of what is left.
            let rest = (trace.end - departure) / 2;
            let back = departure + rest.min(micros(self.plateau_hours * HOUR as f64));
            let end = (back + length).min(trace.end);
            host.sessions.push(Window { start: back, end });
        }
    }

    fn act(&self, planting: &mut Planting<'_, '_>) {
        let trace = planting.trace();
        let plateau = micros(self.plateau_hours * HOUR as f64);
        let hosts: Vec<(u32, Window, Window, Activity)> = planting
            .hosts()
            .iter()
            .filter_map(|&number| {
                let host = planting.host(number);
                let left = host.sessions.first()?.end;
                let (until, activity) = match host.sessions.get(1) {
                    None => (trace.end, Activity::Stale),
                    Some(again) => (again.start, Activity::Away),
                };
                let turn = (left + plateau).min(until);
                let first = Window {
                    start: left,
                    end: turn,
                };
                Some((
                    number,
                    first,
                    Window {
                        start: turn,
                        end: until,
                    },
                    activity,
                ))
            })
            .collect();
        let planted = hosts
            .iter()
            .filter(|(.., activity)| *activity == Activity::Stale);
        let time: f64 = planted
            .map(|(_, first, rest, _)| first.length() as f64 + self.tail * rest.length() as f64)
            .sum();
        let scale = planting.scale();
        let zone = planting.home();
        for (number, first, rest, activity) in hosts {
            if activity == Activity::Stale {
                let end = rest.end;
                planting.host_entry(
                    number,
                    Window {
                        start: first.start,
                        end,
                    },
                );
            }
            for (udp, flows) in [(true, self.udp), (false, self.tcp)] {
                let act = Act::Stale(Stale {
                    udp,
                    zone,
                    activity,
                });
                let rate = flows * scale / time;
                planting.at_rate(number, rate, &act, first);
                planting.at_rate(number, rate * self.tail, &act, rest);
            }
        }
    }
}

/// Peers contact a host that is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stale {
    udp: bool,
    zone: Zone,
    activity: Activity,
}

impl Stale {
    pub(crate) fn perform(
        self,
        host: usize,
        moment: &Moment,
        world: &mut World,
        rng: &mut Rng,
    ) -> Option<Action> {
        let flow = knock(self.udp, self.zone, host, moment, world, rng)?;
        Some(Action::new(flow, self.activity))
    }
}

/// A flow from outside that ends at the host's door. The provider's NAT lets UDP from the Internet
/// through once the host has sent there, and goes on while packets come; TCP never.
pub(crate) fn knock(
    udp: bool,
    zone: Zone,
    host: usize,
    moment: &Moment,
    world: &mut World,
    rng: &mut Rng,
) -> Option<peerscope_flow::Flow> {
    let host = &mut world.hosts[host];
    let zone = if udp { zone } else { Zone::Provider };
    if zone == Zone::Internet && !host.opened {
        return None;
    }
    let protocol = host.protocol?;
    let (dst_udp, dst_tcp) = (host.udp(), host.tcp());
    let known = host.side(zone)?;
    let caller = world.populations[known.population].peer(known.callers.next());
    Some(if udp {
        let talk = Contact::any(rng).talk(true, rng);
        talk.flow(caller.udp, dst_udp, Some(protocol.udp_label()), moment)
    } else {
        tcp_failed(outside_port(caller.tcp, rng), dst_tcp, false, moment, rng)
    })
}
