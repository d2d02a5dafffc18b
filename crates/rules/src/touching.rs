//! Which rules touch a host at a time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use peerscope_flow::{SlotIndex, Span};

use crate::{Activity, End, FlowGroup, GroupActivity, Rule, RuleSet, Template};

/// A rule that held at a host for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Touch {
    /// Number of the rule among [`RuleSet::rules`].
    pub rule: usize,
    /// Windows of that time in which X began and Y was present, with the host in either.
    pub count: u64,
}

impl RuleSet {
    /// The rules that held in the windows of `span` with `host` in X or Y, by falling count.
    ///
    /// `activity` is what the rules were mined from. Generic rules are looked at binding by
    /// binding.
    ///
    /// # Complexity
    ///
    /// O(groups) for each rule, and O(events in the span) for each pair of groups that fits.
    pub fn touching(&self, activity: &Activity, host: IpAddr, span: Span) -> Vec<Touch> {
        let Some(windows) = windows_of(activity, span) else {
            return Vec::new();
        };
        let mut touches: Vec<Touch> = (0..)
            .zip(&self.rules)
            .map(|(number, rule)| Touch {
                rule: number,
                count: count(rule, activity, host.to_canonical(), windows),
            })
            .filter(|touch| touch.count > 0)
            .collect();
        touches.sort_by_key(|touch| (std::cmp::Reverse(touch.count), touch.rule));
        touches
    }
}

/// The first and the last window, if the span meets the trace.
fn windows_of(activity: &Activity, span: Span) -> Option<(u32, u32)> {
    let last = i64::from(activity.windows()) - 1;
    let number = |SlotIndex(slot)| slot.saturating_sub(activity.first_window);
    let from = number(activity.window().slot_of(span.start())).max(0);
    let to = number(activity.window().slot_of(span.end())).min(last);
    (from <= to).then_some((u32::try_from(from).ok()?, u32::try_from(to).ok()?))
}

fn count(rule: &Rule, activity: &Activity, host: IpAddr, (from, to): (u32, u32)) -> u64 {
    let fitting = |side: &FlowGroup| -> Vec<&GroupActivity> {
        let groups = activity.groups().iter();
        groups.filter(|one| is_of(side, &one.group)).collect()
    };
    let (lefts, rights) = (fitting(&rule.left), fitting(&rule.right));
    let mut by_client: BTreeMap<Option<IpAddr>, Vec<&GroupActivity>> = BTreeMap::new();
    for right in &rights {
        by_client.entry(right.group.src.ip).or_default().push(right);
    }
    let mut count = 0;
    for left in lefts {
        let partners = match rule.template {
            Template::AnyClient => by_client.get(&left.group.src.ip),
            _ => Some(&rights),
        };
        for right in partners.into_iter().flatten() {
            let differ = rule.template != Template::Peers || left.group.src != right.group.src;
            if differ && (has(&left.group, host) || has(&right.group, host)) {
                let first = left.new.partition_point(|&window| window < from);
                let events = left.new[first..].iter().take_while(|&&window| window <= to);
                count += events
                    .filter(|&&window| right.present.contains(window))
                    .count() as u64;
            }
        }
    }
    count
}

fn has(group: &FlowGroup, host: IpAddr) -> bool {
    [group.src.ip, group.dst.ip].contains(&Some(host))
}

/// Whether a side of a rule stands for a group; only its client may be a wildcard.
fn is_of(side: &FlowGroup, group: &FlowGroup) -> bool {
    let fits = |wanted: End, end: End| {
        (wanted.ip.is_none() || wanted.ip == end.ip) && wanted.port == end.port
    };
    side.transport == group.transport && fits(side.src, group.src) && fits(side.dst, group.dst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Miner, Parameters};
    use peerscope_flow::{Endpoint, Flow, Timestamp, Transport};

    #[test]
    fn rules_are_found_by_host_and_time() {
        let miner = Miner::new(Parameters::default()).unwrap();
        let mut builder = miner.activity();
        // Two clients ask two servers, the first for twice as long.
        for (client, beats) in [("10.0.0.1", 40), ("10.0.0.2", 20)] {
            for beat in 0..beats {
                for server in ["192.0.2.1", "192.0.2.2"] {
                    builder.push(&Flow::new(
                        Transport::Tcp,
                        Endpoint::new(client.parse().unwrap(), 40_000),
                        Endpoint::new(server.parse().unwrap(), 80),
                        Span::at(Timestamp::from_secs(1000 + 100 * beat)),
                    ));
                }
            }
        }
        let activity = builder.finish().unwrap();
        let found = miner.mine(&activity);
        assert_eq!(
            found.rules[0].to_string(),
            "*.* : 192.0.2.1.80 <=> *.* : 192.0.2.2.80"
        );
        let span =
            |from, to| Span::new(Timestamp::from_secs(from), Timestamp::from_secs(to)).unwrap();
        let at = |host: &str, from, to| {
            let touches = found.touching(&activity, host.parse().unwrap(), span(from, to));
            touches
                .iter()
                .find(|touch| touch.rule == 0)
                .map(|touch| touch.count)
        };
        assert_eq!(at("10.0.0.1", 0, 9999), Some(40));
        assert_eq!(at("10.0.0.2", 0, 9999), Some(20));
        assert_eq!(at("192.0.2.2", 0, 9999), Some(60));
        assert_eq!(at("192.0.2.2", 1000, 1199), Some(4));
        assert_eq!(at("10.0.0.2", 3000, 9999), None);
        assert_eq!(at("10.0.0.3", 0, 9999), None);
        assert_eq!(at("10.0.0.1", 0, 999), None);
        assert_eq!(at("10.0.0.1", 99_999, 999_999), None);
    }
}
