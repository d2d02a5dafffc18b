//! A slot that takes no more flows.

use std::num::NonZeroU8;

use peerscope_flow::SlotIndex;

use crate::amount::{Amount, Fraction};
use crate::distinct::{Distinct, DistinctCounter, GROUPS_PER_ROW};
use crate::hosts::next_index;
use crate::rows::Key;
use crate::started::Started;
use crate::{Direction, DirectionSlot, TransportSlot};

/// What the host slots of a slot are made of, a row for each host and transport.
///
/// Where nearly every flow makes a row of its own, rows are what takes memory, and its pages time. Most
/// are of a flow or two, whose counts fit into a byte.
#[derive(Clone, Debug)]
pub(crate) struct ClosedSlot {
    pub(crate) slot: SlotIndex,
    keys: Vec<Key>,
    rows: Vec<Row>,
    fractions: Vec<[Fraction; 3]>,
    large: Vec<Large>,
}

/// The aggregate of a host and transport.
#[derive(Clone, Copy, Debug)]
enum Row {
    Small(Small),
    /// Where it stands among the large ones.
    Large(u32),
}

/// One of small numbers.
#[derive(Clone, Copy, Debug)]
struct Small {
    sent: u32,
    rcvd: u32,
    duration_micros: u32,
    /// Where the digits behind the points of amounts stand, counted from 1; 0 if there are none.
    fractions: u32,
    packets: u16,
    live: NonZeroU8,
    control: u8,
    inout: [u8; COUNTS],
    outin: [u8; COUNTS],
}

const _: () = assert!(
    size_of::<Row>() == 40,
    "the kind of a row takes no byte of its own"
);

/// Any other.
#[derive(Clone, Debug)]
struct Large {
    slot: TransportSlot,
    /// The set of control systems seen.
    control: u32,
}

impl ClosedSlot {
    /// A slot that is to have so many rows.
    pub(crate) fn with_capacity(slot: SlotIndex, rows: usize) -> Self {
        Self {
            slot,
            keys: Vec::with_capacity(rows),
            rows: Vec::with_capacity(rows),
            fractions: Vec::new(),
            large: Vec::new(),
        }
    }

    /// Adds the aggregate of a host and transport, and the set of control systems seen in it.
    pub(crate) fn push(&mut self, key: Key, row: TransportSlot, control: u32) {
        self.keys.push(key);
        let packed = self.packed(row, control);
        self.rows.push(packed);
    }

    /// Adds the rows of another part behind its own.
    pub(crate) fn append(&mut self, part: Self) {
        let (fractions, large) = (self.fractions.len(), self.large.len());
        self.rows.extend(part.rows.into_iter().map(|mut row| {
            match &mut row {
                Row::Small(Small { fractions: 0, .. }) => {}
                Row::Small(small) => small.fractions += next_index(fractions),
                Row::Large(place) => *place += next_index(large),
            }
            row
        }));
        self.keys.extend(part.keys);
        self.fractions.extend(part.fractions);
        self.large.extend(part.large);
    }

    /// Keys and rows in order.
    pub(crate) fn order(&self) -> Vec<(Key, u32)> {
        let mut order: Vec<(Key, u32)> = self.keys.iter().copied().zip(0..).collect();
        order.sort_unstable();
        order
    }

    /// Counts what is distinct among flows that started in the slot, of which nothing was counted.
    pub(crate) fn count(&mut self, started: &Started, counter: &mut DistinctCounter) {
        let groups = self.rows.len() * GROUPS_PER_ROW as usize;
        counter.count(started.starts(), groups, |group, distinct| {
            self.set_distinct(group, distinct);
        });
    }

    /// Sets what is distinct among the flows of a group.
    pub(crate) fn set_distinct(&mut self, group: u32, distinct: Distinct) {
        let direction = Direction::BOTH[(group % GROUPS_PER_ROW) as usize];
        match &mut self.rows[(group / GROUPS_PER_ROW) as usize] {
            Row::Small(small) => small.set_distinct(direction, distinct),
            Row::Large(place) => {
                let slot = &mut self.large[*place as usize].slot;
                slot.direction_mut(direction).set_distinct(distinct);
            }
        }
    }

    /// The same rows in this order, those of one key added up.
    pub(crate) fn added_up(&self, order: &[(Key, u32)]) -> Self {
        let mut whole = Self::with_capacity(self.slot, order.len());
        for same in order.chunk_by(|(one, _), (other, _)| one == other) {
            let (key, first) = same[0];
            whole.keys.push(key);
            let row = if same.len() == 1 {
                whole.copied(self, first)
            } else {
                let (mut sum, mut control) = (TransportSlot::default(), 0);
                for &(_, row) in same {
                    sum.merge(&self.transport_slot(row));
                    control |= self.control(row);
                }
                whole.packed(sum, control)
            };
            whole.rows.push(row);
        }
        whole
    }

    /// A row of another one, once what stands apart of it stands where it belongs.
    fn copied(&mut self, other: &Self, row: u32) -> Row {
        match &other.rows[row as usize] {
            Row::Small(small) => {
                let mut small = *small;
                if let Some(fractions) = other.fractions_of(&small) {
                    small.fractions = self.add_fractions(*fractions);
                }
                Row::Small(small)
            }
            Row::Large(place) => self.add_large(other.large[*place as usize].clone()),
        }
    }

    /// A row, once its amounts' fractions or all of it stand where they belong.
    fn packed(&mut self, row: TransportSlot, control: u32) -> Row {
        if let Some(mut small) = Small::new(&row, control) {
            let fractions = [row.sent, row.rcvd, row.packets].map(|amount| amount.fraction);
            if fractions != [Fraction::ZERO; 3] {
                small.fractions = self.add_fractions(fractions);
            }
            Row::Small(small)
        } else {
            self.add_large(Large { slot: row, control })
        }
    }

    /// Where they stand, counted from 1.
    fn add_fractions(&mut self, fractions: [Fraction; 3]) -> u32 {
        self.fractions.push(fractions);
        next_index(self.fractions.len())
    }

    fn add_large(&mut self, large: Large) -> Row {
        self.large.push(large);
        Row::Large(next_index(self.large.len() - 1))
    }

    /// What each row is of.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The same slot with other numbers for its hosts; the order of rows stays.
    pub(crate) fn renumbered(mut self, numbers: &[u32]) -> Self {
        for key in &mut self.keys {
            *key = key.renumbered(numbers);
        }
        self
    }

    /// The set of control systems seen in a row.
    pub(crate) fn control(&self, row: u32) -> u32 {
        match &self.rows[row as usize] {
            Row::Small(small) => small.control.into(),
            Row::Large(place) => self.large[*place as usize].control,
        }
    }

    /// The aggregate of a row.
    pub(crate) fn transport_slot(&self, row: u32) -> TransportSlot {
        self.unpacked(&self.rows[row as usize])
    }

    /// The aggregates of rows of several slots. The loop that does little more than load overlaps its waits.
    pub(crate) fn transport_slots(rows: &[(&Self, u32)]) -> Vec<TransportSlot> {
        let packed = rows.iter().map(|(closed, row)| closed.rows[*row as usize]);
        let packed: Vec<Row> = packed.collect();
        let each = rows.iter().zip(&packed);
        each.map(|((closed, _), row)| closed.unpacked(row))
            .collect()
    }

    fn unpacked(&self, row: &Row) -> TransportSlot {
        match row {
            Row::Small(small) => small.unpacked(self.fractions_of(small)),
            Row::Large(place) => self.large[*place as usize].slot.clone(),
        }
    }

    fn fractions_of(&self, small: &Small) -> Option<&[Fraction; 3]> {
        self.fractions
            .get((small.fractions as usize).wrapping_sub(1))
    }
}

impl Small {
    /// If everything but fractions fits.
    fn new(slot: &TransportSlot, control: u32) -> Option<Self> {
        Some(Self {
            sent: slot.sent.whole.try_into().ok()?,
            rcvd: slot.rcvd.whole.try_into().ok()?,
            duration_micros: slot.duration_micros.try_into().ok()?,
            fractions: 0,
            packets: slot.packets.whole.try_into().ok()?,
            live: u8::try_from(slot.live).ok()?.try_into().ok()?,
            control: control.try_into().ok()?,
            inout: small_counts(&slot.inout)?,
            outin: small_counts(&slot.outin)?,
        })
    }

    /// There are no more of anything than flows started, which fit.
    fn set_distinct(&mut self, direction: Direction, distinct: Distinct) {
        let counts = match direction {
            Direction::InOut => &mut self.inout,
            Direction::OutIn => &mut self.outin,
        };
        let mut flows = of_counts(*counts);
        flows.set_distinct(distinct);
        *counts = bytes_of(counts_of(&flows));
    }

    fn unpacked(&self, fractions: Option<&[Fraction; 3]>) -> TransportSlot {
        let [sent, rcvd, packets] = fractions.copied().unwrap_or_default();
        let amount = |whole: u64, fraction| Amount { whole, fraction };
        TransportSlot {
            live: self.live.get().into(),
            sent: amount(self.sent.into(), sent),
            rcvd: amount(self.rcvd.into(), rcvd),
            packets: amount(self.packets.into(), packets),
            duration_micros: self.duration_micros.into(),
            inout: of_counts(self.inout),
            outin: of_counts(self.outin),
        }
    }
}

const COUNTS: usize = 10;

/// The counts of a direction, if each fits into a byte.
fn small_counts(direction: &DirectionSlot) -> Option<[u8; COUNTS]> {
    let counts = counts_of(direction);
    let bits = counts.iter().fold(0, |bits, count| bits | count);
    (bits <= u8::MAX.into()).then(|| bytes_of(counts))
}

const fn counts_of(direction: &DirectionSlot) -> [u32; COUNTS] {
    [
        direction.started,
        direction.failed,
        direction.complete,
        direction.payload_known,
        direction.payload_none,
        direction.unanswered,
        direction.peers,
        direction.isp_peers,
        direction.dest_ports,
        direction.reserved_ports,
    ]
}

#[expect(clippy::cast_possible_truncation, reason = "of counts that fit")]
fn bytes_of(counts: [u32; COUNTS]) -> [u8; COUNTS] {
    counts.map(|count| count as u8)
}

fn of_counts(counts: [u8; COUNTS]) -> DirectionSlot {
    let [
        started,
        failed,
        complete,
        payload_known,
        payload_none,
        unanswered,
        peers,
        isp_peers,
        dest_ports,
        reserved_ports,
    ] = counts.map(u32::from);
    DirectionSlot {
        started,
        failed,
        complete,
        payload_known,
        payload_none,
        unanswered,
        peers,
        isp_peers,
        dest_ports,
        reserved_ports,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerscope_flow::Transport;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Counts about the border of what fits into a byte.
    fn count() -> impl Strategy<Value = u32> {
        prop_oneof![3 => 0_u32..3, 1 => 250_u32..260, 1 => Just(u32::MAX)]
    }

    fn amount() -> impl Strategy<Value = Amount> {
        let whole = prop_oneof![3 => 0_u64..3, 1 => 65_530_u64..65_540, 1 => any::<u64>()];
        let fraction = prop_oneof![
            Just(Fraction::ZERO),
            any::<(u64, u64)>().prop_map(Fraction::of)
        ];
        (whole, fraction).prop_map(|(whole, fraction)| Amount { whole, fraction })
    }

    fn direction() -> impl Strategy<Value = DirectionSlot> {
        let few = prop::array::uniform10(0_u8..3).prop_map(of_counts);
        let counts = (count(), count(), count(), count());
        let any =
            counts.prop_map(
                |(started, failed, payload_none, reserved_ports)| DirectionSlot {
                    started,
                    failed,
                    payload_none,
                    reserved_ports,
                    ..DirectionSlot::default()
                },
            );
        prop_oneof![4 => few, 1 => any]
    }

    type Aggregate = (Key, TransportSlot, u32);

    fn aggregate() -> impl Strategy<Value = Aggregate> {
        let key = (0_u32..6, any::<bool>()).prop_map(|(host, tcp)| {
            Key::new(host, if tcp { Transport::Tcp } else { Transport::Udp })
        });
        let duration = prop_oneof![0_u64..3, Just(u64::from(u32::MAX)), any::<u64>()];
        let live = count().prop_map(|live| live.max(1));
        let control = prop_oneof![4 => 0_u32..4, 1 => any::<u32>()];
        let amounts = (amount(), amount(), amount());
        (
            key,
            live,
            amounts,
            duration,
            direction(),
            direction(),
            control,
        )
            .prop_map(
                |(key, live, (sent, rcvd, packets), duration_micros, inout, outin, control)| {
                    let slot = TransportSlot {
                        live,
                        sent,
                        rcvd,
                        packets,
                        duration_micros,
                        inout,
                        outin,
                    };
                    (key, slot, control)
                },
            )
    }

    fn closed(rows: &[Aggregate]) -> ClosedSlot {
        let mut closed = ClosedSlot::with_capacity(SlotIndex(3), rows.len());
        for (key, slot, control) in rows {
            closed.push(*key, slot.clone(), *control);
        }
        closed
    }

    fn rows(closed: &ClosedSlot) -> Vec<Aggregate> {
        let rows: Vec<(&ClosedSlot, u32)> = (0..)
            .zip(closed.keys())
            .map(|(row, _)| (closed, row))
            .collect();
        let slots = ClosedSlot::transport_slots(&rows);
        let each = (0..).zip(closed.keys()).zip(slots);
        each.map(|((row, &key), slot)| {
            assert_eq!(slot, closed.transport_slot(row));
            (key, slot, closed.control(row))
        })
        .collect()
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(expected in prop::collection::vec(aggregate(), 0..12)) {
            prop_assert_eq!(rows(&closed(&expected)), expected);
        }

        #[test]
        fn parts_are_together_the_sums_of_their_rows(
            parts in prop::collection::vec(prop::collection::vec(aggregate(), 0..8), 0..4),
        ) {
            let mut expected: BTreeMap<Key, (TransportSlot, u32)> = BTreeMap::new();
            for (key, slot, control) in parts.iter().flatten() {
                let sum = expected.entry(*key).or_default();
                sum.0.merge(slot);
                sum.1 |= control;
            }
            let mut whole = closed(&[]);
            for part in &parts {
                whole.append(closed(part));
            }
            let order = whole.order();
            let whole = whole.added_up(&order);
            let expected = expected.into_iter().map(|(key, (slot, control))| (key, slot, control));
            prop_assert_eq!(rows(&whole), expected.collect::<Vec<_>>());
        }
    }
}
