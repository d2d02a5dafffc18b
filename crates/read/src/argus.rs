//! What Argus' `ra` prints: CSV and .binetflow.

mod state;

use std::io::Read;

use peerscope_flow::{Endpoint, Span, Timestamp, Transport, Volume};

use crate::error::excerpt;
use crate::text::{Columns, ParseLine, Row, TextReader, ip_bytes, time, transport};
use crate::{Fault, Problem, ReadError, ReadOptions, Record, StatedInitiator, address, number};
use state::{Direction, Flags};

/// Reads the records that Argus' `ra` prints with `-c ,`, among them .binetflow files.
///
/// Columns are found by name. A connection may come in many records, one for each status interval:
/// [`crate::Pair`] joins them and tells the handshake. How a row becomes a [`Record`]:
///
/// | record | from |
/// |---|---|
/// | start, end | `StartTime` (epoch seconds, or civil time without a zone: [`ReadOptions::with_utc_offset`]), `LastTime` or `StartTime` and `Dur` |
/// | ports | decimal, hexadecimal (`0x0016`) or empty; 0 for all but TCP and UDP |
/// | packets | `SrcPkts` and `DstPkts`, or `TotPkts` less one of them; where only `TotPkts` is given it is split as the bytes are, at least one for a side with bytes: an estimate |
/// | bytes | `SrcBytes` and `DstBytes`, or `TotBytes` less one of them, less the link's header for each packet ([`ReadOptions::with_link_header`]), no less than the smallest headers: an estimate |
/// | initiator | `Dir`: `->` and `<->` the source, `<-` the destination, with a `?` nobody knows |
/// | TCP flags | `State` as flags (`FSPA_FSA`); or what a state in words says of them: REQ, ACC, EST, CON, FIN, CLO, RST, TIM, INT. A SYN is taken to be among them where the direction is known and there are packets enough; a RST refused the connection if all that came back is bare headers |
///
/// Rows of ARP, LLC and other things that are not IP, and Argus' own `man` rows, are
/// [`Fault::NotIp`]: [`crate::FlowReader`] counts them and goes on.
#[derive(Debug)]
pub struct ArgusReader<R>(TextReader<R, Parser>);

impl<R: Read> ArgusReader<R> {
    /// A reader of `input`, which is called `name` in errors.
    pub fn new(name: &str, input: R, options: &ReadOptions) -> Self {
        let parser = Parser {
            offset: options.utc_offset(),
            link: options.link_header(),
            columns: None,
        };
        Self(TextReader::new(name, input, options, parser))
    }
}

impl<R: Read> Iterator for ArgusReader<R> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

const COLUMNS: [&[&str]; 16] = [
    &["StartTime"],
    &["LastTime"],
    &["Dur"],
    &["Proto"],
    &["SrcAddr"],
    &["Sport"],
    &["Dir"],
    &["DstAddr"],
    &["Dport"],
    &["State"],
    &["SrcPkts"],
    &["DstPkts"],
    &["TotPkts"],
    &["SrcBytes"],
    &["DstBytes"],
    &["TotBytes"],
];

const START: usize = 0;
const LAST: usize = 1;
const DUR: usize = 2;
const PROTO: usize = 3;
const SRC: usize = 4;
const SPORT: usize = 5;
const DIR: usize = 6;
const DST: usize = 7;
const DPORT: usize = 8;
const STATE: usize = 9;
const SRC_PKTS: usize = 10;
const DST_PKTS: usize = 11;
const TOT_PKTS: usize = 12;
const SRC_BYTES: usize = 13;
const DST_BYTES: usize = 14;
const TOT_BYTES: usize = 15;

/// Whether the first line is a header of `ra`.
pub(crate) fn recognise(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let names = line.split(|&byte| byte == b',');
    Columns::of(names, &COLUMNS)
        .is_ok_and(|columns| columns.need([START, PROTO, SRC, DST, STATE]).is_ok())
}

#[derive(Debug)]
struct Parser {
    offset: i32,
    link: u32,
    columns: Option<Columns<16>>,
}

impl ParseLine for Parser {
    type Item = Record;

    fn parse(&mut self, line: &[u8]) -> Result<Option<Record>, Fault> {
        let fields = line.split(|&byte| byte == b',');
        if let Some(columns) = &self.columns {
            let record = columns.row(fields.clone(), 0);
            let record = record.and_then(|row| self.record(&row));
            // `ra -L` repeats the header, and files may be concatenated.
            if record.is_ok() || !recognise(line) {
                return record.map(Some);
            }
        }
        let columns = Columns::of(fields, &COLUMNS)?;
        columns.need([START, PROTO, SRC, SPORT, DIR, DST, DPORT, STATE])?;
        for one_of in [
            [LAST, DUR, DUR],
            [SRC_PKTS, DST_PKTS, TOT_PKTS],
            [SRC_BYTES, DST_BYTES, TOT_BYTES],
        ] {
            if !one_of.iter().any(|&column| columns.has(column)) {
                columns.need(one_of)?;
            }
        }
        self.columns = Some(columns);
        Ok(None)
    }
}

impl Parser {
    fn record(&self, row: &Row<'_, 16>) -> Result<Record, Fault> {
        let transport = ip_protocol(row)?;
        let end = |ip, port| -> Result<Endpoint, Fault> {
            let ip = row.need(ip, address::parse)?;
            let port = match transport {
                Transport::Tcp | Transport::Udp => row.need(port, any_port)?,
                Transport::Other(_) => 0,
            };
            Ok(Endpoint::new(ip, port))
        };
        let (src, dst) = (end(SRC, SPORT)?, end(DST, DPORT)?);
        let time = |text: &[u8]| time(text, self.offset);
        let start = row.need(START, time)?;
        let last = match row.get(LAST, time)? {
            Some(last) => last,
            None => start.saturating_add(row.need(DUR, number::micros)?),
        };
        let at = |micros: u64| Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
        let span = Span::new(at(start), at(last))?;
        let bytes = Split::of(row, SRC_BYTES, DST_BYTES, TOT_BYTES)?.by(0, 0);
        let packets = Split::of(row, SRC_PKTS, DST_PKTS, TOT_PKTS)?.by(bytes.0, bytes.1);
        let volume = |packets, bytes, from: Endpoint| {
            ip_bytes(Volume::new(packets, bytes), self.link, transport, from.ip)
        };
        let fwd = volume(packets.0, bytes.0, src);
        let rev = volume(packets.1, bytes.1, dst);
        let direction = row.need(DIR, Direction::parse)?;
        let flags = if transport == Transport::Tcp {
            let smallest = if dst.ip.is_ipv4() { 40 } else { 60 };
            let state = row.text(STATE).unwrap_or_default();
            let flags = Flags::parse(state, direction, fwd, rev, smallest);
            flags.ok_or_else(|| row.fault(STATE, Problem::NotAState))?
        } else {
            Flags::default()
        };
        Ok(Record {
            fwd,
            rev: Some(rev),
            fwd_flags: flags.src,
            rev_flags: flags.dst,
            initiator: match direction {
                Direction::Source => StatedInitiator::Src,
                Direction::Destination => StatedInitiator::Dst,
                Direction::Unknown => StatedInitiator::Unstated,
            },
            ..Record::new(transport, src, dst, span)
        })
    }
}

/// The protocol, if the row is about IP at all.
fn ip_protocol(row: &Row<'_, 16>) -> Result<Transport, Fault> {
    const NOT_IP: [&str; 12] = [
        "arp", "rarp", "llc", "man", "lldp", "ether", "eth", "ipx/spx", "ipx", "atalk", "stp",
        "unas",
    ];
    let text = row.text(PROTO).ok_or(Fault::Unset("Proto"))?;
    let named = |name: &&str| name.as_bytes().eq_ignore_ascii_case(text);
    // Numbers are either an IP protocol or an EtherType; with hardware addresses it is no IP.
    let ether_type = number::whole(text).is_ok_and(|number| number > 255);
    let hardware = [SRC, DST]
        .iter()
        .any(|&end| row.text(end).is_some_and(is_hardware_address));
    if NOT_IP.iter().any(named) || ether_type || hardware {
        return Err(Fault::NotIp(excerpt(text)));
    }
    row.need(PROTO, transport)
}

/// Six groups of one or two hexadecimal digits.
fn is_hardware_address(text: &[u8]) -> bool {
    let group =
        |group: &[u8]| matches!(group.len(), 1 | 2) && group.iter().all(u8::is_ascii_hexdigit);
    let groups = || text.split(|&byte| byte == b':');
    groups().count() == 6 && groups().all(group)
}

/// A decimal port, or a hexadecimal one.
fn any_port(text: &[u8]) -> Result<u16, Problem> {
    let hex = text
        .strip_prefix(b"0x")
        .and_then(|hex| std::str::from_utf8(hex).ok());
    match hex {
        Some(hex) => u16::from_str_radix(hex, 16).map_err(|_| Problem::NotAPort),
        None => number::port(text),
    }
}

/// A count of both sides, as far as the row tells.
#[derive(Clone, Copy, Debug)]
enum Split {
    Known(u64, u64),
    Total(u64),
}

impl Split {
    fn of(row: &Row<'_, 16>, src: usize, dst: usize, total: usize) -> Result<Self, Fault> {
        let [from, to, all] = [src, dst, total].map(|column| row.get(column, number::whole));
        let rest = |all: u64, part: u64, column| {
            all.checked_sub(part)
                .ok_or_else(|| row.fault(column, Problem::AboveTotal))
        };
        match (from?, to?, all?) {
            (Some(src), Some(dst), _) => Ok(Self::Known(src, dst)),
            (Some(part), None, Some(all)) => Ok(Self::Known(part, rest(all, part, src)?)),
            (None, Some(part), Some(all)) => Ok(Self::Known(rest(all, part, dst)?, part)),
            (None, None, Some(all)) => Ok(Self::Total(all)),
            _ => Err(row
                .need(total, number::whole)
                .err()
                .unwrap_or(Fault::Unset("SrcPkts"))),
        }
    }

    /// A total is shared as the `src` and `dst` bytes are, rounded up for the smaller side.
    fn by(self, src: u64, dst: u64) -> (u64, u64) {
        let all = match self {
            Self::Known(src, dst) => return (src, dst),
            Self::Total(all) => all,
        };
        if dst == 0 || all == 0 {
            return (all, 0);
        }
        if src == 0 {
            return (0, all);
        }
        let smaller = u128::from(src.min(dst)) * u128::from(all);
        let whole = u128::from(src) + u128::from(dst);
        // No more than half of `all`, rounded up.
        let smaller = u64::try_from(smaller.div_ceil(whole)).unwrap_or(all);
        if src <= dst {
            (smaller, all - smaller)
        } else {
            (all - smaller, smaller)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_shared_as_bytes_are() {
        assert_eq!(Split::Total(2).by(63, 79), (1, 1));
        assert_eq!(Split::Total(9).by(500, 0), (9, 0));
        assert_eq!(Split::Total(9).by(0, 500), (0, 9));
        assert_eq!(Split::Total(10).by(900, 100), (9, 1));
        assert_eq!(Split::Total(2).by(1, 1_000_000), (1, 1));
        assert_eq!(Split::Total(1).by(1, 1), (1, 0));
        assert_eq!(
            Split::Total(u64::MAX).by(u64::MAX, u64::MAX).0,
            u64::MAX / 2 + 1
        );
    }

    #[test]
    fn hardware_addresses_are_told_from_ipv6() {
        assert!(is_hardware_address(b"00:13:7f:4f:8e:f2"));
        for text in [
            "::",
            "ff02::1",
            "1:2:3:4:5:6:7:8",
            "192.0.2.1",
            "",
            "00:13:7f:4f:8e:f2:1",
        ] {
            assert!(!is_hardware_address(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn ports_may_be_hexadecimal() {
        assert_eq!(any_port(b"0x0016"), Ok(22));
        assert_eq!(any_port(b"22"), Ok(22));
        for text in ["0x10000", "0x", "65536", "x"] {
            assert_eq!(any_port(text.as_bytes()), Err(Problem::NotAPort), "{text}");
        }
    }
}
