//! Captures of `NetFlow` v9 and IPFIX packets against what pmacct's nfacctd made of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Endpoint, Transport};
use peerscope_read::{ExportReader, Format, ReadOptions, Source, TcpFlags};
use serde_json::Value;

use crate::test;

/// A folder of captures and one file of expected rows.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    folder: &'static str,
    /// Rows that nfacctd wrote, and records that we read.
    rows: usize,
    records: u64,
    /// nfacctd multiplies volumes by the sampling rate; ours are as exported.
    scaled_by: u64,
}

const CASES: [Case; 4] = [
    Case {
        name: "netflow::ipfix",
        folder: "public/pmacct/100-IPFIXv10-CISCO",
        rows: 12,
        records: 12,
        scaled_by: 1,
    },
    Case {
        name: "netflow::v9",
        folder: "public/pmacct/101-NFv9-CISCO-cust_primitives",
        rows: 51,
        records: 51,
        scaled_by: 1,
    },
    Case {
        name: "netflow::ipfix_sampled",
        folder: "public/pmacct/104-IPFIXv10-IPv6-CISCO-sampling_option",
        rows: 3,
        records: 3,
        scaled_by: 256,
    },
    // nfacctd adds up the records of one key: fewer rows than records, the same sums.
    Case {
        name: "netflow::three_exporters",
        folder: "public/pmacct/110-IPFIXv10-NFv9-multiple-sources",
        rows: 72,
        records: 98,
        scaled_by: 1,
    },
];

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    let trial = |case: Case| {
        test(case.name, root, case.folder, move |folder| {
            check(case, &folder)
        })
    };
    CASES.into_iter().map(trial).collect()
}

/// Packets and bytes, and the TCP flags combined, of a directed 5-tuple.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    packets: u64,
    bytes: u64,
    flags: u8,
}

type Sums = BTreeMap<(Transport, Endpoint, Endpoint), Sum>;

fn check(case: Case, folder: &Path) -> Result<(), Failed> {
    let (rows, expected) = expected(&folder.join("output-flow-00.json"))?;
    let (mut ours, mut records, mut sampled) = (Sums::new(), 0, None);
    for capture in 0.. {
        let path = folder.join(format!("traffic-{capture:02}.pcap"));
        if !path.exists() {
            break;
        }
        let format = Source::open(&path, &ReadOptions::new())?.format();
        if format != Format::Netflow {
            return Err(format!("{} is taken for {format}", path.display()).into());
        }
        let mut reader = ExportReader::new(&path.display().to_string(), File::open(&path)?)?;
        for record in &mut reader {
            let record = record?;
            let sum = ours
                .entry((record.transport, record.src, record.dst))
                .or_default();
            sum.packets += record.fwd.packets * case.scaled_by;
            sum.bytes += record.fwd.bytes * case.scaled_by;
            sum.flags |= record.fwd_flags.map_or(0, TcpFlags::bits);
        }
        let report = reader.report();
        records += report.records;
        sampled = sampled.max(report.sampled_one_in);
        println!("{}: {report:?}", path.display());
    }
    println!(
        "{}: {records} records, {} 5-tuples; nfacctd {rows} rows",
        case.name,
        ours.len()
    );
    if (rows, records) != (case.rows, case.records) {
        return Err(format!("{rows} rows and {records} records").into());
    }
    if sampled.unwrap_or(1) != case.scaled_by {
        return Err(format!("sampled one in {sampled:?}").into());
    }
    for (key, expected) in &expected {
        if ours.get(key) != Some(expected) {
            return Err(format!("{key:?}: {:?} for {expected:?}", ours.get(key)).into());
        }
    }
    if ours.len() != expected.len() {
        return Err(format!("{} 5-tuples for {}", ours.len(), expected.len()).into());
    }
    Ok(())
}

fn expected(path: &Path) -> Result<(usize, Sums), Failed> {
    let mut sums = Sums::new();
    let mut rows = 0;
    for line in fs::read_to_string(path)?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let text = |name: &str| row[name].as_str().ok_or(format!("no {name} in {line}"));
        let number = |name: &str| row[name].as_u64().ok_or(format!("no {name} in {line}"));
        let end = |ip: &str, port: &str| -> Result<Endpoint, Failed> {
            Ok(Endpoint::new(
                text(ip)?.parse()?,
                u16::try_from(number(port)?)?,
            ))
        };
        let transport = match text("ip_proto")? {
            "vrrp" => Transport::Other(112),
            name => name.parse()?,
        };
        let key = (
            transport,
            end("ip_src", "port_src")?,
            end("ip_dst", "port_dst")?,
        );
        let sum = sums.entry(key).or_default();
        sum.packets += number("packets")?;
        sum.bytes += number("bytes")?;
        for flag in row["tcp_flags"].as_array().into_iter().flatten() {
            let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
            let bit = names
                .iter()
                .position(|name| flag == name)
                .ok_or(format!("flag {flag}"))?;
            sum.flags |= 1 << bit;
        }
        rows += 1;
    }
    Ok((rows, sums))
}
