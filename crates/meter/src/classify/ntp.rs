//! The network time protocol.

use peerscope_flow::{Application, Transport};

use super::bytes::be_u32;
use super::{Classifier, Payload};

/// NTP and SNTP in modes 1 to 5 (RFC 5905): version, stratum, poll interval and precision must be
/// plausible, and a server that is not synchronised must say so in its stratum.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Ntp;

/// A packet without extensions.
const SHORTEST: usize = 48;
/// Root delay and dispersion of more than 256 s are no clock's.
const LONGEST_DELAY: u32 = 256 << 16;

impl Classifier for Ntp {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        if payload.transport != Transport::Udp {
            return None;
        }
        let &[first, stratum, poll, precision, ..] = payload.bytes else {
            return None;
        };
        let (leap, version, mode) = (first >> 6, (first >> 3) & 7, first & 7);
        let length = payload.length >= SHORTEST && payload.length.is_multiple_of(4);
        let server_in_doubt = leap == 3 && mode != 3;
        let known_stratum = match stratum {
            0 | 16 => true,
            1..=15 => !server_in_doubt,
            _ => false,
        };
        // Signed powers of two, in seconds; a client that hides its clock sends 32.
        let known_precision = precision == 0 || precision == 32 || precision >= 0xE0;
        let known_delay = |at| {
            be_u32(payload.bytes, at)
                .is_none_or(|delay| delay.cast_signed().unsigned_abs() <= LONGEST_DELAY)
        };
        (length
            && (1..=4).contains(&version)
            && (1..=5).contains(&mode)
            && known_stratum
            && poll <= 17
            && known_precision
            && known_delay(4)
            && known_delay(8))
        .then_some(Application::Ntp)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{label, udp};
    use super::*;

    #[test]
    fn clients_and_servers() {
        let mut packet = [0; SHORTEST];
        packet[0] = 0x1B;
        assert_eq!(label(&Ntp, &udp(&packet)), Some(Application::Ntp));
        packet[..4].copy_from_slice(&[0x24, 2, 6, 0xE7]);
        assert_eq!(label(&Ntp, &udp(&packet)), Some(Application::Ntp));
        assert_eq!(label(&Ntp, &udp(&packet[..47])), None);
        packet[0] = 0xE4;
        assert_eq!(label(&Ntp, &udp(&packet)), None);
        packet[1] = 0;
        assert_eq!(label(&Ntp, &udp(&packet)), Some(Application::Ntp));
        packet[8] = 0x20;
        assert_eq!(label(&Ntp, &udp(&packet)), None);
    }
}
