//! Packets and bytes of every conversation beside ipfixprobe's records.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Endpoint, Flow, FlowKey, Transport, Volume};
use peerscope_meter::{Classifiers, MeterConfig};

use crate::metering::{Conversations, files, meter, name, text};
use crate::test;

/// Captures of the plugins that are not named like them.
const CAPTURES: &[(&str, &str)] = &[
    ("basic", "mixed"),
    ("phists", "mixed"),
    ("pstats", "mixed"),
    ("nettisa", "mixed"),
    ("basicplus", "http"),
    ("passivedns", "dns"),
    ("quic", "quic_initial-sample"),
    ("ssadetector", "ovpn"),
];

/// Outputs known to differ: plugin, why.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "netbios",
        "one record per name in a flow, each with the counts of the whole flow",
    ),
    (
        "nettisa",
        "flows of one packet, which `basic` has, are left out",
    ),
    (
        "passivedns",
        "one record per answer in a response, each with the counts of the flow",
    ),
];

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    vec![test(
        "ipfixprobe::outputs_agree",
        root,
        "public/ipfixprobe",
        |folder| outputs_agree(&folder),
    )]
}

/// Its inactive timeout; its active one (300 s) cuts none of these captures.
fn config() -> MeterConfig {
    MeterConfig::new()
        .with_idle_timeout(Duration::from_secs(30))
        .with_classifiers(Classifiers::none())
}

/// A record of one plugin's output.
struct Record {
    key: FlowKey,
    sent: Volume,
    answered: Volume,
}

fn outputs_agree(folder: &Path) -> Result<(), Failed> {
    let mut unexplained = Vec::new();
    let (mut agreeing, mut records, mut matched) = (0, 0, 0);
    let outputs = files(&folder.join("outputs"))?;
    for path in &outputs {
        let plugin = name(path);
        let named = CAPTURES.iter().find(|(other, _)| *other == plugin);
        let capture = named.map_or(plugin.as_str(), |(_, capture)| capture);
        let flows = meter(
            &folder.join("inputs").join(format!("{capture}.pcap")),
            config(),
        )
        .flows;
        let expected = expected(&text(path)?)?;
        let mut sums = Conversations::default();
        for record in &expected {
            sums.add(record.key, record.sent, record.answered);
        }
        records += expected.len();
        matched += expected
            .iter()
            .filter(|record| is_among(record, &flows))
            .count();
        let differing = sums.differences(&Conversations::of(&flows));
        if differing.is_empty() {
            agreeing += 1;
            continue;
        }
        let lines = format!("{plugin}: {}", differing.join("; "));
        match EXPLAINED.iter().find(|(known, _)| *known == plugin) {
            Some((_, why)) => println!("ipfixprobe: {lines}: {why}"),
            None => unexplained.push(lines),
        }
    }
    println!(
        "ipfixprobe: {agreeing} of {} outputs agree in every conversation, {matched} of {records} \
         records are flows here",
        outputs.len()
    );
    if unexplained.is_empty() {
        return Ok(());
    }
    Err(unexplained.join("\n").into())
}

fn is_among(record: &Record, flows: &[Flow]) -> bool {
    flows.iter().any(|flow| {
        (flow.key() == record.key && (flow.fwd, flow.rev) == (record.sent, record.answered))
            || (flow.key() == record.key.reversed()
                && (flow.rev, flow.fwd) == (record.sent, record.answered))
    })
}

/// The records of an output; the line with the names of its columns may stand anywhere.
fn expected(output: &str) -> Result<Vec<Record>, Failed> {
    let header = output.lines().find(|line| line.starts_with("ipaddr "));
    let header = header.ok_or("no header")?;
    let columns: BTreeMap<&str, usize> = header
        .split(',')
        .enumerate()
        .filter_map(|(at, column)| Some((column.split_once(' ')?.1, at)))
        .collect();
    let rows = output
        .lines()
        .filter(|line| !line.is_empty() && *line != header);
    rows.map(|line| record(&columns, line)).collect()
}

fn record(columns: &BTreeMap<&str, usize>, line: &str) -> Result<Record, Failed> {
    let cells: Vec<&str> = line.split(',').collect();
    let cell = |name: &str| -> Result<&str, Failed> {
        let cell = columns.get(name).and_then(|at| cells.get(*at)).copied();
        cell.ok_or_else(|| format!("no {name} in {line:?}").into())
    };
    let transport = Transport::from_number(cell("PROTOCOL")?.parse()?);
    let end = |ip: &str, port: &str| -> Result<Endpoint, Failed> {
        let port = match transport {
            Transport::Tcp | Transport::Udp => cell(port)?.parse()?,
            Transport::Other(_) => 0,
        };
        Ok(Endpoint::new(cell(ip)?.parse()?, port))
    };
    let volume = |packets: &str, bytes: &str| -> Result<Volume, Failed> {
        Ok(Volume::new(cell(packets)?.parse()?, cell(bytes)?.parse()?))
    };
    Ok(Record {
        key: FlowKey {
            transport,
            src: end("SRC_IP", "SRC_PORT")?,
            dst: end("DST_IP", "DST_PORT")?,
        },
        sent: volume("PACKETS", "BYTES")?,
        answered: volume("PACKETS_REV", "BYTES_REV")?,
    })
}
