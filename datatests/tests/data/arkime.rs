//! Packets and bytes of every conversation beside Arkime's sessions.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Endpoint, FlowKey, Transport, Volume};
use peerscope_meter::{ByteCount, Classifiers, MeterConfig, Tunnels};
use serde_json::Value;

use crate::metering::{Conversations, files, meter, name, text};
use crate::test;

/// Captures known to differ, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("gre-erspan.pcap", "ERSPAN inside GRE is not followed"),
    ("gre-erspan-vxlan.pcap", "nor is VXLAN inside that"),
    (
        "single-packets.pcap",
        "a lone FIN from port 80 is counted for the side that did not send it",
    ),
    (
        "socks5-http-302-frag.pcap",
        "Arkime counts a datagram put together from fragments, we count each fragment",
    ),
];

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    vec![test(
        "arkime::sessions_agree",
        root,
        "public/arkime",
        |folder| sessions_agree(&folder),
    )]
}

fn sessions_agree(folder: &Path) -> Result<(), Failed> {
    let config = MeterConfig::new()
        .with_classifiers(Classifiers::none())
        .with_byte_count(ByteCount::Frame)
        .with_tunnels(Tunnels::Inner);
    let (mut sessions, mut packets, mut differing) = (0, 0, 0);
    let mut unexplained = Vec::new();
    for path in files(folder)? {
        if path.extension().is_none_or(|extension| extension != "test") {
            continue;
        }
        let mut expected = Conversations::default();
        let document: Value = serde_json::from_str(&text(&path)?)?;
        for session in document["sessions3"].as_array().into_iter().flatten() {
            let (key, sent, answered) = session_of(&session["body"]).ok_or("no session")?;
            sessions += 1;
            packets += sent.packets + answered.packets;
            expected.add(key, sent, answered);
        }
        let capture = path.with_extension("pcap");
        let found = Conversations::of(&meter(&capture, config.clone()).flows);
        let mut wrong = expected.differences(&found);
        wrong.extend(found.differences(&expected));
        let known = EXPLAINED.iter().any(|(known, _)| *known == name(&capture));
        if known == wrong.is_empty() {
            unexplained.push(format!("{}:\n  {}", name(&capture), wrong.join("\n  ")));
        }
        differing += usize::from(known);
    }
    println!(
        "arkime: {sessions} sessions, {packets} packets; {differing} captures differ, explained"
    );
    if unexplained.is_empty() && sessions > 100 {
        Ok(())
    } else {
        Err(unexplained.join("\n").into())
    }
}

fn session_of(body: &Value) -> Option<(FlowKey, Volume, Volume)> {
    let transport = Transport::from_number(u8::try_from(body["ipProtocol"].as_u64()?).ok()?);
    let ported = matches!(transport, Transport::Tcp | Transport::Udp);
    let end = |side: &Value| {
        let port = side["port"].as_u64().filter(|_| ported).unwrap_or(0);
        let ip = side["ip"].as_str()?.parse().ok()?;
        Some(Endpoint::new(ip, u16::try_from(port).ok()?))
    };
    let volume = |side: &Value| {
        let (packets, bytes) = (side["packets"].as_u64()?, side["bytes"].as_u64()?);
        Some(Volume::new(packets, bytes))
    };
    let (source, destination) = (&body["source"], &body["destination"]);
    let key = FlowKey {
        transport,
        src: end(source)?,
        dst: end(destination)?,
    };
    Some((key, volume(source)?, volume(destination)?))
}
