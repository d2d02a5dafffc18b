//! The hypertext transfer protocol.

use peerscope_flow::{Application, Transport};

use super::{Classifier, Payload};

/// HTTP/1 in the clear (RFC 9112): a request line or a status line.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Http;

const METHODS: [&[u8]; 20] = [
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SEARCH",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
];

impl Classifier for Http {
    fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        let matches = payload.transport == Transport::Tcp
            && (is_status_line(payload.bytes) || is_request_line(payload));
        matches.then_some(Application::Http)
    }
}

fn is_status_line(bytes: &[u8]) -> bool {
    matches!(
        *bytes,
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            b'0'..=b'1',
            b' ',
            b'1'..=b'5',
            b'0'..=b'9',
            b'0'..=b'9',
            ..
        ]
    )
}

/// A method, a target, and the version if the line ends within the captured bytes.
fn is_request_line(payload: &Payload<'_>) -> bool {
    let line = payload.bytes.split(|&byte| byte == b'\r' || byte == b'\n');
    let line = line.into_iter().next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return false;
    };
    let begins_a_target = match target.first() {
        Some(b'/' | b'*') => true,
        Some(_) => method == b"CONNECT" || target.starts_with(b"http"),
        None => false,
    };
    let ends_here = line.len() < payload.bytes.len();
    let version = line.windows(8).any(|word| word.starts_with(b" HTTP/1."));
    METHODS.contains(&method)
        && begins_a_target
        && (version || !ends_here)
        && line.iter().all(|byte| !byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{label, tcp};
    use super::*;

    #[test]
    fn requests_and_responses() {
        let messages: [&[u8]; 5] = [
            b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
            b"POST /a b HTTP/1.0\r\n",
            b"CONNECT example.com:443 HTTP/1.1\r\n",
            b"GET /a/long/target/that/goes/on/in/the/next/segment",
            b"HTTP/1.1 200 OK\r\n",
        ];
        for message in messages {
            assert_eq!(label(&Http, &tcp(message)), Some(Application::Http));
        }
    }

    #[test]
    fn look_alikes() {
        let messages: [&[u8]; 5] = [
            b"GET / RTSP/1.0\r\n",
            b"GETTING / HTTP/1.1\r\n",
            b"GET \x01 HTTP/1.1\r\n",
            b"HTTP/2 200",
            b"GET",
        ];
        for message in messages {
            assert_eq!(label(&Http, &tcp(message)), None);
        }
    }
}
