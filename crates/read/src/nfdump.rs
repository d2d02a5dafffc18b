//! What nfdump prints: `-o csv` and `-o json`.

mod json;

use std::io::Read;

use peerscope_flow::{Endpoint, Span, SpanError, Timestamp, Transport, Volume};

use crate::text::{Columns, ParseLine, Row, TextReader, time, transport};
use crate::{
    Fault, Problem, ReadError, ReadOptions, Record, StatedInitiator, TcpFlags, address, number,
};

/// Reads the records that nfdump prints as CSV or JSON.
///
/// Columns are found by name: those of `-o csv` of nfdump 1.6 and 1.7 (`ts,te,td,sa,da,...` as well
/// as `firstSeen,duration,proto,...`), or of a format of one's own with these names. JSON may be an
/// array, objects on lines of their own, or one a line. Times are civil and have no zone: see
/// [`ReadOptions::with_utc_offset`]. Bytes are IP bytes. Where a record has `opkt` the exporter
/// counted both directions; that says nothing about who began. Protocols other than TCP and UDP have
/// no ports: nfdump puts the ICMP type there. What follows the summary is passed over, up to the
/// header of the next output where several are concatenated.
///
/// [`crate::Pair`] makes flows of the records.
///
/// ```
/// use peerscope_read::{NfdumpReader, Pair, Pairing, ReadOptions};
///
/// let csv = "\
/// ts,te,pr,sa,sp,da,dp,flg,ipkt,ibyt
/// 2026-11-21 16:40:04.900,2026-11-21 16:40:06.784,TCP,192.0.2.7,4662,10.0.0.1,41862,...AP.S.,6,366
/// 2026-11-21 16:40:04.899,2026-11-21 16:40:06.743,TCP,10.0.0.1,41862,192.0.2.7,4662,...AP.S.,7,624
/// ";
/// let records = NfdumpReader::new("flows.csv", csv.as_bytes(), &ReadOptions::new());
/// let flow = Pair::new(records, Pairing::new()).next().unwrap()?;
/// assert_eq!(flow.key().to_string(), "tcp 10.0.0.1:41862 > 192.0.2.7:4662");
/// # Ok::<(), peerscope_read::ReadError>(())
/// ```
#[derive(Debug)]
pub struct NfdumpReader<R>(TextReader<R, Parser>);

impl<R: Read> NfdumpReader<R> {
    /// A reader of `input`, which is called `name` in errors.
    pub fn new(name: &str, input: R, options: &ReadOptions) -> Self {
        let parser = Parser {
            offset: options.utc_offset(),
            columns: None,
            json: None,
            limit: options.max_line(),
            summary: false,
        };
        Self(TextReader::new(name, input, options, parser))
    }
}

impl<R: Read> Iterator for NfdumpReader<R> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

const COLUMNS: [&[&str]; 14] = [
    &["ts", "first", "firstSeen"],
    &["te", "last", "lastSeen"],
    &["td", "duration"],
    &["pr", "proto"],
    &["sa", "src", "srcAddr"],
    &["sp", "sport", "srcPort"],
    &["da", "dst", "dstAddr"],
    &["dp", "dport", "dstPort"],
    &["flg", "flags", "tcpFlags"],
    &["ipkt", "pkt", "packets", "inPackets"],
    &["ibyt", "byt", "bytes", "inBytes"],
    &["opkt", "outPackets"],
    &["obyt", "outBytes"],
    &["fl", "flows"],
];

const TS: usize = 0;
const TE: usize = 1;
const TD: usize = 2;
const PR: usize = 3;
const SA: usize = 4;
const SP: usize = 5;
const DA: usize = 6;
const DP: usize = 7;
const FLG: usize = 8;
const IPKT: usize = 9;
const IBYT: usize = 10;
const OPKT: usize = 11;
const OBYT: usize = 12;

/// Whether the content is nfdump's: a header with its names, or JSON with them.
pub(crate) fn recognise(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    if head.starts_with(b"[") || head.starts_with(b"{") {
        let has = |name: &[u8]| memchr::memmem::find(head, name).is_some();
        return has(br#""in_packets""#) && (has(br#""src4_addr""#) || has(br#""src6_addr""#));
    }
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let names = line.split(|&byte| byte == b',');
    Columns::of(names, &COLUMNS).is_ok_and(|columns| needed(&columns).is_ok())
}

fn needed(columns: &Columns<14>) -> Result<(), Fault> {
    columns.need([TS, PR, SA, SP, DA, DP, IPKT, IBYT])?;
    if columns.has(TE) {
        return Ok(());
    }
    columns.need([TD])
}

#[derive(Debug)]
struct Parser {
    offset: i32,
    columns: Option<Columns<14>>,
    /// The JSON object being read.
    json: Option<json::Object>,
    limit: usize,
    summary: bool,
}

impl ParseLine for Parser {
    type Item = Record;

    fn parse(&mut self, line: &[u8]) -> Result<Option<Record>, Fault> {
        if self.summary && !recognise(line) {
            return Ok(None);
        }
        if self.columns.is_none() && (self.json.is_some() || matches!(line[0], b'[' | b'{')) {
            let object = self.json.get_or_insert_default();
            return object.add(line, self.limit, self.offset);
        }
        let fields = line.split(|&byte| byte == b',');
        if line.starts_with(b"Summary") || line.starts_with(b"No matching flows") {
            self.summary = self.columns.is_some();
            return Ok(None);
        }
        if let Some(columns) = &self.columns {
            let row = columns.row(fields.clone(), 0);
            let record = row.and_then(|row| record(&row, self.offset));
            if record.is_ok() || !recognise(line) {
                return record.map(Some);
            }
        }
        let columns = Columns::of(fields, &COLUMNS)?;
        needed(&columns)?;
        self.columns = Some(columns);
        self.summary = false;
        Ok(None)
    }

    fn end(&mut self) -> Option<Fault> {
        self.json.as_ref().and_then(json::Object::unfinished)
    }
}

fn record(row: &Row<'_, 14>, offset: i32) -> Result<Record, Fault> {
    let transport = row.need(PR, transport)?;
    let has_ports = matches!(transport, Transport::Tcp | Transport::Udp);
    let end = |ip, port| -> Result<Endpoint, Fault> {
        let ip = row.need(ip, address::parse)?;
        let port = if has_ports {
            row.need(port, number::port)?
        } else {
            0
        };
        Ok(Endpoint::new(ip, port))
    };
    let start = row.need(TS, |text| time(text, offset))?;
    let last = match row.get(TE, |text| time(text, offset))? {
        Some(last) => last,
        None => start.saturating_add(row.need(TD, number::micros)?),
    };
    let flags = row.get(FLG, |text| TcpFlags::parse(text).ok_or(Problem::NotFlags))?;
    let out = row.get(OPKT, number::whole)?.unwrap_or(0);
    let span = span(start, last)?;
    let (src, dst) = (end(SA, SP)?, end(DA, DP)?);
    Ok(Record {
        fwd: Volume::new(
            row.need(IPKT, number::whole)?,
            row.need(IBYT, number::whole)?,
        ),
        rev: match out {
            0 => None,
            packets => Some(Volume::new(
                packets,
                row.get(OBYT, number::whole)?.unwrap_or(0),
            )),
        },
        fwd_flags: flags.filter(|_| transport == Transport::Tcp),
        initiator: StatedInitiator::Unstated,
        ..Record::new(transport, src, dst, span)
    })
}

/// A span from microseconds.
fn span(start: u64, end: u64) -> Result<Span, SpanError> {
    let at = |micros: u64| Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
    Span::new(at(start), at(end))
}
