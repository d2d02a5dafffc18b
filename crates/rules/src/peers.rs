//! Template T3: two different peers of a server.

use std::collections::BTreeMap;

use crate::evidence::Pair;
use crate::generic::pooled_p;
use crate::hypothesis::{Hypothesis, Side};
use crate::pool::{Pool, pools};
use crate::surroundings::Lags;
use crate::table::Table;
use crate::{Runs, Template};

/// Rules of template T3 around one host, and the number of tests.
///
/// For each peer c, Y is the presence of *another* peer. Windows count once, for the first peer.
pub(crate) fn rules(table: &Table<'_>, host: usize) -> (Vec<Hypothesis>, u128) {
    let pools = pools(table, host);
    let mut found = Vec::new();
    for left in &pools {
        for right in &pools {
            found.extend(test_peers(table, left, right));
        }
    }
    (found, (pools.len() * pools.len()) as u128)
}

/// One peer's events, and the presence of the other peers around them.
#[derive(Debug)]
pub(crate) struct PeerBinding {
    pub(crate) events: Vec<u32>,
    pub(crate) others: Runs,
    /// Windows of the whole trace in which the peer is the only one.
    alone: u64,
}

pub(crate) fn peer_bindings(table: &Table<'_>, left: &Pool, right: &Pool) -> Vec<PeerBinding> {
    let lags = table.parameters.lags();
    let segments = segments(table, right);
    let mut alone: BTreeMap<u32, u64> = BTreeMap::new();
    for segment in &segments {
        if let Some(peer) = segment.alone {
            *alone.entry(peer).or_default() += u64::from(segment.last - segment.first) + 1;
        }
    }
    let mut events: Vec<(u32, u32)> = left
        .members
        .iter()
        .flat_map(|&id| {
            let peer = table.group(id).src;
            table.events(id).iter().map(move |&window| (window, peer))
        })
        .collect();
    events.sort_unstable();
    events.dedup_by_key(|event| event.0);
    events.sort_unstable_by_key(|&(window, peer)| (peer, window));
    events
        .chunk_by(|a, b| a.1 == b.1)
        .map(|mine| {
            let peer = mine[0].1;
            let events: Vec<u32> = mine.iter().map(|event| event.0).collect();
            PeerBinding {
                others: others_near(&segments, peer, &events, lags),
                alone: alone.get(&peer).copied().unwrap_or(0),
                events,
            }
        })
        .collect()
}

/// A stretch in which the same peers are present; `alone` if it is one.
#[derive(Clone, Copy)]
struct Segment {
    first: u32,
    last: u32,
    alone: Option<u32>,
}

fn test_peers(table: &Table<'_>, left: &Pool, right: &Pool) -> Option<Hypothesis> {
    let parameters = table.parameters;
    let (lags, windows) = (parameters.lags(), table.activity.windows);
    let mut total = Pair::default();
    let mut tested = Vec::new();
    for PeerBinding {
        events,
        others,
        alone,
    } in peer_bindings(table, left, right)
    {
        let mut pair = Pair::counted(&events, &others, u64::from(windows))
            .with_baseline(&events, &others, windows, lags, f64::INFINITY)
            .with_clumps(&events, &others, lags);
        pair.counts.right = u64::from(right.present.len()) - alone;
        total = total.merge(pair);
        tested.push(pair);
    }
    if total.counts.both < u64::from(parameters.min_cooccurrence) || !parameters.scores(&total) {
        return None;
    }
    let bound = tested.iter().filter(|pair| pair.counts.both > 0).count();
    let (pair, ln_p) = pooled_p(table, &tested, total, lags)?;
    (bound >= parameters.min_bindings as usize).then_some(Hypothesis {
        left: Side::Pattern(left.pattern),
        right: Side::Pattern(right.pattern),
        template: Template::Peers,
        pair,
        bindings: u32::try_from(bound).unwrap_or(u32::MAX),
        ln_p,
    })
}

/// Presence of a pool's peers, cut wherever one comes or goes.
fn segments(table: &Table<'_>, pool: &Pool) -> Vec<Segment> {
    // (window, +1 or -1, peer): the sum of the peers present is the one, while it is one.
    let mut changes: Vec<(u32, i64, u32)> = pool
        .members
        .iter()
        .flat_map(|&id| {
            let peer = table.group(id).src;
            table
                .present(id)
                .ranges()
                .flat_map(move |(first, last)| [(first, 1, peer), (last + 1, -1, peer)])
        })
        .collect();
    changes.sort_unstable();
    let mut segments = Vec::new();
    let (mut from, mut count, mut sum) = (0, 0_i64, 0_i64);
    for (window, step, peer) in changes {
        if count > 0 && window > from {
            segments.push(Segment {
                first: from,
                last: window - 1,
                alone: (count == 1).then(|| u32::try_from(sum).unwrap_or(u32::MAX)),
            });
        }
        from = window;
        count += step;
        sum += step * i64::from(peer);
    }
    segments
}

/// Windows within reach of the events in which a peer other than this one is present.
fn others_near(segments: &[Segment], peer: u32, events: &[u32], lags: Lags) -> Runs {
    let mut ranges = Vec::new();
    let mut next = 0;
    for &event in events {
        let (from, to) = (
            event.saturating_sub(lags.reach),
            event.saturating_add(lags.reach),
        );
        next = next.max(segments.partition_point(|segment| segment.last < from));
        while let Some(segment) = segments.get(next).filter(|segment| segment.first <= to) {
            if segment.alone != Some(peer) {
                ranges.push((segment.first, segment.last));
            }
            next += 1;
        }
    }
    Runs::from_ranges(ranges)
}
