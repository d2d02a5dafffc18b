//! Payloads for the tests of the classifiers.

use peerscope_flow::{Application, Endpoint, Transport};

use super::{Classifier, Direction, Payload};

pub(super) fn tcp(bytes: &[u8]) -> Payload<'_> {
    payload(Transport::Tcp, bytes, bytes.len())
}

pub(super) fn udp(bytes: &[u8]) -> Payload<'_> {
    payload(Transport::Udp, bytes, bytes.len())
}

/// Only the first bytes were captured.
pub(super) fn tcp_cut(bytes: &[u8], captured: usize) -> Payload<'_> {
    payload(Transport::Tcp, &bytes[..captured], bytes.len())
}

/// Only the first bytes were captured.
pub(super) fn udp_cut(bytes: &[u8], captured: usize) -> Payload<'_> {
    payload(Transport::Udp, &bytes[..captured], bytes.len())
}

pub(super) fn label(classifier: &impl Classifier, payload: &Payload<'_>) -> Option<Application> {
    classifier.classify(payload)
}

pub(super) fn payload(transport: Transport, bytes: &[u8], length: usize) -> Payload<'_> {
    Payload {
        transport,
        direction: Direction::Forward,
        ordinal: 0,
        src: Endpoint::new([192, 0, 2, 1].into(), 50_000),
        dst: Endpoint::new([198, 51, 100, 1].into(), 50_001),
        bytes,
        length,
    }
}
