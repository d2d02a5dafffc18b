//! Export packets to records.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use netflow_parser::static_versions::v5::V5;
use netflow_parser::variable_versions::ipfix::{self, IPFix};
use netflow_parser::variable_versions::v9::{self, V9};
use netflow_parser::{
    AutoScopedParser, AutoSourceKey, NetflowPacket, NetflowParser, PendingFlowsConfig,
    SourceRemoval, SourceRemovalReporterError,
};
use peerscope_flow::{Endpoint, Span, Timestamp, Transport, Volume};

use super::clock::{Boot, Clock, Guess, Started};
use super::fault::ExportFault;
use super::fields::Fields;
use super::framing::{self, Message};
use super::report::ExportReport;
use super::sampling::Elements;
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
/// Memory is bounded whatever exporters send: [`ExportDecoder::EXPORTERS`] are known at a time, of
/// each [`ExportDecoder::TEMPLATES`] templates and 256 KiB of sets whose template has not come yet.
/// The least recently used ones give way and are counted.
pub struct ExportDecoder {
    parser: AutoScopedParser,
    exporters: BTreeMap<Exporter, Known>,
    report: ExportReport,
}

/// Version, address and observation domain.
type Exporter = (u16, SocketAddr, u32);

/// What is known of an exporter beside its templates.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    boot: Boot,
    started: Option<Started>,
    guess: Guess,
}

impl ExportDecoder {
    /// Exporters (addresses with a port and an observation domain) known at a time.
    pub const EXPORTERS: usize = 256;
    /// Templates known of one exporter.
    pub const TEMPLATES: usize = 128;

    const FIELDS: usize = 256;

    /// A decoder that knows no templates yet.
    pub fn new() -> Self {
        let mut pending = PendingFlowsConfig::new(Self::TEMPLATES);
        pending.max_total_bytes = 256 * 1024;
        let builder = NetflowParser::builder()
            .with_allowed_versions(&[5, 9, 10])
            .with_cache_size(Self::TEMPLATES)
            .with_max_field_count(Self::FIELDS)
            .with_max_records_per_flowset(usize::from(u16::MAX))
            .with_pending_flows(pending);
        let parser = AutoScopedParser::try_with_builder(builder)
            .and_then(|parser| parser.with_max_sources(Self::EXPORTERS))
            .unwrap_or_default();
        Self {
            parser,
            exporters: BTreeMap::new(),
            report: ExportReport::default(),
        }
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
        let caches = self.parser.v9_info().into_iter().map(|(_, info)| info.v9);
        let caches = caches.chain(
            self.parser
                .ipfix_info()
                .into_iter()
                .map(|(_, info)| info.ipfix),
        );
        let mut report = self.report.clone();
        report.forgotten += caches.map(|cache| cache.metrics.evictions).sum::<u64>();
        report
    }

    fn message(
        &mut self,
        exporter: SocketAddr,
        message: &Message<'_>,
        sink: &mut impl FnMut(Result<Record, Fault>),
    ) {
        *self.report.messages.entry(message.version).or_default() += 1;
        let key = (message.version, exporter, message.domain);
        if self.exporters.len() >= Self::EXPORTERS && !self.exporters.contains_key(&key) {
            self.exporters.clear();
        }
        let mut forgotten = 0;
        let mut count =
            |_: &SourceRemoval<AutoSourceKey>| -> Result<(), SourceRemovalReporterError> {
                forgotten += 1;
                Ok(())
            };
        let result =
            self.parser
                .parse_from_source_with_reporter(exporter, &message.bytes, &mut count);
        self.report.forgotten += forgotten;
        let known = self.exporters.entry(key).or_default();
        let mut output = Output {
            known,
            report: &mut self.report,
            sink,
        };
        for packet in &result.packets {
            match packet {
                NetflowPacket::V5(packet) => output.v5(packet),
                NetflowPacket::V9(packet) => output.v9(packet, message.sets),
                NetflowPacket::IPFix(packet) => output.ipfix(packet, message.sets),
                _ => {}
            }
        }
        if let Some(error) = result.error {
            let text = crate::error::excerpt(error.to_string().as_bytes());
            (output.sink)(Err(ExportFault::Content(text).into()));
        }
    }
}

impl Default for ExportDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ExportDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportDecoder")
            .field("exporters", &self.exporters.len())
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// Where the records of one message go.
struct Output<'a, S> {
    known: &'a mut Known,
    report: &'a mut ExportReport,
    sink: &'a mut S,
}

impl<S: FnMut(Result<Record, Fault>)> Output<'_, S> {
    fn v5(&mut self, packet: &V5) {
        let header = &packet.header;
        let exported = Timestamp::from_secs(i64::from(header.unix_secs))
            .saturating_add_micros(i64::from(header.unix_nsecs) / 1000);
        let clock = Clock {
            exported,
            uptime: Some(header.sys_up_time),
            started: None,
        };
        // The two high bits are the mode.
        self.sampled(u64::from(header.sampling_interval & 0x3fff));
        for flow in &packet.flowsets {
            let at = |uptime| clock.at_uptime(uptime).unwrap_or(exported);
            let record = Span::new(at(flow.first), at(flow.last)).map_err(Fault::from);
            let record = record.and_then(|span| {
                let transport = Transport::from_number(flow.protocol_number);
                let fwd = Volume::new(u64::from(flow.d_pkts), u64::from(flow.d_octets));
                if fwd == Volume::ZERO {
                    return Err(Fault::NoTraffic);
                }
                let flags = TcpFlags::from_bits(flow.tcp_flags);
                Ok(Record {
                    fwd,
                    fwd_flags: (transport == Transport::Tcp).then_some(flags),
                    ..Record::new(
                        transport,
                        Endpoint::new(flow.src_addr.into(), flow.src_port),
                        Endpoint::new(flow.dst_addr.into(), flow.dst_port),
                        span,
                    )
                })
            });
            self.report.records += u64::from(record.is_ok());
            (self.sink)(record);
        }
    }

    fn v9(&mut self, packet: &V9, sets: usize) {
        let header = &packet.header;
        let exported = self
            .known
            .boot
            .exported(header.unix_secs, header.sys_up_time);
        let clock = Clock {
            exported,
            uptime: Some(header.sys_up_time),
            started: None,
        };
        self.kept_back(packet.flowsets.len(), sets);
        for set in &packet.flowsets {
            match &set.body {
                v9::FlowSetBody::Data(data) => {
                    self.not_empty(data.fields.is_empty());
                    self.sampled_by(data.fields.first().map(Elements::v9));
                    for record in &data.fields {
                        self.fields(Fields::v9(record), &clock);
                    }
                }
                v9::FlowSetBody::OptionsData(data) => {
                    for record in &data.fields {
                        self.report.options += 1;
                        self.sampled_by(Some(Elements::v9(&record.options_fields)));
                    }
                }
                v9::FlowSetBody::NoTemplate(_) => self.report.unread_sets += 1,
                _ => {}
            }
        }
    }

    fn ipfix(&mut self, packet: &IPFix, sets: usize) {
        let exported = Timestamp::from_secs(i64::from(packet.header.export_time));
        self.kept_back(packet.flowsets.len(), sets);
        for set in &packet.flowsets {
            match &set.body {
                ipfix::FlowSetBody::Data(data) => {
                    self.not_empty(data.fields.is_empty());
                    self.sampled_by(data.fields.first().map(Elements::ipfix));
                    for record in &data.fields {
                        let fields = Fields::ipfix(record);
                        let started = self.known.started.or_else(|| {
                            let end = fields.end_uptime()?;
                            Some(self.known.guess.started(exported, end))
                        });
                        let clock = Clock {
                            exported,
                            uptime: None,
                            started,
                        };
                        self.fields(fields, &clock);
                    }
                }
                ipfix::FlowSetBody::OptionsData(data) => {
                    for record in &data.fields {
                        self.report.options += 1;
                        self.sampled_by(Some(Elements::ipfix(record)));
                        let started = Fields::ipfix(record).started();
                        self.known.started = started.or(self.known.started);
                    }
                }
                ipfix::FlowSetBody::NoTemplate(_) => self.report.unread_sets += 1,
                _ => {}
            }
        }
    }

    /// The parser keeps back sets without a template, and gives them with the message that brings it.
    fn kept_back(&mut self, given: usize, own: usize) {
        let late = given.saturating_sub(own) as u64;
        self.report.late_sets += late;
        self.report.unread_sets = self.report.unread_sets.saturating_sub(late);
        self.report.unread_sets += own.saturating_sub(given) as u64;
    }

    /// A set that holds not even one record does not fit its template.
    fn not_empty(&mut self, empty: bool) {
        if empty {
            let text = "a set is shorter than a record of its template".to_owned();
            (self.sink)(Err(ExportFault::Content(text).into()));
        }
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

    fn sampled_by(&mut self, elements: Option<Elements>) {
        if let Some(one_in) = elements.and_then(|elements| elements.one_in()) {
            self.sampled(one_in);
        }
    }

    fn sampled(&mut self, one_in: u64) {
        if one_in > 1 {
            self.report.sampled_one_in = self.report.sampled_one_in.max(Some(one_in));
        }
    }
}
