//! Flows of a few hosts, for the tests.

use peerscope_flow::{Endpoint, Flow, Span, Timestamp, Transport};
use peerscope_rules::{Activity, Miner};

/// A burst of one of a few services by one of a few hosts: (src, dst, start, length).
pub(crate) type Draw = (u8, u8, u8, u8);

pub(crate) fn flow((src, dst, start, length): Draw) -> Flow {
    let at = |secs: u8| Timestamp::from_secs(1000 + i64::from(secs));
    Flow::new(
        Transport::Udp,
        Endpoint::new(format!("10.0.0.{src}").parse().unwrap(), 50_000),
        Endpoint::new(format!("10.0.0.{dst}").parse().unwrap(), 53),
        Span::new(at(start), at(start.saturating_add(length))).unwrap(),
    )
}

pub(crate) fn activity(miner: &Miner, flows: &[Flow]) -> Activity {
    let mut builder = miner.activity();
    for flow in flows {
        builder.push(flow);
    }
    builder.finish().unwrap()
}
