//! Random flows for the round trips.

use std::net::IpAddr;

use peerscope_flow::{
    Application, Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};
use proptest::prelude::*;

const LARGEST: u64 = 1 << 53;

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_u64, 0..100_000_u64, 0..=LARGEST, Just(LARGEST)]
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        // Few, so that dictionaries repeat.
        (0..4_u8).prop_map(|low| IpAddr::from([10, 0, 0, low])),
        any::<[u8; 16]>().prop_map(|bytes| IpAddr::from(bytes).to_canonical()),
        Just(IpAddr::from([0_u16; 8])),
    ]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (address(), any::<u16>()).prop_map(|(ip, port)| Endpoint::new(ip, port))
}

fn app() -> impl Strategy<Value = Option<Application>> {
    let named = (0..Application::BUILT_IN.len()).prop_map(|i| Application::BUILT_IN[i].clone());
    let custom = "[a-z \",#é{-]{0,6}x".prop_map(|text| text.parse().unwrap());
    prop::option::of(prop_oneof![named, custom])
}

/// A flow as the canonical files can hold it.
pub(crate) fn flow() -> impl Strategy<Value = Flow> {
    let transport = prop_oneof![
        Just(Transport::Tcp),
        Just(Transport::Udp),
        any::<u8>().prop_map(Transport::from_number),
    ];
    let outcome =
        (0..3_usize).prop_map(|i| [Handshake::Complete, Handshake::Failed, Handshake::Unknown][i]);
    let volume = || (count(), count()).prop_map(|(packets, bytes)| Volume::new(packets, bytes));
    (
        (transport, outcome, endpoint(), endpoint()),
        (count(), count()),
        (volume(), volume(), prop::option::of(count()), app()),
    )
        .prop_map(
            |((transport, outcome, src, dst), (a, b), (fwd, rev, payload, app))| {
                let time = |micros: u64| Timestamp::from_micros(micros.cast_signed());
                Flow {
                    handshake: (transport == Transport::Tcp).then_some(outcome),
                    initiator: InitiatorEvidence::Exporter,
                    fwd,
                    rev,
                    rev_payload_bytes: payload,
                    app,
                    ..Flow::new(
                        transport,
                        src,
                        dst,
                        Span::new(time(a.min(b)), time(a.max(b))).unwrap(),
                    )
                }
            },
        )
}

/// The flows as canonical CSV.
pub(crate) fn csv(flows: &[Flow]) -> Vec<u8> {
    let mut writer = peerscope_read::CsvWriter::new(Vec::new()).unwrap();
    for flow in flows {
        writer.write(flow).unwrap();
    }
    writer.finish().unwrap()
}
