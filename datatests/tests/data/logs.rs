//! Zeek logs of others: every record read, and counts as their publishers give them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Family, Flow, Handshake, SlotLength, Topology, Transport};
use peerscope_read::{FaultKind, MergedLogs, Policy, ReadOptions, ReadReport, Source, Waiting};
use peerscope_slot::{Aggregation, HostSlot, aggregate};

use crate::metering::{files, name, text};
use crate::test;

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    vec![
        test(
            "logs::three_days_of_a_server",
            root,
            "public/rita/missing_host",
            |folder| three_days_of_a_server(&folder),
        ),
        test(
            "logs::labelled_logs",
            root,
            "public/stratosphere",
            |folder| labelled_logs(&folder),
        ),
        test(
            "logs::masked_times_are_errors",
            root,
            "public/zeek",
            |folder| masked_times_are_errors(&folder),
        ),
    ]
}

fn read(path: &Path, policy: Policy) -> Result<(Vec<Flow>, ReadReport), Failed> {
    let options = ReadOptions::new().with_policy(policy);
    let mut reader = Source::open(path, &options)?.into_flows()?;
    let flows = reader.by_ref().collect::<Result<_, _>>()?;
    Ok((flows, reader.into_report()))
}

#[expect(clippy::needless_pass_by_value, reason = "calls read better")]
fn check<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), Failed> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?}, not {expected:?}").into())
    }
}

/// The 72 hourly logs of the RITA data set, without the snapshots of open connections.
fn three_days_of_a_server(folder: &Path) -> Result<(), Failed> {
    let mut logs: Vec<PathBuf> = Vec::new();
    for day in ["2024-04-19", "2024-04-20", "2024-04-21"] {
        logs.extend(files(&folder.join(day))?);
    }
    logs.retain(|path| name(path).starts_with("conn."));
    check("logs", logs.len(), 72)?;
    let options = ReadOptions::new();
    let waiting = |path: &PathBuf| Waiting::new(Source::open(path, &options)?);
    let waiting = logs.iter().map(waiting).collect::<Result<_, _>>()?;
    let mut merged = MergedLogs::new(waiting);
    let flows: Vec<Flow> = merged.by_ref().collect::<Result<_, _>>()?;
    for report in merged.into_reports() {
        check("skipped", report.skipped_records(), 0)?;
        check("records", report.records, report.flows)?;
    }
    check("flows", flows.len(), 105_918)?;
    let of = |transport| {
        flows
            .iter()
            .filter(|flow| flow.transport == transport)
            .count()
    };
    check("TCP", of(Transport::Tcp), 86_280)?;
    check("UDP", of(Transport::Udp), 5_385)?;
    // Zeek calls ICMP for IPv6 icmp too.
    let icmp = of(Transport::ICMP) + of(Transport::ICMPV6);
    check("ICMP", icmp, 14_253)?;
    let sources: BTreeSet<IpAddr> = flows.iter().map(|flow| flow.src.ip).collect();
    check("sources", sources.len(), 14_991)?;
    check("hosts", hosts(&flows), 15_091)?;
    let server: IpAddr = "64.225.56.201".parse()?;
    let started = flows.iter().filter(|flow| flow.src.ip == server).count();
    check("started by the server", started, 5_607)?;
    let failed = flows
        .iter()
        .filter(|flow| flow.handshake == Some(Handshake::Failed));
    if failed.count() < 55_342 {
        return Err("fewer failed handshakes than rejected connections".into());
    }

    let beacon: IpAddr = "73.54.23.243".parse()?;
    // The host sent one ping besides.
    let beats = flows
        .iter()
        .filter(|flow| flow.src.ip == beacon && flow.dst.port == 80);
    let beats: Vec<&Flow> = beats.collect();
    check("flows of the beacon", beats.len(), 950)?;
    check("slots of the beacon", active_slots(&beats), 840)?;
    check(
        "slots",
        active_slots(&flows.iter().collect::<Vec<_>>()),
        865,
    )?;
    // The same in samples: everything is monitored, so the beacon's host has its own.
    let config = Aggregation::new(Family::any(), Topology::everything_monitored());
    let samples = aggregate(&flows, &config);
    let of = |host: IpAddr| samples.rows().filter(move |row| row.host == host);
    check("samples of the beacon", of(beacon).count(), 840)?;
    let started = |row: HostSlot| u64::from(row.tcp.inout.started);
    let beats: u64 = of(beacon).map(started).sum();
    check("flows in them", beats, 950)?;
    let slots: BTreeSet<_> = samples.rows().map(|row| row.slot).collect();
    check("slots with samples", slots.len(), 865)
}

fn active_slots(flows: &[&Flow]) -> usize {
    let slots: BTreeSet<i64> = flows
        .iter()
        .flat_map(|flow| {
            let slot = |time| SlotLength::PAPER.slot_of(time).0;
            slot(flow.span.start())..=slot(flow.span.end())
        })
        .collect();
    slots.len()
}

fn hosts(flows: &[Flow]) -> usize {
    let hosts: BTreeSet<IpAddr> = flows
        .iter()
        .flat_map(|flow| [flow.src.ip, flow.dst.ip])
        .collect();
    hosts.len()
}

/// Logs with label columns; each flow beside a naive reading of its line.
fn labelled_logs(folder: &Path) -> Result<(), Failed> {
    for (log, flows_expected, hosts_expected) in [
        ("001-zeek-scenario-malicious/labeled-conn.log", 992, 68),
        ("008-zeek-mixed/conn.log.labeled", 5_663, 1_757),
        ("010-zeek-mixed/conn.log.labeled", 5_347, 1_997),
    ] {
        let path = folder.join(log);
        let (flows, report) = read(&path, Policy::Stop)?;
        check(log, report.flows, flows_expected)?;
        check(log, hosts(&flows), hosts_expected)?;
        let text = text(&path)?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for (line, flow) in lines.zip(&flows) {
            check(line, summary(flow), naive(line))?;
        }
    }
    Ok(())
}

fn summary(flow: &Flow) -> String {
    format!(
        "{} {} {} {:?} {:?}",
        flow.span.start(),
        flow.key(),
        flow.rev.packets,
        flow.handshake,
        flow.rev_payload_bytes
    )
}

/// What [`summary`] should say of a line, by plain string operations and fixed columns.
fn naive(line: &str) -> String {
    let field: Vec<&str> = line.split('\t').collect();
    let start = field[0].replace('.', "");
    let start = start.trim_start_matches('0');
    let (tcp, icmp) = (field[6] == "tcp", field[6] == "icmp");
    let end = |ip: &str, port: &str| {
        let port = if icmp { "0" } else { port };
        if ip.contains(':') {
            format!("[{ip}]:{port}")
        } else {
            format!("{ip}:{port}")
        }
    };
    let transport = match (icmp, field[2].contains(':')) {
        (true, true) => "icmp6",
        (true, false) => "icmp",
        _ => field[6],
    };
    let (state, history) = (field[11], field[15]);
    let outcome = if ["S0", "REJ", "RSTOS0", "SH"].contains(&state) {
        Handshake::Failed
    } else if ["OTH", "SHR", "RSTRH"].contains(&state) {
        Handshake::Unknown
    } else {
        match history.split_once('h') {
            Some((before, after)) if before.contains('S') || after.contains('S') => {
                if after.contains('A') || after.contains('D') {
                    Handshake::Complete
                } else {
                    Handshake::Failed
                }
            }
            _ => Handshake::Unknown,
        }
    };
    let handshake = tcp.then_some(outcome);
    let payload = if handshake == Some(Handshake::Complete) && !history.contains('d') {
        Some(0)
    } else {
        field[10].parse::<u64>().ok()
    };
    format!(
        "{start} {transport} {} > {} {} {handshake:?} {payload:?}",
        end(field[2], field[3]),
        end(field[4], field[5]),
        field[18],
    )
}

/// Zeek's own test baselines mask every time: no number is made of it.
fn masked_times_are_errors(folder: &Path) -> Result<(), Failed> {
    for (capture, records) in [
        ("wikipedia.pcap", 34),
        ("ftp_ipv4.pcap", 5),
        ("ftp_ipv6.pcap", 6),
        ("pop3_pop3.pcap", 11),
        ("ssh_ssh.client-side-half-duplex.pcap", 25),
        ("tunnels_Teredo.pcap", 21),
    ] {
        let path = folder.join("expected").join(format!("{capture}.conn.log"));
        let (flows, report) = read(&path, Policy::Skip)?;
        check(capture, flows.len(), 0)?;
        check(capture, report.records, records)?;
        check(
            capture,
            report.skipped.get(&FaultKind::Value),
            Some(&records),
        )?;
        let expected = ":10: column \"ts\": \"XXXXXXXXXX.XXXXXX\" is not a number of seconds";
        if !report.first_errors[0].ends_with(expected) {
            return Err(report.first_errors[0].clone().into());
        }
    }
    Ok(())
}
