//! Canonical flow CSV to flows.

use std::borrow::Cow;
use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;

use peerscope_flow::{
    Application, Endpoint, Flow, Handshake, InitiatorEvidence, Span, Timestamp, Transport, Volume,
};

use super::COLUMNS;
use crate::error::excerpt;
use crate::lines::Lines;
use crate::{Fault, Position, Problem, ReadError, ReadOptions, address, number};

/// Reads the canonical flow CSV.
///
/// Columns are found by name and may stand in any order; a missing or unknown one is an error.
/// An empty field is none or unknown. Fields may be quoted (RFC 4180) and then hold commas and
/// quotes, but no line breaks: one flow is one line, so that an unmatched quote spoils one record
/// and not the rest of the file. Empty lines are no records. Files may be concatenated: a further
/// header holds for what follows it. Numbers are whole and lie in
/// `0..=2^53`. The initiator is the one the file states ([`InitiatorEvidence::Exporter`]).
///
/// After an error of one record the iterator goes on with the next; after a fatal one it ends.
///
/// ```
/// use peerscope_read::{CsvReader, ReadOptions};
///
/// let text = "\
/// start_us,end_us,transport,src_ip,src_port,dst_ip,dst_port,fwd_packets,fwd_bytes,rev_packets,rev_bytes,handshake,rev_payload_bytes,app
/// 0,1500000,udp,10.0.0.1,4672,192.0.2.9,4672,1,60,0,0,,0,kad
/// ";
/// let flows: Vec<_> = CsvReader::new("flows.csv", text.as_bytes(), &ReadOptions::new())
///     .collect::<Result<_, _>>()?;
/// assert_eq!(flows[0].span.micros(), 1_500_000);
/// # Ok::<(), peerscope_read::ReadError>(())
/// ```
#[derive(Debug)]
pub struct CsvReader<R> {
    name: Arc<str>,
    lines: Lines<R>,
    layout: Option<Layout>,
    /// Ends of the fields of the current line.
    ends: Vec<usize>,
    memo: Memo,
    finished: bool,
}

/// Where in a line each canonical column stands.
#[derive(Clone, Debug)]
struct Layout {
    field: [usize; COLUMNS.len()],
}

/// The last label read: most flows carry the same few.
#[derive(Debug, Default)]
struct Memo {
    text: Vec<u8>,
    app: Option<Application>,
}

impl<R: Read> CsvReader<R> {
    /// A reader of `input`, which is called `name` in errors.
    pub fn new(name: &str, input: R, options: &ReadOptions) -> Self {
        Self {
            name: name.into(),
            lines: Lines::new(input, options.max_line()),
            layout: None,
            ends: Vec::with_capacity(COLUMNS.len()),
            memo: Memo::default(),
            finished: false,
        }
    }

    fn try_next(&mut self) -> Result<Option<Flow>, (Position, Fault)> {
        while let Some(line) = self.lines.next() {
            let line = line.map_err(|(line, fault)| (Position::Line(line), fault))?;
            let at = |fault| (Position::Line(line.number), fault);
            let Some(layout) = &self.layout else {
                self.layout = Some(Layout::of_header(line.text).map_err(at)?);
                continue;
            };
            if line.text.is_empty() {
                continue;
            }
            let flow = if memchr::memchr(b'"', line.text).is_none() {
                split(line.text, &mut self.ends)
                    .and_then(|()| parse(line.text, &self.ends, layout, &mut self.memo))
            } else {
                unquote(line.text, &mut self.ends)
                    .and_then(|text| parse(&text, &self.ends, layout, &mut self.memo))
            };
            // Looked at only where no flow can be read.
            if flow.is_err() && super::recognise(line.text) {
                self.layout = Some(Layout::of_header(line.text).map_err(at)?);
                continue;
            }
            return flow.map(Some).map_err(at);
        }
        match self.layout {
            Some(_) => Ok(None),
            None => Err((Position::Source, Fault::Empty)),
        }
    }
}

impl<R: Read> Iterator for CsvReader<R> {
    type Item = Result<Flow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        match self.try_next() {
            Ok(Some(flow)) => Some(Ok(flow)),
            Ok(None) => {
                self.finished = true;
                None
            }
            Err((position, fault)) => {
                let error = ReadError::new(Arc::clone(&self.name), position, fault);
                // Without a header nothing that follows can be understood.
                self.finished = error.is_fatal() || self.layout.is_none();
                Some(Err(error))
            }
        }
    }
}

impl Layout {
    fn of_header(line: &[u8]) -> Result<Self, Fault> {
        let mut ends = Vec::new();
        let text = unquote(line, &mut ends).map_err(|_| Fault::BadHeader(excerpt(line)))?;
        let mut field = [usize::MAX; COLUMNS.len()];
        for (i, name) in fields(&text, &ends).enumerate() {
            let Some(column) = COLUMNS.iter().position(|known| known.as_bytes() == name) else {
                return Err(Fault::UnknownColumn(excerpt(name)));
            };
            if field[column] != usize::MAX {
                return Err(Fault::DuplicateColumn(excerpt(name)));
            }
            field[column] = i;
        }
        match field.iter().position(|&place| place == usize::MAX) {
            Some(missing) => Err(Fault::MissingColumn(COLUMNS[missing])),
            None => Ok(Self { field }),
        }
    }
}

/// Finds the ends of the fields of an unquoted record.
fn split(line: &[u8], ends: &mut Vec<usize>) -> Result<(), Fault> {
    ends.clear();
    ends.extend(memchr::memchr_iter(b',', line));
    ends.push(line.len());
    check_count(ends)
}

fn check_count(ends: &[usize]) -> Result<(), Fault> {
    if ends.len() == COLUMNS.len() {
        Ok(())
    } else {
        Err(Fault::FieldCount {
            expected: COLUMNS.len(),
            found: ends.len(),
        })
    }
}

/// The fields that end at `ends`, each but the last followed by one byte of separator.
fn fields<'a>(text: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(ends.iter().map(|&end| end + 1));
    starts.zip(ends).map(|(start, &end)| &text[start..end])
}

/// Takes the quotes off a record and finds the ends of its fields in what is left.
fn unquote<'a>(line: &'a [u8], ends: &mut Vec<usize>) -> Result<Cow<'a, [u8]>, Fault> {
    let unmatched = || Fault::Quote(excerpt(line));
    ends.clear();
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            rest = quoted;
            loop {
                let at = memchr::memchr(b'"', rest).ok_or_else(unmatched)?;
                text.extend_from_slice(&rest[..at]);
                rest = &rest[at + 1..];
                // A doubled quote stands for one.
                match rest.strip_prefix(b"\"") {
                    Some(after) => {
                        text.push(b'"');
                        rest = after;
                    }
                    None => break,
                }
            }
        } else {
            let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
            if rest[..end].contains(&b'"') {
                return Err(unmatched());
            }
            text.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
        }
        ends.push(text.len());
        match rest {
            [] => return Ok(Cow::Owned(text)),
            [b',', after @ ..] => {
                text.push(b',');
                rest = after;
            }
            _ => return Err(unmatched()),
        }
    }
}

fn parse(text: &[u8], ends: &[usize], layout: &Layout, memo: &mut Memo) -> Result<Flow, Fault> {
    check_count(ends)?;
    let field = |column: usize| -> &[u8] {
        let place = layout.field[column];
        let start = if place == 0 { 0 } else { ends[place - 1] + 1 };
        &text[start..ends[place]]
    };
    let whole = |column| read(column, field(column), number::whole);
    let time = |column| {
        let micros = whole(column)?;
        // At most 2^53.
        Ok::<_, Fault>(Timestamp::from_micros(micros.cast_signed()))
    };
    let end = |ip: usize, port: usize| -> Result<Endpoint, Fault> {
        let address: IpAddr = read(ip, field(ip), address::parse)?;
        Ok(Endpoint::new(
            address,
            read(port, field(port), number::port)?,
        ))
    };
    let transport = read(2, field(2), transport)?;
    let handshake = match field(11) {
        b"" => None,
        text => Some(read(11, text, handshake)?),
    };
    Ok(Flow {
        transport,
        handshake: check_handshake(transport, handshake)
            .map_err(|problem| Fault::value(COLUMNS[11], field(11), problem))?,
        initiator: InitiatorEvidence::Exporter,
        src: end(3, 4)?,
        dst: end(5, 6)?,
        span: Span::new(time(0)?, time(1)?)?,
        fwd: Volume::new(whole(7)?, whole(8)?),
        rev: Volume::new(whole(9)?, whole(10)?),
        rev_payload_bytes: match field(12) {
            b"" => None,
            _ => Some(whole(12)?),
        },
        app: match field(13) {
            b"" => None,
            text => Some(memo.label(text)?),
        },
    })
}

fn read<T>(
    column: usize,
    text: &[u8],
    parse: impl Fn(&[u8]) -> Result<T, Problem>,
) -> Result<T, Fault> {
    parse(text).map_err(|problem| {
        if text.is_empty() {
            Fault::Unset(COLUMNS[column])
        } else {
            Fault::value(COLUMNS[column], text, problem)
        }
    })
}

pub(crate) fn transport(text: &[u8]) -> Result<Transport, Problem> {
    match text {
        b"tcp" => Ok(Transport::Tcp),
        b"udp" => Ok(Transport::Udp),
        _ => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Problem::NotATransport),
    }
}

pub(crate) fn handshake(text: &[u8]) -> Result<Handshake, Problem> {
    match text {
        b"complete" => Ok(Handshake::Complete),
        b"failed" => Ok(Handshake::Failed),
        b"unknown" => Ok(Handshake::Unknown),
        _ => Err(Problem::NotAHandshake),
    }
}

/// The handshake of a flow as read: a TCP flow without one is unknown, others have none.
pub(crate) fn check_handshake(
    transport: Transport,
    handshake: Option<Handshake>,
) -> Result<Option<Handshake>, Problem> {
    match (transport, handshake) {
        (Transport::Tcp, outcome) => Ok(Some(outcome.unwrap_or(Handshake::Unknown))),
        (_, None | Some(Handshake::Unknown)) => Ok(None),
        (_, Some(_)) => Err(Problem::HandshakeWithoutTcp),
    }
}

pub(crate) fn label(text: &[u8]) -> Result<Application, Problem> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Problem::NotALabel)
}

impl Memo {
    fn label(&mut self, text: &[u8]) -> Result<Application, Fault> {
        if let Some(app) = &self.app
            && self.text == text
        {
            return Ok(app.clone());
        }
        let app = read(13, text, label)?;
        self.text.clear();
        self.text.extend_from_slice(text);
        self.app = Some(app.clone());
        Ok(app)
    }
}
