//! Suricata's eve.json: its flow records.

use std::borrow::Cow;
use std::io::Read;

use peerscope_flow::{Application, Endpoint, Span, Timestamp, Transport, Volume};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::text::{ParseLine, TextReader, ip_bytes, time, transport};
use crate::{
    Fault, Problem, ReadError, ReadOptions, Record, StatedInitiator, TcpFlags, address, number,
};

/// Reads the `flow` events of Suricata's eve.json; other events are no records and are passed over.
///
/// | record | from |
/// |---|---|
/// | start, end | `flow.start`, `flow.end`, with the zone they have |
/// | initiator | `src_ip`, `src_port`: Suricata's client |
/// | packets | `flow.pkts_toserver`, `flow.pkts_toclient` |
/// | bytes | `flow.bytes_toserver`, `flow.bytes_toclient`, less the link's header for each packet ([`ReadOptions::with_link_header`]), no less than the smallest headers: an estimate |
/// | TCP flags | `tcp.tcp_flags_ts`, `tcp.tcp_flags_tc`; without them `flow.state`: `new` is a SYN, `established` and `closed` are a handshake |
/// | label | `app_proto`: `bittorrent-dht` is `bittorrent`, `failed` and `unknown` are none, others by their name |
///
/// [`crate::Pair`] makes flows of the records.
#[derive(Debug)]
pub struct SuricataReader<R>(TextReader<R, Parser>);

impl<R: Read> SuricataReader<R> {
    /// A reader of `input`, which is called `name` in errors.
    pub fn new(name: &str, input: R, options: &ReadOptions) -> Self {
        let parser = Parser {
            link: options.link_header(),
            offset: options.utc_offset(),
        };
        Self(TextReader::new(name, input, options, parser))
    }
}

impl<R: Read> Iterator for SuricataReader<R> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

/// Whether the first line is an event.
pub(crate) fn recognise(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| !line.is_empty()).is_some_and(|line| {
        line.starts_with(b"{") && memchr::memmem::find(line, br#""event_type""#).is_some()
    })
}

#[derive(Debug)]
struct Parser {
    link: u32,
    offset: i32,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "event_type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    src_ip: Option<&'a RawValue>,
    #[serde(borrow)]
    src_port: Option<&'a RawValue>,
    #[serde(borrow)]
    dest_ip: Option<&'a RawValue>,
    #[serde(borrow)]
    dest_port: Option<&'a RawValue>,
    #[serde(borrow)]
    proto: Option<&'a RawValue>,
    #[serde(borrow)]
    app_proto: Option<Cow<'a, str>>,
    #[serde(borrow)]
    flow: Option<&'a RawValue>,
    #[serde(borrow)]
    tcp: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Counts<'a> {
    #[serde(borrow)]
    start: Option<&'a RawValue>,
    #[serde(borrow)]
    end: Option<&'a RawValue>,
    #[serde(borrow)]
    pkts_toserver: Option<&'a RawValue>,
    #[serde(borrow)]
    pkts_toclient: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes_toserver: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes_toclient: Option<&'a RawValue>,
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Tcp<'a> {
    #[serde(borrow)]
    tcp_flags_ts: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tcp_flags_tc: Option<Cow<'a, str>>,
}

impl ParseLine for Parser {
    type Item = Record;

    fn parse(&mut self, line: &[u8]) -> Result<Option<Record>, Fault> {
        let event: Event<'_> = serde_json::from_slice(line)?;
        match event.kind.as_deref() {
            Some("flow") => self.record(&event).map(Some),
            Some(_) => Ok(None),
            None => Err(Fault::Unset("event_type")),
        }
    }
}

impl Parser {
    fn record(&self, event: &Event<'_>) -> Result<Record, Fault> {
        let flow = event.flow.ok_or(Fault::Unset("flow"))?;
        let counts: Counts<'_> = serde_json::from_str(flow.get())?;
        let transport = need("proto", event.proto, transport)?;
        let end = |ip, port| -> Result<Endpoint, Fault> {
            let ip = need("src_ip or dest_ip", ip, address::parse)?;
            let port = match transport {
                Transport::Tcp | Transport::Udp => {
                    need("src_port or dest_port", port, number::port)?
                }
                Transport::Other(_) => 0,
            };
            Ok(Endpoint::new(ip, port))
        };
        let src = end(event.src_ip, event.src_port)?;
        let dst = end(event.dest_ip, event.dest_port)?;
        let at = |name, value| -> Result<Timestamp, Fault> {
            let micros = need(name, value, |text| time(text, self.offset))?;
            Ok(Timestamp::from_micros(
                i64::try_from(micros).unwrap_or(i64::MAX),
            ))
        };
        let span = Span::new(at("start", counts.start)?, at("end", counts.end)?)?;
        let volume = |packets, bytes, from: Endpoint| -> Result<Volume, Fault> {
            let packets = need("pkts_toserver or pkts_toclient", packets, number::whole)?;
            let bytes = need("bytes_toserver or bytes_toclient", bytes, number::whole)?;
            Ok(ip_bytes(
                Volume::new(packets, bytes),
                self.link,
                transport,
                from.ip,
            ))
        };
        let flags = if transport == Transport::Tcp {
            flags(event.tcp, counts.state.as_deref())?
        } else {
            [None; 2]
        };
        Ok(Record {
            fwd: volume(counts.pkts_toserver, counts.bytes_toserver, src)?,
            rev: Some(volume(counts.pkts_toclient, counts.bytes_toclient, dst)?),
            fwd_flags: flags[0],
            rev_flags: flags[1],
            initiator: StatedInitiator::Src,
            app: event.app_proto.as_deref().and_then(app),
            ..Record::new(transport, src, dst, span)
        })
    }
}

/// The flags to the server and to the client.
fn flags(tcp: Option<&RawValue>, state: Option<&str>) -> Result<[Option<TcpFlags>; 2], Fault> {
    if let Some(tcp) = tcp {
        let tcp: Tcp<'_> = serde_json::from_str(tcp.get())?;
        let parse = |name, text: Option<&str>| {
            let bits = text.map(|text| {
                u8::from_str_radix(text, 16)
                    .map_err(|_| Fault::value(name, text.as_bytes(), Problem::NotFlags))
            });
            bits.transpose().map(|bits| bits.map(TcpFlags::from_bits))
        };
        let flags = [
            parse("tcp_flags_ts", tcp.tcp_flags_ts.as_deref())?,
            parse("tcp_flags_tc", tcp.tcp_flags_tc.as_deref())?,
        ];
        if flags != [None; 2] {
            return Ok(flags);
        }
    }
    let both = TcpFlags::SYN.union(TcpFlags::ACK);
    Ok(match state {
        Some("new") => [Some(TcpFlags::SYN), None],
        Some("established" | "closed") => [Some(both); 2],
        _ => [None; 2],
    })
}

fn app(name: &str) -> Option<Application> {
    match name {
        "failed" | "unknown" | "" => None,
        "bittorrent-dht" => Some(Application::BitTorrent),
        name => name.parse().ok(),
    }
}

/// The value of a field, whether it is written as text or as a number.
fn need<T>(
    field: &'static str,
    value: Option<&RawValue>,
    parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
) -> Result<T, Fault> {
    let value = value.ok_or(Fault::Unset(field))?.get().as_bytes();
    let text = value
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""))
        .unwrap_or(value);
    parse(text).map_err(|problem| Fault::value(field, text, problem))
}
