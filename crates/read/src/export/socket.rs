//! Export packets from a UDP socket.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::decoder::ExportDecoder;
use super::reader::push;
use super::report::ExportReport;
use crate::{Fault, Position, ReadError, Record};

/// When a socket is read no further: at the first of these.
#[derive(Clone, Debug, Default)]
pub struct Until {
    packets: Option<u64>,
    silence: Option<Duration>,
    flag: Option<Arc<AtomicBool>>,
}

impl Until {
    /// Never.
    pub const fn new() -> Self {
        Self {
            packets: None,
            silence: None,
            flag: None,
        }
    }

    /// After so many packets.
    #[must_use]
    pub const fn with_packets(mut self, packets: u64) -> Self {
        self.packets = Some(packets);
        self
    }

    /// After so long without a packet, to a fifth of a second.
    #[must_use]
    pub const fn with_silence(mut self, silence: Duration) -> Self {
        self.silence = Some(silence);
        self
    }

    /// Soon after the flag is set, from another thread or a signal handler.
    #[must_use]
    pub fn with_flag(mut self, flag: Arc<AtomicBool>) -> Self {
        self.flag = Some(flag);
        self
    }
}

/// The records that exporters send to a UDP socket, as they come.
///
/// [`Iterator::next`] blocks. Packets that come while records are handled wait in the socket's
/// buffer, and are lost where it overflows. Anyone who reaches the address can send records: bind
/// to an address that only exporters reach.
///
/// ```no_run
/// use std::time::Duration;
/// use peerscope_read::{ExportSocket, Pair, Pairing, Until};
///
/// let until = Until::new().with_silence(Duration::from_secs(60));
/// let records = ExportSocket::bind("192.0.2.1:2055", until)?;
/// for flow in Pair::new(records, Pairing::new()) {
///     println!("{}", flow?.key());
/// }
/// # Ok::<(), peerscope_read::ReadError>(())
/// ```
#[derive(Debug)]
pub struct ExportSocket {
    name: Arc<str>,
    socket: UdpSocket,
    until: Until,
    decoder: ExportDecoder,
    buffer: Vec<u8>,
    packets: u64,
    silent: Duration,
    ready: VecDeque<Result<Record, ReadError>>,
    ended: bool,
}

/// How long the socket waits before the stop condition is looked at.
const POLL: Duration = Duration::from_millis(200);

impl ExportSocket {
    /// Listens on an address.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on.
    pub fn bind(address: impl ToSocketAddrs, until: Until) -> Result<Self, ReadError> {
        let fail = |name: &str, error: io::Error| {
            ReadError::new(name.into(), Position::Source, error.into())
        };
        let socket = UdpSocket::bind(address).map_err(|error| fail("UDP socket", error))?;
        let name: Arc<str> = match socket.local_addr() {
            Ok(address) => format!("udp {address}").into(),
            Err(error) => return Err(fail("UDP socket", error)),
        };
        socket
            .set_read_timeout(Some(POLL))
            .map_err(|error| fail(&name, error))?;
        Ok(Self {
            name,
            socket,
            until,
            decoder: ExportDecoder::new(),
            buffer: vec![0; 1 << 16],
            packets: 0,
            silent: Duration::ZERO,
            ready: VecDeque::new(),
            ended: false,
        })
    }

    /// The address listened on.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What was seen so far beside the records.
    pub fn report(&self) -> ExportReport {
        self.decoder.report()
    }

    fn is_over(&self) -> bool {
        let Until {
            packets,
            silence,
            flag,
        } = &self.until;
        packets.is_some_and(|packets| self.packets >= packets)
            || silence.is_some_and(|silence| self.silent >= silence)
            || flag
                .as_ref()
                .is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    fn receive(&mut self) -> io::Result<()> {
        match self.socket.recv_from(&mut self.buffer) {
            Ok((length, exporter)) => {
                self.packets += 1;
                self.silent = Duration::ZERO;
                let position = Position::Packet(self.packets);
                let name = &self.name;
                let fail = |fault: Fault| ReadError::new(Arc::clone(name), position, fault);
                push(
                    &mut self.decoder,
                    exporter,
                    &self.buffer[..length],
                    |item| {
                        self.ready.push_back(item.map_err(fail));
                    },
                );
                Ok(())
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    self.silent += POLL;
                    Ok(())
                }
                // ConnectionReset tells of an earlier packet of ours to nowhere, on some systems.
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionReset => Ok(()),
                _ => Err(error),
            },
        }
    }
}

impl Iterator for ExportSocket {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.ended || self.is_over() {
                self.ended = true;
                return None;
            }
            if let Err(error) = self.receive() {
                self.ended = true;
                let name = Arc::clone(&self.name);
                return Some(Err(ReadError::new(name, Position::Source, error.into())));
            }
        }
    }
}

impl std::iter::FusedIterator for ExportSocket {}
