//! Classification of flows by the first payload bytes of either side.
//!
//! The meter offers the first payloads of each side, one at a time, to [`Classifiers`]; the first
//! label is the flow's. No port is looked at anywhere: a Kad datagram to port 53 is Kad, and a
//! query of the domain name system to port 4672 is DNS. Obfuscated eD2k and Kad and encrypted
//! `BitTorrent` have no form to recognise and stay unlabelled; [`label_by_association`] can label
//! them afterwards, at the price of wrong labels.
//!
//! The signatures and their sources are the table of [`Classifiers`].

mod association;
mod bittorrent;
mod bytes;
mod dcpp;
mod dns;
mod edonkey;
mod http;
mod kad;
mod ntp;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt::Debug;
use std::sync::Arc;

use peerscope_flow::{Application, Endpoint, Transport};

pub use association::label_by_association;
pub use bittorrent::BitTorrent;
pub use dcpp::DirectConnect;
pub use dns::Dns;
pub use edonkey::EDonkey;
pub use http::Http;
pub use kad::Kad;
pub use ntp::Ntp;
pub use tls::Tls;

/// Which side of its flow sent a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a flow has two sides")]
pub enum Direction {
    /// From the initiator to the responder.
    Forward,
    /// From the responder to the initiator.
    Reverse,
}

/// The application payload of one packet, as far as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// Transport that carried it.
    pub transport: Transport,
    /// Which side sent it.
    pub direction: Direction,
    /// How many payloads of the same side came before it in the flow, as far as was seen.
    pub ordinal: u8,
    /// The sender of this packet.
    pub src: Endpoint,
    /// The receiver of this packet.
    pub dst: Endpoint,
    /// The captured bytes; a snap length may have cut them.
    pub bytes: &'a [u8],
    /// Payload length on the wire in bytes, at least `bytes.len()`.
    pub length: usize,
}

/// A rule that names the application of a payload, or declines.
///
/// Each payload is judged on its own, so that a flow whose beginning was not captured can be named
/// too. A classifier should stay silent unless the payload's form is evidence enough: a flow takes
/// the first label that any of its payloads gets. It must accept any bytes.
pub trait Classifier: Debug + Send + Sync {
    /// The application that sent `payload`, or `None`.
    fn classify(&self, payload: &Payload<'_>) -> Option<Application>;
}

/// An ordered list of classifiers; the first that answers decides.
///
/// The built-in ones look at a payload's form only, never at ports:
///
/// | classifier | signature | label | source |
/// |---|---|---|---|
/// | [`Dns`] | UDP, TCP: header flags and counts, first question, length | `dns` | RFC 1035, RFC 6762 |
/// | [`Ntp`] | UDP: version, mode, stratum, poll, precision, delays, 48 bytes or more | `ntp` | RFC 5905 |
/// | [`Kad`] | UDP: 0xE4, opcode, length, counts; 0xE5, opcode, zlib header | `kad` | Kad opcodes of the public eMule clients |
/// | [`Kad`] | UDP: 0xA4 and 0xA5, likewise | `kadu` | the same, as `KadU` uses them |
/// | [`EDonkey`] | TCP: 0xE3, 0xC5 or 0xD4, length, opcode, for every message in the segment | `emule` | Kulbak & Bickson 2005, "The eMule Protocol Specification" |
/// | [`EDonkey`] | UDP: 0xE3 or 0xC5, opcode, length, counts | `emule` | the same |
/// | [`BitTorrent`] | TCP: `\x13BitTorrent protocol` | `bittorrent` | BEP 3 |
/// | [`BitTorrent`] | TCP: request with `info_hash` to a tracker | `bittorrent` | BEP 3 |
/// | [`BitTorrent`] | UDP: bencoded query, answer or error with a node identifier or a type | `bittorrent` | BEP 5 |
/// | [`BitTorrent`] | UDP: `BT-SEARCH *` | `bittorrent` | BEP 14 |
/// | [`BitTorrent`] | UDP: connection, announcement and scrape of a tracker, and the answers | `bittorrent` | BEP 15 |
/// | [`BitTorrent`] | UDP: uTP header, extensions and body | `bittorrent` | BEP 29 |
/// | [`DirectConnect`] | TCP: `$Command ...\|`; UDP: `$SR`, `$Search` | `dcpp` | NMDC protocol description of the NMDC project |
/// | [`DirectConnect`] | TCP: ADC message with its arguments; UDP: `URES` and others with a client identifier | `dcpp` | ADC 1.0 |
/// | [`Tls`] | TCP: handshake record with a hello | `tls` | RFC 8446 |
/// | [`Http`] | TCP: request line or status line | `http` | RFC 9112 |
///
/// They are asked in this order. DNS and NTP come first because their forms are the strictest: one
/// query in 256 has an identifier that begins with Kad's 0xE4, and unsynchronised NTP packets
/// begin with 0xE3 to 0xE5, while hardly any Kad or eD2k datagram is a valid DNS or NTP message.
/// Announcements to HTTP trackers are `bittorrent`, so `BitTorrent` comes before HTTP.
///
/// ```
/// use peerscope_flow::{Application, Endpoint, Transport};
/// use peerscope_meter::{Classifier, Classifiers, Direction, Payload};
///
/// #[derive(Debug)]
/// struct Gnutella;
///
/// impl Classifier for Gnutella {
///     fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
///         let handshake = payload.bytes.starts_with(b"GNUTELLA CONNECT/");
///         handshake.then(|| "gnutella".parse().ok()).flatten()
///     }
/// }
///
/// let payload = |bytes| Payload {
///     transport: Transport::Tcp,
///     direction: Direction::Forward,
///     ordinal: 0,
///     src: Endpoint::new([192, 0, 2, 1].into(), 50_000),
///     dst: Endpoint::new([192, 0, 2, 2].into(), 6_346),
///     bytes,
///     length: bytes.len(),
/// };
/// let classifiers = Classifiers::built_in().with(Gnutella);
/// let label = classifiers.classify(&payload(b"GNUTELLA CONNECT/0.6\r\n"));
/// assert_eq!(label.unwrap().as_str(), "gnutella");
/// let label = classifiers.classify(&payload(b"\x13BitTorrent protocol"));
/// assert_eq!(label, Some(Application::BitTorrent));
/// ```
#[derive(Clone, Debug)]
pub struct Classifiers {
    user: Vec<Arc<dyn Classifier>>,
    built_in: Vec<Arc<dyn Classifier>>,
}

impl Classifiers {
    /// The classifiers of the table above, in its order.
    pub fn built_in() -> Self {
        Self {
            user: Vec::new(),
            built_in: vec![
                Arc::new(Dns),
                Arc::new(Ntp),
                Arc::new(Kad),
                Arc::new(EDonkey),
                Arc::new(BitTorrent),
                Arc::new(DirectConnect),
                Arc::new(Tls),
                Arc::new(Http),
            ],
        }
    }

    /// No classifier: every flow stays unlabelled.
    pub fn none() -> Self {
        Self {
            user: Vec::new(),
            built_in: Vec::new(),
        }
    }

    /// Adds a classifier, asked before the built-in ones and after those added earlier.
    #[must_use]
    pub fn with(mut self, classifier: impl Classifier + 'static) -> Self {
        self.user.push(Arc::new(classifier));
        self
    }

    /// The first answer, or `None` if no classifier knows the payload. An empty payload has none.
    pub fn classify(&self, payload: &Payload<'_>) -> Option<Application> {
        if payload.bytes.is_empty() {
            return None;
        }
        self.user
            .iter()
            .chain(&self.built_in)
            .find_map(|classifier| classifier.classify(payload))
    }
}

impl Default for Classifiers {
    /// [`Classifiers::built_in`].
    fn default() -> Self {
        Self::built_in()
    }
}
