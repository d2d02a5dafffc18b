//! The fields of a connection, whatever layout they came in, and the flow they make.

use std::net::IpAddr;

use peerscope_flow::{Application, Endpoint, Flow, Handshake, Span, Timestamp, Transport, Volume};

use super::history::{self, State};
use crate::{Fault, Problem, address, number};

/// The fields we use, in the order of [`Record`]'s array.
pub(super) const FIELDS: [&str; 16] = [
    "ts",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "duration",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
    "conn_state",
    "history",
    "resp_bytes",
    "service",
    "ip_proto",
];

/// Without the first 13 no flow can be made; the others only add to it.
pub(super) const NEEDED: usize = 13;

const TS: usize = 0;
const ORIG_H: usize = 1;
const ORIG_P: usize = 2;
const RESP_H: usize = 3;
const RESP_P: usize = 4;
const PROTO: usize = 5;
const DURATION: usize = 6;
const ORIG_PKTS: usize = 7;
const ORIG_IP_BYTES: usize = 8;
const RESP_PKTS: usize = 9;
const RESP_IP_BYTES: usize = 10;
const CONN_STATE: usize = 11;
const HISTORY: usize = 12;
const RESP_BYTES: usize = 13;
const SERVICE: usize = 14;
const IP_PROTO: usize = 15;

/// One connection: the text of each of [`FIELDS`], `None` where it is unset.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record<'a> {
    pub(super) fields: [Option<&'a [u8]>; FIELDS.len()],
}

/// Remembers the last service, for most connections carry the same few.
#[derive(Debug, Default)]
pub(super) struct Memo {
    service: Vec<u8>,
    app: Option<Application>,
}

impl Record<'_> {
    pub(super) fn flow(
        &self,
        start: impl Fn(&[u8]) -> Result<u64, Problem>,
        memo: &mut Memo,
    ) -> Result<Flow, Fault> {
        let start = self.needed(TS, start)?;
        let duration = self.set(DURATION, number::micros)?.unwrap_or(0);
        let history = self.fields[HISTORY].unwrap_or_default();
        let state = self.set(CONN_STATE, State::parse)?;
        let src = self.needed(ORIG_H, address::parse)?;
        let dst = self.needed(RESP_H, address::parse)?;
        let transport = self.transport(src)?;
        let has_ports = matches!(transport, Transport::Tcp | Transport::Udp);
        let end = |ip, port| -> Result<Endpoint, Fault> {
            let port = if has_ports {
                self.needed(port, number::port)?
            } else {
                0
            };
            Ok(Endpoint::new(ip, port))
        };
        let handshake = history::handshake(transport, state, history);
        let unanswered = transport == Transport::Udp && state == Some(State::Attempt);
        let silent =
            handshake == Some(Handshake::Complete) && memchr::memchr(b'd', history).is_none();
        // Both are at most 2^53.
        let time = |micros: u64| Timestamp::from_micros(micros.cast_signed());
        Ok(Flow {
            transport,
            handshake,
            initiator: history::initiator(transport, history),
            src: end(src, ORIG_P)?,
            dst: end(dst, RESP_P)?,
            span: Span::new(time(start), time(start + duration))?,
            fwd: Volume::new(self.count(ORIG_PKTS)?, self.count(ORIG_IP_BYTES)?),
            rev: if unanswered && self.fields[RESP_PKTS].is_none() {
                Volume::ZERO
            } else {
                Volume::new(self.count(RESP_PKTS)?, self.count(RESP_IP_BYTES)?)
            },
            rev_payload_bytes: match self.set(RESP_BYTES, number::whole)? {
                _ if silent => Some(0),
                bytes => bytes,
            },
            app: match self.fields[SERVICE] {
                Some(service) => memo.app(service)?,
                None => None,
            },
        })
    }

    fn transport(&self, src: IpAddr) -> Result<Transport, Fault> {
        if let Some(number) = self.set(IP_PROTO, |text| {
            let number = number::whole(text)?;
            u8::try_from(number).map_err(|_| Problem::NotATransport)
        })? {
            return Ok(Transport::from_number(number));
        }
        self.needed(PROTO, |text| match text {
            b"tcp" => Ok(Transport::Tcp),
            b"udp" => Ok(Transport::Udp),
            // Zeek calls both so.
            b"icmp" if src.is_ipv6() => Ok(Transport::ICMPV6),
            b"icmp" => Ok(Transport::ICMP),
            _ => Err(Problem::NotATransport),
        })
    }

    fn count(&self, field: usize) -> Result<u64, Fault> {
        self.needed(field, number::whole)
    }

    fn needed<T>(
        &self,
        field: usize,
        parse: impl Fn(&[u8]) -> Result<T, Problem>,
    ) -> Result<T, Fault> {
        self.set(field, parse)?
            .ok_or_else(|| Fault::Unset(FIELDS[field]))
    }

    fn set<T>(
        &self,
        field: usize,
        parse: impl Fn(&[u8]) -> Result<T, Problem>,
    ) -> Result<Option<T>, Fault> {
        self.fields[field]
            .map(|text| parse(text).map_err(|problem| Fault::value(FIELDS[field], text, problem)))
            .transpose()
    }
}

impl Memo {
    fn app(&mut self, service: &[u8]) -> Result<Option<Application>, Fault> {
        if self.service != service {
            self.app = application(service)
                .map_err(|problem| Fault::value(FIELDS[SERVICE], service, problem))?;
            self.service.clear();
            self.service.extend_from_slice(service);
        }
        Ok(self.app.clone())
    }
}

/// The label for a list of services.
fn application(services: &[u8]) -> Result<Option<Application>, Problem> {
    let services = std::str::from_utf8(services).map_err(|_| Problem::NotALabel)?;
    let mut first = None;
    for service in services.split(',').map(str::trim) {
        if service.is_empty() || service.starts_with('-') {
            continue;
        }
        let name = match service {
            "ssl" => "tls",
            "bittorrenttracker" | "bittorrent-tracker" => "bittorrent",
            other => other,
        };
        let app: Application = name.parse().map_err(|_| Problem::NotALabel)?;
        if !matches!(app, Application::Custom(_)) {
            return Ok(Some(app));
        }
        first = first.or(Some(app));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record<'static> {
        let text = [
            "1.5",
            "10.0.0.1",
            "50000",
            "192.0.2.1",
            "80",
            "tcp",
            "2.25",
            "3",
            "180",
            "2",
            "120",
            "SF",
            "ShAFf",
            "7",
            "http",
            "6",
        ];
        Record {
            fields: text.map(|text| Some(text.as_bytes())),
        }
    }

    fn with(field: &str, text: Option<&'static str>) -> Record<'static> {
        let mut record = record();
        let i = FIELDS.iter().position(|name| *name == field).unwrap();
        record.fields[i] = text.map(str::as_bytes);
        record
    }

    fn flow(record: Record<'_>) -> Result<Flow, String> {
        record
            .flow(number::micros, &mut Memo::default())
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_silent_responder_sent_no_payload_and_unset_is_not_zero() {
        let silent = flow(record()).unwrap();
        assert_eq!(silent.handshake, Some(Handshake::Complete));
        assert_eq!(silent.rev_payload_bytes, Some(0));
        assert_eq!(silent.span.micros(), 2_250_000);
        assert_eq!(silent.app, Some(Application::Http));
        let answered = flow(with("history", Some("ShAdFf"))).unwrap();
        assert_eq!(answered.rev_payload_bytes, Some(7));
        let mut unset = with("history", Some("ShAdFf"));
        unset.fields[RESP_BYTES] = None;
        assert_eq!(flow(unset).unwrap().rev_payload_bytes, None);
        for field in &FIELDS[ORIG_PKTS..=RESP_IP_BYTES] {
            assert_eq!(
                flow(with(field, None)).unwrap_err(),
                format!("column {field:?} has no value")
            );
        }
    }

    #[test]
    fn icmp_has_no_ports() {
        let mut icmp = with("proto", Some("icmp"));
        icmp.fields[IP_PROTO] = None;
        let flow4 = flow(icmp).unwrap();
        assert_eq!(flow4.transport, Transport::ICMP);
        assert_eq!((flow4.src.port, flow4.dst.port), (0, 0));
        assert_eq!(flow4.handshake, None);
        icmp.fields[ORIG_H] = Some(b"2001:db8::1");
        assert_eq!(flow(icmp).unwrap().transport, Transport::ICMPV6);
        assert_eq!(
            flow(with("ip_proto", Some("47"))).unwrap().transport,
            Transport::Other(47)
        );
    }

    #[test]
    fn masked_and_negative_values_are_named() {
        assert_eq!(
            flow(with("ts", Some("XXXXXXXXXX.XXXXXX"))).unwrap_err(),
            "column \"ts\": \"XXXXXXXXXX.XXXXXX\" is not a number of seconds"
        );
        assert_eq!(
            flow(with("duration", Some("-1.0"))).unwrap_err(),
            "column \"duration\": \"-1.0\" is negative"
        );
        assert_eq!(
            flow(with("conn_state", Some("S9"))).unwrap_err(),
            "column \"conn_state\": \"S9\" is not a connection state"
        );
    }

    #[test]
    fn services_are_labels() {
        let label = |services: &str| {
            let app = application(services.as_bytes()).unwrap();
            app.map(|app| app.to_string())
        };
        assert_eq!(label("ssl").as_deref(), Some("tls"));
        assert_eq!(label("quic,ssl").as_deref(), Some("tls"));
        assert_eq!(label("gssapi,ntlm").as_deref(), Some("gssapi"));
        assert_eq!(label("bittorrenttracker").as_deref(), Some("bittorrent"));
        assert_eq!(label("-ssl,smb").as_deref(), Some("smb"));
        assert_eq!(label("-ssl"), None);
    }
}
