//! Zeek's conn.log: both layouts, their agreement, and bad input.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fmt::Write as _;

use peerscope_flow::{Flow, Handshake, InitiatorEvidence, Transport};
use peerscope_read::{ReadOptions, ZeekReader};
use proptest::prelude::*;

const FIELDS: &str = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents";
const GOOD: &str = "1713484795.943239\tC1\t192.0.2.7\t25320\t10.0.0.1\t4662\ttcp\tssl\t1.000064\t9\t7\tSF\t-\t-\t0\tShADadFf\t5\t260\t4\t212\t-";

fn header() -> String {
    format!(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#open\t2024-04-19-00-00-01\n#fields\t{FIELDS}\n#types\ttime\n"
    )
}

fn read(text: impl AsRef<[u8]>) -> Vec<Result<Flow, String>> {
    ZeekReader::new("conn.log", text.as_ref(), &ReadOptions::new())
        .map(|flow| flow.map_err(|error| error.to_string()))
        .collect()
}

fn one(record: &str) -> Result<Flow, String> {
    let mut all = read(format!(
        "{}{record}\n#close\t2024-04-19-01-00-00\n",
        header()
    ));
    assert_eq!(all.len(), 1);
    all.pop().unwrap()
}

#[test]
fn a_connection_becomes_a_flow() {
    let flow = one(GOOD).unwrap();
    assert_eq!(flow.span.start().as_micros(), 1_713_484_795_943_239);
    assert_eq!(flow.span.end().as_micros(), 1_713_484_796_943_303);
    assert_eq!(
        flow.key().to_string(),
        "tcp 192.0.2.7:25320 > 10.0.0.1:4662"
    );
    assert_eq!(flow.handshake, Some(Handshake::Complete));
    assert_eq!(flow.initiator, InitiatorEvidence::SynSeen);
    assert_eq!((flow.fwd.packets, flow.fwd.bytes), (5, 260));
    assert_eq!((flow.rev.packets, flow.rev.bytes), (4, 212));
    assert_eq!(flow.rev_payload_bytes, Some(7));
    assert_eq!(flow.app.unwrap().as_str(), "tls");
}

#[test]
fn an_unanswered_datagram_has_no_duration() {
    let flow =
        one("1.5\tC1\t192.0.2.7\t1\t10.0.0.1\t2\tudp\t-\t-\t-\t-\tS0\t-\t-\t0\tD\t1\t60\t-\t-\t-")
            .unwrap();
    assert_eq!(flow.span.micros(), 0);
    assert_eq!((flow.rev.packets, flow.rev.bytes), (0, 0));
    assert_eq!(flow.rev_payload_bytes, None);
    assert_eq!(
        (flow.transport, flow.handshake, flow.app),
        (Transport::Udp, None, None)
    );
}

#[test]
fn bad_records_are_named_and_passed() {
    for (record, expected) in [
        (
            GOOD.replace("1713484795.943239", "XXXXXXXXXX.XXXXXX"),
            "column \"ts\": \"XXXXXXXXXX.XXXXXX\" is not a number of seconds",
        ),
        (
            GOOD.replace("1713484795.943239", "-"),
            "column \"ts\" has no value",
        ),
        (
            GOOD.replace("1.000064", "-1"),
            "column \"duration\": \"-1\" is negative",
        ),
        (
            GOOD.replace("\t260\t", "\t-\t"),
            "column \"orig_ip_bytes\" has no value",
        ),
        (
            GOOD.replace("\t4\t212", "\t-4\t212"),
            "column \"resp_pkts\": \"-4\" is negative",
        ),
        (
            GOOD.replace("\t-\t-\t0\t", "\t-\t0\t"),
            "20 fields where the header has 21",
        ),
        (format!("{GOOD}\tx"), "22 fields where the header has 21"),
        (
            GOOD.replace("10.0.0.1", "fe80::1%eth0"),
            "column \"id.resp_h\": \"fe80::1%eth0\" is not an IP address",
        ),
        (
            GOOD.replace("tcp", "unknown_transport"),
            "column \"proto\": \"unknown_transport\" is not a transport",
        ),
    ] {
        let all = read(format!("{}{record}\n{GOOD}\n", header()));
        assert_eq!(
            all[0].as_ref().unwrap_err(),
            &format!("conn.log:9: {expected}")
        );
        assert!(all[1].is_ok() && all.len() == 2);
    }
}

#[test]
fn headers_are_checked() {
    assert_eq!(read(""), [Err("conn.log: the file is empty".to_owned())]);
    assert!(read(header()).is_empty());
    assert_eq!(
        read(GOOD),
        [Err(
            "conn.log:1: no header names the columns before the first record".to_owned()
        )]
    );
    let without = header().replace("\thistory", "");
    assert_eq!(
        read(without),
        [Err("conn.log:7: column \"history\" is missing".to_owned())]
    );
    let twice = header().replace("\tuid", "\tts");
    assert_eq!(
        read(twice),
        [Err("conn.log:7: column \"ts\" occurs twice".to_owned())]
    );
    assert_eq!(
        read("#separator abc\n"),
        [Err(
            "conn.log:1: bad header line \"#separator abc\"".to_owned()
        )]
    );
}

#[test]
fn concatenated_logs_keep_each_its_own_header() {
    let bars = |text: &str| text.replace('\t', "|").replace("\\x09", "\\x7c");
    let other = bars(&header()).replace("#unset_field|-", "#unset_field|?");
    let second = bars(GOOD).replace("|-|-|", "|?|?|").replace("|ssl|", "|?|");
    let all = read(format!("{}{GOOD}\r\n{other}{second}", header()));
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].as_ref().unwrap().app, None);
    assert_eq!(
        all[0].as_ref().unwrap().key(),
        all[1].as_ref().unwrap().key()
    );
}

#[test]
fn labels_set_off_by_blanks_are_fields_of_their_own() {
    let labelled = header().replace("tunnel_parents", "tunnel_parents   label   detailed-label");
    let tabbed = header().replace("tunnel_parents", "tunnel_parents\tlabel\tdetailed-label");
    let plain = one(GOOD);
    for (header, tail) in [
        (&labelled, "   Malicious   Scan"),
        (&labelled, "\tMalicious\tScan"),
        (&tabbed, "   Malicious   Scan"),
        (&tabbed, "\tMalicious   Scan"),
    ] {
        assert_eq!(
            read(format!("{header}{GOOD}{tail}\n")),
            std::slice::from_ref(&plain)
        );
    }
    assert!(read(format!("{tabbed}{GOOD}   Malicious\n"))[0].is_err());
}

#[test]
fn json_errors_have_a_line_and_a_reason() {
    let good = r#"{"ts":1.5,"id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2,"proto":"udp","conn_state":"S0","history":"D","orig_pkts":1,"orig_ip_bytes":60,"resp_pkts":0,"resp_ip_bytes":0}"#;
    assert!(read(good)[0].is_ok());
    for (line, expected) in [
        (
            good.replace("\"ts\":1.5,", ""),
            "column \"ts\" has no value",
        ),
        (good.replace("1.5", "null"), "column \"ts\" has no value"),
        (good.replace("1.5", "\"XXXX\""), "is not an ISO 8601 time"),
        (
            good.replace("\"orig_pkts\":1", "\"orig_pkts\":1.5"),
            "column \"orig_pkts\": \"1.5\" is not a whole number",
        ),
        (
            good.replace("\"orig_pkts\":1", "\"orig_pkts\":-1"),
            "is negative",
        ),
        (good.replace("\"udp\"", "7"), "bad JSON: invalid type"),
        (good[..40].to_owned(), "bad JSON: EOF"),
        (format!("{good}x"), "bad JSON: trailing characters"),
    ] {
        let all = read(format!("{line}\n{good}\n"));
        let message = all[0].as_ref().unwrap_err();
        assert!(
            message.starts_with("conn.log:1: ") && message.contains(expected),
            "{message}"
        );
        assert!(all[1].is_ok());
    }
}

/// One connection's values in the order of [`FIELDS`]; `None` is unset.
fn values() -> impl Strategy<Value = Vec<Option<String>>> {
    let pick =
        |from: &'static [&'static str]| (0..from.len()).prop_map(move |i| Some(from[i].to_owned()));
    let count = || (0..5_000_000_u64).prop_map(|n| Some(n.to_string()));
    let maybe = |value: BoxedStrategy<Option<String>>| prop_oneof![1 => Just(None), 4 => value];
    let seconds = || {
        (0..2_000_000_000_u64, 0..1_000_000_u32).prop_map(|(s, us)| Some(format!("{s}.{us:06}")))
    };
    let states = [
        "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH",
    ];
    let state = (0..states.len()).prop_map(move |i| Some(states[i].to_owned()));
    let ip = || any::<std::net::IpAddr>().prop_map(|ip| Some(ip.to_string()));
    let port = || any::<u16>().prop_map(|port| Some(port.to_string()));
    (
        (
            seconds(),
            ip(),
            port(),
            ip(),
            port(),
            pick(&["tcp", "udp", "icmp"]),
        ),
        (
            maybe(pick(&["dns", "ssl,http", "krb", "-ssl"]).boxed()),
            maybe(seconds().boxed()),
            maybe(count().boxed()),
            maybe(count().boxed()),
            maybe(state.boxed()),
            maybe("[ShAaDdFfRr^]{1,6}".prop_map(Some).boxed()),
        ),
        (
            count(),
            count(),
            maybe(count().boxed()),
            maybe(count().boxed()),
        ),
    )
        .prop_map(
            |(
                (ts, orig_h, orig_p, resp_h, resp_p, proto),
                (service, duration, orig, resp, state, history),
                (op, ob, rp, rb),
            )| {
                let uid = Some("C1".to_owned());
                vec![
                    ts,
                    uid,
                    orig_h,
                    orig_p,
                    resp_h,
                    resp_p,
                    proto,
                    service,
                    duration,
                    orig,
                    resp,
                    state,
                    None,
                    None,
                    Some("0".to_owned()),
                    history,
                    op,
                    ob,
                    rp,
                    rb,
                    None,
                ]
            },
        )
}

fn as_json(values: &[Option<String>]) -> String {
    let text = [
        "uid",
        "id.orig_h",
        "id.resp_h",
        "proto",
        "service",
        "conn_state",
        "history",
    ];
    let mut line = String::new();
    for (name, value) in FIELDS.split('\t').zip(values) {
        let Some(value) = value else { continue };
        let comma = if line.is_empty() { '{' } else { ',' };
        if text.contains(&name) {
            write!(line, "{comma}\"{name}\":\"{value}\"").unwrap();
        } else {
            write!(line, "{comma}\"{name}\":{value}").unwrap();
        }
    }
    line + "}"
}

proptest! {
    #[test]
    fn both_layouts_agree(values in values()) {
        let fields: Vec<&str> = values.iter().map(|v| v.as_deref().unwrap_or("-")).collect();
        let tabbed = one(&fields.join("\t"));
        let json = read(as_json(&values)).pop().unwrap();
        match (tabbed, json) {
            (Ok(tabbed), Ok(json)) => prop_assert_eq!(tabbed, json),
            (Err(tabbed), Err(json)) => prop_assert_eq!(
                tabbed.split_once(' ').unwrap().1,
                json.split_once(' ').unwrap().1
            ),
            (tabbed, json) => prop_assert!(false, "{tabbed:?} but {json:?}"),
        }
    }

    #[test]
    fn any_bytes_are_flows_or_errors(bytes: Vec<u8>, cut: prop::sample::Index) {
        let _ = read(&bytes);
        let mut text = format!("{}{GOOD}\n{{\"ts\":1.5}}\n", header()).into_bytes();
        let at = cut.index(text.len());
        text.splice(at..at, bytes);
        for flow in read(&text).into_iter().flatten() {
            prop_assert!(flow.span.start() <= flow.span.end());
        }
    }
}
