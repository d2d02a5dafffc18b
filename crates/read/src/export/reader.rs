//! Files of export packets: captures, and IPFIX files.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use peerscope_meter::{Capture, CaptureError};

use super::decoder::ExportDecoder;
use super::fault::ExportFault;
use super::framing;
use super::report::ExportReport;
use crate::{Fault, Position, ReadError, Record};

/// The records of a capture of export packets, to whatever port, or of an IPFIX file (RFC 5655).
///
/// UDP payloads of another version than NetFlow 5, 9 and IPFIX are passed over; a capture without
/// any export packet is an error.
///
/// Errors come between the records; sets whose template never came are one, at the end.
#[derive(Debug)]
pub struct ExportReader {
    name: Arc<str>,
    packets: Packets,
    decoder: ExportDecoder,
    /// Packets so far.
    packet: u64,
    ready: VecDeque<Result<Record, ReadError>>,
    ended: bool,
}

enum Packets {
    Capture(Capture),
    File(Box<dyn Read + Send>),
}

impl ExportReader {
    /// Reads from decompressed content, which is called `name` in errors.
    ///
    /// # Errors
    ///
    /// If it begins neither as a capture nor as an IPFIX message.
    pub fn new(name: &str, mut input: impl Read + Send + 'static) -> Result<Self, ReadError> {
        let name: Arc<str> = name.into();
        let fail = |fault| ReadError::new(Arc::clone(&name), Position::Source, fault);
        let mut magic = [0; 4];
        input
            .read_exact(&mut magic)
            .map_err(|error| fail(error.into()))?;
        let content = Cursor::new(magic).chain(input);
        let packets = if magic[..2] == [0, 10] {
            Packets::File(Box::new(content))
        } else {
            let capture = Capture::from_reader(&*name, content);
            Packets::Capture(capture.map_err(|error| fail(fault_of(&error)))?)
        };
        Ok(Self {
            name,
            packets,
            decoder: ExportDecoder::new(),
            packet: 0,
            ready: VecDeque::new(),
            ended: false,
        })
    }

    /// What was seen so far beside the records.
    pub fn report(&self) -> ExportReport {
        self.decoder.report()
    }

    /// Reads up to the next packet; `None` at the end.
    fn step(&mut self) -> Result<Option<()>, Fault> {
        let message;
        let (exporter, payload) = match &mut self.packets {
            Packets::Capture(capture) => {
                let Some(packet) = capture.next_packet().map_err(|error| fault_of(&error))? else {
                    return Ok(None);
                };
                self.packet += 1;
                let Some(datagram) = packet.datagram() else {
                    return Ok(Some(()));
                };
                let exporter = SocketAddr::new(datagram.src.ip, datagram.src.port);
                (exporter, datagram.payload)
            }
            Packets::File(input) => {
                let Some(bytes) = next_message(input)? else {
                    return Ok(None);
                };
                message = bytes;
                self.packet += 1;
                (
                    SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
                    message.as_slice(),
                )
            }
        };
        let position = Position::Packet(self.packet);
        push(&mut self.decoder, exporter, payload, |item| {
            let item =
                item.map_err(|fault| ReadError::new(Arc::clone(&self.name), position, fault));
            self.ready.push_back(item);
        });
        Ok(Some(()))
    }

    /// What is wrong with the source as a whole.
    fn last_fault(&self) -> Option<Fault> {
        let report = self.decoder.report();
        if report.messages.is_empty() {
            return Some(ExportFault::None.into());
        }
        let sets = report.unread_sets;
        (sets > 0).then(|| ExportFault::NoTemplate { sets }.into())
    }
}

impl Iterator for ExportReader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.ended {
                return None;
            }
            let fault = match self.step() {
                Ok(Some(())) => continue,
                Ok(None) => self.last_fault(),
                Err(fault) => Some(fault),
            };
            self.ended = true;
            let fail = |fault| {
                Err(ReadError::new(
                    Arc::clone(&self.name),
                    Position::Source,
                    fault,
                ))
            };
            return fault.map(fail);
        }
    }
}

impl std::iter::FusedIterator for ExportReader {}

/// Gives a payload to the decoder unless it is of something else.
pub(super) fn push(
    decoder: &mut ExportDecoder,
    exporter: SocketAddr,
    payload: &[u8],
    sink: impl FnMut(Result<Record, Fault>),
) {
    if matches!(payload, [0, 5 | 9 | 10, ..]) {
        decoder.push(exporter, payload, sink);
    }
}

/// The next message of an IPFIX file; `None` at its end.
fn next_message(input: &mut impl Read) -> Result<Option<Vec<u8>>, Fault> {
    let mut bytes = Vec::new();
    input.take(4).read_to_end(&mut bytes)?;
    let length = match bytes[..] {
        [] => return Ok(None),
        [0, 10, high, low] => u16::from_be_bytes([high, low]),
        // Without its length the next message cannot be found.
        [a, b, ..] => return Err(broken(&ExportFault::Version(u16::from_be_bytes([a, b])))),
        [_] => {
            return Err(broken(&ExportFault::Cut {
                needed: 4,
                found: 1,
            }));
        }
    };
    if length < 16 {
        return Err(broken(&ExportFault::Length(length)));
    }
    input.take(u64::from(length) - 4).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// A fault after which a file cannot be read further.
fn broken(fault: &ExportFault) -> Fault {
    Fault::Io(io::Error::new(
        io::ErrorKind::InvalidData,
        fault.to_string(),
    ))
}

fn fault_of(error: &CaptureError) -> Fault {
    let text = format!("byte {}: {}", error.offset, error.kind);
    Fault::Io(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// Whether content that begins so is a capture of export packets and nothing else, or an IPFIX
/// file.
pub(crate) fn recognise(head: &[u8]) -> bool {
    if head.starts_with(&[0, 10]) {
        let first = head
            .get(2..4)
            .map(|length| usize::from(length[0]) << 8 | usize::from(length[1]));
        return first.is_some_and(|first| framing::recognise(&head[..first.min(head.len())]));
    }
    let Ok(mut capture) = Capture::from_reader("", Cursor::new(head.to_vec())) else {
        return false;
    };
    let mut exports = 0;
    while let Ok(Some(packet)) = capture.next_packet() {
        match packet.datagram() {
            Some(datagram) if framing::recognise(datagram.payload) => exports += 1,
            _ => return false,
        }
    }
    exports > 0
}

impl std::fmt::Debug for Packets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Capture(_) => "Capture",
            Self::File(_) => "File",
        })
    }
}
