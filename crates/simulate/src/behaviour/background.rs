//! Everything that is not peer-to-peer: names, the web, and unlabelled traffic from the provider's
//! network.

use std::net::IpAddr;

use peerscope_flow::{Application, Endpoint, Zone};

use super::transfer::outside_port;
use super::{Action, Moment, Udp, tcp_complete, tcp_failed};
use crate::address::service;
use crate::host::Host;
use crate::rng::Rng;
use crate::truth::Activity;

/// Numbers of services: the resolver and the web servers come before those of the scenario.
const RESOLVER: u32 = 0;
const WEB_SERVERS: std::ops::Range<u32> = 1..40_001;
/// Callers from the provider's network.
const CALLERS: std::ops::Range<u32> = 40_001..140_001;
/// First number that is free for servers and victims of the scenario.
pub(crate) const FIRST_SERVICE: u32 = 140_001;

/// A query to the provider's resolver.
pub(crate) fn dns(host: &mut Host, moment: &Moment, rng: &mut Rng) -> Action {
    let resolver = Endpoint::new(IpAddr::V4(service(Zone::Provider, RESOLVER)), 53);
    let request = 30 + u64::from(rng.below(25));
    let talk = if rng.chance(0.01) {
        Udp::unanswered(request, rng)
    } else {
        let response = request + 16 + u64::from(rng.below(250));
        Udp::answered(request, response, rng)
    };
    let flow = talk.flow(host.ephemeral(), resolver, Some(Application::Dns), moment);
    Action::new(flow, Activity::Dns)
}

/// A connection to a web server; the popular ones get most.
pub(crate) fn web(mean_bytes: f64, host: &mut Host, moment: &Moment, rng: &mut Rng) -> Action {
    let popular = rng.uniform();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small number"
    )]
    let server = WEB_SERVERS.start
        + (popular * popular * popular * f64::from(WEB_SERVERS.end - WEB_SERVERS.start)) as u32;
    let (port, label) = if rng.chance(0.08) {
        (443, Application::Tls)
    } else {
        (80, Application::Http)
    };
    let server = Endpoint::new(IpAddr::V4(service(Zone::Internet, server)), port);
    let src = host.ephemeral();
    if rng.chance(0.01) {
        return Action::new(tcp_failed(src, server, false, moment, rng), Activity::Web);
    }
    let size = mean_bytes * rng.lognormal(1.5);
    let duration = 2e5 + size * 8e6 / (3e6 * rng.lognormal(0.7)).clamp(1e5, 1e7);
    let asked = rng.between(300.0, 900.0);
    let flow = tcp_complete((src, server), Some(label), (asked, size), duration, moment);
    Action::new(flow, Activity::Web)
}

/// Unlabelled traffic from the provider's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Background {
    UdpAnswered,
    UdpUnanswered,
    TcpAccepted,
    TcpFailed,
}

impl Background {
    pub(crate) fn perform(self, host: &Host, moment: &Moment, rng: &mut Rng) -> Action {
        let number = CALLERS.start + rng.below(CALLERS.end - CALLERS.start);
        let caller = Endpoint::new(IpAddr::V4(service(Zone::Provider, number)), 0);
        let src = outside_port(caller, rng);
        // Ports of other peer-to-peer systems, telephony and of probes, but no eMule port.
        let port = |ports: &[u16], rng: &mut Rng| {
            let chosen = rng.below(u32::try_from(ports.len()).unwrap_or(1));
            Endpoint::new(host.ip, ports[usize::try_from(chosen).unwrap_or(0)])
        };
        let flow = match self {
            Self::UdpAnswered | Self::UdpUnanswered => {
                let dst = port(&[5060, 16_384, 27_015, 33_033, 51_413], rng);
                let request = 20 + u64::from(rng.below(200));
                let talk = if self == Self::UdpAnswered {
                    Udp::answered(request, 20 + u64::from(rng.below(400)), rng)
                } else {
                    Udp::unanswered(request, rng)
                };
                talk.flow(src, dst, None, moment)
            }
            Self::TcpAccepted => {
                let dst = port(&[1863, 5060, 6346, 33_033, 51_413], rng);
                let size = 20_000.0 * rng.lognormal(1.5);
                let duration = 1e6 + 20e6 * rng.exponential();
                tcp_complete((src, dst), None, (size, size / 3.0), duration, moment)
            }
            Self::TcpFailed => {
                let dst = port(&[135, 139, 445, 1433, 3389], rng);
                tcp_failed(src, dst, rng.chance(0.5), moment, rng)
            }
        };
        Action::new(flow, Activity::Background)
    }
}
