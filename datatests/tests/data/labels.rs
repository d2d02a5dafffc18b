//! Labels beside the truth of the lab captures, and beside nDPI's.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use peerscope_flow::{Application, Endpoint, Flow, Transport};
use peerscope_meter::{Classifiers, MeterConfig};
use serde_json::Value;

use crate::metering::{files, meter, name, text};
use crate::{ndpi, test};

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    let mut trials = Vec::new();
    for capture in ["lab-a", "lab-smoke"] {
        // The lab's time is compressed: 120 s of silence stand for the paper's 600 s.
        for timeout in [600, 120] {
            trials.push(test(
                &format!("labels::{capture}_{timeout}_s"),
                root,
                &format!("lab/{capture}"),
                move |folder| lab(&folder, Duration::from_secs(timeout)),
            ));
        }
    }
    trials.push(test("labels::ndpi", root, "public/ndpi", |folder| {
        beside_ndpi(&folder)
    }));
    trials.push(test("labels::arkime", root, "public/arkime", |folder| {
        beside_arkime(&folder)
    }));
    trials
}

fn is_p2p(app: &Application) -> bool {
    matches!(
        app,
        Application::EMule
            | Application::Kad
            | Application::KadU
            | Application::BitTorrent
            | Application::Dcpp
    )
}

/// Whether a flow carries anything above TCP or UDP: packets longer than the longest headers of
/// the lab, 20 bytes of IP and 60 of TCP, or 8 of UDP; or a response of known length.
fn carries_payload(flow: &Flow) -> bool {
    let headers = match flow.transport {
        Transport::Udp => 28,
        Transport::Tcp | Transport::Other(_) => 60,
    };
    let longer = |packets: u64, bytes: u64| bytes > packets * headers;
    longer(flow.fwd.packets, flow.fwd.bytes)
        || longer(flow.rev.packets, flow.rev.bytes)
        || flow.rev_payload_bytes.is_some_and(|bytes| bytes > 0)
}

/// One of the rules by which the truth names packets.
struct Rule {
    label: String,
    transport: Option<Transport>,
    addresses: Vec<IpAddr>,
    both_ends: bool,
    ports: Vec<u16>,
}

impl Rule {
    fn parse(rule: &Value, amule: &[IpAddr]) -> Result<Self, Failed> {
        let one_or_many = |value: &Value| match value {
            Value::Array(values) => values.clone(),
            other => vec![other.clone()],
        };
        let both_ends = rule.get("both_ends").is_some();
        let transport = rule["proto"].as_str().map(str::parse).transpose()?;
        let ports = one_or_many(&rule["port"]);
        Ok(Self {
            label: rule["label"]
                .as_str()
                .ok_or("a rule without a label")?
                .to_owned(),
            transport,
            addresses: if both_ends {
                amule.to_vec()
            } else {
                addresses(&rule["addr"])?
            },
            both_ends,
            ports: ports
                .iter()
                .filter_map(|port| u16::try_from(port.as_u64()?).ok())
                .collect(),
        })
    }

    fn names(&self, flow: &Flow) -> bool {
        let ours = |end: Endpoint| self.addresses.contains(&end.ip);
        let port = |end: Endpoint| self.ports.contains(&end.port);
        let ends = [flow.src, flow.dst];
        let fits = if self.both_ends {
            ends.into_iter().all(ours) && ends.into_iter().any(port)
        } else {
            ends.into_iter().any(|end| ours(end) && port(end))
        };
        fits && self
            .transport
            .is_none_or(|transport| transport == flow.transport)
    }

    /// The labels that the rule's packets may have.
    fn expected(&self) -> &'static [Application] {
        match self.label.as_str() {
            "kad-or-ed2k-udp" | "kad-udp-4665" => &[Application::Kad, Application::EMule],
            "kad-poisoned-to-victim" => &[Application::Kad],
            "ed2k-tcp" | "ed2k-server" | "ed2k-server-udp" => &[Application::EMule],
            "bt" | "bt-tracker" => &[Application::BitTorrent],
            "adc-hub" | "adc-client" => &[Application::Dcpp],
            "dns" => &[Application::Dns],
            "http" => &[Application::Http],
            _ => &[],
        }
    }
}

fn addresses(list: &Value) -> Result<Vec<IpAddr>, Failed> {
    let list = list.as_array().ok_or("a list of addresses is missing")?;
    let parse = |text: &Value| Ok(text.as_str().ok_or("an address is not text")?.parse()?);
    list.iter().map(parse).collect()
}

/// Every flow with payload has the label of its rule, except encrypted `BitTorrent` over TCP.
fn lab(folder: &Path, idle_timeout: Duration) -> Result<(), Failed> {
    let truth: Value = serde_json::from_str(&text(&folder.join("truth.json"))?)?;
    let amule = addresses(&truth["amule_addresses"])?;
    let rules = truth["label_rules"].as_array().ok_or("no label rules")?;
    let rules: Vec<Rule> = rules
        .iter()
        .map(|rule| Rule::parse(rule, &amule))
        .collect::<Result<_, _>>()?;
    let config = MeterConfig::new().with_idle_timeout(idle_timeout);
    let metered = meter(&folder.join("pop-wan.pcap.zst"), config);

    let mut table = BTreeMap::<(&str, String), u64>::new();
    let mut encrypted = Vec::new();
    let mut wrong = Vec::new();
    for flow in &metered.flows {
        let Some(rule) = rules.iter().find(|rule| rule.names(flow)) else {
            if flow.app.is_some() {
                wrong.push(format!("{} is {:?} without a rule", flow.key(), flow.app));
            }
            continue;
        };
        let label = flow.app.as_ref().map_or("unlabelled", Application::as_str);
        *table.entry((&rule.label, label.to_owned())).or_default() += 1;
        match &flow.app {
            Some(app) if rule.expected().contains(app) => {}
            Some(app) => wrong.push(format!(
                "{} is {app}, by the truth {}",
                flow.key(),
                rule.label
            )),
            None if !carries_payload(flow) => {}
            None if rule.label == "bt" && flow.transport == Transport::Tcp => {
                encrypted.push(flow.key());
            }
            None => wrong.push(format!(
                "{} is unlabelled, by the truth {}",
                flow.key(),
                rule.label
            )),
        }
    }
    for ((rule, label), flows) in &table {
        println!("labels: {rule:24} {label:12} {flows:6}");
    }
    for key in &encrypted {
        println!("labels: encrypted BitTorrent: {key}");
    }
    // From the capture's own description: 8 of the 13 connections of lab-a.
    encrypted.sort_unstable();
    encrypted.dedup();
    if folder.ends_with("lab-a") && encrypted.len() != 8 {
        wrong.push(format!(
            "{} encrypted BitTorrent connections",
            encrypted.len()
        ));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}

/// Flows that nDPI calls peer-to-peer and we do not, and why.
const NDPI_ONLY: &[(&str, &str, &str)] = &[
    (
        "bt-dns.pcap",
        "DNS.BitTorrent",
        "a DNS query for a BitTorrent site",
    ),
    (
        "tls_torrent.pcapng",
        "TLS.BitTorrent",
        "TLS to a BitTorrent site",
    ),
    (
        "bittorrent_tcp_miss.pcapng",
        "BitTorrent",
        "no handshake in the clear, payload like random bytes from the first on",
    ),
];

/// nDPI's name for a flow, by capture, transport and its two ends.
fn ndpi_labels(
    capture: &str,
    expected: &str,
    labels: &mut BTreeMap<(String, Transport, Endpoint, Endpoint), String>,
) {
    for line in expected.lines() {
        let mut words = line.split_whitespace().skip(1);
        let transport = match words.next() {
            Some("TCP") => Transport::Tcp,
            Some("UDP") => Transport::Udp,
            _ => continue,
        };
        let source = words.next().and_then(endpoint);
        let target = words.nth(1).and_then(endpoint);
        let label = line
            .split_once("[proto: ")
            .and_then(|(_, rest)| rest.split_once(']'));
        let label = label.and_then(|(proto, _)| proto.split_once('/'));
        if let (Some(one), Some(other), Some((_, label))) = (source, target, label) {
            let key = (
                capture.to_owned(),
                transport,
                one.min(other),
                one.max(other),
            );
            labels.insert(key, label.to_owned());
        }
    }
}

/// `10.0.0.1:80` or `[fe80::1]:80`.
fn endpoint(text: &str) -> Option<Endpoint> {
    let (ip, port) = text.rsplit_once(':')?;
    let ip = ip.trim_start_matches('[').trim_end_matches(']');
    Some(Endpoint::new(ip.parse().ok()?, port.parse().ok()?))
}

/// Every flow that either side calls peer-to-peer, over all captures.
fn beside_ndpi(folder: &Path) -> Result<(), Failed> {
    let (mut agreed, mut explained, mut compared, mut wrong) = (0, 0, 0, Vec::new());
    for path in files(&folder.join("pcap"))? {
        let capture = name(&path);
        let mut theirs = BTreeMap::new();
        let expected = text(&folder.join("expected").join(format!("{capture}.out")))?;
        ndpi_labels(&capture, &expected, &mut theirs);
        let config = ndpi::profile().with_classifiers(Classifiers::built_in());
        for flow in meter(&path, config).flows {
            let ends = (flow.src.min(flow.dst), flow.src.max(flow.dst));
            let key = (capture.clone(), flow.transport, ends.0, ends.1);
            let Some(label) = theirs.get(&key) else {
                if flow.app.as_ref().is_some_and(is_p2p) {
                    wrong.push(format!(
                        "{capture}: {} is {:?}, unknown there",
                        flow.key(),
                        flow.app
                    ));
                }
                continue;
            };
            compared += 1;
            let last = label.rsplit('.').next().unwrap_or(label);
            let named = match last {
                "BitTorrent" => Some(Application::BitTorrent),
                "eDonkey" => Some(Application::EMule),
                "DirectConnect" => Some(Application::Dcpp),
                _ => None,
            };
            let ours = flow.app.clone().filter(is_p2p);
            let known = NDPI_ONLY
                .iter()
                .find(|(file, theirs, _)| *file == capture && theirs == label);
            match (ours, named, known) {
                (None, None, _) => {}
                (ours, named, _) if ours == named => agreed += 1,
                (None, Some(_), Some((_, _, why))) => {
                    println!("labels: {capture}: {} is {label} there: {why}", flow.key());
                    explained += 1;
                }
                (ours, ..) => {
                    wrong.push(format!(
                        "{capture}: {} is {ours:?}, {label} there",
                        flow.key()
                    ));
                }
            }
        }
    }
    println!(
        "labels: {compared} flows compared with nDPI: {agreed} peer-to-peer on both sides, \
         {explained} there only and explained, {} otherwise",
        wrong.len()
    );
    if wrong.is_empty() && explained == NDPI_ONLY.len() && agreed > 0 {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}

/// Captures that Arkime calls `bittorrent` hold nothing else, and no other capture holds any.
fn beside_arkime(folder: &Path) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    let mut labelled = 0;
    for path in files(folder)? {
        if path.extension().is_none_or(|extension| extension != "pcap") {
            continue;
        }
        let sessions = path.with_extension("test");
        let theirs = if sessions.exists() {
            text(&sessions)?
        } else {
            String::new()
        };
        let expected = theirs.contains("\"bittorrent\"");
        for flow in meter(&path, MeterConfig::new()).flows {
            let ours = flow.app.as_ref().is_some_and(is_p2p);
            labelled += u32::from(ours);
            if ours && !expected {
                wrong.push(format!("{}: {} is {:?}", name(&path), flow.key(), flow.app));
            }
        }
    }
    println!("labels: {labelled} peer-to-peer flows in Arkime's captures");
    if labelled == 0 {
        wrong.push("none of Arkime's BitTorrent sessions is labelled".to_owned());
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}
