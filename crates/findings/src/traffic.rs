//! Who exchanges how much with whom: Table 1 and Figure 3.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use peerscope_flow::{
    Application, Family, Flow, Handshake, SlotIndex, SlotLength, Timestamp, Transport, Volume, Zone,
};
use peerscope_slot::{Aggregation, FlowScope};

/// Slots in a period of [`Traffic::over_time`]: an hour of the paper's slots.
const SLOTS_PER_PERIOD: i64 = 12;

/// Takes flows in batches, in any order, and sums up the traffic of monitored hosts.
///
/// Flows without a monitored end, outside the time range, or active in more slots than the limit are
/// left out. Others are counted, of interest or not; a selection of hosts narrows only those of
/// interest.
///
/// Memory: some kilobytes, and some hundred bytes an hour of traffic.
#[derive(Clone, Debug)]
pub struct TrafficLog<'a> {
    aggregation: &'a Aggregation,
    labels: Vec<Option<Application>>,
    sums: Sums,
}

/// The traffic of monitored hosts by zones and application, and over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Traffic {
    /// Flows of interest by zones (SIGMETRICS 2009, Table 1); zones without any are left out.
    pub zone_pairs: Vec<ZonePair>,
    /// All flows, by zones, transport and application; classes without any are left out.
    pub classes: Vec<TrafficClass>,
    /// Length of a period in microseconds: twelve slots.
    pub period_us: i64,
    /// Bytes by application (SIGMETRICS 2009, Figure 3), by time; periods without any are left out.
    pub over_time: Vec<Period>,
}

/// Flows of interest from one zone to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ZonePair {
    /// The zone of the initiators.
    pub from: Zone,
    /// The zone of the responders.
    pub to: Zone,
    /// TCP.
    pub tcp: FlowCounts,
    /// UDP.
    pub udp: FlowCounts,
}

/// Flows of one transport and application from one zone to another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TrafficClass {
    /// The zone of the initiators.
    pub from: Zone,
    /// The zone of the responders.
    pub to: Zone,
    /// `tcp`, `udp` or `other`.
    pub transport: String,
    /// The label; `None` for flows without one. Labels that are neither built in nor the family's
    /// own are `other`.
    pub application: Option<String>,
    /// Whether the flows entered samples.
    pub of_interest: bool,
    /// How many there are, and what they carry.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub counts: FlowCounts,
}

/// Numbers of flows and what they carry. Sums end at 2^64 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FlowCounts {
    /// Flows.
    pub flows: u64,
    /// TCP: those whose handshake was completed.
    pub complete: u64,
    /// TCP: those whose handshake failed.
    pub failed: u64,
    /// UDP: those without a packet from the responder.
    pub unanswered: u64,
    /// What the initiators sent.
    pub fwd: Volume,
    /// What the responders sent.
    pub rev: Volume,
}

/// Bytes to and from monitored hosts in one period, by label; unlabelled traffic under `none`.
///
/// The bytes of a flow are spread evenly over its time. Traffic between two monitored hosts is in
/// both directions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Period {
    /// When it begins.
    #[cfg_attr(feature = "serde", serde(rename = "start_us"))]
    pub start: Timestamp,
    /// Bytes received by monitored hosts.
    pub inbound: BTreeMap<String, u64>,
    /// Bytes sent by monitored hosts.
    pub outbound: BTreeMap<String, u64>,
}

const OTHER: &str = "other";
const NONE: &str = "none";

/// `(from, to, transport, label, of interest)`, as indices.
type Class = (Zone, Zone, u8, usize, bool);

#[derive(Clone, Debug, Default)]
struct Sums {
    classes: HashMap<Class, FlowCounts, foldhash::fast::RandomState>,
    /// Inbound and outbound bytes by period, then label.
    periods: HashMap<(i64, usize), [u64; 2], foldhash::fast::RandomState>,
}

impl<'a> TrafficLog<'a> {
    /// A log of the traffic of this aggregation's network.
    pub fn new(aggregation: &'a Aggregation) -> Self {
        Self {
            aggregation,
            labels: labels(aggregation.family()),
            sums: Sums::default(),
        }
    }

    /// Adds a batch of flows.
    pub fn add<'f>(&mut self, flows: impl IntoIterator<Item = &'f Flow>) {
        let aggregation = self.aggregation;
        let scope = |flow: &'f Flow| Some((flow, aggregation.scope(flow)?));
        self.add_within(flows.into_iter().filter_map(scope));
    }

    /// Adds flows with what [`Aggregation::scope`] says of each.
    pub fn add_within<'f>(&mut self, flows: impl IntoIterator<Item = (&'f Flow, FlowScope)>) {
        for (flow, scope) in flows {
            self.add_flow(flow, &scope);
        }
    }

    /// Adds the log of another part of the trace, made with the same aggregation.
    pub fn merge(&mut self, other: Self) {
        self.sums.merge(other.sums);
    }

    fn add_flow(&mut self, flow: &Flow, scope: &FlowScope) {
        let [from, to] = scope.zones;
        if from != Zone::Monitored && to != Zone::Monitored {
            return;
        }
        let label = self.label(flow.app.as_ref());
        let of_interest = scope.enters.contains(&true);
        let transport = transport_index(flow.transport);
        let class = (from, to, transport, label, of_interest);
        let Sums { classes, periods } = &mut self.sums;
        classes.entry(class).or_default().add(flow);

        let mut add = |period: i64, fwd: u64, rev: u64| {
            let [inbound, outbound] = periods.entry((period, label)).or_default();
            if from == Zone::Monitored {
                *outbound = outbound.saturating_add(fwd);
                *inbound = inbound.saturating_add(rev);
            }
            if to == Zone::Monitored {
                *outbound = outbound.saturating_add(rev);
                *inbound = inbound.saturating_add(fwd);
            }
        };
        let (first, last) = (period_of(scope.first_slot), period_of(scope.last_slot));
        let slot_length = self.aggregation.slot_length();
        let mut done = (0, 0);
        for period in first..=last {
            let part = |bytes: u64| {
                if period == last {
                    return bytes;
                }
                let end = start_of(slot_length, period.saturating_add(1));
                share(
                    bytes,
                    end.micros_since(flow.span.start()),
                    flow.span.micros(),
                )
            };
            let by_then = (part(flow.fwd.bytes), part(flow.rev.bytes));
            add(period, by_then.0 - done.0, by_then.1 - done.1);
            done = by_then;
        }
    }

    /// The index of a label; the last one stands for those that are not listed.
    fn label(&self, app: Option<&Application>) -> usize {
        let known = self.labels.iter().position(|label| label.as_ref() == app);
        known.unwrap_or(self.labels.len())
    }

    fn label_name(&self, label: usize) -> Option<String> {
        match self.labels.get(label) {
            Some(app) => app.as_ref().map(Application::to_string),
            None => Some(OTHER.to_owned()),
        }
    }

    /// Closes the account.
    pub fn finish(self) -> Traffic {
        let mut classes: Vec<_> = self.sums.classes.iter().collect();
        classes.sort_unstable_by_key(|(class, _)| **class);
        let mut zone_pairs: BTreeMap<(Zone, Zone), ZonePair> = BTreeMap::new();
        for &(&(from, to, transport, _, of_interest), counts) in &classes {
            if of_interest {
                let pair = zone_pairs
                    .entry((from, to))
                    .or_insert_with(|| ZonePair::new(from, to));
                let of = if transport == 0 {
                    &mut pair.tcp
                } else {
                    &mut pair.udp
                };
                of.merge(counts);
            }
        }
        let class =
            |&(&(from, to, transport, label, of_interest), &counts): &(&Class, &FlowCounts)| {
                TrafficClass {
                    from,
                    to,
                    transport: ["tcp", "udp", OTHER][usize::from(transport)].to_owned(),
                    application: self.label_name(label),
                    of_interest,
                    counts,
                }
            };
        let classes = classes.iter().map(class).collect();
        let mut periods: BTreeMap<i64, Period> = BTreeMap::new();
        for (&(period, label), &[inbound, outbound]) in &self.sums.periods {
            let name = self.label_name(label).unwrap_or_else(|| NONE.to_owned());
            let of = periods.entry(period).or_insert_with(|| Period {
                start: start_of(self.aggregation.slot_length(), period),
                ..Period::default()
            });
            for (of, bytes) in [(&mut of.inbound, inbound), (&mut of.outbound, outbound)] {
                if bytes > 0 {
                    // A label of the file's own may be called like the rest.
                    let sum = of.entry(name.clone()).or_default();
                    *sum = sum.saturating_add(bytes);
                }
            }
        }
        let slot = self.aggregation.slot_length().as_micros();
        Traffic {
            zone_pairs: zone_pairs.into_values().collect(),
            classes,
            period_us: slot.saturating_mul(SLOTS_PER_PERIOD),
            over_time: periods.into_values().collect(),
        }
    }
}

impl Sums {
    fn merge(&mut self, other: Self) {
        for (class, counts) in other.classes {
            self.classes.entry(class).or_default().merge(&counts);
        }
        for (key, bytes) in other.periods {
            let sums = self.periods.entry(key).or_default();
            for (sum, bytes) in sums.iter_mut().zip(bytes) {
                *sum = sum.saturating_add(bytes);
            }
        }
    }
}

impl ZonePair {
    fn new(from: Zone, to: Zone) -> Self {
        Self {
            from,
            to,
            tcp: FlowCounts::default(),
            udp: FlowCounts::default(),
        }
    }
}

impl FlowCounts {
    /// What both ends sent, bytes.
    pub const fn bytes(&self) -> u64 {
        self.fwd.bytes.saturating_add(self.rev.bytes)
    }

    fn add(&mut self, flow: &Flow) {
        let unanswered = flow.transport == Transport::Udp && flow.rev.packets == 0;
        self.merge(&Self {
            flows: 1,
            complete: u64::from(flow.handshake == Some(Handshake::Complete)),
            failed: u64::from(flow.handshake == Some(Handshake::Failed)),
            unanswered: u64::from(unanswered),
            fwd: flow.fwd,
            rev: flow.rev,
        });
    }

    fn merge(&mut self, other: &Self) {
        let add = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        add(&mut self.flows, other.flows);
        add(&mut self.complete, other.complete);
        add(&mut self.failed, other.failed);
        add(&mut self.unanswered, other.unanswered);
        for (own, other) in [(&mut self.fwd, other.fwd), (&mut self.rev, other.rev)] {
            add(&mut own.packets, other.packets);
            add(&mut own.bytes, other.bytes);
        }
    }
}

/// None, the built-in labels, and the family's own.
fn labels(family: &Family) -> Vec<Option<Application>> {
    let mut labels = vec![None];
    let own = family.labels().unwrap_or_default().iter();
    for label in Application::BUILT_IN.iter().chain(own) {
        if !labels.iter().flatten().any(|known| known == label) {
            labels.push(Some(label.clone()));
        }
    }
    labels
}

const fn transport_index(transport: Transport) -> u8 {
    match transport {
        Transport::Tcp => 0,
        Transport::Udp => 1,
        Transport::Other(_) => 2,
    }
}

fn start_of(slots: SlotLength, period: i64) -> Timestamp {
    slots.start_of(SlotIndex(period.saturating_mul(SLOTS_PER_PERIOD)))
}

const fn period_of(slot: SlotIndex) -> i64 {
    slot.0.div_euclid(SLOTS_PER_PERIOD)
}

/// `count * part / whole`, rounded down.
fn share(count: u64, part: i64, whole: u64) -> u64 {
    let part = u128::from(part.unsigned_abs()).min(u128::from(whole));
    let share = u128::from(count) * part / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_flow::{Endpoint, Span, Topology};
    use proptest::prelude::*;

    const ZONES: [(Zone, [u8; 4]); 3] = [
        (Zone::Monitored, [10, 10, 0, 1]),
        (Zone::Provider, [10, 20, 0, 1]),
        (Zone::Internet, [192, 0, 2, 1]),
    ];

    fn aggregation() -> Aggregation {
        let topology = Topology::new(
            ["10.10.0.0/16".parse().unwrap()],
            ["10.0.0.0/8".parse().unwrap()],
        );
        Aggregation::new(Family::emule(), topology)
    }

    fn flow() -> impl Strategy<Value = Flow> {
        let ends = (0_usize..3, 0_usize..3);
        let apps = [
            None,
            Some("kad"),
            Some("http"),
            Some("strange"),
            Some("other"),
        ];
        let span = (-9_000_i64..9_000, 0_i64..20_000);
        let volume = (0_u64..3, 0_u64..100_000);
        let app = prop::sample::select(apps.to_vec());
        let parts = (ends, app, span, volume.clone(), volume, 0_u8..3);
        parts.prop_map(|((src, dst), app, (start, length), fwd, rev, kind)| {
            let end = |zone: usize| Endpoint::new(ZONES[zone].1.into(), 4662);
            let transport = [Transport::Tcp, Transport::Udp, Transport::ICMP][usize::from(kind)];
            let from = Timestamp::from_secs(start);
            let span = Span::new(from, from.saturating_add_micros(length * 1_000_000)).unwrap();
            Flow {
                app: app.map(|app| app.parse().unwrap()),
                fwd: Volume::new(fwd.0, fwd.1),
                rev: Volume::new(rev.0, rev.1),
                ..Flow::new(transport, end(src), end(dst), span)
            }
        })
    }

    fn traffic(flows: &[Flow], aggregation: &Aggregation) -> Traffic {
        let mut log = TrafficLog::new(aggregation);
        log.add(flows);
        log.finish()
    }

    proptest! {
        #[test]
        fn every_byte_of_a_monitored_host_is_in_a_class_and_a_period(
            flows in prop::collection::vec(flow(), 0..40),
        ) {
            let aggregation = aggregation();
            let all = traffic(&flows, &aggregation);
            let monitored = |ip: std::net::IpAddr| ip == std::net::IpAddr::from(ZONES[0].1);
            let touching = || flows.iter().filter(|f| monitored(f.src.ip) || monitored(f.dst.ip));
            let of_class: u64 = all.classes.iter().map(|class| class.counts.bytes()).sum();
            prop_assert_eq!(of_class, touching().map(|f| f.fwd.bytes + f.rev.bytes).sum::<u64>());
            let kad = touching().filter(|f| {
                f.app == Some(Application::Kad) && !matches!(f.transport, Transport::Other(_))
            });
            let pairs = all.zone_pairs.iter().map(|pair| pair.tcp.flows + pair.udp.flows);
            prop_assert_eq!(pairs.sum::<u64>(), kad.count() as u64);
            let received = touching().map(|f| {
                let rev = if monitored(f.src.ip) { f.rev.bytes } else { 0 };
                rev + if monitored(f.dst.ip) { f.fwd.bytes } else { 0 }
            });
            let inbound = all.over_time.iter().flat_map(|period| period.inbound.values());
            prop_assert_eq!(inbound.sum::<u64>(), received.sum::<u64>());
        }

        #[test]
        fn parts_in_any_order_make_the_whole(
            flows in prop::collection::vec(flow(), 0..40),
            cut in 0_usize..40,
        ) {
            let aggregation = aggregation();
            let (first, second) = flows.split_at(cut.min(flows.len()));
            let mut log = TrafficLog::new(&aggregation);
            log.add(second);
            let mut other = TrafficLog::new(&aggregation);
            other.add(first);
            log.merge(other);
            prop_assert_eq!(log.finish(), traffic(&flows, &aggregation));
        }
    }

    #[test]
    fn bytes_are_spread_over_the_time_of_a_flow() {
        let aggregation = aggregation();
        let at = Timestamp::from_secs;
        let flow = Flow {
            app: Some(Application::Http),
            fwd: Volume::new(1, 100),
            rev: Volume::new(1, 8),
            ..Flow::new(
                Transport::Tcp,
                Endpoint::new(ZONES[0].1.into(), 1),
                Endpoint::new(ZONES[2].1.into(), 80),
                Span::new(at(3600 - 900), at(3600 + 2700)).unwrap(),
            )
        };
        let all = traffic(&[flow], &aggregation);
        let hours: Vec<_> = all
            .over_time
            .iter()
            .map(|hour| (hour.start, hour.inbound["http"], hour.outbound["http"]))
            .collect();
        assert_eq!(hours, [(at(0), 2, 25), (at(3600), 6, 75)]);
        assert_eq!(all.period_us, 3_600_000_000);
        assert!(all.zone_pairs.is_empty() && !all.classes[0].of_interest);
    }

    #[test]
    fn a_flow_of_all_time_costs_nothing() {
        let aggregation = aggregation();
        let flow = Flow::new(
            Transport::Tcp,
            Endpoint::new(ZONES[0].1.into(), 1),
            Endpoint::new(ZONES[2].1.into(), 80),
            Span::new(Timestamp::MIN, Timestamp::MAX).unwrap(),
        );
        assert!(traffic(&[flow], &aggregation).classes.is_empty());
    }
}
