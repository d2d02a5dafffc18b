//! nfdump's JSON: objects over several lines, in an array or not.

use peerscope_flow::{Endpoint, Transport, Volume};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::span;
use crate::error::excerpt;
use crate::text::{time, transport};
use crate::{Fault, Problem, Record, TcpFlags, address, number};

/// The text of an object whose end has not been seen yet.
#[derive(Debug, Default)]
pub(super) struct Object {
    text: Vec<u8>,
    depth: usize,
    quoted: bool,
    escaped: bool,
}

impl Object {
    /// Takes in a line. Where an object ends, the rest of the line may only be `,` or `]`.
    pub(super) fn add(
        &mut self,
        line: &[u8],
        limit: usize,
        offset: i32,
    ) -> Result<Option<Record>, Fault> {
        let mut record = None;
        for &byte in line {
            if self.text.is_empty() && byte != b'{' {
                if matches!(byte, b'[' | b']' | b',') || byte.is_ascii_whitespace() {
                    continue;
                }
                return Err(Fault::JsonText(excerpt(line)));
            }
            if record.is_some() {
                self.clear();
                return Err(Fault::JsonText(excerpt(line)));
            }
            if self.text.len() > limit {
                self.clear();
                return Err(Fault::LineLength { limit });
            }
            self.text.push(byte);
            if self.ends(byte) {
                let text = std::mem::take(&mut self.text);
                self.clear();
                record = Some(flow(&text, offset)?);
            }
        }
        if !self.text.is_empty() {
            self.text.push(b'\n');
        }
        Ok(record)
    }

    /// The fault of an input that ends here.
    pub(super) fn unfinished(&self) -> Option<Fault> {
        (!self.text.is_empty()).then(|| Fault::JsonText(excerpt(&self.text)))
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether `byte` closes the object.
    fn ends(&mut self, byte: u8) -> bool {
        if self.quoted {
            let escaped = std::mem::take(&mut self.escaped);
            match byte {
                b'\\' => self.escaped = !escaped,
                b'"' => self.quoted = escaped,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.quoted = true,
            b'{' => self.depth += 1,
            b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth == 0
    }
}

/// Numbers are kept as text: they may be written as text or as numbers.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, alias = "t_first")]
    first: Option<&'a RawValue>,
    #[serde(borrow, alias = "t_last")]
    last: Option<&'a RawValue>,
    #[serde(borrow)]
    proto: Option<&'a RawValue>,
    #[serde(borrow, alias = "src6_addr")]
    src4_addr: Option<&'a RawValue>,
    #[serde(borrow, alias = "dst6_addr")]
    dst4_addr: Option<&'a RawValue>,
    #[serde(borrow)]
    src_port: Option<&'a RawValue>,
    #[serde(borrow)]
    dst_port: Option<&'a RawValue>,
    #[serde(borrow)]
    tcp_flags: Option<&'a RawValue>,
    #[serde(borrow)]
    in_packets: Option<&'a RawValue>,
    #[serde(borrow)]
    in_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    out_packets: Option<&'a RawValue>,
    #[serde(borrow)]
    out_bytes: Option<&'a RawValue>,
}

fn flow(text: &[u8], offset: i32) -> Result<Record, Fault> {
    let fields: Fields<'_> = serde_json::from_slice(text)?;
    let time = |text: &[u8]| time(text, offset);
    let start = need("first", fields.first, time)?;
    let last = need("last", fields.last, time)?;
    let transport = need("proto", fields.proto, transport)?;
    let has_ports = matches!(transport, Transport::Tcp | Transport::Udp);
    let port = |name, value| {
        if has_ports {
            need(name, value, number::port)
        } else {
            Ok(0)
        }
    };
    let src = need("src4_addr", fields.src4_addr, address::parse)?;
    let dst = need("dst4_addr", fields.dst4_addr, address::parse)?;
    let src = Endpoint::new(src, port("src_port", fields.src_port)?);
    let dst = Endpoint::new(dst, port("dst_port", fields.dst_port)?);
    let flags = get("tcp_flags", fields.tcp_flags, |text| {
        TcpFlags::parse(text).ok_or(Problem::NotFlags)
    })?;
    let out = get("out_packets", fields.out_packets, number::whole)?;
    let out_bytes = get("out_bytes", fields.out_bytes, number::whole)?;
    Ok(Record {
        fwd: Volume::new(
            need("in_packets", fields.in_packets, number::whole)?,
            need("in_bytes", fields.in_bytes, number::whole)?,
        ),
        rev: out
            .filter(|&packets| packets > 0)
            .map(|packets| Volume::new(packets, out_bytes.unwrap_or(0))),
        fwd_flags: flags.filter(|_| transport == Transport::Tcp),
        ..Record::new(transport, src, dst, span(start, last)?)
    })
}

fn get<T>(
    column: &'static str,
    value: Option<&RawValue>,
    parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
) -> Result<Option<T>, Fault> {
    let Some(value) = value.map(|value| value.get().as_bytes()) else {
        return Ok(None);
    };
    let text = value
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""))
        .unwrap_or(value);
    parse(text)
        .map(Some)
        .map_err(|problem| Fault::value(column, text, problem))
}

fn need<T>(
    column: &'static str,
    value: Option<&RawValue>,
    parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
) -> Result<T, Fault> {
    get(column, value, parse)?.ok_or(Fault::Unset(column))
}
