//! Control traffic of a distributed hash table, over UDP: hellos, searches and publishes.

use peerscope_flow::Zone;

use super::{Action, Moment, Udp, World};
use crate::rng::Rng;
use crate::truth::Activity;

/// Why a host contacts a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    /// To see whether a known contact is still there.
    Hello,
    /// For contacts nearer to a key, or what is stored under it.
    Search,
    /// To store something.
    Publish,
}

impl Contact {
    /// Every reason, and its share of a host's contacts.
    pub(crate) const SHARES: [(Self, f64); 3] = [
        (Self::Hello, 0.3),
        (Self::Search, 0.5),
        (Self::Publish, 0.2),
    ];

    pub(crate) fn perform(
        self,
        zone: Zone,
        host: usize,
        moment: &Moment,
        world: &mut World,
        rng: &mut Rng,
    ) -> Option<Action> {
        let host = &mut world.hosts[host];
        let (src, protocol) = (host.udp(), host.protocol?);
        let known = host.side(zone)?;
        let rested = (self == Self::Hello)
            .then(|| known.rested(moment.now))
            .flatten();
        let (index, again) = match rested {
            Some(index) => (index, true),
            None => (known.meet(moment.now), false),
        };
        let peer = world.populations[known.population].peer(index);
        let gone = peer.is_gone(moment.now);
        // A contact that does not answer leaves the table; a new one entered it when met.
        if again && !gone {
            known.keep(index, moment.now);
        }
        host.opened |= zone == Zone::Internet;
        let talk = self.talk(gone, rng);
        let flow = talk.flow(src, peer.udp, Some(protocol.udp_label()), moment);
        Some(Action::new(flow, self.activity()))
    }

    const fn activity(self) -> Activity {
        match self {
            Self::Hello => Activity::Hello,
            Self::Search => Activity::Search,
            Self::Publish => Activity::Publish,
        }
    }

    /// The datagrams: lengths are those of the Kad messages (a contact takes 25 bytes).
    pub(crate) fn talk(self, unanswered: bool, rng: &mut Rng) -> Udp {
        let some = |rng: &mut Rng, low: u64, n: u32| low + u64::from(rng.below(n));
        let (request, response) = match self {
            Self::Hello => (27, 27),
            Self::Search if rng.chance(0.1) => (some(rng, 40, 60), some(rng, 150, 500)),
            Self::Search => (35, 17 + 25 * some(rng, 2, 3)),
            Self::Publish => (some(rng, 80, 140), 19),
        };
        if unanswered {
            Udp::unanswered(request, rng)
        } else {
            Udp::answered(request, response, rng)
        }
    }

    /// What an outside peer wants.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        match rng.below(10) {
            0..3 => Self::Hello,
            3..8 => Self::Search,
            _ => Self::Publish,
        }
    }
}

/// An outside peer contacts the host, which answers. From the Internet it gets through only once
/// the host has sent there.
pub(crate) fn answer(
    zone: Zone,
    host: usize,
    moment: &Moment,
    world: &mut World,
    rng: &mut Rng,
) -> Option<Action> {
    let host = &mut world.hosts[host];
    if zone == Zone::Internet && !host.opened {
        return None;
    }
    let (dst, protocol) = (host.udp(), host.protocol?);
    let known = host.side(zone)?;
    let caller = world.populations[known.population].peer(known.callers.next());
    let talk = Contact::any(rng).talk(false, rng);
    let flow = talk.flow(caller.udp, dst, Some(protocol.udp_label()), moment);
    Some(Action::new(flow, Activity::Call))
}
