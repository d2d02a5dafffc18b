//! Tstat's classes of traffic to application labels.

use peerscope_flow::Application;

/// Bits of `con_t`.
const HTTP: u64 = 1;
const SSL: u64 = 8192;
const OBFUSCATED: u64 = 16_384;
const MSE: u64 = 131_072;

/// The label of a TCP connection, by its kind of peer-to-peer traffic, else by its type.
pub(super) fn tcp(con_t: u64, p2p_t: u64) -> Option<Application> {
    Some(match p2p_t {
        1 | 3 => Application::EMule,
        4 | 5 => Application::Dcpp,
        9 => Application::BitTorrent,
        17 => Application::Kad,
        18 => Application::KadU,
        _ if con_t & OBFUSCATED != 0 => Application::EMule,
        // Message stream encryption is BitTorrent's.
        _ if con_t & MSE != 0 => Application::BitTorrent,
        _ if con_t & HTTP != 0 => Application::Http,
        _ if con_t & SSL != 0 => Application::Tls,
        _ => return None,
    })
}

/// The label of one direction of a UDP flow.
pub(super) const fn udp(class: u64) -> Option<Application> {
    Some(match class {
        8 => Application::EMule,
        9 | 18 => Application::Kad,
        10 => Application::KadU,
        12 | 20 | 21 => Application::BitTorrent,
        13 => Application::Dcpp,
        19 => Application::Dns,
        _ => return None,
    })
}
