//! Packets and IP bytes of every conversation beside Zeek's conn.log.
//!
//! Zeek splits conversations by other timeouts and logs type and code of ICMP as ports, so both
//! sides are summed up per 5-tuple, in either direction.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Endpoint, FlowKey, Transport, Volume};
use peerscope_meter::{Classifiers, MeterConfig, Tunnels};

use crate::metering::{Conversations, files, meter, name, text};
use crate::test;

/// Captures that hold tunnels the meter does not follow.
const SET_APART: &[(&str, &str)] = &[
    (
        "cisco-fabric-path.pcap",
        "frames within Cisco FabricPath frames",
    ),
    ("tunnels_Teredo.pcap", "IPv6 within Teredo within UDP"),
];

/// Conversations known to differ: capture, conversation, why.
const EXPLAINED: &[(&str, &str, &str)] = &[];

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    vec![test(
        "zeek::conversations_agree",
        root,
        "public/zeek",
        |folder| conversations_agree(&folder),
    )]
}

fn conversations_agree(folder: &Path) -> Result<(), Failed> {
    let mut unexplained = Vec::new();
    let (mut agreeing, mut compared) = (0, 0);
    for path in files(&folder.join("traces"))? {
        let capture = name(&path);
        if let Some((_, why)) = SET_APART.iter().find(|(apart, _)| *apart == capture) {
            println!("zeek: {capture} set apart: {why}");
            continue;
        }
        let log = text(&folder.join("expected").join(format!("{capture}.conn.log")))?;
        let config = MeterConfig::new()
            .with_tunnels(Tunnels::Inner)
            .with_classifiers(Classifiers::none());
        let found = Conversations::of(&meter(&path, config).flows);
        let expected = expected(&log)?;
        compared += expected.len();
        let differing = expected.differences(&found);
        agreeing += expected.len() - differing.len();
        // What is found but not logged there differs too.
        let extra = found.differences(&expected).into_iter();
        let extra = extra.filter(|line| line.ends_with("found none"));
        for difference in differing.into_iter().chain(extra) {
            let known = EXPLAINED
                .iter()
                .find(|(file, key, _)| *file == capture && difference.starts_with(key));
            match known {
                Some((_, _, why)) => println!("zeek: {capture}: {difference}: {why}"),
                None => unexplained.push(format!("{capture}: {difference}")),
            }
        }
    }
    println!("zeek: {agreeing} of {compared} conversations agree in packets and bytes");
    if unexplained.is_empty() {
        return Ok(());
    }
    Err(unexplained.join("\n").into())
}

fn expected(log: &str) -> Result<Conversations, Failed> {
    let mut columns = BTreeMap::new();
    let mut found = Conversations::default();
    for line in log.lines() {
        if let Some(names) = line.strip_prefix("#fields\t") {
            columns = names
                .split('\t')
                .enumerate()
                .map(|(at, name)| (name, at))
                .collect();
        }
        if line.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |name: &str| {
            let at = columns
                .get(name)
                .ok_or_else(|| format!("no column {name}"))?;
            cells
                .get(*at)
                .copied()
                .ok_or_else(|| format!("no {name} in {line:?}"))
        };
        let number = |name: &str| -> Result<u64, Failed> { Ok(cell(name)?.parse()?) };
        let transport = Transport::from_number(u8::try_from(number("ip_proto")?)?);
        let end = |host: &str, port: &str| -> Result<Endpoint, Failed> {
            let port = match transport {
                Transport::Tcp | Transport::Udp => cell(port)?.parse()?,
                Transport::Other(_) => 0,
            };
            Ok(Endpoint::new(cell(host)?.parse()?, port))
        };
        let key = FlowKey {
            transport,
            src: end("id.orig_h", "id.orig_p")?,
            dst: end("id.resp_h", "id.resp_p")?,
        };
        let sent = Volume::new(number("orig_pkts")?, number("orig_ip_bytes")?);
        let answered = Volume::new(number("resp_pkts")?, number("resp_ip_bytes")?);
        found.add(key, sent, answered);
    }
    Ok(found)
}
