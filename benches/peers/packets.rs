//! Captures for the comparison of meters, and our meter on them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use peerscope_benches::Random;
use peerscope_meter::{Capture, Classifiers, Meter, MeterConfig};
use peerscope_read::CsvWriter;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Make a capture, or meter one.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Conversations of some 20 packets, half TCP, 50,000 at a time.
    Generate {
        out: PathBuf,
        #[arg(long, default_value = "5000000")]
        packets: u64,
    },
    /// A capture again and again, each time a second after the last packet.
    Repeat {
        capture: PathBuf,
        out: PathBuf,
        #[arg(long)]
        times: i64,
    },
    /// Packets to flows, and these to canonical CSV.
    Meter {
        capture: PathBuf,
        /// Flows as CSV; without it they are only counted.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Without classification, which the peers do not do either.
        #[arg(long)]
        plain: bool,
    },
}

fn main() -> Result<(), Error> {
    match Arguments::parse().command {
        Command::Generate { out, packets } => generate(&out, packets),
        Command::Repeat {
            capture,
            out,
            times,
        } => repeat(&capture, &out, times),
        Command::Meter {
            capture,
            out,
            plain,
        } => meter(&capture, out.as_deref(), plain),
    }
}

/// Writes a pcap file with times in microseconds.
struct Pcap(BufWriter<File>);

impl Pcap {
    fn create(path: &Path, link: u32) -> Result<Self, Error> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        out.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0])?;
        for number in [0, 0, 262_144, link] {
            out.write_all(&number.to_le_bytes())?;
        }
        Ok(Self(out))
    }

    fn write(&mut self, micros: i64, data: &[u8], original: u32) -> Result<(), Error> {
        let secs = u32::try_from(micros.div_euclid(1_000_000))?;
        let rest = u32::try_from(micros.rem_euclid(1_000_000))?;
        for number in [secs, rest, u32::try_from(data.len())?, original] {
            self.0.write_all(&number.to_le_bytes())?;
        }
        Ok(self.0.write_all(data)?)
    }
}

/// A conversation under way.
struct Conversation {
    ends: [([u8; 4], u16); 2],
    tcp: bool,
    sent: u64,
    length: u64,
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;

impl Conversation {
    fn new(random: &mut Random) -> Self {
        let host = u32::try_from(random.below(20_000))
            .unwrap_or(0)
            .to_be_bytes();
        let peer = u32::try_from(random.below(300_000))
            .unwrap_or(0)
            .to_be_bytes();
        let port = |random: &mut Random| u16::try_from(1024 + random.below(60_000)).unwrap_or(1024);
        Self {
            ends: [
                ([10, host[1], host[2], host[3]], port(random)),
                ([62, peer[1], peer[2], peer[3]], port(random)),
            ],
            tcp: random.below(2) == 0,
            sent: 0,
            length: 6 + random.below(29),
        }
    }

    /// The next frame: a handshake, data of either side, and an end from both sides.
    fn frame(&mut self, random: &mut Random, bytes: &[u8], frame: &mut Vec<u8>) {
        let last = self.length - self.sent;
        let (back, flags) = match (self.sent, last) {
            (0, _) => (false, SYN),
            (1, _) => (true, SYN | ACK),
            (2, _) => (false, ACK),
            (_, 2) => (false, FIN | ACK),
            (_, 1) => (true, FIN | ACK),
            _ => (random.below(2) == 0, ACK),
        };
        let silent = self.tcp && flags != ACK || self.sent == 2;
        let payload = usize::try_from(if silent { 0 } else { random.below(600) }).unwrap_or(0);
        let head = if self.tcp { 20 } else { 8 };
        let [src, dst] = if back {
            [self.ends[1], self.ends[0]]
        } else {
            self.ends
        };
        let be16 = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
        frame.clear();
        frame.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0]);
        frame.extend(be16(20 + head + payload));
        let protocol = if self.tcp { 6 } else { 17 };
        frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        frame.extend(src.0);
        frame.extend(dst.0);
        frame.extend(src.1.to_be_bytes());
        frame.extend(dst.1.to_be_bytes());
        if self.tcp {
            frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        } else {
            frame.extend(be16(8 + payload));
            frame.extend([0, 0]);
        }
        let start = usize::try_from(random.below(1024)).unwrap_or(0);
        frame.extend(&bytes[start..start + payload]);
        self.sent += 1;
    }
}

fn generate(path: &Path, packets: u64) -> Result<(), Error> {
    let mut random = Random::new(7);
    let bytes: Vec<u8> = (0..256).flat_map(|_| random.bits().to_be_bytes()).collect();
    let mut live: Vec<Conversation> = (0..50_000)
        .map(|_| Conversation::new(&mut random))
        .collect();
    let mut pcap = Pcap::create(path, 1)?;
    let mut frame = Vec::new();
    for number in 0..i64::try_from(packets)? {
        let at = usize::try_from(random.below(live.len() as u64))?;
        let conversation = &mut live[at];
        conversation.frame(&mut random, &bytes, &mut frame);
        // 100,000 packets a second.
        let micros = 1_700_000_000_000_000 + number * 10;
        pcap.write(micros, &frame, u32::try_from(frame.len())?)?;
        if conversation.sent == conversation.length {
            *conversation = Conversation::new(&mut random);
        }
    }
    Ok(pcap.0.flush()?)
}

fn repeat(from: &Path, to: &Path, times: i64) -> Result<(), Error> {
    let mut pcap: Option<Pcap> = None;
    let (mut shift, mut latest) = (0, i64::MIN);
    for _ in 0..times {
        let mut capture = Capture::open(from)?;
        let mut first = None;
        while let Some(packet) = capture.next_packet()? {
            let time = packet.time.as_micros();
            if first.is_none() {
                shift = if latest == i64::MIN {
                    0
                } else {
                    latest + 1_000_000 - time
                };
                first = Some(time);
            }
            latest = latest.max(time + shift);
            let pcap = match &mut pcap {
                Some(pcap) => pcap,
                none => none.insert(Pcap::create(to, packet.link.0)?),
            };
            pcap.write(time + shift, packet.data, packet.original_length)?;
        }
    }
    match pcap {
        Some(mut pcap) => Ok(pcap.0.flush()?),
        None => Err("the capture is empty".into()),
    }
}

fn meter(path: &Path, out: Option<&Path>, plain: bool) -> Result<(), Error> {
    let mut config = MeterConfig::new();
    if plain {
        config = config.with_classifiers(Classifiers::none());
    }
    let mut writer = match out {
        Some(path) => Some(CsvWriter::new(BufWriter::new(File::create(path)?))?),
        None => None,
    };
    let (mut meter, mut capture) = (Meter::new(config), Capture::open(path)?);
    let mut write = |flow| -> Result<(), Error> {
        match &mut writer {
            Some(writer) => Ok(writer.write(&flow)?),
            None => Ok(()),
        }
    };
    let mut packets = 0_u64;
    while let Some(packet) = capture.next_packet()? {
        meter.push(&packet);
        packets += 1;
        if packets.is_multiple_of(4096) {
            meter.drain().try_for_each(&mut write)?;
        }
    }
    let (flows, report) = meter.finish();
    flows.into_iter().try_for_each(&mut write)?;
    if let Some(writer) = writer {
        writer.finish()?.flush()?;
    }
    let facts = serde_json::json!({"packets": packets, "flows": report.flows});
    println!("{facts}");
    Ok(())
}
