//! Connections to central servers: eD2k servers, trackers and hubs.

use peerscope_flow::Endpoint;

use super::{Action, Moment, tcp_complete};
use crate::host::Host;
use crate::rng::Rng;
use crate::truth::Activity;

/// One connection that lasts as long as the session, with a few messages a minute.
pub(crate) fn stay(
    server: Endpoint,
    host: &mut Host,
    moment: &Moment,
    rng: &mut Rng,
) -> Option<Action> {
    let label = Some(host.protocol?.tcp_label());
    let duration = (moment.until - moment.now) as f64;
    let minutes = duration / 60e6;
    let sent = 100.0 + minutes * rng.between(20.0, 60.0);
    let received = 300.0 + minutes * rng.between(50.0, 400.0);
    let ends = (host.ephemeral(), server);
    let flow = tcp_complete(ends, label, (sent, received), duration, moment);
    Some(Action::new(flow, Activity::Server))
}
