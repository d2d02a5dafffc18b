//! One payload for every classifier: seven bytes of circumstances, then its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerscope::flow::{Endpoint, Transport};
use peerscope::meter::{
    BitTorrent, Classifier, Classifiers, DirectConnect, Direction, Dns, EDonkey, Http, Kad, Ntp,
    Payload, Tls,
};

fuzz_target!(|data: &[u8]| {
    let [how, ordinal, a, b, c, d, cut, bytes @ ..] = data else {
        return;
    };
    let payload = Payload {
        transport: if how & 1 == 0 {
            Transport::Udp
        } else {
            Transport::Tcp
        },
        direction: if how & 2 == 0 {
            Direction::Forward
        } else {
            Direction::Reverse
        },
        ordinal: *ordinal,
        src: Endpoint::new([10, 0, 0, 1].into(), u16::from_be_bytes([*a, *b])),
        dst: Endpoint::new([192, 0, 2, 1].into(), u16::from_be_bytes([*c, *d])),
        bytes,
        length: bytes.len() + usize::from(*cut),
    };
    let each: [&dyn Classifier; 8] = [
        &Dns::default(),
        &Ntp::default(),
        &Kad::default(),
        &EDonkey::default(),
        &BitTorrent::default(),
        &DirectConnect::default(),
        &Tls::default(),
        &Http::default(),
    ];
    let first = each
        .iter()
        .find_map(|classifier| classifier.classify(&payload));
    let together = Classifiers::built_in().classify(&payload);
    assert_eq!(together, first.filter(|_| !bytes.is_empty()));
});
