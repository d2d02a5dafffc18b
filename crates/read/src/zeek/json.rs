//! The JSON layout: one object a line, unset fields left out.

use std::borrow::Cow;

use peerscope_flow::Flow;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::record::{Memo, Record};
use crate::{Fault, Problem, number};

/// Numbers are kept as text, so that times are read exactly.
#[derive(Deserialize)]
struct Connection<'a> {
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow, rename = "id.orig_h")]
    orig_h: Option<Text<'a>>,
    #[serde(borrow, rename = "id.orig_p")]
    orig_p: Option<&'a RawValue>,
    #[serde(borrow, rename = "id.resp_h")]
    resp_h: Option<Text<'a>>,
    #[serde(borrow, rename = "id.resp_p")]
    resp_p: Option<&'a RawValue>,
    #[serde(borrow)]
    proto: Option<Text<'a>>,
    #[serde(borrow)]
    duration: Option<&'a RawValue>,
    #[serde(borrow)]
    orig_pkts: Option<&'a RawValue>,
    #[serde(borrow)]
    orig_ip_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    resp_pkts: Option<&'a RawValue>,
    #[serde(borrow)]
    resp_ip_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    conn_state: Option<Text<'a>>,
    #[serde(borrow)]
    history: Option<Text<'a>>,
    #[serde(borrow)]
    resp_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    service: Option<Text<'a>>,
    #[serde(borrow)]
    ip_proto: Option<&'a RawValue>,
}

/// Text that is copied only if it holds escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The flow of one JSON line.
pub(super) fn flow(line: &[u8], memo: &mut Memo) -> Result<Flow, Fault> {
    let connection: Connection<'_> = serde_json::from_slice(line)?;
    let record = Record {
        fields: [
            raw(connection.ts),
            str(connection.orig_h.as_ref()),
            raw(connection.orig_p),
            str(connection.resp_h.as_ref()),
            raw(connection.resp_p),
            str(connection.proto.as_ref()),
            raw(connection.duration),
            raw(connection.orig_pkts),
            raw(connection.orig_ip_bytes),
            raw(connection.resp_pkts),
            raw(connection.resp_ip_bytes),
            str(connection.conn_state.as_ref()),
            str(connection.history.as_ref()),
            raw(connection.resp_bytes),
            str(connection.service.as_ref()),
            raw(connection.ip_proto),
        ],
    };
    record.flow(time, memo)
}

fn raw(value: Option<&RawValue>) -> Option<&[u8]> {
    value.map(|value| value.get().as_bytes())
}

fn str<'a>(value: Option<&'a Text<'_>>) -> Option<&'a [u8]> {
    value
        .map(|text| text.0.as_bytes())
        .filter(|text| !text.is_empty())
}

/// Zeek writes times as seconds, as milliseconds or as ISO 8601 text.
fn time(text: &[u8]) -> Result<u64, Problem> {
    if let [b'"', inner @ .., b'"'] = text {
        let time: jiff::Timestamp = std::str::from_utf8(inner)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Problem::NotATime)?;
        let micros = (time.as_nanosecond() + 500).div_euclid(1000);
        return u64::try_from(micros).map_err(|_| Problem::Negative);
    }
    match number::micros(text) {
        // Seconds end in the year 2255; milliseconds of 1971 and later lie above.
        Err(Problem::TooLarge) => number::micros(&[text, b"e-3".as_slice()].concat()),
        seconds => seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_every_form_are_exact() {
        for (text, expected) in [
            ("1713484795.943239", 1_713_484_795_943_239),
            ("1713484795943", 1_713_484_795_943_000),
            ("1713484795943.239", 1_713_484_795_943_239),
            ("\"2024-04-18T23:59:55.943239Z\"", 1_713_484_795_943_239),
        ] {
            assert_eq!(time(text.as_bytes()), Ok(expected), "{text}");
        }
        assert_eq!(time(b"\"yesterday\""), Err(Problem::NotATime));
        assert_eq!(time(b"\"1969-12-31T00:00:00Z\""), Err(Problem::Negative));
        assert_eq!(time(b"[1]"), Err(Problem::NotSeconds));
    }
}
