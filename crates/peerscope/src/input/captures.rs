//! Captures, packet by packet in order of time, through one meter.

use std::vec;

use peerscope_flow::{Flow, Timestamp, Volume};
use peerscope_meter::{Capture, CaptureError, LinkType, Meter, Packet};
use peerscope_read::{Digesting, ReadError, Turns, Waiting};

use super::report::CaptureReport;

/// Packets metered between two looks for flows that have ended.
const PACKETS: u64 = 1 << 12;

/// The flows of captures. No more captures are open than overlap in time; packets of one time come
/// by the place of their capture in the list given.
pub(super) struct Captures {
    states: Vec<State>,
    /// The account of each that has ended; of the others, one of nothing.
    reports: Vec<CaptureReport>,
    turns: Turns,
    /// The capture that gave the last packet, and may give the next one.
    current: Option<usize>,
    meter: Meter,
    ready: vec::IntoIter<Flow>,
}

enum State {
    Waiting(Box<Waiting>),
    Open(Box<Open>),
    Ended,
}

struct Open {
    capture: Capture,
    digesting: Digesting,
    report: CaptureReport,
    head: Option<Held>,
    /// The bytes of `head`.
    data: Vec<u8>,
}

/// Why metering one capture pauses.
enum Pause {
    /// Its next packet, of this time, is not the next one of all.
    Held(Timestamp),
    /// Flows that have ended are to be looked for.
    More,
    /// The capture is over, or ended by a fault.
    End(Option<CaptureError>),
}

/// A packet that waits for its turn.
struct Held {
    time: Timestamp,
    link: LinkType,
    original_length: u32,
}

impl Captures {
    pub(super) fn new(captures: Vec<Waiting>, meter: Meter) -> Self {
        Self {
            turns: Turns::new(captures.iter().map(Waiting::start)),
            reports: captures.iter().map(blank).collect(),
            states: captures
                .into_iter()
                .map(Box::new)
                .map(State::Waiting)
                .collect(),
            current: None,
            meter,
            ready: Vec::new().into_iter(),
        }
    }

    /// The meter, which holds the flows that are live, and the account of each capture.
    pub(super) fn into_parts(self) -> (Meter, Vec<CaptureReport>) {
        (self.meter, self.reports)
    }

    /// Meters some packets; `false` if there are none left.
    fn step(&mut self) -> bool {
        let Some(current) = self.current.take().or_else(|| self.turns.next()) else {
            return false;
        };
        let state = &mut self.states[current];
        let mut open = match std::mem::replace(state, State::Ended) {
            State::Open(open) => open,
            State::Waiting(waiting) => match Open::new(*waiting) {
                Ok(open) => Box::new(open),
                Err(report) => {
                    self.reports[current] = *report;
                    return true;
                }
            },
            State::Ended => return true,
        };
        match open.meter_some(&mut self.meter, |time| self.turns.goes_on(time, current)) {
            Pause::Held(time) => self.turns.add(time, current),
            Pause::More => self.current = Some(current),
            Pause::End(ended_by) => {
                self.reports[current] = open.end(ended_by.map(|error| error.to_string()));
                return true;
            }
        }
        *state = State::Open(open);
        true
    }
}

impl Iterator for Captures {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(flow) = self.ready.next() {
                return Some(Ok(flow));
            }
            if !self.step() {
                return None;
            }
            self.ready = self.meter.drain().collect::<Vec<_>>().into_iter();
        }
    }
}

impl Open {
    fn new(waiting: Waiting) -> Result<Self, Box<CaptureReport>> {
        let report = blank(&waiting);
        let failed = |error: String| {
            Box::new(CaptureReport {
                ended_by: Some(error),
                ..report.clone()
            })
        };
        let source = waiting.open().map_err(|error| failed(error.to_string()))?;
        let digesting = source.digesting();
        let capture = Capture::from_reader(report.name.clone(), source.into_input())
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            capture,
            digesting,
            report,
            head: None,
            data: Vec::new(),
        })
    }

    /// Meters the packet held and further ones while it is this capture's turn, but some thousand
    /// at most.
    fn meter_some(&mut self, meter: &mut Meter, goes_on: impl Fn(Timestamp) -> bool) -> Pause {
        if let Some(head) = self.head.take() {
            let packet = Packet {
                time: head.time,
                link: head.link,
                data: &self.data,
                original_length: head.original_length,
            };
            count(&mut self.report.offered, &packet);
            meter.push(&packet);
        }
        for _ in 0..PACKETS {
            match self.capture.next_packet() {
                Ok(Some(packet)) if goes_on(packet.time) => {
                    count(&mut self.report.offered, &packet);
                    meter.push(&packet);
                }
                Ok(Some(packet)) => {
                    self.data.clear();
                    self.data.extend_from_slice(packet.data);
                    self.head = Some(Held {
                        time: packet.time,
                        link: packet.link,
                        original_length: packet.original_length,
                    });
                    return Pause::Held(packet.time);
                }
                Ok(None) => return Pause::End(None),
                Err(error) => return Pause::End(Some(error)),
            }
        }
        Pause::More
    }

    fn end(self, ended_by: Option<String>) -> CaptureReport {
        // After a fault the rest of a stream may never end.
        let is_over = ended_by.is_none() || self.report.size.is_some();
        let digest = is_over.then(|| self.digesting.finish()).flatten();
        CaptureReport {
            digest,
            size: self.report.size.map(|_| self.digesting.bytes()),
            ended_by,
            ..self.report
        }
    }
}

fn count(offered: &mut Volume, packet: &Packet<'_>) {
    offered.packets += 1;
    offered.bytes += u64::from(packet.wire_length());
}

fn blank(waiting: &Waiting) -> CaptureReport {
    CaptureReport {
        name: waiting.name().to_owned(),
        size: waiting.size(),
        digest: None,
        offered: Volume::ZERO,
        ended_by: None,
    }
}
