//! Labels for flows whose payload says nothing, from what else their endpoints carry.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::num::NonZeroUsize;

use peerscope_flow::{Application, Endpoint, Flow, Transport};

/// Labels unlabelled flows by the company they keep, and returns how many it labelled.
///
/// An endpoint (transport, address, port) *speaks* an application if its labelled flows all carry
/// that one application and have at least `peers` distinct addresses at the other end. Every
/// unlabelled flow with such an endpoint takes the application; if both of its endpoints speak one
/// and they differ, it stays unlabelled. Only labels that were there before the call count, so the
/// result does not depend on the order of the flows.
///
/// This is a heuristic, meant for obfuscated sessions of hosts that also speak in the clear. It
/// labels whatever reaches such an endpoint, scans and stray packets too: use it where a missed
/// flow costs more than a wrong label.
///
/// # Complexity
///
/// O(n log n) time and O(n) memory for n flows.
///
/// ```
/// use std::num::NonZeroUsize;
/// use peerscope_flow::{Application, Endpoint, Flow, Span, Timestamp, Transport};
/// use peerscope_meter::label_by_association;
///
/// let client = Endpoint::new("192.0.2.1".parse()?, 51_413);
/// let mut flows: Vec<Flow> = (1..=4)
///     .map(|peer| {
///         let peer = Endpoint::new(format!("198.51.100.{peer}").parse().unwrap(), 6_881);
///         let mut flow = Flow::new(Transport::Tcp, peer, client, Span::at(Timestamp::from_secs(0)));
///         flow.app = Some(Application::BitTorrent);
///         flow
///     })
///     .collect();
/// flows[3].app = None; // its payload was encrypted
/// let three = NonZeroUsize::new(3).unwrap();
/// assert_eq!(label_by_association(&mut flows, three), 1);
/// assert_eq!(flows[3].app, Some(Application::BitTorrent));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn label_by_association(flows: &mut [Flow], peers: NonZeroUsize) -> usize {
    let spoken = spoken_applications(flows, peers);
    let mut labelled = 0;
    for flow in flows.iter_mut().filter(|flow| flow.app.is_none()) {
        let speaks = |end: Endpoint| spoken.get(&(flow.transport, end));
        let application = match (speaks(flow.src), speaks(flow.dst)) {
            (Some(one), Some(other)) if one != other => None,
            (one, other) => one.or(other).cloned(),
        };
        labelled += usize::from(application.is_some());
        flow.app = application;
    }
    labelled
}

fn spoken_applications(
    flows: &[Flow],
    peers: NonZeroUsize,
) -> HashMap<(Transport, Endpoint), Application> {
    let mut company: HashMap<(Transport, Endpoint), Company<'_>> = HashMap::new();
    for flow in flows {
        let Some(application) = &flow.app else {
            continue;
        };
        for (end, peer) in [(flow.src, flow.dst.ip), (flow.dst, flow.src.ip)] {
            company
                .entry((flow.transport, end))
                .or_insert_with(|| Company::new(application))
                .add(application, peer);
        }
    }
    company
        .into_iter()
        .filter(|(_, company)| !company.is_mixed && company.peers.len() >= peers.get())
        .map(|(end, company)| (end, company.application.clone()))
        .collect()
}

/// What is known of one endpoint.
struct Company<'a> {
    application: &'a Application,
    is_mixed: bool,
    peers: BTreeSet<IpAddr>,
}

impl<'a> Company<'a> {
    fn new(application: &'a Application) -> Self {
        Self {
            application,
            is_mixed: false,
            peers: BTreeSet::new(),
        }
    }

    fn add(&mut self, application: &Application, peer: IpAddr) {
        self.is_mixed |= application != self.application;
        self.peers.insert(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_flow::{Span, Timestamp};
    use proptest::prelude::*;

    fn flow(src: u8, dst: u8, app: Option<Application>) -> Flow {
        let end = |host: u8| Endpoint::new(IpAddr::from([192, 0, 2, host]), u16::from(host));
        let span = Span::at(Timestamp::from_secs(0));
        Flow {
            app,
            ..Flow::new(Transport::Udp, end(src), end(dst), span)
        }
    }

    fn peers(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    #[test]
    fn distinct_peers_and_one_application_are_needed() {
        let kad = || Some(Application::Kad);
        let mut flows = vec![flow(1, 9, kad()), flow(1, 9, kad()), flow(5, 9, None)];
        assert_eq!(label_by_association(&mut flows, peers(2)), 0);
        flows.push(flow(9, 2, kad()));
        assert_eq!(label_by_association(&mut flows, peers(2)), 1);
        assert_eq!(flows[2].app, kad());
        flows[2].app = None;
        flows.push(flow(3, 9, Some(Application::Dns)));
        assert_eq!(label_by_association(&mut flows, peers(2)), 0);
    }

    #[test]
    fn endpoints_that_disagree_label_nothing() {
        let mut flows = vec![
            flow(1, 9, Some(Application::Kad)),
            flow(2, 8, Some(Application::Dns)),
            flow(8, 9, None),
        ];
        assert_eq!(label_by_association(&mut flows, peers(1)), 0);
    }

    #[test]
    fn transports_are_kept_apart() {
        let mut other = flow(2, 9, None);
        other.transport = Transport::Tcp;
        let mut flows = vec![flow(1, 9, Some(Application::Kad)), other];
        assert_eq!(label_by_association(&mut flows, peers(1)), 0);
    }

    proptest! {
        /// Each flow alone, by the definition.
        #[test]
        fn equals_the_definition_in_any_order(
            drawn in prop::collection::vec((0_u8..6, 0_u8..6, 0_usize..4), 0..30),
            needed in 1_usize..4,
        ) {
            let apps = [None, None, Some(Application::Kad), Some(Application::BitTorrent)];
            let before: Vec<Flow> =
                drawn.iter().map(|&(src, dst, app)| flow(src, dst, apps[app].clone())).collect();
            let speaks = |end: Endpoint| {
                let ours = || before.iter().filter(|flow| {
                    flow.app.is_some() && (flow.src == end || flow.dst == end)
                });
                let apps: BTreeSet<_> = ours().filter_map(|flow| flow.app.clone()).collect();
                let others: BTreeSet<_> = ours()
                    .flat_map(|flow| {
                        let from_src = (flow.src == end).then_some(flow.dst.ip);
                        let from_dst = (flow.dst == end).then_some(flow.src.ip);
                        from_src.into_iter().chain(from_dst)
                    })
                    .collect();
                (apps.len() == 1 && others.len() >= needed).then(|| apps.into_iter().next()).flatten()
            };
            let expected: Vec<_> = before.iter().map(|flow| {
                let found: BTreeSet<_> =
                    [speaks(flow.src), speaks(flow.dst)].into_iter().flatten().collect();
                let inferred = if found.len() == 1 { found.into_iter().next() } else { None };
                flow.app.clone().or(inferred)
            }).collect();
            let mut after = before.clone();
            label_by_association(&mut after, peers(needed));
            prop_assert_eq!(after.iter().map(|flow| flow.app.clone()).collect::<Vec<_>>(), &expected[..]);
            let mut reversed: Vec<_> = before.iter().rev().cloned().collect();
            label_by_association(&mut reversed, peers(needed));
            prop_assert!(reversed.iter().rev().map(|flow| &flow.app).eq(&expected));
        }
    }
}
