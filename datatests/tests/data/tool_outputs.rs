//! Packets and IP bytes of every conversation beside nfdump's unidirectional flows.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Endpoint, FlowKey, Transport, Volume};
use peerscope_meter::{Classifiers, MeterConfig};

use crate::metering::{Conversations, files, meter, name, text};
use crate::test;

/// How a conversation begins whose protocol nfdump takes for IPv6 hop-by-hop options: it does not
/// walk over extension headers.
const HOP_BY_HOP: &str = "0 ";

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    let name = "tool_outputs::nfdump_conversations_agree";
    vec![test(name, root, "public", |folder| nfdump_agrees(&folder))]
}

fn nfdump_agrees(folder: &Path) -> Result<(), Failed> {
    let mut differing = Vec::new();
    let (mut compared, mut explained) = (0, 0);
    for path in files(&folder.join("tool-outputs"))? {
        let Some(capture) = name(&path).strip_suffix(".nfdump.csv").map(str::to_owned) else {
            continue;
        };
        let places = ["ndpi/pcap", "zeek/traces", "ipfixprobe/inputs"];
        let found = places.iter().map(|place| folder.join(place).join(&capture));
        let Some(trace) = found.into_iter().find(|path| path.is_file()) else {
            return Err(format!("no capture {capture}").into());
        };
        let config = MeterConfig::new().with_classifiers(Classifiers::none());
        let found = Conversations::of(&meter(&trace, config).flows);
        let expected = nfdump(&text(&path)?)?;
        compared += expected.len();
        for line in expected.differences(&found) {
            if line.starts_with(HOP_BY_HOP) {
                explained += 1;
                println!("tool_outputs: {capture}: {line}: nfdump stops at hop-by-hop options");
            } else {
                differing.push(format!("{capture}: {line}"));
            }
        }
    }
    println!(
        "tool_outputs: {} of {compared} conversations agree with nfdump",
        compared - explained - differing.len()
    );
    if differing.is_empty() && compared > 0 {
        return Ok(());
    }
    Err(differing.join("\n").into())
}

fn nfdump(csv: &str) -> Result<Conversations, Failed> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut sums = Conversations::default();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |name: &str| -> Result<&str, Failed> {
            let at = header.iter().position(|column| *column == name);
            let cell = at.and_then(|at| cells.get(at)).copied();
            cell.ok_or_else(|| format!("no {name} in {line:?}").into())
        };
        let transport = Transport::from_number(cell("proto")?.parse()?);
        let end = |ip: &str, port: &str| -> Result<Endpoint, Failed> {
            let port = match transport {
                Transport::Tcp | Transport::Udp => cell(port)?.parse()?,
                Transport::Other(_) => 0,
            };
            Ok(Endpoint::new(cell(ip)?.parse()?, port))
        };
        let key = FlowKey {
            transport,
            src: end("src", "sport")?,
            dst: end("dst", "dport")?,
        };
        let sent = Volume::new(cell("packets")?.parse()?, cell("bytes")?.parse()?);
        sums.add(key, sent, Volume::ZERO);
    }
    Ok(sums)
}
