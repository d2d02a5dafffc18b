//! Writes the seed corpora: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
//!
//! Everything is made here or written by our own writers.

mod binary;
mod text;

use std::error::Error;
use std::io::Write;
use std::path::Path;

use peerscope::flow::{
    Application, Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};
use peerscope::read::{CsvWriter, ParquetOptions, ParquetWriter};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let flows = flows()?;
    let csv = csv(&flows)?;
    let parquet = parquet(&flows)?;
    let capture = binary::pcap(&binary::packets());
    let newer = binary::pcapng(&binary::packets());
    let exports = binary::pcap(&binary::carried(&binary::exports()));

    write("csv", &[&csv, text::CSV_QUOTED.as_bytes()])?;
    write("zeek", &bytes(&text::ZEEK))?;
    write("tstat", &bytes(&text::TSTAT))?;
    write("nfdump", &bytes(&text::NFDUMP))?;
    write("argus", &bytes(&text::ARGUS))?;
    write("suricata", &bytes(&text::SURICATA))?;
    write("netflow", &[&exports, &binary::ipfix_file()])?;
    write("packets", &[&binary::framed_exports(&binary::exports())])?;
    write("parquet", &[&parquet])?;
    write(
        "capture",
        &[&capture, &newer, &zstd::encode_all(&capture[..], 1)?],
    )?;
    let frames = binary::frames(&binary::packets());
    write(
        "frames",
        &frames.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    )?;
    let payloads = binary::payloads();
    write(
        "classify",
        &payloads.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    )?;
    let settings: Vec<Vec<u8>> = text::SETTINGS
        .iter()
        .map(|(choice, text)| [&[*choice][..], text.as_bytes()].concat())
        .collect();
    write(
        "settings",
        &settings.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    )?;

    let mut sources = vec![csv.as_slice(), &exports];
    for texts in [
        &text::ZEEK[..],
        &text::TSTAT,
        &text::NFDUMP,
        &text::ARGUS,
        &text::SURICATA,
    ] {
        sources.extend(texts.iter().map(|text| text.as_bytes()));
    }
    let packed = [gzip(&csv)?, zstd::encode_all(&csv[..], 1)?, xz(&csv)?];
    sources.extend(packed.iter().map(Vec::as_slice));
    write("source", &sources)
}

fn write(target: &str, seeds: &[&[u8]]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    std::fs::create_dir_all(&folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

fn bytes<'a>(texts: &[&'a str]) -> Vec<&'a [u8]> {
    texts.iter().map(|text| text.as_bytes()).collect()
}

/// Every transport, outcome of a handshake, version of IP and kind of label.
fn flows() -> Result<Vec<Flow>> {
    let outcomes = [Handshake::Complete, Handshake::Failed, Handshake::Unknown];
    let labels = [None, Some(Application::Kad), Some("a, \"b\"".parse()?)];
    let transports = [Transport::Tcp, Transport::Udp, Transport::from_number(1)];
    let mut flows = Vec::new();
    for number in 0..9_u8 {
        let kind = usize::from(number % 3);
        let transport = transports[kind];
        let ip = |last: u8| match number {
            0..6 => [10, 0, 0, last].into(),
            _ => [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)].into(),
        };
        let start = Timestamp::from_micros(1_700_000_000_000_000 + i64::from(number) * 300_000_000);
        flows.push(Flow {
            handshake: (transport == Transport::Tcp).then_some(outcomes[usize::from(number / 3)]),
            initiator: InitiatorEvidence::SynSeen,
            fwd: Volume::new(3, 180),
            rev: Volume::new(u64::from(number), u64::from(number) * 60),
            rev_payload_bytes: (number > 4).then_some(20),
            app: labels[usize::from(number / 3)].clone(),
            ..Flow::new(
                transport,
                Endpoint::new(ip(1), 50_000),
                Endpoint::new(ip(2), 4662),
                Span::new(start, start.saturating_add_micros(7))?,
            )
        });
    }
    Ok(flows)
}

fn csv(flows: &[Flow]) -> Result<Vec<u8>> {
    let mut writer = CsvWriter::new(Vec::new())?;
    for flow in flows {
        writer.write(flow)?;
    }
    Ok(writer.finish()?)
}

fn parquet(flows: &[Flow]) -> Result<Vec<u8>> {
    let mut writer = ParquetWriter::new(Vec::new(), &ParquetOptions::new())?;
    for flow in flows {
        writer.write(flow)?;
    }
    Ok(writer.finish()?)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn xz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
