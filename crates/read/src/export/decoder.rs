//! Export packets to records.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use peerscope_flow::{Endpoint, Span, Timestamp, Transport, Volume};

use super::clock::{Boot, Clock, Guess, Started};
use super::fault::ExportFault;
use super::fields::{Fields, Place};
use super::framing::{self, Message, V5_RECORD, u16_at, u32_at};
use super::report::ExportReport;
use super::sampling::Elements;
use super::template::{Kind, Template, Templates};
use crate::{Fault, Record, TcpFlags};

/// Turns export packets of any number of exporters into [`Record`]s.
///
/// | | |
/// |---|---|
/// | times | of the finest unit there is; uptimes count back from the time of the export, across wraps of the counter; where an exporter does not tell when it started, or there is no time at all, times are told from that of the export and counted |
/// | volumes | delta counts, else total counts, else those after a middlebox; as exported, not scaled by sampling |
/// | initiator | `biflowDirection`; else the source where initiator octets or YAF's reverse delay say so; else by the times of the two directions when records are paired |
/// | biflows | RFC 5103: one record with both directions, or two if each has times of its own and nothing else tells the initiator |
///
/// Every record of a set is given, or a fault says why not. A set whose template has not come yet
/// waits for it.
///
/// Memory is bounded whatever exporters send: [`ExportDecoder::EXPORTERS`] are known at a time, of
/// each [`ExportDecoder::TEMPLATES`] templates of 256 fields and 256 KiB of sets that wait. The
/// least recently used ones give way and are counted.
#[derive(Default)]
pub struct ExportDecoder {
    exporters: HashMap<Exporter, Known>,
    report: ExportReport,
}

/// Version, address and observation domain.
type Exporter = (u16, SocketAddr, u32);

/// What is known of an exporter.
#[derive(Debug, Default)]
struct Known {
    /// The packet that used it last.
    used: u64,
    templates: Templates,
    waiting: Waiting,
    boot: Boot,
    times: Times,
}

/// When an exporter of IPFIX started.
#[derive(Debug, Default)]
struct Times {
    started: Option<Started>,
    guess: Guess,
}

/// Sets whose template has not come, oldest first.
#[derive(Debug, Default)]
struct Waiting {
    sets: VecDeque<(u16, Moment, Vec<u8>)>,
    bytes: usize,
}

/// When a message was sent.
#[derive(Clone, Copy, Debug)]
struct Moment {
    exported: Timestamp,
    /// Milliseconds since the exporter started (v9).
    uptime: Option<u32>,
}

impl ExportDecoder {
    /// Exporters (addresses with a port and an observation domain) known at a time.
    pub const EXPORTERS: usize = 256;
    /// Templates known of one exporter.
    pub const TEMPLATES: usize = 128;

    /// A decoder that knows no templates yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes one packet of an exporter. A fault ends the packet; what stands before it is given.
    pub fn push(
        &mut self,
        exporter: SocketAddr,
        packet: &[u8],
        mut sink: impl FnMut(Result<Record, Fault>),
    ) {
        self.report.packets += 1;
        let mut left = packet;
        loop {
            let (message, rest, fault) = framing::split(left);
            if let Some(message) = message {
                self.message(exporter, &message, &mut sink);
            }
            if let Some(fault) = fault {
                return sink(Err(fault.into()));
            }
            if rest.is_empty() {
                return;
            }
            left = rest;
        }
    }

    /// What was seen so far.
    pub fn report(&self) -> ExportReport {
        self.report.clone()
    }

    fn message(
        &mut self,
        exporter: SocketAddr,
        message: &Message<'_>,
        sink: &mut impl FnMut(Result<Record, Fault>),
    ) {
        *self.report.messages.entry(message.version).or_default() += 1;
        let report = &mut self.report;
        if message.version == 5 {
            return Output { report, sink }.v5(message);
        }
        let key = (message.version, exporter, message.domain);
        if self.exporters.len() >= Self::EXPORTERS && !self.exporters.contains_key(&key) {
            // No two were used last by the same packet and message.
            let oldest = self.exporters.iter().min_by_key(|(_, known)| known.used);
            if let Some(oldest) = oldest.map(|(&key, _)| key) {
                self.exporters.remove(&oldest);
                report.forgotten += 1;
            }
        }
        let known = self.exporters.entry(key).or_default();
        known.used = report.messages.values().sum();
        Output { report, sink }.sets(known, message);
    }
}

impl fmt::Debug for ExportDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportDecoder")
            .field("exporters", &self.exporters.len())
            .field("report", &self.report)
            .finish()
    }
}

impl Waiting {
    /// Bytes held of one exporter.
    const BYTES: usize = 256 * 1024;
    /// What a set takes beside its content.
    const EACH: usize = 64;

    fn push(&mut self, id: u16, moment: Moment, set: &[u8]) {
        self.bytes += Self::EACH + set.len();
        self.sets.push_back((id, moment, set.to_vec()));
        while self.bytes > Self::BYTES
            && let Some((_, _, set)) = self.sets.pop_front()
        {
            self.bytes -= Self::EACH + set.len();
        }
    }

    /// Takes the sets of a template.
    fn take(&mut self, id: u16) -> Vec<(Moment, Vec<u8>)> {
        if self.sets.iter().all(|&(set, ..)| set != id) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.sets).into_iter();
        let (taken, kept): (VecDeque<_>, _) = all.partition(|&(set, ..)| set == id);
        self.sets = kept;
        let taken = taken.into_iter().map(|(_, moment, set)| (moment, set));
        taken
            .inspect(|(_, set)| self.bytes -= Self::EACH + set.len())
            .collect()
    }
}

/// Where the records of one message go.
struct Output<'a, S> {
    report: &'a mut ExportReport,
    sink: &'a mut S,
}

impl<S: FnMut(Result<Record, Fault>)> Output<'_, S> {
    fn v5(&mut self, message: &Message<'_>) {
        let u32_of = |bytes: &[u8], at| u32_at(bytes, at).unwrap_or(0);
        let u16_of = |bytes: &[u8], at| u16_at(bytes, at).unwrap_or(0);
        let header = message.header;
        let exported = Timestamp::from_secs(u32_of(header, 8).into())
            .saturating_add_micros(i64::from(u32_of(header, 12)) / 1000);
        let clock = Clock {
            exported,
            uptime: Some(u32_of(header, 4)),
            started: None,
        };
        // The two high bits are the mode.
        self.sampled(u64::from(u16_of(header, 22) & 0x3fff));
        for flow in message.body.chunks_exact(V5_RECORD) {
            let at = |uptime| clock.at_uptime(uptime).unwrap_or(exported);
            let span = Span::new(at(u32_of(flow, 24)), at(u32_of(flow, 28)));
            let record = span.map_err(Fault::from).and_then(|span| {
                let transport = Transport::from_number(flow[38]);
                let fwd = Volume::new(u32_of(flow, 16).into(), u32_of(flow, 20).into());
                if fwd == Volume::ZERO {
                    return Err(Fault::NoTraffic);
                }
                let end = |ip, port| {
                    let ip = IpAddr::from(Ipv4Addr::from(u32_of(flow, ip)));
                    Endpoint::new(ip, u16_of(flow, port))
                };
                let flags = TcpFlags::from_bits(flow[37]);
                Ok(Record {
                    fwd,
                    fwd_flags: (transport == Transport::Tcp).then_some(flags),
                    ..Record::new(transport, end(0, 32), end(4, 34), span)
                })
            });
            self.report.records += u64::from(record.is_ok());
            (self.sink)(record);
        }
    }

    /// The sets of a v9 or IPFIX message.
    fn sets(&mut self, known: &mut Known, message: &Message<'_>) {
        let number = |at| u32_at(message.header, at).unwrap_or(0);
        let moment = if message.version == 9 {
            let (uptime, secs) = (number(4), number(8));
            Moment {
                exported: known.boot.exported(secs, uptime),
                uptime: Some(uptime),
            }
        } else {
            Moment {
                exported: Timestamp::from_secs(number(4).into()),
                uptime: None,
            }
        };
        for (id, set) in message.sets() {
            if let Some(kind) = Kind::of_set(message.version, id) {
                self.templates(known, kind, set);
            } else if id < Templates::FIRST {
                self.fault(format!("set {id} is of no known kind"));
            } else if let Some(template) = known.templates.get(id) {
                self.data(&mut known.times, moment, &template, set);
            } else {
                self.report.unread_sets += 1;
                known.waiting.push(id, moment, set);
            }
        }
    }

    /// Learns templates, and reads the sets that waited for them.
    fn templates(&mut self, known: &mut Known, kind: Kind, mut set: &[u8]) {
        loop {
            let (most, forgotten) = (ExportDecoder::TEMPLATES, &mut self.report.forgotten);
            let id = match known.templates.next(kind, &mut set, most, forgotten) {
                Ok(Some(id)) => id,
                Ok(None) => return,
                Err(fault) => {
                    (self.sink)(Err(fault.into()));
                    continue;
                }
            };
            for (moment, set) in known.waiting.take(id) {
                let Some(template) = known.templates.get(id) else {
                    break;
                };
                self.report.late_sets += 1;
                self.report.unread_sets -= 1;
                self.data(&mut known.times, moment, &template, &set);
            }
        }
    }

    /// Reads the records of a set: each is given, or is a fault.
    fn data(&mut self, times: &mut Times, moment: Moment, template: &Template, set: &[u8]) {
        let (mut left, mut values) = (set, Vec::new());
        loop {
            match template.next(&mut left, &mut values) {
                Ok(true) if template.options => self.options(times, &values),
                Ok(true) => self.record(times, moment, &values),
                Ok(false) => break,
                Err(fault) => return (self.sink)(Err(fault.into())),
            }
        }
        // Padding is shorter than a record, aligns to four bytes, or is of zeros.
        let padding = left.len() < 4 || left.iter().all(|&byte| byte == 0);
        if left.len() == set.len() || !padding {
            self.fault(format!(
                "{} of {} bytes of a set are no record of its template",
                left.len(),
                set.len()
            ));
        }
    }

    fn options(&mut self, times: &mut Times, values: &[(Place, &[u8])]) {
        self.report.options += 1;
        self.sampled_by(values);
        times.started = Fields::new(values).started().or(times.started);
    }

    fn record(&mut self, times: &mut Times, moment: Moment, values: &[(Place, &[u8])]) {
        self.sampled_by(values);
        let fields = Fields::new(values);
        let started = match moment.uptime {
            Some(_) => None,
            None => times.started.or_else(|| {
                let end = fields.end_uptime()?;
                Some(times.guess.started(moment.exported, end))
            }),
        };
        let clock = Clock {
            exported: moment.exported,
            uptime: moment.uptime,
            started,
        };
        self.fields(fields, &clock);
    }

    fn fault(&mut self, what: String) {
        (self.sink)(Err(ExportFault::Content(what).into()));
    }

    fn fields(&mut self, fields: Fields, clock: &Clock) {
        match fields.finish(clock) {
            Ok(made) => {
                self.report.records += 1;
                self.report.untimed += u64::from(made.untimed);
                self.report.estimated += u64::from(made.estimated);
                (self.sink)(Ok(made.record));
                if let Some(reverse) = made.reverse {
                    (self.sink)(Ok(reverse));
                }
            }
            Err(fault) => (self.sink)(Err(fault)),
        }
    }

    fn sampled_by(&mut self, values: &[(Place, &[u8])]) {
        if let Some(one_in) = Elements::new(values).one_in() {
            self.sampled(one_in);
        }
    }

    fn sampled(&mut self, one_in: u64) {
        if one_in > 1 {
            self.report.sampled_one_in = self.report.sampled_one_in.max(Some(one_in));
        }
    }
}
