//! Ground truth in the two forms there are: the laboratory's and the simulator's.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use peerscope::flow::IpNet;
use peerscope_examples::{AnyError, about};
use serde_json::Value;

/// What was planted in a trace, and what the truth is silent about.
pub(crate) struct Truth {
    pub(crate) planted: Vec<Planted>,
    /// Findings of these kinds are right or wrong; of any other the truth says nothing.
    pub(crate) judged: &'static [&'static str],
    /// Microseconds; only the laboratory's truth names one.
    pub(crate) slot_us: Option<f64>,
}

/// One planted behaviour.
pub(crate) struct Planted {
    /// As findings call it.
    pub(crate) kind: String,
    /// The monitored hosts at which it is to be found.
    pub(crate) hosts: BTreeSet<IpAddr>,
    pub(crate) start_us: f64,
    family: &'static str,
}

const KINDS: [&str; 10] = [
    "ddos-reserved-port",
    "departed-hosts",
    "natted-hosts",
    "fake-server",
    "buddy",
    "inter-isp",
    "very-active",
    "idle-connections",
    "control-only",
    "selfish",
];

/// The kinds that the laboratory's truth speaks of, by its own names.
const LAB: [(&str, &str); 8] = [
    ("p2p-ddos", "ddos-reserved-port"),
    ("departure", "departed-hosts"),
    ("nat", "natted-hosts"),
    ("ed2k-server-fake", "fake-server"),
    ("ed2k-server-full", "fake-server"),
    ("reconnecting-peer", "buddy"),
    ("very-active", "very-active"),
    ("idle-tcp", "idle-connections"),
];
const LAB_JUDGED: [&str; 7] = [
    "ddos-reserved-port",
    "departed-hosts",
    "natted-hosts",
    "fake-server",
    "buddy",
    "very-active",
    "idle-connections",
];

impl Truth {
    /// Reads `truth.json` of either form; what is planted in another family than the one analysed
    /// is left out.
    pub(crate) fn read(path: &Path, family: Option<&str>) -> Result<Self, AnyError> {
        let text = std::fs::read_to_string(path).map_err(|error| about(path, error))?;
        let json: Value = serde_json::from_str(&text).map_err(|error| about(path, error))?;
        let mut truth = if json.get("planted").is_some() {
            simulated(&json)
        } else {
            laboratory(&json)
        }
        .map_err(|error| about(path, error))?;
        let of_family = |planted: &Planted| match family {
            None | Some("any") => true,
            Some(family) => planted.family == family,
        };
        truth.planted.retain(of_family);
        Ok(truth)
    }
}

fn simulated(json: &Value) -> Result<Truth, AnyError> {
    let planted = array(json, "planted")?.iter().map(|entry| {
        Ok(Planted {
            kind: text(entry, "kind")?.to_owned(),
            hosts: array(entry, "hosts")?
                .iter()
                .map(ip)
                .collect::<Result<_, AnyError>>()?,
            start_us: number(entry, "start_us")?,
            family: match text(entry, "system")? {
                "bittorrent" => "bittorrent",
                "dcpp" => "dcpp",
                _ => "emule",
            },
        })
    });
    Ok(Truth {
        planted: planted.collect::<Result<_, AnyError>>()?,
        judged: &KINDS,
        slot_us: None,
    })
}

fn laboratory(json: &Value) -> Result<Truth, AnyError> {
    let nets = array(&json["blocks"], "monitored")?.iter().map(|net| {
        let net = net.as_str().ok_or("blocks.monitored: not text")?;
        net.parse::<IpNet>()
            .map_err(|error| format!("{net:?}: {error}").into())
    });
    let nets = nets.collect::<Result<Vec<_>, AnyError>>()?;
    let mut planted = Vec::new();
    for entry in array(json, "behaviours")? {
        let name = text(entry, "kind")?;
        let Some((_, kind)) = LAB.iter().find(|(own, _)| *own == name) else {
            continue;
        };
        for (family, hosts) in hosts(name, entry)? {
            let monitored = |ip: &IpAddr| nets.iter().any(|net| net.contains(ip));
            let hosts: BTreeSet<IpAddr> = hosts.into_iter().filter(monitored).collect();
            if !hosts.is_empty() {
                let start_us = number(entry, "start")? * 1e6;
                planted.push(Planted {
                    kind: (*kind).to_owned(),
                    hosts,
                    start_us,
                    family,
                });
            }
        }
    }
    Ok(Truth {
        planted,
        judged: &LAB_JUDGED,
        slot_us: json["slot_s"].as_f64().map(|secs| secs * 1e6),
    })
}

/// Where a behaviour of the laboratory shows, by family. `hosts` alone does not say it for every kind:
/// of an attack they are the rogue peers outside, of idle connections the names of machines.
fn hosts(kind: &str, entry: &Value) -> Result<Vec<(&'static str, Vec<IpAddr>)>, AnyError> {
    let observed = &entry["observed"];
    match kind {
        "p2p-ddos" => {
            let sources = observed["sources"]
                .as_object()
                .ok_or("p2p-ddos: no observed.sources")?;
            let sources = sources.keys().map(|ip| ip.parse().map_err(AnyError::from));
            Ok(vec![("emule", sources.collect::<Result<_, _>>()?)])
        }
        "idle-tcp" => {
            let ends = array(observed, "connections")?.iter().map(|connection| {
                let family = match text(connection, "label")? {
                    label if label.starts_with("adc") => "dcpp",
                    label if label.starts_with("bt") => "bittorrent",
                    _ => "emule",
                };
                Ok((
                    family,
                    vec![ip(&connection["client"])?, ip(&connection["server"])?],
                ))
            });
            ends.collect()
        }
        _ => {
            let ips = array(entry, "hosts")?.iter().map(|host| ip(&host["ip"]));
            Ok(vec![("emule", ips.collect::<Result<_, _>>()?)])
        }
    }
}

pub(crate) fn array<'a>(value: &'a Value, field: &str) -> Result<&'a Vec<Value>, AnyError> {
    value[field]
        .as_array()
        .ok_or_else(|| format!("no array {field:?}").into())
}

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, AnyError> {
    value[field]
        .as_str()
        .ok_or_else(|| format!("no text {field:?}").into())
}

pub(crate) fn number(value: &Value, field: &str) -> Result<f64, AnyError> {
    value[field]
        .as_f64()
        .ok_or_else(|| format!("no number {field:?}").into())
}

pub(crate) fn ip(value: &Value) -> Result<IpAddr, AnyError> {
    let text = value
        .as_str()
        .ok_or_else(|| format!("{value} is no address"))?;
    text.parse()
        .map_err(|error| format!("{text:?}: {error}").into())
}
