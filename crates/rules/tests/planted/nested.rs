//! Nesting, as in `NSDMiner` (Natarajan, Ning, Liu, Jajodia and Hutchinson, INFOCOM 2012): a flow B
//! depends on A if it lies within A's time and begins where A ends, A.dst = B.src.

use std::collections::{BTreeMap, BTreeSet};

use peerscope_flow::{Flow, Timestamp, Transport};
use peerscope_rules::GroupActivity;

use crate::judge::Sides;

/// A flow of a named group, by the groups' and hosts' numbers.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    group: usize,
    start: Timestamp,
    end: Timestamp,
}

/// Pairs of services, X at a host and Y asked by that host, nested in at least `share` of X's
/// flows and ten times.
pub(crate) fn nested(flows: &[Flow], groups: &[GroupActivity], share: f64) -> Vec<Sides> {
    // Group names as the miner has them, so that only the method differs.
    let mut number = BTreeMap::new();
    for (at, one) in groups.iter().enumerate() {
        number.insert(one.group, at);
    }
    let find = |flow: &Flow| {
        [Some(flow.src.port), None].into_iter().find_map(|src| {
            [Some(flow.dst.port), None].into_iter().find_map(|dst| {
                let end = |ip, port| peerscope_rules::End { ip: Some(ip), port };
                let group = peerscope_rules::FlowGroup {
                    src: end(flow.src.ip, src),
                    dst: end(flow.dst.ip, dst),
                    transport: flow.transport,
                };
                number.get(&group).copied()
            })
        })
    };
    let mut outs: BTreeMap<std::net::IpAddr, Vec<Named>> = BTreeMap::new();
    let mut all = Vec::new();
    for flow in flows {
        if matches!(flow.transport, Transport::Other(_)) {
            continue;
        }
        let Some(group) = find(flow) else { continue };
        let named = Named {
            group,
            start: flow.span.start(),
            end: flow.span.end(),
        };
        outs.entry(flow.src.ip).or_default().push(named);
        all.push((flow.dst.ip, named));
    }
    // A service is a group with any client.
    let service = |at: usize| groups[at].group.any_src();
    let mut uses: BTreeMap<_, u64> = BTreeMap::new();
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for (host, a) in all {
        *uses.entry(service(a.group)).or_default() += 1;
        let Some(outs) = outs.get(&host) else {
            continue;
        };
        let from = outs.partition_point(|b| b.start < a.start);
        let inside: BTreeSet<usize> = outs[from..]
            .iter()
            .take_while(|b| b.start <= a.end)
            .filter(|b| b.end <= a.end && b.group != a.group)
            .map(|b| b.group)
            .collect();
        for b in inside {
            *counts.entry((service(a.group), b)).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .filter(|&((x, _), count)| count >= 10 && count as f64 >= share * uses[&x] as f64)
        .map(|((x, y), _)| (x.to_string(), groups[y].group.to_string()))
        .collect()
}
