//! One batch of all columns, and its flows.

use std::net::{IpAddr, Ipv4Addr};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use peerscope_flow::{
    Application, Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};

use super::addresses::Addresses;
use super::chunk::{Chunk, Sink};
use super::column::{Lookup, Numbers};
use crate::csv::{self, COLUMNS};
use crate::number::LARGEST;
use crate::{Fault, Problem};

/// Stands for an address that is not there, in flows that are taken back.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// A batch, and the dictionaries it was made with, which the next one may share.
#[derive(Debug)]
pub(super) struct Columns {
    start: Numbers,
    end: Numbers,
    transport: Lookup<Transport>,
    src_ip: Addresses,
    src_port: Numbers,
    dst_ip: Addresses,
    dst_port: Numbers,
    fwd_packets: Numbers,
    fwd_bytes: Numbers,
    rev_packets: Numbers,
    rev_bytes: Numbers,
    handshake: Lookup<Option<Handshake>>,
    rev_payload_bytes: Numbers,
    app: Lookup<Option<Application>>,
}

impl Columns {
    /// No rows, of columns of these types, in canonical order.
    pub(super) fn of_types(types: [&DataType; COLUMNS.len()]) -> Result<Self, Fault> {
        let numbers = |i: usize| Numbers::new(COLUMNS[i], types[i]);
        let addresses = |i: usize| Addresses::new(COLUMNS[i], types[i]);
        Ok(Self {
            start: numbers(0)?,
            end: numbers(1)?,
            transport: Lookup::text(COLUMNS[2], types[2], csv::transport)?,
            src_ip: addresses(3)?,
            src_port: numbers(4)?,
            dst_ip: addresses(5)?,
            dst_port: numbers(6)?,
            fwd_packets: numbers(7)?,
            fwd_bytes: numbers(8)?,
            rev_packets: numbers(9)?,
            rev_bytes: numbers(10)?,
            handshake: Lookup::text(COLUMNS[11], types[11], handshake)?,
            rev_payload_bytes: numbers(12)?,
            app: Lookup::text(COLUMNS[13], types[13], label)?,
        })
    }

    /// Reads the next rows of each column's chunk: how many of them all columns have, and why these
    /// are not all.
    pub(super) fn read(
        &mut self,
        chunks: &mut [Chunk; COLUMNS.len()],
        rows: usize,
    ) -> (usize, Option<Fault>) {
        let [
            start,
            end,
            transport,
            src_ip,
            src_port,
            dst_ip,
            dst_port,
            fwd_packets,
            fwd_bytes,
            rev_packets,
            rev_bytes,
            handshake,
            rev_payload_bytes,
            app,
        ] = chunks;
        let mut there = There { rows, fault: None };
        there.read(start, &mut self.start);
        there.read(end, &mut self.end);
        there.read(transport, &mut self.transport);
        there.read(src_ip, &mut self.src_ip.lookup);
        there.read(src_port, &mut self.src_port);
        there.read(dst_ip, &mut self.dst_ip.lookup);
        there.read(dst_port, &mut self.dst_port);
        there.read(fwd_packets, &mut self.fwd_packets);
        there.read(fwd_bytes, &mut self.fwd_bytes);
        there.read(rev_packets, &mut self.rev_packets);
        there.read(rev_bytes, &mut self.rev_bytes);
        there.read(handshake, &mut self.handshake);
        there.read(rev_payload_bytes, &mut self.rev_payload_bytes);
        there.read(app, &mut self.app);
        (there.rows, there.fault)
    }

    /// Takes the columns of a batch, which stand at these places of it.
    pub(super) fn load(
        &mut self,
        batch: &RecordBatch,
        places: &[usize; COLUMNS.len()],
    ) -> Result<(), Fault> {
        let column = |i: usize| -> &ArrayRef { batch.column(places[i]) };
        self.start.load(column(0))?;
        self.end.load(column(1))?;
        self.transport.load(column(2))?;
        self.src_ip.lookup.load(column(3))?;
        self.src_port.load(column(4))?;
        self.dst_ip.lookup.load(column(5))?;
        self.dst_port.load(column(6))?;
        self.fwd_packets.load(column(7))?;
        self.fwd_bytes.load(column(8))?;
        self.rev_packets.load(column(9))?;
        self.rev_bytes.load(column(10))?;
        self.handshake.load(column(11))?;
        self.rev_payload_bytes.load(column(12))?;
        self.app.load(column(13))
    }

    /// Appends the flows of all rows, and none if any row cannot be read: the way for nearly every
    /// batch, without a branch for each value. Returns whether it did.
    pub(super) fn append_all(&mut self, rows: usize, flows: &mut Vec<Flow>) -> bool {
        if self.handshake.is_doubtful() || self.app.is_doubtful() {
            return false;
        }
        self.src_ip.resolve();
        self.dst_ip.resolve();
        let appended = match (self.src_ip.all_v4(), self.dst_ip.all_v4()) {
            (Some(src), Some(dst)) => self.append(rows, flows, |row| {
                [src, dst].map(|ends| Some(IpAddr::V4(ends[row].into())))
            }),
            _ => self.append(rows, flows, |row| {
                [self.src_ip.known(row), self.dst_ip.known(row)]
            }),
        };
        appended.is_some()
    }

    #[expect(clippy::cast_possible_truncation, reason = "ports have 16 bits here")]
    fn append(
        &self,
        rows: usize,
        flows: &mut Vec<Flow>,
        ends: impl Fn(usize) -> [Option<IpAddr>; 2],
    ) -> Option<()> {
        let start = &self.start.all(LARGEST - 1)?[..rows];
        let end = &self.end.all(LARGEST - 1)?[..rows];
        let src_port = &self.src_port.all(u64::from(u16::MAX))?[..rows];
        let dst_port = &self.dst_port.all(u64::from(u16::MAX))?[..rows];
        let fwd_packets = &self.fwd_packets.all(LARGEST - 1)?[..rows];
        let fwd_bytes = &self.fwd_bytes.all(LARGEST - 1)?[..rows];
        let rev_packets = &self.rev_packets.all(LARGEST - 1)?[..rows];
        let rev_bytes = &self.rev_bytes.all(LARGEST - 1)?[..rows];
        let (payload, no_payload) = self.rev_payload_bytes.known()?;
        let payload = &payload[..rows];
        let before = flows.len();
        let mut fine = true;
        flows.extend((0..rows).map(|row| {
            let mut need = |is_there: bool| fine &= is_there;
            let transport = self.transport.known(row).copied();
            need(transport.is_some());
            let transport = transport.unwrap_or(Transport::Udp);
            let handshake = self.handshake.known(row).copied().flatten();
            let handshake = csv::check_handshake(transport, handshake);
            need(handshake.is_ok());
            let ends = ends(row);
            need(ends[0].is_some() && ends[1].is_some());
            let [src, dst] = ends.map(|ip| ip.unwrap_or(NOWHERE));
            // At most 2^53.
            let times =
                [start[row], end[row]].map(|time| Timestamp::from_micros(time.cast_signed()));
            need(times[0] <= times[1]);
            let payload_known = no_payload.get(row) != Some(&true);
            Flow {
                transport,
                handshake: handshake.unwrap_or_default(),
                initiator: InitiatorEvidence::Exporter,
                src: Endpoint {
                    ip: src,
                    port: src_port[row] as u16,
                },
                dst: Endpoint {
                    ip: dst,
                    port: dst_port[row] as u16,
                },
                span: Span::at(times[0]).including(times[1]),
                fwd: Volume::new(fwd_packets[row], fwd_bytes[row]),
                rev: Volume::new(rev_packets[row], rev_bytes[row]),
                rev_payload_bytes: payload_known.then_some(payload[row]),
                app: self.app.known(row).cloned().flatten(),
            }
        }));
        if !fine {
            flows.truncate(before);
        }
        fine.then_some(())
    }

    /// The flow of a row, or why there is none.
    #[inline]
    pub(super) fn flow(&self, row: usize) -> Result<Flow, Fault> {
        let transport = *self.transport.needed(row)?;
        let handshake = self.handshake.get(row)?.copied().flatten();
        let time = |numbers: &Numbers| -> Result<Timestamp, Fault> {
            // At most 2^53.
            Ok(Timestamp::from_micros(numbers.needed(row)?.cast_signed()))
        };
        Ok(Flow {
            transport,
            handshake: csv::check_handshake(transport, handshake).map_err(|problem| {
                let text = handshake.map_or("", Handshake::as_str);
                Fault::value(COLUMNS[11], text.as_bytes(), problem)
            })?,
            initiator: InitiatorEvidence::Exporter,
            src: Endpoint {
                ip: *self.src_ip.lookup.needed(row)?,
                port: self.src_port.port(row)?,
            },
            dst: Endpoint {
                ip: *self.dst_ip.lookup.needed(row)?,
                port: self.dst_port.port(row)?,
            },
            span: Span::new(time(&self.start)?, time(&self.end)?)?,
            fwd: Volume::new(self.fwd_packets.needed(row)?, self.fwd_bytes.needed(row)?),
            rev: Volume::new(self.rev_packets.needed(row)?, self.rev_bytes.needed(row)?),
            rev_payload_bytes: self.rev_payload_bytes.get(row)?,
            app: self.app.get(row)?.cloned().flatten(),
        })
    }
}

/// The rows that all columns read so far have.
struct There {
    rows: usize,
    /// What is wrong right after them.
    fault: Option<Fault>,
}

impl There {
    fn read(&mut self, chunk: &mut Chunk, column: &mut impl Sink) {
        if let Err(error) = chunk.read(self.rows, column) {
            self.rows = column.rows();
            self.fault = Some(error.into());
        }
    }
}

fn handshake(text: &[u8]) -> Result<Option<Handshake>, Problem> {
    match text {
        b"" => Ok(None),
        text => csv::handshake(text).map(Some),
    }
}

fn label(text: &[u8]) -> Result<Option<Application>, Problem> {
    match text {
        b"" => Ok(None),
        text => csv::label(text).map(Some),
    }
}
