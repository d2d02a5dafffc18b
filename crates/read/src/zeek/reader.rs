//! Zeek's conn.log to flows.

use std::io::Read;
use std::sync::Arc;

use peerscope_flow::Flow;

use super::json;
use super::record::Memo;
use super::tsv::Layout;
use crate::error::excerpt;
use crate::lines::Lines;
use crate::{Fault, Position, ReadError, ReadOptions, number};

/// Reads Zeek's conn.log; a line that begins with `{` is JSON, any other tab-separated.
///
/// Files may be concatenated, each with its own header, and may have further columns, such as the
/// labels that some publishers add.
///
/// How a connection becomes a flow:
///
/// | flow | from |
/// |---|---|
/// | start, end | `ts`, `ts + duration` (no duration: one instant), decimal to the microsecond |
/// | transport | `ip_proto` where it is logged, else `proto`; other than TCP and UDP: ports 0, for Zeek writes ICMP type and code there |
/// | packets, bytes | `orig_pkts`, `orig_ip_bytes`, `resp_pkts`, `resp_ip_bytes`: an unset one is an error, not 0; a UDP `S0` without `resp_pkts` has no answer |
/// | handshake failed | state `S0`, `REJ`, `RSTOS0` or `SH`; or `S` and `h` in the history without a later `A` or `D`: the final ACK was not seen |
/// | handshake unknown | state `OTH`, `SHR` or `RSTRH`; or no `S` or no `h` in the history: first seen mid-stream |
/// | handshake complete | else: `S`, `h`, then the originator's `A` or `D` |
/// | responder's payload | 0 if complete without a `d` in the history, else `resp_bytes`; unset is unknown |
/// | label | `service`: `ssl` is `tls`, `bittorrenttracker` is `bittorrent`, others by their name; of several the first built-in one, else the first; one that Zeek took back (`-name`) does not count |
/// | initiator | `^` in the history (Zeek flipped the direction): port heuristic; `S`: SYN seen; else the exporter says so |
///
/// Logs of open connections (`open_conn`) have the same columns but are snapshots: reading them
/// beside the conn logs counts connections twice.
///
/// After an error of one record the iterator goes on with the next; after a fatal one it ends.
///
/// ```
/// use peerscope_read::{ReadOptions, ZeekReader};
///
/// let log = r#"{"ts":1713484800.415117,"id.orig_h":"10.0.0.1","id.orig_p":43250,"id.resp_h":"192.0.2.53","id.resp_p":53,"proto":"udp","service":"dns","duration":0.14191,"resp_bytes":217,"conn_state":"SF","history":"Dd","orig_pkts":2,"orig_ip_bytes":155,"resp_pkts":2,"resp_ip_bytes":273}"#;
/// let flow = ZeekReader::new("conn.log", log.as_bytes(), &ReadOptions::new()).next().unwrap()?;
/// assert_eq!(flow.span.start().as_micros(), 1_713_484_800_415_117);
/// assert_eq!(flow.span.micros(), 141_910);
/// # Ok::<(), peerscope_read::ReadError>(())
/// ```
#[derive(Debug)]
pub struct ZeekReader<R> {
    name: Arc<str>,
    lines: Lines<R>,
    layout: Layout,
    ends: Vec<usize>,
    memo: Memo,
    empty: bool,
    /// Some line was an object.
    is_json: bool,
    finished: bool,
}

impl<R: Read> ZeekReader<R> {
    /// A reader of `input`, which is called `name` in errors.
    pub fn new(name: &str, input: R, options: &ReadOptions) -> Self {
        Self {
            name: name.into(),
            lines: Lines::new(input, options.max_line()),
            layout: Layout::default(),
            ends: Vec::with_capacity(32),
            memo: Memo::default(),
            empty: true,
            is_json: false,
            finished: false,
        }
    }

    fn try_next(&mut self) -> Result<Option<Flow>, (Position, Fault)> {
        while let Some(line) = self.lines.next() {
            let line = line.map_err(|(line, fault)| (Position::Line(line), fault))?;
            let at = |fault| (Position::Line(line.number), fault);
            self.empty = false;
            return match line.text {
                [] => continue,
                [b'#', ..] => {
                    self.layout.header(line.text).map_err(at)?;
                    continue;
                }
                [b'{', ..] => {
                    self.is_json = true;
                    json::flow(line.text, &mut self.memo)
                }
                // One spoilt line among objects is no log without a header.
                _ if self.is_json && !self.layout.is_known() => {
                    Err(Fault::JsonText(excerpt(line.text)))
                }
                _ => self
                    .layout
                    .split(line.text, &mut self.ends)
                    .and_then(|record| record.flow(number::micros, &mut self.memo)),
            }
            .map(Some)
            .map_err(at);
        }
        if self.empty {
            return Err((Position::Source, Fault::Empty));
        }
        Ok(None)
    }
}

impl<R: Read> Iterator for ZeekReader<R> {
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
                self.finished = error.is_fatal();
                Some(Err(error))
            }
        }
    }
}
