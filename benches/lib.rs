//! Seeded inputs for the benchmarks, and what a process has used.

pub mod process;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use peerscope_flow::{
    Application, Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Topology,
    Transport, Volume,
};

/// `SplitMix64` (Steele, Lea and Flood 2014): small, fast, the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator of its own sequence for every seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, or 0 if that is 0.
    pub const fn below(&mut self, limit: u64) -> u64 {
        ((self.bits() as u128 * limit as u128) >> 64) as u64
    }

    /// A number in `[0, 1)`.
    pub const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The shape of a generated trace.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Trace {
    /// Number of flows.
    pub flows: usize,
    /// Number of monitored hosts, up to 2^24.
    pub hosts: u32,
    /// Seed of everything random.
    pub seed: u64,
}

impl Trace {
    /// A trace of 25 hours.
    pub const fn new(flows: usize, hosts: u32, seed: u64) -> Self {
        Self { flows, hosts, seed }
    }

    /// The network of the generated hosts.
    ///
    /// # Panics
    ///
    /// Never: the prefixes are constants.
    pub fn topology() -> Topology {
        let net = |first, length| ipnet(Ipv4Addr::new(first, 0, 0, 0), length);
        Topology::new([net(10, 8)], [net(100, 10)])
    }

    /// The flows, by start time: mostly Kad and KadU datagrams of both directions, a fiftieth
    /// eMule TCP; a tenth of the flows last for minutes.
    pub fn generate(self) -> Vec<Flow> {
        self.iter().collect()
    }

    /// The flows one by one, as they are asked for.
    pub fn iter(self) -> impl Iterator<Item = Flow> {
        self.stepping(1)
    }

    /// Flows as scattered over the 25 hours as they can be, one by one; their number must not be a
    /// multiple of 982,451,653.
    pub fn scattered(self) -> impl Iterator<Item = Flow> {
        self.stepping(982_451_653)
    }

    fn stepping(self, step: u64) -> impl Iterator<Item = Flow> {
        let mut random = Random::new(self.seed);
        let flows = self.flows as u64;
        let spacing = 25 * 3600 * 1_000_000 / flows.max(1);
        (0..flows).map(move |i| self.flow(&mut random, i * step % flows * spacing))
    }

    fn flow(self, random: &mut Random, start: u64) -> Flow {
        let host_number = random.below(u64::from(self.hosts));
        let kadu = !host_number.is_multiple_of(4);
        let host = address(10 << 24, host_number);
        // Squaring makes some peers far more popular than others.
        let popularity = random.unit();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in range"
        )]
        let peer_number = (popularity * popularity * 300_000.0) as u64;
        let peer = address(if kadu { 100 << 24 } else { 62 << 24 }, peer_number);
        let tcp = random.below(50) == 0;
        let port = match random.below(100) {
            0 => 53,
            1..40 if !kadu => 1024 + low_u16(random.below(60_000)),
            _ => 4672 - if tcp { 10 } else { 0 },
        };
        let (near, far) = (Endpoint::new(host, 50_000), Endpoint::new(peer, port));
        let received = random.below(2) == 0;
        let (src, dst) = if received {
            (Endpoint::new(peer, 50_001), Endpoint::new(host, port))
        } else {
            (near, far)
        };
        let long = random.below(10) == 0;
        let length = if long {
            random.below(1_200_000_000)
        } else {
            random.below(2_000_000)
        };
        #[expect(clippy::cast_possible_wrap, reason = "25 hours")]
        let at = |micros: u64| Timestamp::from_micros(1_207_000_000_000_000 + micros as i64);
        let span = Span::new(at(start), at(start + length)).unwrap_or(Span::at(at(start)));
        let answered = random.below(10) < 7;
        let packets = 1 + random.below(4);
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let app = match (tcp, kadu) {
            (true, _) => Application::EMule,
            (false, true) => Application::KadU,
            (false, false) => Application::Kad,
        };
        Flow {
            handshake: tcp.then_some(if answered {
                Handshake::Complete
            } else {
                Handshake::Failed
            }),
            initiator: InitiatorEvidence::FirstPacket,
            fwd: Volume::new(packets, packets * 63),
            rev: if answered {
                Volume::new(packets, packets * 91)
            } else {
                Volume::ZERO
            },
            rev_payload_bytes: tcp.then_some(if answered { packets * 51 } else { 0 }),
            app: (answered || !tcp).then_some(app),
            ..Flow::new(transport, src, dst, span)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "numbers below 2^24")]
fn address(base: u32, number: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(base + number as u32))
}

#[expect(clippy::cast_possible_truncation, reason = "numbers below 2^16")]
fn low_u16(number: u64) -> u16 {
    number as u16
}

fn ipnet(ip: Ipv4Addr, length: u8) -> peerscope_flow::IpNet {
    peerscope_flow::IpNet::new_assert(IpAddr::V4(ip), length)
}

/// The flows as Zeek writes them, tab-separated.
pub fn zeek_log(flows: &[Flow]) -> String {
    let mut text = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
        #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\t\
        resp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\t\
        resp_pkts\tresp_ip_bytes\ttunnel_parents\n"
        .to_owned();
    for (number, flow) in flows.iter().enumerate() {
        let start = flow.span.start().as_micros();
        let lasted = flow.span.micros();
        let (src, dst) = (flow.src, flow.dst);
        let tcp = flow.transport == Transport::Tcp;
        let (state, history) = match (tcp, flow.rev.packets > 0) {
            (true, true) => ("SF", "ShADadFf"),
            (true, false) => ("S0", "S"),
            (false, true) => ("SF", "Dd"),
            (false, false) => ("S0", "D"),
        };
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{}.{:06}\tC{number:017}\t{}\t{}\t{}\t{}\t{}\t-\t{}.{:06}\t{}\t{}\t{state}\t-\t-\t0\t{history}\t{}\t{}\t{}\t{}\t-",
            start / 1_000_000,
            start % 1_000_000,
            src.ip,
            src.port,
            dst.ip,
            dst.port,
            flow.transport,
            lasted / 1_000_000,
            lasted % 1_000_000,
            flow.fwd.packets * 35,
            flow.rev.packets * 35,
            flow.fwd.packets,
            flow.fwd.bytes,
            flow.rev.packets,
            flow.rev.bytes,
        );
    }
    text
}

/// The sizes to run: small ones only where cargo asks for a quick check (`cargo bench -- --test`).
pub fn sizes(all: &[usize]) -> Vec<usize> {
    let quick = std::env::args().any(|argument| argument == "--test");
    all.iter()
        .copied()
        .filter(|&size| !quick || size <= 100_000)
        .collect()
}
