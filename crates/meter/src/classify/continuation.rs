//! Labels for the later parts of a TCP connection that a timeout cut into several flows.

use peerscope_flow::{Application, Endpoint, Flow, InitiatorEvidence, Transport};

/// Gives every part of a TCP connection the label of its other parts, and returns how many flows
/// it labelled.
///
/// An idle timeout ends a flow, not the connection: what follows on the same 5-tuple without a new
/// SYN is the rest of it, and often holds nothing but keep-alives. A part without a label takes
/// that of the others if they have exactly one between them. The result does not depend on the
/// order of the flows. The meter does this for the flows that are there when it finishes; flows
/// drained before can be given to this function together.
///
/// # Complexity
///
/// O(n log n) time and O(n) memory for n flows.
pub fn label_continuations(flows: &mut [Flow]) -> usize {
    let mut order: Vec<usize> = (0..flows.len())
        .filter(|&at| flows[at].transport == Transport::Tcp)
        .collect();
    order.sort_by_key(|&at| {
        let flow = &flows[at];
        // Of parts that begin at the same time the one with the SYN is first.
        (
            ends(flow),
            flow.span.start(),
            goes_on(flow),
            flow.span.end(),
        )
    });
    let same_connection = |&one: &usize, &next: &usize| {
        ends(&flows[one]) == ends(&flows[next]) && goes_on(&flows[next])
    };
    let mut found = Vec::new();
    for connection in order.chunk_by(same_connection) {
        if let Some(application) = only_label(flows, connection) {
            let unlabelled = connection.iter().filter(|&&part| flows[part].app.is_none());
            found.extend(unlabelled.map(|&part| (part, application.clone())));
        }
    }
    let labelled = found.len();
    for (part, application) in found {
        flows[part].app = Some(application);
    }
    labelled
}

/// Both ends, in an order that does not depend on which of them is taken for the initiator.
fn ends(flow: &Flow) -> (Endpoint, Endpoint) {
    (flow.src.min(flow.dst), flow.src.max(flow.dst))
}

/// Whether the flow began without a SYN.
fn goes_on(flow: &Flow) -> bool {
    flow.initiator != InitiatorEvidence::SynSeen
}

fn only_label(flows: &[Flow], parts: &[usize]) -> Option<Application> {
    let mut labels = parts.iter().filter_map(|&part| flows[part].app.as_ref());
    let first = labels.next()?;
    labels.all(|label| label == first).then(|| first.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_flow::{Span, Timestamp};

    fn part(start: i64, evidence: InitiatorEvidence, app: Option<Application>) -> Flow {
        let client = Endpoint::new([192, 0, 2, 1].into(), 50_000);
        let hub = Endpoint::new([192, 0, 2, 2].into(), 1_511);
        let span = Span::at(Timestamp::from_secs(start));
        Flow {
            initiator: evidence,
            app,
            ..Flow::new(Transport::Tcp, client, hub, span)
        }
    }

    const SYN: InitiatorEvidence = InitiatorEvidence::SynSeen;
    const MIDDLE: InitiatorEvidence = InitiatorEvidence::Unknown;

    fn labels(flows: &[Flow]) -> Vec<bool> {
        flows.iter().map(|flow| flow.app.is_some()).collect()
    }

    #[test]
    fn a_label_reaches_all_parts_up_to_the_next_syn() {
        let dcpp = || Some(Application::Dcpp);
        let mut flows = vec![
            part(900, MIDDLE, None),
            part(0, SYN, None),
            part(300, MIDDLE, dcpp()),
            part(600, MIDDLE, None),
            part(800, SYN, None),
        ];
        // The other end speaks first after the pause.
        let flow = &mut flows[3];
        std::mem::swap(&mut flow.src, &mut flow.dst);
        assert_eq!(label_continuations(&mut flows), 2);
        assert_eq!(labels(&flows), [false, true, true, true, false]);
    }

    #[test]
    fn parts_that_disagree_and_other_transports_stay_as_they_are() {
        let mut flows = vec![
            part(0, SYN, Some(Application::Http)),
            part(300, MIDDLE, Some(Application::Dcpp)),
            part(600, MIDDLE, None),
        ];
        assert_eq!(label_continuations(&mut flows), 0);
        flows.remove(0);
        for flow in &mut flows {
            flow.transport = Transport::Udp;
        }
        assert_eq!(label_continuations(&mut flows), 0);
    }
}
