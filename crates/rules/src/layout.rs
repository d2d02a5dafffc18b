//! From stretches of activity to windows: the flow groups, and where each is present and new.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use peerscope_flow::{Timestamp, Transport};
use rayon::prelude::*;

use crate::builder::Row;
use crate::ports::PortEvidence;
use crate::{Activity, ActivityBuilder, ActivityError, End, FlowGroup, GroupActivity, Runs};

impl ActivityBuilder {
    /// Lays the activity out in windows.
    ///
    /// # Errors
    ///
    /// If the trace is too long for its window.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n stretches of activity; independent of how long they last.
    pub fn finish(mut self) -> Result<Activity, ActivityError> {
        self.open.clear();
        self.rank_hosts();
        self.rows.par_sort_unstable();
        let first = self.rows.iter().map(|row| row.start).min().unwrap_or(0);
        let last = self.rows.iter().map(|row| row.end).max().unwrap_or(0);
        let slot = |micros| self.window.slot_of(Timestamp::from_micros(micros)).0;
        let origin = slot(first);
        let Some(windows) = slot(last)
            .checked_sub(origin)
            .and_then(|span| u32::try_from(span).ok())
            .and_then(|span| span.checked_add(1))
            .filter(|&windows| windows < u32::MAX)
        else {
            return Err(ActivityError::TooLong {
                first: Timestamp::from_micros(first),
                last: Timestamp::from_micros(last),
                window: self.window,
            });
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "every time lies between the first and the last, whose distance fits"
        )]
        let number = |micros| (slot(micros) - origin) as u32;

        let mut evidence = PortEvidence::new(&self.ports);
        let conversations = self.conversations();
        for (rows, news) in &conversations {
            evidence.add(
                &rows[0].conversation(),
                u32::try_from(news.len()).unwrap_or(u32::MAX),
                rows.iter().any(|row| row.syn),
            );
        }
        let mut stretches: Vec<Stretch> = Vec::with_capacity(self.rows.len());
        for (rows, news) in &conversations {
            let talk = rows[0].conversation();
            let (src_port, dst_port) = evidence.ports(&talk);
            let key = (talk.src, src_port, talk.dst, dst_port, talk.transport);
            let mut news = news.iter().peekable();
            for (at, row) in rows.iter().enumerate() {
                stretches.push(Stretch {
                    key,
                    first: number(row.start),
                    last: number(row.end),
                    new: news.next_if_eq(&&at).is_some(),
                });
            }
        }
        drop(conversations);
        stretches.par_sort_unstable_by_key(|s| (s.key, s.first, s.last, s.new));
        let groups = stretches
            .par_chunk_by(|a, b| a.key == b.key)
            .map(|chunk| group_activity(chunk, &self.addresses))
            .collect();
        Ok(Activity {
            window: self.window,
            first_window: origin,
            windows: if self.rows.is_empty() { 0 } else { windows },
            hosts: self.addresses,
            groups,
            source: self.source,
        })
    }

    /// Stretches of each 5-tuple, and which of them are new.
    fn conversations(&self) -> Vec<(&[Row], Vec<usize>)> {
        self.rows
            .chunk_by(|a, b| a.talk == b.talk)
            .map(|rows| {
                let mut news = Vec::new();
                let mut end = None;
                for (at, row) in rows.iter().enumerate() {
                    let idle = end.is_none_or(|end| row.start.saturating_sub(end) >= self.idle_gap);
                    if idle && !row.cut {
                        news.push(at);
                    }
                    end = end.max(Some(row.end));
                }
                (rows, news)
            })
            .collect()
    }

    /// Renumbers hosts in the order of their addresses, so that nothing depends on input order.
    fn rank_hosts(&mut self) {
        self.ids = HashMap::with_hasher(FixedState::with_seed(0));
        let mut order: Vec<(IpAddr, usize)> = self
            .addresses
            .iter()
            .enumerate()
            .map(|(id, &ip)| (ip, id))
            .collect();
        order.sort_unstable();
        let mut rank = vec![0_u32; order.len()];
        for (new, &(_, old)) in (0..).zip(&order) {
            rank[old] = new;
        }
        self.addresses = order.into_iter().map(|(ip, _)| ip).collect();
        for row in &mut self.rows {
            row.talk.0 = rank[row.talk.0 as usize];
            row.talk.1 = rank[row.talk.1 as usize];
        }
    }
}

/// A group by host numbers, in the order of [`FlowGroup`].
type GroupKey = (u32, Option<u16>, u32, Option<u16>, Transport);

#[derive(Clone, Copy, Debug)]
struct Stretch {
    key: GroupKey,
    first: u32,
    last: u32,
    new: bool,
}

fn group_activity(stretches: &[Stretch], addresses: &[IpAddr]) -> GroupActivity {
    let (src, src_port, dst, dst_port, transport) = stretches[0].key;
    let end = |host: u32, port| End {
        ip: Some(addresses[host as usize]),
        port,
    };
    let mut new: Vec<u32> = stretches
        .iter()
        .filter(|stretch| stretch.new)
        .map(|stretch| stretch.first)
        .collect();
    new.dedup();
    new.shrink_to_fit();
    GroupActivity {
        group: FlowGroup {
            src: end(src, src_port),
            dst: end(dst, dst_port),
            transport,
        },
        src,
        dst,
        new,
        present: Runs::from_ranges(stretches.iter().map(|s| (s.first, s.last))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_flow::{Endpoint, Flow, InitiatorEvidence, SlotLength, Span};

    fn flow(src_port: u16, start: f64, end: f64) -> Flow {
        #[expect(clippy::cast_possible_truncation, reason = "small test times")]
        let at = |secs: f64| Timestamp::from_micros((secs * 1e6) as i64);
        Flow::new(
            Transport::Tcp,
            Endpoint::new("10.0.0.1".parse().unwrap(), src_port),
            Endpoint::new("192.0.2.1".parse().unwrap(), 80),
            Span::new(at(start), at(end)).unwrap(),
        )
    }

    fn activity(flows: &[Flow]) -> Activity {
        let mut builder = ActivityBuilder::new(SlotLength::from_secs(1.0).unwrap());
        for flow in flows {
            builder.push(flow);
        }
        builder.finish().unwrap()
    }

    #[test]
    fn a_heartbeat_on_one_5_tuple_is_new_each_time() {
        let beats: Vec<_> = (0..4)
            .map(|i| flow(40_000, f64::from(i) * 30.0, f64::from(i) * 30.0))
            .collect();
        assert_eq!(activity(&beats).groups()[0].new, [0, 30, 60, 90]);
        // Pauses below the idle gap continue the flow.
        let close: Vec<_> = (0..4)
            .map(|i| flow(40_000, f64::from(i) * 4.0, f64::from(i) * 4.0))
            .collect();
        let groups = activity(&close).groups;
        assert_eq!(groups[0].new, [0]);
        assert_eq!(
            groups[0].present.windows().collect::<Vec<_>>(),
            [0, 4, 8, 12]
        );
    }

    #[test]
    fn new_is_the_union_over_the_flows_of_a_group() {
        let flows = [
            flow(50_000, 0.5, 7.2),
            flow(50_001, 2.0, 2.0),
            flow(50_002, 2.9, 3.0),
        ];
        let activity = activity(&flows);
        assert_eq!(activity.groups().len(), 1);
        assert_eq!(activity.groups()[0].new, [0, 2]);
        assert_eq!(
            activity.groups()[0].present.ranges().collect::<Vec<_>>(),
            [(0, 7)]
        );
    }

    #[test]
    fn packets_and_order_do_not_matter_but_time_does() {
        let key = flow(50_000, 0.0, 0.0).key();
        let mut forth = ActivityBuilder::new(SlotLength::from_secs(1.0).unwrap());
        let mut back = forth.clone();
        let times = [0_i64, 300_000, 1_100_000, 3_000_000, 20_000_000, 20_400_000];
        for (at, time) in times.iter().enumerate() {
            forth.push_packet(
                key,
                Timestamp::from_micros(*time),
                InitiatorEvidence::SynSeen,
            );
            let time = times[times.len() - 1 - at];
            back.push_packet(
                key,
                Timestamp::from_micros(time),
                InitiatorEvidence::SynSeen,
            );
        }
        let (forth, back) = (forth.finish().unwrap(), back.finish().unwrap());
        assert_eq!(forth.groups, back.groups);
        assert_eq!(forth.groups[0].new, [0, 20]);
        assert_eq!(
            forth.groups[0].present.windows().collect::<Vec<_>>(),
            [0, 1, 3, 20]
        );
    }

    #[test]
    fn nothing_and_too_much_are_defined() {
        assert_eq!(activity(&[]).windows(), 0);
        let mut builder = ActivityBuilder::new(SlotLength::from_secs(1.0).unwrap());
        for time in [Timestamp::MIN, Timestamp::MAX] {
            builder.push_packet(flow(1, 0.0, 0.0).key(), time, InitiatorEvidence::Unknown);
        }
        let message = builder.finish().unwrap_err().to_string();
        assert!(message.contains("-9223372036854775808"), "{message}");
    }
}
