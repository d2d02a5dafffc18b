//! Exports of independent meters, paired, beside our own meter on the same packets; and the logs of
//! others, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Endpoint, Flow, FlowKey, InitiatorEvidence, Transport};
use peerscope_meter::{Classifiers, MeterConfig};
use peerscope_read::{
    FaultKind, Format, Merging, NfdumpReader, Pair, Pairing, ReadOptions, ReadReport, Remerge,
    Sidedness, Source,
};

use crate::metering::{files, meter, name, text};
use crate::test;

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    let mut tests = Vec::new();
    for lab in ["lab-a", "lab-smoke"] {
        for file in ["nfdump.csv.gz", "nfdump-ms.csv.gz", "argus.csv.gz"] {
            let name = format!("exports::{lab}_{file}");
            let folder = format!("lab/{lab}");
            tests.push(test(&name, root, &folder, move |folder| {
                lab_capture(&folder, file)
            }));
        }
    }
    tests.push(test("exports::tool_outputs", root, "public", |folder| {
        tool_outputs(&folder)
    }));
    tests.push(test("exports::half_a_feed", root, "lab/lab-a", |folder| {
        half_a_feed(&folder)
    }));
    tests.push(test(
        "exports::merged_again",
        root,
        "public/rita/missing_host/2024-04-19",
        |folder| merged_again(&folder),
    ));
    tests.push(test("exports::binetflow", root, "public/slips", |folder| {
        binetflow(&folder)
    }));
    tests
}

fn read(path: &Path, options: &ReadOptions) -> Result<(Vec<Flow>, ReadReport), Failed> {
    let mut reader = Source::open(path, options)?.into_flows()?;
    let flows = reader.by_ref().collect::<Result<_, _>>()?;
    Ok((flows, reader.into_report()))
}

fn metered(capture: &Path) -> Vec<Flow> {
    meter(
        capture,
        MeterConfig::new().with_classifiers(Classifiers::none()),
    )
    .flows
}

/// How the flows of an export agree with those of the packets.
#[derive(Debug, Default)]
struct Agreement {
    tuples: usize,
    flows: usize,
    /// 5-tuples of one side only.
    only_metered: Vec<FlowKey>,
    only_exported: Vec<FlowKey>,
    /// 5-tuples with another number of flows.
    cut_otherwise: Vec<(FlowKey, [usize; 2])>,
    /// Flows, and those with the same initiator, by how the export knows it.
    initiators: BTreeMap<InitiatorEvidence, [usize; 2]>,
    lone_answers: usize,
    other_packets: usize,
    other_bytes: usize,
    other_handshake: Vec<String>,
}

impl Agreement {
    fn of(metered: &[Flow], exported: &[Flow]) -> Self {
        let (metered, exported) = (by_tuple(metered), by_tuple(exported));
        let mut found = Self {
            tuples: metered.len(),
            only_exported: missing(&exported, &metered),
            only_metered: missing(&metered, &exported),
            ..Self::default()
        };
        for (key, ours) in &metered {
            let Some(theirs) = exported.get(key) else {
                continue;
            };
            if ours.len() != theirs.len() {
                found.cut_otherwise.push((*key, [ours.len(), theirs.len()]));
                continue;
            }
            for (ours, theirs) in ours.iter().zip(theirs) {
                found.compare(ours, theirs);
            }
        }
        found
    }

    fn compare(&mut self, ours: &Flow, theirs: &Flow) {
        self.flows += 1;
        let same = ours.key() == theirs.key();
        let counts = self.initiators.entry(theirs.initiator).or_default();
        counts[0] += 1;
        counts[1] += usize::from(same);
        // Argus takes the sender of a lone SYN-ACK for the initiator.
        self.lone_answers += usize::from(!same && ours.fwd.packets == 0);
        let (fwd, rev) = if same {
            (theirs.fwd, theirs.rev)
        } else {
            (theirs.rev, theirs.fwd)
        };
        self.other_packets +=
            usize::from((ours.fwd.packets, ours.rev.packets) != (fwd.packets, rev.packets));
        self.other_bytes += usize::from((ours.fwd.bytes, ours.rev.bytes) != (fwd.bytes, rev.bytes));
        if ours.handshake != theirs.handshake {
            let key = ours.key();
            let (ours, theirs) = (ours.handshake, theirs.handshake);
            self.other_handshake
                .push(format!("{key}: {ours:?}, exported {theirs:?}"));
        }
    }

    /// Flows whose initiator is decided, and those of them that agree.
    fn decided(&self) -> [usize; 2] {
        use InitiatorEvidence::{EarlierStart, Exporter, SynSeen};
        let mut sum = [0; 2];
        for evidence in [SynSeen, Exporter, EarlierStart] {
            let [flows, same] = self.initiators.get(&evidence).copied().unwrap_or_default();
            sum = [sum[0] + flows, sum[1] + same];
        }
        sum
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [decided, right] = self.decided();
        let weak: usize = self
            .initiators
            .values()
            .map(|counts| counts[0])
            .sum::<usize>()
            - decided;
        let weak_right: usize = self
            .initiators
            .values()
            .map(|counts| counts[1])
            .sum::<usize>()
            - right;
        write!(
            f,
            "{} of {} 5-tuples, {} more; {} flows in both, {} 5-tuples cut otherwise; initiator \
             decided {decided}, the same {right}; weak {weak} ({:.1} %), the same {weak_right}; other \
             packets {}, bytes {}, handshake {}; {:?}",
            self.tuples - self.only_metered.len(),
            self.tuples,
            self.only_exported.len(),
            self.flows,
            self.cut_otherwise.len(),
            100.0 * weak as f64 / self.flows.max(1) as f64,
            self.other_packets,
            self.other_bytes,
            self.other_handshake.len(),
            self.initiators,
        )
    }
}

/// Flows by 5-tuple, whichever end it begins with, in order of time.
fn by_tuple(flows: &[Flow]) -> BTreeMap<FlowKey, Vec<&Flow>> {
    let mut tuples = BTreeMap::<_, Vec<_>>::new();
    for flow in flows {
        let key = flow.key();
        let key = if key.dst < key.src {
            key.reversed()
        } else {
            key
        };
        tuples.entry(key).or_default().push(flow);
    }
    for flows in tuples.values_mut() {
        flows.sort_by_key(|flow| flow.span.start());
    }
    tuples
}

fn missing<T>(of: &BTreeMap<FlowKey, T>, from: &BTreeMap<FlowKey, T>) -> Vec<FlowKey> {
    of.keys()
        .filter(|key| !from.contains_key(key))
        .copied()
        .collect()
}

/// Both lab captures: everything agrees; where Argus puts two refused attempts in one row, one flow
/// is all there can be.
fn lab_capture(folder: &Path, file: &str) -> Result<(), Failed> {
    let metered = metered(&folder.join("pop-wan.pcap.zst"));
    let (flows, report) = read(&folder.join(file), &ReadOptions::new())?;
    let found = Agreement::of(&metered, &flows);
    println!("exports: {}: {found}", report.name);
    let feed = report.feed.as_ref().ok_or("no feed")?;
    let rows = u64::try_from(rows(&folder.join(file))?)?;
    let [decided, right] = found.decided();
    let merged = found
        .cut_otherwise
        .iter()
        .all(|(_, [ours, theirs])| theirs < ours);
    let cut = usize::from(file.starts_with("argus"));
    let holds = [
        ("every row is read", report.records == rows),
        (
            "5-tuples",
            found.only_metered.is_empty() && found.only_exported.is_empty(),
        ),
        ("cuts", found.cut_otherwise.len() <= cut && merged),
        ("decided initiators", decided == right && decided > 0),
        ("packets", found.other_packets == 0),
        ("bytes", found.other_bytes == 0),
        ("handshakes", found.other_handshake.is_empty()),
        (
            "both directions",
            feed.sidedness() == Sidedness::Both && feed.sampling().is_none(),
        ),
        (
            "packets seen once",
            feed.repeated == 0 && feed.lasting > 0 && !feed.is_seen_twice(),
        ),
    ];
    all_hold(&holds)
}

fn all_hold(holds: &[(&str, bool)]) -> Result<(), Failed> {
    match holds.iter().find(|(_, holds)| !holds) {
        Some((what, _)) => Err(format!("{what} differ").into()),
        None => Ok(()),
    }
}

/// The lines of a compressed text file, less its header.
fn rows(path: &Path) -> Result<usize, Failed> {
    let mut text = String::new();
    let mut input = Source::open(path, &ReadOptions::new())?.into_input();
    std::io::Read::read_to_string(&mut input, &mut text)?;
    Ok(text.lines().count() - 1)
}

/// The lab's records of one direction only are a one-sided feed.
fn half_a_feed(folder: &Path) -> Result<(), Failed> {
    let options = ReadOptions::new();
    for outgoing in [true, false] {
        let source = Source::open(folder.join("nfdump-ms.csv.gz"), &options)?;
        let records = NfdumpReader::new("nfdump", source.into_input(), &options).filter(|record| {
            let monitored =
                |end: Endpoint| matches!(end.ip, IpAddr::V4(ip) if ip.octets()[..2] == [100, 64]);
            record
                .as_ref()
                .is_ok_and(|record| monitored(record.src) == outgoing)
        });
        let mut pair = Pair::new(records, Pairing::new());
        pair.by_ref().try_for_each(|flow| flow.map(|_| ()))?;
        let feed = pair.feed();
        let withheld = feed.withheld();
        let named = |metric: &str| withheld.iter().any(|one| one.metric == metric);
        println!(
            "exports: half a feed: {} of {} flows one-sided, {} of them halves of connections, {} \
             metrics withheld",
            feed.one_sided,
            feed.flows,
            feed.halves,
            withheld.len()
        );
        all_hold(&[
            (
                "sides",
                feed.sidedness() == Sidedness::One && feed.sampling().is_none(),
            ),
            ("failures withheld", named("outin-failure-ratio-TCP")),
            ("unanswered withheld", named("inout-fract-unanswered-UDP")),
        ])?;
    }
    Ok(())
}

/// A day of Zeek's flows merged with the paper's timeout: no packet is lost, and what is merged once
/// stays so.
fn merged_again(folder: &Path) -> Result<(), Failed> {
    let mut flows = Vec::new();
    for path in files(folder)? {
        if name(&path).starts_with("conn.") {
            flows.extend(read(&path, &ReadOptions::new())?.0);
        }
    }
    flows.sort_by_key(|flow| flow.span.start());
    let packets = |flows: &[Flow]| -> u64 {
        flows
            .iter()
            .map(|flow| flow.fwd.packets + flow.rev.packets)
            .sum()
    };
    let merge = |flows: Vec<Flow>| {
        let mut flows: Vec<_> =
            Remerge::new(flows.into_iter().map(Ok::<_, Failed>), Merging::new())
                .collect::<Result<_, _>>()?;
        flows.sort_by_key(|flow| flow.span.start());
        Ok::<_, Failed>(flows)
    };
    let (parts, sum) = (flows.len(), packets(&flows));
    let once = merge(flows)?;
    let twice = merge(once.clone())?;
    println!(
        "exports: {parts} flows of Zeek are {} with a gap of 600 s",
        once.len()
    );
    all_hold(&[
        ("packets", packets(&once) == sum),
        ("flows merged twice", once.len() == twice.len()),
        ("something is merged", once.len() < parts),
    ])
}

/// nfdump's and Argus' view of nine captures of others.
///
/// What differs, each for a known reason: nfdump stops at IPv6 hop-by-hop options and gives protocol
/// 0; Argus shows what an IGMP packet asks for instead of its addresses; either may report several
/// attempts on one 5-tuple in one record; the lengths of frames that Argus gives include padding.
fn tool_outputs(folder: &Path) -> Result<(), Failed> {
    const HOP_BY_HOP: Transport = Transport::Other(0);
    const IGMP: Transport = Transport::Other(2);
    let mut compared = 0;
    for path in files(&folder.join("tool-outputs"))? {
        let file = name(&path);
        let nfdump = file.strip_suffix(".nfdump.csv");
        let Some(capture) = nfdump.or(file.strip_suffix(".ra.csv")) else {
            continue;
        };
        let places = ["ndpi/pcap", "zeek/traces", "ipfixprobe/inputs"];
        let mut captures = places.iter().map(|place| folder.join(place).join(capture));
        let capture: PathBuf = captures.find(|path| path.is_file()).ok_or("no capture")?;
        let (flows, report) = read(&path, &ReadOptions::new())?;
        let found = Agreement::of(&metered(&capture), &flows);
        println!("exports: {file}: {} rows: {found}", report.records);
        let odd = if nfdump.is_some() { HOP_BY_HOP } else { IGMP };
        let rows = u64::try_from(text(&path)?.lines().count() - 1)?;
        let [decided, right] = found.decided();
        all_hold(&[
            ("every row is read", report.records == rows),
            (
                "rows skipped",
                report.skipped.keys().all(|&kind| kind == FaultKind::NotIp),
            ),
            (
                "5-tuples",
                found.only_exported.iter().all(|key| key.transport == odd),
            ),
            (
                "odd 5-tuples",
                found.only_exported.len() == found.only_metered.len(),
            ),
            (
                "cuts",
                found
                    .cut_otherwise
                    .iter()
                    .all(|(_, [ours, theirs])| theirs < ours),
            ),
            ("decided initiators", decided == right + found.lone_answers),
            ("packets", found.other_packets == 0),
            ("bytes", nfdump.is_none() || found.other_bytes == 0),
            ("handshakes", found.other_handshake.is_empty()),
        ])
        .map_err(|failed| format!("{file}: {failed:?}"))?;
        compared += 1;
    }
    all_hold(&[("number of files", compared == 18)])
}

/// Every row of three .binetflow files, beside sums of the text itself.
fn binetflow(folder: &Path) -> Result<(), Failed> {
    for (file, rows) in [
        ("CTU-Normal-7-2013-13-07.binetflow", 9797),
        ("test-sality.binetflow", 1005),
        ("test2-malicious.binetflow", 6751),
    ] {
        let path = folder.join(file);
        let text = text(&path)?;
        let (flows, report) = read(&path, &ReadOptions::new())?;
        println!(
            "exports: {file}: {} rows, {} flows, skipped {:?}",
            report.records, report.flows, report.skipped
        );
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let column = |name: &str| {
            header
                .iter()
                .position(|cell| *cell == name)
                .ok_or("no column")
        };
        let (proto, packets) = (column("Proto")?, column("TotPkts")?);
        let (mut other, mut sum) = (0_u64, 0_u64);
        for line in lines {
            let cells: Vec<&str> = line.split(',').collect();
            if ["arp", "llc", "man"].contains(&cells[proto]) {
                other += 1;
            } else {
                sum += cells[packets].parse::<u64>()?;
            }
        }
        let found: u64 = flows
            .iter()
            .map(|flow| flow.fwd.packets + flow.rev.packets)
            .sum();
        all_hold(&[
            ("formats", report.format == Format::Argus),
            ("rows", report.records == rows),
            ("rows that are not IP", report.skipped_records() == other),
            (
                "reasons",
                report.skipped.keys().all(|&kind| kind == FaultKind::NotIp),
            ),
            ("packets", found == sum),
        ])?;
    }
    Ok(())
}
