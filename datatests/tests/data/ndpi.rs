//! Packets and bytes of every flow beside those of nDPI's own regression results.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Flow, Transport};
use peerscope_meter::{
    ByteCount, Classifiers, CutPackets, FlowIdentity, Fragments, Initiator, MeterConfig, TcpClose,
    Tunnels,
};

use crate::metering::{files, meter, name, text};
use crate::test;

/// Captures whose expected flows are within tunnels over UDP, which the meter does not follow.
const SET_APART: &[(&str, &str)] = &[
    ("dtls.pcap", "GTP-U"),
    ("false_positives.pcapng", "GTP-U"),
    ("ipv6_in_gtp.pcap", "GTP-U"),
    ("vxlan.pcap", "VXLAN"),
];

/// Captures known to differ, and why. They count as disagreeing.
const EXPLAINED: &[(&str, &str)] = &[(
    "fuzz-2006-09-29-28586.pcap",
    "a TCP segment shorter than its header: a flow with ports 0 there, a counted skip here",
)];

/// Share of the captures that must agree in every flow, in percent.
const REQUIRED: usize = 98;

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    vec![test("ndpi::flows_agree", root, "public/ndpi", |folder| {
        flows_agree(&folder)
    })]
}

/// nDPI's definition of a flow, from the meter's public options.
pub(crate) fn profile() -> MeterConfig {
    MeterConfig::new()
        .with_idle_timeout(Duration::MAX)
        .with_tcp_close(TcpClose::Ignored)
        .with_identity(FlowIdentity::FiveTupleAndVlan)
        .with_byte_count(ByteCount::CapturedFrame)
        .with_fragments(Fragments::FirstOnly)
        .with_cut_packets(CutPackets::Skip)
        .with_initiator(Initiator::FirstPacket)
        .with_tunnels(Tunnels::Inner)
        .with_classifiers(Classifiers::none())
}

/// A flow as both sides describe it: protocol and ends as text, then packets and bytes each way.
type Row = (String, String, String, [u64; 4]);

fn flows_agree(folder: &Path) -> Result<(), Failed> {
    let mut compared = 0;
    let mut differing = Vec::new();
    for path in files(&folder.join("pcap"))? {
        let capture = name(&path);
        if let Some((_, reason)) = SET_APART.iter().find(|(apart, _)| *apart == capture) {
            println!("ndpi: {capture} set apart: {reason}");
            continue;
        }
        let expected = expected(&text(
            &folder.join("expected").join(format!("{capture}.out")),
        )?)?;
        let metered = meter(&path, profile());
        let found = count(metered.flows.iter().map(row));
        compared += 1;
        if found != expected {
            let known = EXPLAINED.iter().find(|(known, _)| *known == capture);
            let why = known.map_or("not explained", |(_, why)| why);
            let mut lines = vec![format!("{capture}: {why}")];
            lines.extend(metered.error.map(|error| error.to_string()));
            lines.extend(difference("only expected", &expected, &found));
            lines.extend(difference("only found", &found, &expected));
            differing.push(lines.join("\n    "));
        }
    }
    let agreeing = compared - differing.len();
    println!("ndpi: {agreeing} of {compared} captures agree in packets and bytes of every flow");
    for lines in &differing {
        println!("ndpi: differs: {lines}");
    }
    if agreeing * 100 < compared * REQUIRED {
        return Err(format!("only {agreeing} of {compared} captures agree").into());
    }
    Ok(())
}

fn row(flow: &Flow) -> Row {
    let protocol = flow.transport.number().to_string();
    let counts = [
        flow.fwd.packets,
        flow.fwd.bytes,
        flow.rev.packets,
        flow.rev.bytes,
    ];
    (protocol, flow.src.to_string(), flow.dst.to_string(), counts)
}

/// How often each row occurs.
fn count(rows: impl IntoIterator<Item = Row>) -> BTreeMap<Row, usize> {
    let mut counted = BTreeMap::new();
    for row in rows {
        *counted.entry(row).or_default() += 1;
    }
    counted
}

fn difference(
    what: &str,
    these: &BTreeMap<Row, usize>,
    those: &BTreeMap<Row, usize>,
) -> Vec<String> {
    let missing = these.iter().filter(|(row, n)| those.get(row) != Some(n));
    missing
        .take(5)
        .map(|(row, n)| format!("{what}: {n} x {row:?}"))
        .collect()
}

/// The flow lines of a result file.
fn expected(text: &str) -> Result<BTreeMap<Row, usize>, Failed> {
    let mut rows = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap_or_default();
        let (number, protocol, src, arrow, dst) = (word(), word(), word(), word(), word());
        if number.parse::<u64>().is_err() || !matches!(arrow, "<->" | "->") {
            continue;
        }
        rows.push((
            protocol_number(protocol)?,
            end(src)?,
            end(dst)?,
            counts(line)?,
        ));
    }
    Ok(count(rows))
}

/// nDPI writes names where it knows them.
fn protocol_number(name: &str) -> Result<String, Failed> {
    let known = [
        ("ICMPV6", Transport::ICMPV6),
        ("ICMP", Transport::ICMP),
        ("TCP", Transport::Tcp),
        ("UDP", Transport::Udp),
        ("IGMP", Transport::Other(2)),
        ("ESP", Transport::Other(50)),
        ("AH", Transport::Other(51)),
        ("PIM", Transport::Other(103)),
    ];
    let named = known.iter().find(|(known, _)| *known == name);
    match named {
        Some((_, transport)) => Ok(transport.number().to_string()),
        None => name
            .parse::<u8>()
            .map(|number| number.to_string())
            .map_err(|_| format!("unknown protocol {name:?}").into()),
    }
}

/// `1.2.3.4:5` or `[::1]:5`.
fn end(text: &str) -> Result<String, Failed> {
    text.parse::<std::net::SocketAddr>()
        .map(|end| peerscope_flow::Endpoint::new(end.ip(), end.port()).to_string())
        .map_err(|error| format!("{text:?}: {error}").into())
}

/// `..[47 pkts/36653 bytes <-> 39 pkts/4836 bytes]..`
fn counts(rest: &str) -> Result<[u64; 4], Failed> {
    let malformed = || format!("no counts in {rest:?}");
    let field = rest
        .split('[')
        .find(|field| field.contains(" pkts/") && field.contains(" bytes]"))
        .ok_or_else(malformed)?;
    let numbers: Vec<u64> = field
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    numbers
        .get(..4)
        .and_then(|four| four.try_into().ok())
        .ok_or_else(|| malformed().into())
}
