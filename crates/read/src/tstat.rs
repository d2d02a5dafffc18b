//! Tstat's logs: TCP, complete or not, and UDP.

mod folder;
mod labels;

use std::io::Read;

use peerscope_flow::{
    Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};

use crate::text::{Columns, ParseLine, Row, TextReader};
use crate::{Fault, Problem, ReadError, ReadOptions, address, number};

pub use folder::tstat_logs;

/// Reads Tstat's `log_tcp_complete`, `log_tcp_nocomplete` and `log_udp_complete`.
///
/// Columns are found by the names in the header line, which may begin with the mask of column sets
/// (`#01#c_ip:1 ...`, Tstat 3) or not (Tstat 2); a file without one cannot be read. Logs may be
/// concatenated, each with its own header, and of either protocol: a run's folder read file after
/// file is one source ([`tstat_logs`] finds the files).
///
/// | flow | from |
/// |---|---|
/// | start, end of TCP | `first_abs` (Tstat 2) or `first`, milliseconds since the epoch, and `durat` milliseconds |
/// | start, end of UDP | the earlier `first_abs`, and the later end of the two sides; `durat` is in seconds; a side without packets has no times |
/// | packets, bytes | `pkts_all`; bytes are payload (`bytes_all`) and 40 for each TCP, 28 for each UDP packet, 20 more over IPv6: an estimate (methodology of the metering) |
/// | handshake | complete in a log of connections with a SYN from both sides; failed without one of the server; unknown without one of the client |
/// | responder's payload | `s_bytes_uniq` (TCP), `s_bytes_all` (UDP) |
/// | initiator | the client: a SYN was seen (TCP), the first packet (UDP) |
/// | label of TCP | `p2p_t`: 1 and 3 `emule`, 4 and 5 `dcpp`, 9 `bittorrent`, 17 `kad`, 18 `kadu`; else `con_t`: obfuscated `emule`, MSE `bittorrent`, HTTP `http`, SSL `tls` |
/// | label of UDP | either side's `type`: 8 `emule`, 9 and 18 `kad`, 10 `kadu`, 12, 20 and 21 `bittorrent`, 13 `dcpp`, 19 `dns` |
#[derive(Debug)]
pub struct TstatReader<R>(TextReader<R, Parser>);

impl<R: Read> TstatReader<R> {
    /// A reader of `input`, which is called `name` in errors.
    pub fn new(name: &str, input: R, options: &ReadOptions) -> Self {
        Self(TextReader::new(name, input, options, Parser::default()))
    }
}

impl<R: Read> Iterator for TstatReader<R> {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

const COLUMNS: [&[&str]; 23] = [
    &["c_ip"],
    &["c_port"],
    &["c_pkts_all"],
    &["c_bytes_all"],
    &["s_ip"],
    &["s_port"],
    &["s_pkts_all"],
    &["s_bytes_all"],
    // TCP
    &["c_syn_cnt"],
    &["s_syn_cnt"],
    &["s_bytes_uniq"],
    &["first"],
    &["first_abs"],
    &["durat"],
    &["con_t"],
    &["p2p_t"],
    // UDP
    &["c_first_abs"],
    &["c_durat"],
    &["c_type"],
    &["s_first_abs"],
    &["s_durat"],
    &["s_type"],
    &["c_ack_cnt"],
];

const C_IP: usize = 0;
const C_PORT: usize = 1;
const C_PKTS: usize = 2;
const C_BYTES: usize = 3;
const S_IP: usize = 4;
const S_PORT: usize = 5;
const S_PKTS: usize = 6;
const S_BYTES: usize = 7;
const C_SYN: usize = 8;
const S_SYN: usize = 9;
const S_UNIQ: usize = 10;
const FIRST: usize = 11;
const FIRST_ABS: usize = 12;
const DURAT: usize = 13;
const CON_T: usize = 14;
const P2P_T: usize = 15;
const C_FIRST: usize = 16;
const C_DURAT: usize = 17;
const C_TYPE: usize = 18;
const S_FIRST: usize = 19;
const S_DURAT: usize = 20;
const S_TYPE: usize = 21;
const C_ACK: usize = 22;
const N: usize = COLUMNS.len();

/// Whether the first line is Tstat's header.
pub(crate) fn recognise(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.starts_with(b"#") && Layout::of(line).is_ok()
}

#[derive(Clone, Debug)]
struct Layout {
    transport: Transport,
    columns: Columns<N>,
}

impl Layout {
    fn of(header: &[u8]) -> Result<Self, Fault> {
        let names = header.strip_prefix(b"#").unwrap_or(header);
        // The mask of column sets, up to the second #.
        let names = match memchr::memchr(b'#', names) {
            Some(at) if names[..at].iter().all(u8::is_ascii_hexdigit) => &names[at + 1..],
            _ => names,
        };
        let plain = |name: &'_ [u8]| -> usize { memchr::memchr(b':', name).unwrap_or(name.len()) };
        let names = words(names).map(|name| &name[..plain(name)]);
        let columns = Columns::of(names, &COLUMNS)?;
        columns.need([C_IP, C_PORT, C_PKTS, C_BYTES, S_IP, S_PORT, S_PKTS, S_BYTES])?;
        if columns.has(C_FIRST) {
            columns.need([C_DURAT, S_FIRST, S_DURAT])?;
            return Ok(Self {
                transport: Transport::Udp,
                columns,
            });
        }
        columns.need([C_SYN, S_SYN, S_UNIQ, DURAT])?;
        if !columns.has(FIRST_ABS) {
            columns.need([FIRST])?;
        }
        Ok(Self {
            transport: Transport::Tcp,
            columns,
        })
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

#[derive(Debug, Default)]
struct Parser {
    layout: Option<Layout>,
}

impl ParseLine for Parser {
    type Item = Flow;

    fn parse(&mut self, line: &[u8]) -> Result<Option<Flow>, Fault> {
        if line.starts_with(b"#") {
            // The last header counts, and a bad one spoils what follows.
            self.layout = None;
            self.layout = Some(Layout::of(line)?);
            return Ok(None);
        }
        let Some(Layout { transport, columns }) = &self.layout else {
            return Err(Fault::NoHeader);
        };
        // Compile-time options and the names of hosts add columns that the header may lack.
        let row = columns.row(words(line), usize::MAX)?;
        if *transport == Transport::Tcp {
            tcp(&row, columns).map(Some)
        } else {
            udp(&row).map(Some)
        }
    }
}

fn tcp(row: &Row<'_, N>, columns: &Columns<N>) -> Result<Flow, Fault> {
    let start = if columns.has(FIRST_ABS) {
        FIRST_ABS
    } else {
        FIRST
    };
    let start = row.need(start, millis)?;
    let end = start.saturating_add(row.need(DURAT, millis)?);
    let count = |column| row.need(column, number::whole);
    let (client, server) = (count(C_SYN)?, count(S_SYN)?);
    let fwd = volume(row, C_IP, C_PKTS, C_BYTES, 40)?;
    let acknowledged = row.get(C_ACK, number::whole)?.is_none_or(|acks| acks > 0);
    let handshake = match (client, server) {
        (0, _) => Handshake::Unknown,
        (_, 0) => Handshake::Failed,
        _ if acknowledged => Handshake::Complete,
        _ => Handshake::Failed,
    };
    let con_t = row.get(CON_T, number::whole)?.unwrap_or(0);
    let p2p_t = row.get(P2P_T, number::whole)?.unwrap_or(0);
    Ok(Flow {
        handshake: Some(handshake),
        initiator: if client > 0 {
            InitiatorEvidence::SynSeen
        } else {
            InitiatorEvidence::Exporter
        },
        fwd,
        rev: volume(row, S_IP, S_PKTS, S_BYTES, 40)?,
        rev_payload_bytes: Some(count(S_UNIQ)?),
        app: labels::tcp(con_t, p2p_t),
        ..flow(row, Transport::Tcp, start, end)?
    })
}

fn udp(row: &Row<'_, N>) -> Result<Flow, Fault> {
    let fwd = volume(row, C_IP, C_PKTS, C_BYTES, 28)?;
    let rev = volume(row, S_IP, S_PKTS, S_BYTES, 28)?;
    let (start, end) = side(row, C_FIRST, C_DURAT)?;
    let (start, end) = if rev.packets == 0 {
        (start, end)
    } else {
        let server = side(row, S_FIRST, S_DURAT)?;
        (start.min(server.0), end.max(server.1))
    };
    let types = [C_TYPE, S_TYPE].map(|column| row.get(column, number::whole));
    let [client, server] = types;
    Ok(Flow {
        initiator: InitiatorEvidence::FirstPacket,
        fwd,
        rev,
        rev_payload_bytes: Some(row.need(S_BYTES, number::whole)?),
        app: labels::udp(client?.unwrap_or(0)).or(labels::udp(server?.unwrap_or(0))),
        ..flow(row, Transport::Udp, start, end)?
    })
}

/// First and last packet of one side of a UDP flow.
fn side(row: &Row<'_, N>, first: usize, durat: usize) -> Result<(u64, u64), Fault> {
    let start = row.need(first, millis)?;
    let end = start.saturating_add(row.need(durat, number::micros)?);
    Ok((start, end))
}

fn flow(row: &Row<'_, N>, transport: Transport, start: u64, end: u64) -> Result<Flow, Fault> {
    let at = |micros: u64| Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
    let end_point = |ip, port| -> Result<Endpoint, Fault> {
        Ok(Endpoint::new(
            row.need(ip, address::parse)?,
            row.need(port, number::port)?,
        ))
    };
    Ok(Flow::new(
        transport,
        end_point(C_IP, C_PORT)?,
        end_point(S_IP, S_PORT)?,
        Span::new(at(start), at(end))?,
    ))
}

/// IP bytes out of payload bytes.
fn volume(
    row: &Row<'_, N>,
    ip: usize,
    packets: usize,
    bytes: usize,
    header: u64,
) -> Result<Volume, Fault> {
    let header = match row.need(ip, address::parse)? {
        std::net::IpAddr::V4(_) => header,
        std::net::IpAddr::V6(_) => header + 20,
    };
    let packets = row.need(packets, number::whole)?;
    let payload = row.need(bytes, number::whole)?;
    let headers = packets.saturating_mul(header);
    Ok(Volume::new(packets, payload.saturating_add(headers)))
}

/// Microseconds from decimal milliseconds.
fn millis(text: &[u8]) -> Result<u64, Problem> {
    number::micros(&[text, b"e-3"].concat())
}
