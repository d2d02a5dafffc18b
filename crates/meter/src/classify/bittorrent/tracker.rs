//! Trackers over UDP (BEP 15) and HTTP (BEP 3).

use super::super::Payload;
use super::super::bytes::{be_u16, be_u32};

/// Marks a connection request.
const MAGIC: &[u8] = &[0, 0, 0x04, 0x17, 0x27, 0x10, 0x19, 0x80];
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// Whether the datagram is a request to, or an answer from, a UDP tracker.
pub(super) fn is_datagram(payload: &Payload<'_>) -> bool {
    is_request(payload) || is_answer(payload)
}

/// Whether the segment asks an HTTP tracker about a torrent.
pub(super) fn is_http_request(payload: &Payload<'_>) -> bool {
    let Some(request) = payload.bytes.strip_prefix(b"GET /") else {
        return false;
    };
    let target = request.split(|&byte| byte == b' ' || byte == b'\r').next();
    target.is_some_and(|target| {
        target
            .split(|&byte| byte == b'?' || byte == b'&')
            .skip(1)
            .any(|parameter| parameter.starts_with(b"info_hash="))
    })
}

fn is_request(payload: &Payload<'_>) -> bool {
    let (bytes, length) = (payload.bytes, payload.length);
    let (Some(action), Some(_transaction)) = (be_u32(bytes, 8), be_u32(bytes, 12)) else {
        return false;
    };
    // A connection number is drawn at random; zero halves are some other protocol's small numbers.
    let connected = be_u32(bytes, 0) != Some(0) && be_u32(bytes, 4) != Some(0);
    match action {
        CONNECT => length == 16 && bytes.starts_with(MAGIC),
        ANNOUNCE => {
            // Three 64-bit byte counts, of which what is left may be unknown, then an event.
            let counted = |at| be_u16(bytes, at).is_none_or(|top| top == 0);
            let event = be_u32(bytes, 80).is_none_or(|event| event <= 3);
            // Options: an end, a filler, or a text with its length in a byte (BEP 41).
            let options = bytes.get(98).is_none_or(|&option| option <= 2);
            connected
                && (98..=98 + 512).contains(&length)
                && has_info_hash(bytes)
                && counted(56)
                && counted(72)
                && event
                && options
        }
        // The hashes of up to 74 torrents.
        SCRAPE => {
            let hashes = length.saturating_sub(16);
            connected
                && hashes > 0
                && hashes <= 20 * 74
                && hashes.is_multiple_of(20)
                && has_info_hash(bytes)
        }
        _ => false,
    }
}

/// Whether what follows the head of a request can be a hash.
fn has_info_hash(bytes: &[u8]) -> bool {
    bytes.get(16..36).is_some_and(looks_random)
}

fn is_answer(payload: &Payload<'_>) -> bool {
    let (bytes, length) = (payload.bytes, payload.length);
    let (Some(action), Some(_transaction)) = (be_u32(bytes, 0), be_u32(bytes, 4)) else {
        return false;
    };
    let number_of_peers = |at: usize| be_u32(bytes, at).is_none_or(|peers| peers < 1 << 24);
    match action {
        // Transaction and connection number, both random, are all there is.
        CONNECT => length == 16 && bytes.get(4..16).is_some_and(looks_random),
        // Interval, leechers, seeders, then peers of either address family.
        ANNOUNCE => {
            let interval = be_u32(bytes, 8);
            length >= 20
                && ((length - 20).is_multiple_of(6) || (length - 20).is_multiple_of(18))
                && interval.is_some_and(|seconds| (30..=86_400).contains(&seconds))
                && number_of_peers(12)
                && number_of_peers(16)
        }
        // Seeders, completed and leechers of each torrent.
        SCRAPE => {
            length >= 20
                && (length - 8).is_multiple_of(12)
                && bytes.len() >= 20
                && [8, 12, 16].into_iter().all(number_of_peers)
        }
        ERROR => {
            let text = &bytes[8..];
            text.len() >= 4 && text.iter().all(|byte| matches!(byte, b' '..=b'~'))
        }
        _ => false,
    }
}

/// Whether nine of the bytes differ: twelve random bytes hold fewer different values once in some
/// 30,000 times, small numbers nearly always do.
fn looks_random(bytes: &[u8]) -> bool {
    let mut seen = [0_u64; 4];
    for &byte in bytes {
        seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    seen.iter().map(|word| word.count_ones()).sum::<u32>() >= 9
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{tcp, udp, udp_cut};
    use super::*;

    const INFO_HASH: &[u8; 20] = b"F4t\xAAP\x01\x86A`\x06%\xCD\xFD\xF9\xCA2\xD3C\xB7\xEF";

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn announce() -> Vec<u8> {
        let mut bytes = words(&[0x1819_5BBB, 0x5421_BF01, ANNOUNCE, 0xA93F_AFC0]);
        bytes.extend(INFO_HASH);
        bytes.extend(b"-TR3000-1gqf1bnfehoh");
        bytes.extend(words(&[0, 0, u32::MAX, u32::MAX, 0, 5, 2, 0, 7, 80]));
        bytes.extend([0xC8, 0xD5]);
        bytes
    }

    #[test]
    fn requests() {
        let connect = [MAGIC, &words(&[CONNECT, 0x4E5E_175D])].concat();
        assert!(is_datagram(&udp(&connect)));
        assert!(!is_datagram(&udp(&connect[..15])));
        assert_eq!(announce().len(), 98);
        assert!(is_datagram(&udp(&announce())));
        assert!(is_datagram(&udp_cut(&announce(), 40)));
        assert!(!is_datagram(&udp(&announce()[..97])));
        let mut scrape = words(&[0x1819_5BBB, 0x5421_BF01, SCRAPE, 1]);
        assert!(!is_datagram(&udp(&scrape)));
        scrape.extend(INFO_HASH.repeat(2));
        assert!(is_datagram(&udp(&scrape)));
        assert!(!is_datagram(&udp(&scrape[..50])));
        scrape[16..36].fill(0);
        assert!(!is_datagram(&udp(&scrape)));
    }

    #[test]
    fn answers() {
        let connected = words(&[CONNECT, 0x4E5E_175D, 0x1819_5BBB, 0x5421_BF01]);
        assert!(is_datagram(&udp(&connected)));
        assert!(!is_datagram(&udp(&words(&[CONNECT, 1, 0, 2]))));
        let mut announced = words(&[ANNOUNCE, 9, 1_964, 0, 1]);
        assert!(is_datagram(&udp(&announced)));
        announced.extend([10, 0, 0, 1, 0xC8, 0xD5]);
        assert!(is_datagram(&udp(&announced)));
        announced.push(0);
        assert!(!is_datagram(&udp(&announced)));
        assert!(!is_datagram(&udp(&words(&[ANNOUNCE, 9, 1, 0, 1]))));
        assert!(is_datagram(&udp(&words(&[SCRAPE, 9, 4, 100, 2]))));
        let error = [words(&[ERROR, 9]), b"Torrent not registered".to_vec()].concat();
        assert!(is_datagram(&udp(&error)));
        assert!(!is_datagram(&udp(&error[..9])));
    }

    #[test]
    fn announcements_over_http() {
        assert!(is_http_request(&tcp(
            b"GET /announce?info_hash=%12%34&peer_id=-TR HTTP/1.1\r\n"
        )));
        assert!(is_http_request(&tcp(
            b"GET /x/scrape.php?key=1&info_hash=ab"
        )));
        assert!(!is_http_request(&tcp(
            b"GET /announce HTTP/1.1\r\nX: ?info_hash=1\r\n"
        )));
        assert!(!is_http_request(&tcp(b"GET /info_hash=1 HTTP/1.1\r\n")));
    }
}
