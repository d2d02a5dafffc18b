//! Packets in memory to flows.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use peerscope_benches::{Random, sizes};
use peerscope_flow::Timestamp;
use peerscope_meter::{Classifiers, LinkType, Meter, MeterConfig, Packet};

/// A hundred frames of each size, reused with new addresses: the frames stay in cache, the flow
/// table does not.
struct Frames(Vec<Vec<u8>>);

const ETHERNET_AND_IP_SOURCE: usize = 14 + 12;

impl Frames {
    fn new(random: &mut Random) -> Self {
        let frames = (0..100_u8).map(|i| {
            let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
                .ipv4([10, 0, 0, i], [192, 0, 2, i], 64)
                .udp(4672, 4672);
            #[expect(clippy::cast_possible_truncation, reason = "below 600")]
            let payload: Vec<u8> = (0..random.below(600)).map(|byte| byte as u8).collect();
            let mut frame = Vec::new();
            // Writing into a vector cannot fail.
            let _ = builder.write(&mut frame, &payload);
            frame
        });
        Self(frames.collect())
    }
}

fn metering(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("meter");
    group.sample_size(10);
    for size in sizes(&[100_000, 1_000_000, 10_000_000]) {
        group.throughput(Throughput::Elements(size as u64));
        for (name, classifiers) in [
            ("classified", Classifiers::built_in()),
            ("plain", Classifiers::none()),
        ] {
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| run(size, &classifiers));
            });
        }
    }
    group.finish();
}

/// Packets of 20,000 hosts, 40 microseconds apart.
fn run(packets: usize, classifiers: &Classifiers) -> usize {
    let mut random = Random::new(7);
    let mut frames = Frames::new(&mut random);
    let mut meter = Meter::new(MeterConfig::new().with_classifiers(classifiers.clone()));
    let mut flows = 0;
    for i in 0..packets {
        let frame = &mut frames.0[i % 100];
        let host = random.below(20_000).to_be_bytes();
        frame[ETHERNET_AND_IP_SOURCE + 1..ETHERNET_AND_IP_SOURCE + 4].copy_from_slice(&host[5..]);
        let time = i64::try_from(i * 40).unwrap_or(i64::MAX);
        meter.push(&Packet {
            time: Timestamp::from_micros(time),
            link: LinkType::ETHERNET,
            data: frame,
            original_length: u32::try_from(frame.len()).unwrap_or(u32::MAX),
        });
        if i % 4096 == 0 {
            flows += meter.drain().count();
        }
    }
    flows + meter.finish().0.len()
}

criterion_group!(benches, metering);
criterion_main!(benches);
