//! Information elements to a record.

use std::net::IpAddr;

use peerscope_flow::{Endpoint, Span, Timestamp, Transport, Volume};

use super::clock::{Clock, Started};
use super::value;
use crate::{Fault, Record, StatedInitiator, TcpFlags};

/// The information elements that are read, by their IANA number.
mod ie {
    pub(super) const OCTETS: u16 = 1;
    pub(super) const PACKETS: u16 = 2;
    pub(super) const PROTOCOL: u16 = 4;
    pub(super) const TCP_FLAGS: u16 = 6;
    pub(super) const SRC_PORT: u16 = 7;
    pub(super) const SRC_V4: u16 = 8;
    pub(super) const DST_PORT: u16 = 11;
    pub(super) const DST_V4: u16 = 12;
    pub(super) const END_UPTIME: u16 = 21;
    pub(super) const START_UPTIME: u16 = 22;
    pub(super) const POST_OCTETS: u16 = 23;
    pub(super) const POST_PACKETS: u16 = 24;
    pub(super) const SRC_V6: u16 = 27;
    pub(super) const DST_V6: u16 = 28;
    pub(super) const OCTETS_TOTAL: u16 = 85;
    pub(super) const PACKETS_TOTAL: u16 = 86;
    pub(super) const START_SECONDS: u16 = 150;
    pub(super) const END_SECONDS: u16 = 151;
    pub(super) const START_MILLIS: u16 = 152;
    pub(super) const END_MILLIS: u16 = 153;
    pub(super) const START_MICROS: u16 = 154;
    pub(super) const END_MICROS: u16 = 155;
    pub(super) const START_NANOS: u16 = 156;
    pub(super) const END_NANOS: u16 = 157;
    pub(super) const START_DELTA: u16 = 158;
    pub(super) const END_DELTA: u16 = 159;
    pub(super) const STARTED: u16 = 160;
    pub(super) const DURATION_MILLIS: u16 = 161;
    pub(super) const DURATION_MICROS: u16 = 162;
    pub(super) const UDP_SRC_PORT: u16 = 180;
    pub(super) const UDP_DST_PORT: u16 = 181;
    pub(super) const TCP_SRC_PORT: u16 = 182;
    pub(super) const TCP_DST_PORT: u16 = 183;
    pub(super) const INITIATOR_OCTETS: u16 = 231;
    pub(super) const RESPONDER_OCTETS: u16 = 232;
    pub(super) const BIFLOW_DIRECTION: u16 = 239;
    pub(super) const INITIATOR_PACKETS: u16 = 298;
    pub(super) const RESPONDER_PACKETS: u16 = 299;
    pub(super) const OBSERVED_MILLIS: u16 = 323;
}

/// The enterprise number of reversed elements (RFC 5103, section 6.1).
const REVERSE: u32 = 29_305;
/// CERT, whose YAF writes TCP flags in elements of its own.
const CERT: u32 = 6871;

/// What an element of a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Forward(u16),
    Reverse(u16),
    /// The time from the first packet to the first one of the other direction.
    ReverseDelay,
    /// Nothing that is read.
    Other,
}

impl Place {
    /// The place of an element of an enterprise; 0 is the IANA.
    pub(super) const fn new(number: u16, enterprise: u32) -> Self {
        match (enterprise, number) {
            (0, number) => Self::Forward(number),
            (REVERSE, number) => Self::Reverse(number),
            // initialTCPFlags and unionTCPFlags, both ways, and reverseFlowDeltaMilliseconds.
            (CERT, 14 | 15) => Self::Forward(ie::TCP_FLAGS),
            (CERT, 16_398 | 16_399) => Self::Reverse(ie::TCP_FLAGS),
            (CERT, 21) => Self::ReverseDelay,
            _ => Self::Other,
        }
    }
}

/// The elements of one data record.
#[derive(Debug, Default)]
pub(super) struct Fields {
    forward: Way,
    reverse: Way,
    src: Address,
    dst: Address,
    src_port: Option<u64>,
    dst_port: Option<u64>,
    protocol: Option<u64>,
    started: Option<u64>,
    direction: Option<u64>,
    initiator: Payload,
    responder: Payload,
    reverse_delay: Option<u64>,
}

/// The elements of one direction.
#[derive(Debug, Default)]
struct Way {
    delta: Counts,
    total: Counts,
    post: Counts,
    flags: Option<u64>,
    start: Time,
    end: Time,
    duration_micros: Option<u64>,
}

#[derive(Debug, Default)]
struct Counts {
    octets: Option<u64>,
    packets: Option<u64>,
}

/// `initiatorOctets` and the like count payload, not IP bytes.
type Payload = Counts;

/// One instant in the forms there are for it.
#[derive(Debug, Default)]
struct Time {
    /// The finest absolute one, with the length of its unit in nanoseconds.
    absolute: Option<(u32, Timestamp)>,
    uptime: Option<u64>,
    /// Microseconds before the export.
    before: Option<u64>,
}

#[derive(Debug, Default)]
struct Address {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
}

/// Records made of one data record, and what had to be estimated for them.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) record: Record,
    /// The other direction, if it has times of its own.
    pub(super) reverse: Option<Record>,
    /// No time of day in the record: it is told from the time of the export.
    pub(super) untimed: bool,
    /// Only payload was counted: headers are estimated.
    pub(super) estimated: bool,
}

impl Fields {
    pub(super) fn new(record: &[(Place, &[u8])]) -> Self {
        let mut fields = Self::default();
        for &(place, value) in record {
            match place {
                Place::Forward(number) => fields.set(number, value),
                Place::Reverse(number) => fields.reverse.set(number, value),
                Place::ReverseDelay => fields.reverse_delay = value::uint(value),
                Place::Other => {}
            }
        }
        fields
    }

    fn set(&mut self, number: u16, value: &[u8]) {
        let slot = match number {
            ie::PROTOCOL => &mut self.protocol,
            ie::SRC_PORT | ie::UDP_SRC_PORT | ie::TCP_SRC_PORT => &mut self.src_port,
            ie::DST_PORT | ie::UDP_DST_PORT | ie::TCP_DST_PORT => &mut self.dst_port,
            ie::STARTED => &mut self.started,
            ie::BIFLOW_DIRECTION => &mut self.direction,
            ie::INITIATOR_OCTETS => &mut self.initiator.octets,
            ie::INITIATOR_PACKETS => &mut self.initiator.packets,
            ie::RESPONDER_OCTETS => &mut self.responder.octets,
            ie::RESPONDER_PACKETS => &mut self.responder.packets,
            ie::SRC_V4 => return self.src.v4 = value::v4(value),
            ie::DST_V4 => return self.dst.v4 = value::v4(value),
            ie::SRC_V6 => return self.src.v6 = value::v6(value),
            ie::DST_V6 => return self.dst.v6 = value::v6(value),
            number => return self.forward.set(number, value),
        };
        *slot = value::uint(value).or(*slot);
    }

    /// When the exporter started, if the record says so.
    pub(super) fn started(&self) -> Option<Started> {
        let millis = i64::try_from(self.started?).ok()?;
        Some(Started::Stated(millis))
    }

    /// The uptime of the exporter at the last packet.
    pub(super) fn end_uptime(&self) -> Option<u32> {
        u32::try_from(self.forward.end.uptime?).ok()
    }

    /// The record that the elements make.
    pub(super) fn finish(self, clock: &Clock) -> Result<Made, Fault> {
        let clock = &Clock {
            started: self.started().or(clock.started),
            ..*clock
        };
        let protocol = self.protocol.ok_or(Fault::Unset("protocolIdentifier"))?;
        let protocol =
            u8::try_from(protocol).map_err(|_| too_large("protocolIdentifier", protocol))?;
        let transport = Transport::from_number(protocol);
        let src = end(
            &self.src,
            self.src_port,
            "sourceIPv4Address",
            "sourceTransportPort",
        )?;
        let dst = end(
            &self.dst,
            self.dst_port,
            "destinationIPv4Address",
            "destinationTransportPort",
        )?;

        let header = header_bytes(transport, src.ip);
        let counted = self.initiator.octets.is_some() || self.initiator.packets.is_some();
        let (fwd, fwd_estimated) = volume(&self.forward, &self.initiator, header);
        let (rev, rev_estimated) = volume(&self.reverse, &self.responder, header);
        let rev = match (rev, counted) {
            (None, true) => Some(Volume::ZERO),
            (rev, _) => rev,
        };
        let (fwd, rev) = match (fwd, rev) {
            (None, None) => return Err(Fault::Unset("octetDeltaCount")),
            (fwd, rev) => (fwd.unwrap_or_default(), rev),
        };
        if fwd == Volume::ZERO && rev.unwrap_or_default() == Volume::ZERO {
            return Err(Fault::NoTraffic);
        }

        let forward = self.forward.span(clock)?;
        let backward = self.reverse.span(clock)?;
        let span = match (forward, backward) {
            (Some(forward), Some(backward)) => forward
                .including(backward.start())
                .including(backward.end()),
            (Some(span), None) | (None, Some(span)) => span,
            (None, None) => Span::at(clock.exported),
        };
        let guessed = matches!(clock.started, Some(Started::Guessed(_)));
        let uptimes_only =
            self.forward.start.absolute.is_none() && self.forward.end.absolute.is_none();
        let untimed = (forward.is_none() && backward.is_none()) || (guessed && uptimes_only);
        let initiator = match self.direction {
            Some(1) => StatedInitiator::Src,
            Some(2) => StatedInitiator::Dst,
            None if counted || self.reverse_delay.is_some() => StatedInitiator::Src,
            _ => StatedInitiator::Unstated,
        };
        let flags = |way: &Way| {
            let tcp = transport == Transport::Tcp;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the low byte holds the flags"
            )]
            way.flags
                .filter(|_| tcp)
                .map(|flags| TcpFlags::from_bits(flags as u8))
        };
        let mut record = Record {
            fwd,
            rev,
            fwd_flags: flags(&self.forward),
            rev_flags: flags(&self.reverse),
            initiator,
            ..Record::new(transport, src, dst, span)
        };
        // Two directions with times of their own tell who began, if nothing else does.
        let reverse = match (forward, backward, rev) {
            (Some(forward), Some(backward), Some(rev))
                if initiator == StatedInitiator::Unstated
                    && fwd != Volume::ZERO
                    && rev != Volume::ZERO =>
            {
                let reverse = Record {
                    fwd: rev,
                    fwd_flags: record.rev_flags.take(),
                    ..Record::new(transport, dst, src, backward)
                };
                (record.span, record.rev) = (forward, None);
                Some(reverse)
            }
            _ => None,
        };
        Ok(Made {
            record,
            reverse,
            untimed,
            estimated: fwd_estimated || rev_estimated,
        })
    }
}

impl Way {
    fn set(&mut self, number: u16, value: &[u8]) {
        let slot = match number {
            ie::OCTETS => &mut self.delta.octets,
            ie::PACKETS => &mut self.delta.packets,
            ie::OCTETS_TOTAL => &mut self.total.octets,
            ie::PACKETS_TOTAL => &mut self.total.packets,
            ie::POST_OCTETS => &mut self.post.octets,
            ie::POST_PACKETS => &mut self.post.packets,
            ie::START_UPTIME => &mut self.start.uptime,
            ie::END_UPTIME => &mut self.end.uptime,
            ie::START_DELTA => &mut self.start.before,
            ie::END_DELTA => &mut self.end.before,
            ie::DURATION_MICROS => &mut self.duration_micros,
            ie::DURATION_MILLIS => {
                let micros = value::uint(value).and_then(|millis| millis.checked_mul(1000));
                return self.duration_micros = self.duration_micros.or(micros);
            }
            ie::TCP_FLAGS => {
                return self.flags = match (self.flags, value::uint(value)) {
                    (Some(a), Some(b)) => Some(a | b),
                    (a, b) => a.or(b),
                };
            }
            ie::START_SECONDS => return self.start.set(1_000_000_000, scaled(value, 1_000_000)),
            ie::END_SECONDS => return self.end.set(1_000_000_000, scaled(value, 1_000_000)),
            ie::START_MILLIS => return self.start.set(1_000_000, scaled(value, 1000)),
            ie::END_MILLIS => return self.end.set(1_000_000, scaled(value, 1000)),
            ie::START_MICROS => return self.start.set(1000, value::ntp(value)),
            ie::END_MICROS => return self.end.set(1000, value::ntp(value)),
            ie::START_NANOS => return self.start.set(1, value::ntp(value)),
            ie::END_NANOS => return self.end.set(1, value::ntp(value)),
            // The one time of an event.
            ie::OBSERVED_MILLIS => {
                self.start.set(2_000_000_000, scaled(value, 1000));
                return self.end.set(2_000_000_000, scaled(value, 1000));
            }
            _ => return,
        };
        *slot = value::uint(value).or(*slot);
    }

    /// The times, if there are any.
    fn span(&self, clock: &Clock) -> Result<Option<Span>, Fault> {
        let duration = self
            .duration_micros
            .and_then(|micros| i64::try_from(micros).ok());
        let (start, end) = (self.start.at(clock), self.end.at(clock));
        let (start, end) = match (start, end, duration) {
            (Some(start), Some(end), _) => (start, end),
            (Some(start), None, duration) => {
                (start, start.saturating_add_micros(duration.unwrap_or(0)))
            }
            (None, Some(end), duration) => (end.saturating_add_micros(-duration.unwrap_or(0)), end),
            (None, None, _) => return Ok(None),
        };
        Ok(Some(Span::new(start, end)?))
    }
}

impl Time {
    fn set(&mut self, unit: u32, time: Option<Timestamp>) {
        if let Some(time) = time
            && self.absolute.is_none_or(|(held, _)| unit < held)
        {
            self.absolute = Some((unit, time));
        }
    }

    fn at(&self, clock: &Clock) -> Option<Timestamp> {
        let uptime = || clock.at_uptime(u32::try_from(self.uptime?).ok()?);
        let before = || {
            let micros = i64::try_from(self.before?).ok()?;
            Some(clock.exported.saturating_add_micros(-micros))
        };
        self.absolute
            .map(|(_, time)| time)
            .or_else(uptime)
            .or_else(before)
    }
}

/// A time since the epoch, in units of some microseconds; 0 is an unset one.
fn scaled(value: &[u8], micros: i64) -> Option<Timestamp> {
    let value = value::uint(value).filter(|&value| value > 0)?;
    let micros = i64::try_from(value).ok()?.checked_mul(micros)?;
    Some(Timestamp::from_micros(micros))
}

fn end(
    address: &Address,
    port: Option<u64>,
    missing: &'static str,
    port_name: &'static str,
) -> Result<Endpoint, Fault> {
    // A template may have room for either; the one not used is zero.
    let used = |ip: &IpAddr| !ip.is_unspecified();
    let ip = (address.v4.filter(used))
        .or_else(|| address.v6.filter(used))
        .or(address.v4)
        .or(address.v6)
        .ok_or(Fault::Unset(missing))?;
    let port = port.unwrap_or(0);
    let port = u16::try_from(port).map_err(|_| too_large(port_name, port))?;
    Ok(Endpoint::new(ip, port))
}

fn too_large(name: &'static str, value: u64) -> Fault {
    Fault::value(name, value.to_string().as_bytes(), crate::Problem::TooLarge)
}

/// The volume of a direction and whether headers had to be estimated; packets that were not counted
/// are at least one.
fn volume(way: &Way, payload: &Payload, header: u64) -> (Option<Volume>, bool) {
    let first = |of: fn(&Counts) -> Option<u64>| {
        [&way.delta, &way.total, &way.post].into_iter().find_map(of)
    };
    let packets = first(|counts| counts.packets).or(payload.packets);
    let at_least = |bytes: u64| packets.unwrap_or(u64::from(bytes > 0));
    if let Some(bytes) = first(|counts| counts.octets) {
        return (
            Some(Volume::new(at_least(bytes), bytes)),
            packets.is_none() && bytes > 0,
        );
    }
    if let Some(bytes) = payload.octets {
        let packets = at_least(bytes);
        let bytes = bytes.saturating_add(packets.saturating_mul(header));
        return (Some(Volume::new(packets, bytes)), packets > 0);
    }
    let bytes = |packets: u64| packets.saturating_mul(header);
    (
        packets.map(|packets| Volume::new(packets, bytes(packets))),
        packets.is_some_and(|n| n > 0),
    )
}

/// Header bytes of a packet without options, as methodology has them for sources of payload bytes.
const fn header_bytes(transport: Transport, ip: IpAddr) -> u64 {
    let upper = match transport {
        Transport::Tcp => 20,
        Transport::Udp => 8,
        Transport::Other(_) => 0,
    };
    upper + if ip.is_ipv4() { 20 } else { 40 }
}
