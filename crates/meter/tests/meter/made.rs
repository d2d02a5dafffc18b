//! Made packets and what comes of them.

use etherparse::PacketBuilder;
use peerscope_flow::{Flow, Timestamp};
use peerscope_meter::{LinkType, Meter, MeterConfig, MeterReport, Packet};

/// The two hosts of most tests.
pub(crate) const A: [u8; 4] = [10, 0, 0, 1];
pub(crate) const B: [u8; 4] = [192, 0, 2, 2];

/// A frame or IP packet with its time in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) micros: i64,
    pub(crate) link: LinkType,
    pub(crate) bytes: Vec<u8>,
    pub(crate) original: u32,
}

impl Made {
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet {
            time: Timestamp::from_micros(self.micros),
            link: self.link,
            data: &self.bytes,
            original_length: self.original,
        }
    }
}

/// Who sends.
#[derive(Clone, Copy)]
pub(crate) enum From {
    A,
    B,
}

pub(crate) fn raw(micros: i64, bytes: Vec<u8>) -> Made {
    framed(micros, LinkType::RAW, bytes)
}

pub(crate) fn framed(micros: i64, link: LinkType, bytes: Vec<u8>) -> Made {
    let original = u32::try_from(bytes.len()).unwrap();
    Made {
        micros,
        link,
        bytes,
        original,
    }
}

/// A TCP segment between A:1000 and B:4662; `flags` are letters of `SAFR`.
pub(crate) fn tcp(secs: f64, from: From, flags: &str, payload: &[u8]) -> Made {
    let (src, dst, sport, dport) = match from {
        From::A => (A, B, 1000, 4662),
        From::B => (B, A, 4662, 1000),
    };
    let mut builder = PacketBuilder::ipv4(src, dst, 64).tcp(sport, dport, 1, 1024);
    for flag in flags.chars() {
        builder = match flag {
            'S' => builder.syn(),
            'A' => builder.ack(1),
            'F' => builder.fin(),
            'R' => builder.rst(),
            other => unreachable!("{other}"),
        };
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).unwrap();
    raw(micros(secs), bytes)
}

/// A UDP datagram between A:1000 and B:4672.
pub(crate) fn udp(secs: f64, from: From, payload: &[u8]) -> Made {
    let (src, dst, sport, dport) = match from {
        From::A => (A, B, 1000, 4672),
        From::B => (B, A, 4672, 1000),
    };
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4(src, dst, 64).udp(sport, dport);
    builder.write(&mut bytes, payload).unwrap();
    raw(micros(secs), bytes)
}

pub(crate) fn micros(secs: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "small made times")]
    let micros = (secs * 1e6).round() as i64;
    micros
}

/// Meters made packets; flows by start.
pub(crate) fn metered(config: MeterConfig, packets: &[Made]) -> (Vec<Flow>, MeterReport) {
    let mut meter = Meter::new(config);
    for packet in packets {
        meter.push(&packet.packet());
    }
    let (mut flows, report) = meter.finish();
    flows.sort_by_key(|flow| (flow.span.start(), flow.span.end(), flow.key()));
    (flows, report)
}

/// Flows with the default configuration.
pub(crate) fn flows(packets: &[Made]) -> Vec<Flow> {
    metered(MeterConfig::new(), packets).0
}

/// Packets forward and reverse of each flow.
pub(crate) fn packets(flows: &[Flow]) -> Vec<(u64, u64)> {
    let counts = flows
        .iter()
        .map(|flow| (flow.fwd.packets, flow.rev.packets));
    counts.collect()
}
