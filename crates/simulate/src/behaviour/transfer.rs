//! TCP between peers: transfers, and the control messages around them.

use peerscope_flow::{Application, Endpoint, Zone};

use super::{Action, Moment, World, tcp_complete, tcp_failed};
use crate::host::{Host, Traits};
use crate::rng::Rng;
use crate::scenario::Side;
use crate::truth::Activity;

/// The host opens a connection to a peer: to ask, to download, or to serve a peer whose turn came.
pub(crate) fn connect(
    zone: Zone,
    host: usize,
    moment: &Moment,
    world: &mut World,
    rng: &mut Rng,
) -> Option<Action> {
    let protocol = world.hosts[host].protocol?;
    let side = *world.side(protocol, zone)?;
    let host = &mut world.hosts[host];
    let src = host.ephemeral();
    let traits = host.traits;
    let known = host.side(zone)?;
    let peer = world.populations[known.population].peer(known.contacts.next());
    if peer.is_gone(moment.now) {
        let refused = rng.chance(0.3);
        let flow = tcp_failed(src, peer.tcp, refused, moment, rng);
        return Some(Action {
            planted: !marks_flows(host),
            ..Action::new(flow, Activity::Attempt)
        });
    }
    let silent = rng.chance(side.silent.max(traits.silent));
    if silent {
        // The peer accepts and says nothing: it no longer shares what is asked for.
        let asked = rng.between(60.0, 200.0);
        let duration = 12e6 * rng.exponential();
        let label = Some(protocol.tcp_label());
        let flow = tcp_complete((src, peer.tcp), label, (asked, 0.0), duration, moment);
        return Some(Action::new(flow, Activity::Silent));
    }
    let planted = !marks_flows(host);
    let ends = (src, peer.tcp);
    let talk = talk(
        ends,
        Way::Out,
        protocol.tcp_label(),
        (&side, traits),
        zone,
        moment,
        rng,
    );
    Some(Action { planted, ..talk })
}

/// A peer opens a connection to the host.
pub(crate) fn accept(
    zone: Zone,
    host: usize,
    moment: &Moment,
    world: &mut World,
    rng: &mut Rng,
) -> Option<Action> {
    let protocol = world.hosts[host].protocol?;
    let side = *world.side(protocol, zone)?;
    let host = &mut world.hosts[host];
    let (dst, traits) = (host.tcp(), host.traits);
    let planted = !marks_flows(host);
    let known = host.side(zone)?;
    let caller = world.populations[known.population].peer(known.callers.next());
    let ends = (outside_port(caller.tcp, rng), dst);
    let talk = talk(
        ends,
        Way::In,
        protocol.tcp_label(),
        (&side, traits),
        zone,
        moment,
        rng,
    );
    Some(Action { planted, ..talk })
}

/// Whether only some flows of the host's planted behaviour are marked as such: the silent ones.
const fn marks_flows(host: &Host) -> bool {
    host.traits.silent > 0.0
}

/// The ephemeral port that an outside peer connects from.
pub(crate) fn outside_port(peer: Endpoint, rng: &mut Rng) -> Endpoint {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "below the number of ephemeral ports"
    )]
    let port = 32_768 + rng.below(28_232) as u16;
    Endpoint::new(peer.ip, port)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

/// Control messages, or a transfer up to the parts that a slot hands out.
fn talk(
    ends: (Endpoint, Endpoint),
    way: Way,
    label: Application,
    (side, traits): (&Side, Traits),
    zone: Zone,
    moment: &Moment,
    rng: &mut Rng,
) -> Action {
    let label = Some(label);
    let control = [rng.between(60.0, 300.0), rng.between(60.0, 300.0)];
    if !rng.chance(side.data_share * traits.data) {
        let duration = 1e6 + 20e6 * rng.exponential();
        let flow = tcp_complete(ends, label, (control[0], control[1]), duration, moment);
        return Action::new(flow, Activity::Control);
    }
    let size = side.tcp_bytes / side.data_share * rng.exponential();
    let rate = mean_rate(zone) * rng.lognormal(1.0);
    let duration = 1e6 + size * 8e6 / rate.clamp(2e4, 1e7);
    let uploads = rng.chance(side.sent_share * traits.upload);
    let initiator_sends = uploads == (way == Way::Out);
    let payload = if initiator_sends {
        (size + control[0], control[1])
    } else {
        (control[0], size + control[1])
    };
    let flow = tcp_complete(ends, label, payload, duration, moment);
    Action::new(
        flow,
        if uploads {
            Activity::Upload
        } else {
            Activity::Download
        },
    )
}

/// Bits per second: fibre inside the provider's network, DSL uplinks outside.
const fn mean_rate(zone: Zone) -> f64 {
    match zone {
        Zone::Internet => 4e5,
        Zone::Monitored | Zone::Provider => 2e6,
    }
}
