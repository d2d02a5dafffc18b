//! Aggregation of more flows than fit into memory.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use peerscope_flow::{AddressBits, Flow};
use rayon::prelude::*;
use thiserror::Error;

use crate::aggregator::Totals;
use crate::close::close;
use crate::distinct::Start;
use crate::started::Started;
use crate::{Aggregation, Aggregator, FlowScope, HostSlots};

/// A [`ParallelAggregator`](crate::ParallelAggregator) that holds no more than so much memory for
/// the flows themselves: what it needs of them to count distinct peers and ports, 12 bytes for each
/// monitored end of a flow. Above the limit that goes to temporary files, one a thread, and comes back
/// slot by slot at the end. The flows may come in any order, and the result is the same bit for bit.
///
/// Memory beside the limit: as for [`Aggregator`], for each host, slot and transport on each thread that
/// sees flows of it, and in the end, on each thread, what one slot had started: some 50 bytes a monitored end of a flow if
/// peers are counted exactly. So slots should be no longer than memory allows; where they are, count
/// [approximately](Aggregation::with_approximate_peers).
#[derive(Debug)]
pub struct SpillingAggregator<'a> {
    config: &'a Aggregation,
    parts: Vec<SpillingPart<'a>>,
}

/// The part of one thread, for callers that share out flows themselves.
#[derive(Debug)]
pub struct SpillingPart<'a> {
    aggregator: Aggregator<'a>,
    open: Opener,
    /// What may be held, in starts, and flows that may come before it is counted again.
    limit: usize,
    room: usize,
    file: Option<SpillFile>,
    error: Option<io::Error>,
}

/// Opens an empty file for reading and writing, which nobody else uses.
#[derive(Clone)]
struct Opener(Arc<dyn Fn() -> io::Result<File> + Send + Sync>);

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

/// A temporary file that cannot be opened, written or read back.
#[derive(Debug, Error)]
#[error("temporary file of an aggregation: {0}")]
#[non_exhaustive]
pub struct SpillError(#[from] pub io::Error);

/// The file of a thread, and where it ends.
#[derive(Debug)]
struct SpillFile {
    file: Mutex<File>,
    end: u64,
}

/// Where starts of one slot lie in the file: so many, and then the IPv6 peers they number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    offset: u64,
    starts: usize,
    v6_peers: usize,
}

/// Bytes of a start and of an address in the file.
const START: usize = 12;
const ADDRESS: usize = 16;

impl<'a> SpillingAggregator<'a> {
    /// An aggregator that has seen no flows, for the threads of the current rayon pool; `memory` in
    /// bytes, for all of them together. `open` opens an empty file for reading and writing that nobody
    /// else uses; for example the function `tempfile` of the crate of that name.
    pub fn new(
        config: &'a Aggregation,
        memory: usize,
        open: impl Fn() -> io::Result<File> + Send + Sync + 'static,
    ) -> Self {
        let open = Opener(Arc::new(open));
        let threads = rayon::current_num_threads();
        let limit = memory / threads / size_of::<Start>();
        let part = |_| SpillingPart {
            aggregator: Aggregator::new(config),
            open: open.clone(),
            limit,
            room: limit / MOST_A_FLOW,
            file: None,
            error: None,
        };
        Self {
            config,
            parts: (0..threads).map(part).collect(),
        }
    }

    /// Adds a batch of flows; tens of thousands at a time keep all threads busy.
    pub fn add(&mut self, flows: &[Flow]) {
        let share = flows.len().div_ceil(self.parts.len()).max(1);
        self.parts
            .par_iter_mut()
            .zip(flows.par_chunks(share))
            .for_each(|(part, chunk)| part.add(chunk));
    }

    /// The part of each thread.
    pub fn parts_mut(&mut self) -> &mut [SpillingPart<'a>] {
        &mut self.parts
    }

    /// The error of a file, if there was one: no more flows are taken then, and
    /// [`finish`](Self::finish) gives it.
    pub fn error(&self) -> Option<&io::Error> {
        self.parts.iter().find_map(SpillingPart::error)
    }

    /// Bytes that were written to files so far.
    pub fn spilled(&self) -> u64 {
        let files = self.parts.iter().filter_map(|part| part.file.as_ref());
        files.map(|file| file.end).sum()
    }

    /// Closes every slot, on the threads of the current rayon pool.
    ///
    /// # Errors
    ///
    /// If a file could not be opened or written while flows came, or cannot be read back.
    pub fn finish(self) -> Result<HostSlots, SpillError> {
        let mut files = Vec::new();
        let mut aggregators = Vec::new();
        for part in self.parts {
            if let Some(error) = part.error {
                return Err(error.into());
            }
            files.push(part.file);
            aggregators.push(part.aggregator);
        }
        let totals = Totals::of(&aggregators);
        let parts = aggregators.into_iter();
        let parts = parts.map(Aggregator::into_slots);
        let closed = close(self.config, parts, |part, segment| match &files[part] {
            Some(file) => file.read_back(segment),
            None => Err(io::Error::other("what was written has no file")),
        })?;
        Ok(HostSlots::new(closed, totals, self.config))
    }
}

impl<'a> SpillingPart<'a> {
    /// Adds a batch of flows. An error of the file is kept for
    /// [`finish`](SpillingAggregator::finish), and ends the work.
    pub fn add(&mut self, flows: &[Flow]) {
        self.add_batches(flows, Aggregator::add);
    }

    /// Adds a batch of flows, and appends what [`Aggregation::scope`] says of each, which has to be found
    /// out anyway. An error of the file is kept for [`finish`](SpillingAggregator::finish), and ends the
    /// work: nothing is appended any more.
    pub fn add_and_scope(&mut self, flows: &[Flow], scopes: &mut Vec<Option<FlowScope>>) {
        self.add_batches(flows, |aggregator, batch| {
            aggregator.add_and_scope(batch, scopes);
        });
    }

    fn add_batches(&mut self, flows: &[Flow], mut add: impl FnMut(&mut Aggregator<'a>, &[Flow])) {
        for batch in flows.chunks(BATCH) {
            if self.error.is_some() {
                return;
            }
            add(&mut self.aggregator, batch);
            match self.room.checked_sub(batch.len()) {
                Some(room) => self.room = room,
                None => self.error = self.bound().err(),
            }
        }
    }

    /// The error of the file, if there was one: no more flows are taken then.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Writes what is held to the file if it is too much.
    fn bound(&mut self) -> io::Result<()> {
        let started = self.aggregator.started_mut();
        let held: usize = started.map(|started| started.held()).sum();
        self.room = self.limit.saturating_sub(held) / MOST_A_FLOW;
        // Little room would mean to look again soon.
        if self.room > self.limit / 64 {
            return Ok(());
        }
        self.room = self.limit / MOST_A_FLOW;
        if self.file.is_none() {
            let file = Mutex::new((self.open.0)()?);
            self.file = Some(SpillFile { file, end: 0 });
        }
        let started = self.aggregator.started_mut();
        self.file
            .as_mut()
            .map_or(Ok(()), |file| file.write_out(started))
    }
}

/// What a flow may add to [`Started::held`]: two ends, each with a new IPv6 peer.
const MOST_A_FLOW: usize = 2 * (1 + Started::V6_PEER);

/// Flows added between two looks at the room that is left.
const BATCH: usize = 1 << 12;

impl SpillFile {
    fn write_out<'s>(&mut self, slots: impl Iterator<Item = &'s mut Started>) -> io::Result<()> {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.end))?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        for started in slots {
            let (starts, v6_peers) = started.take();
            if starts.len() == 0 {
                continue;
            }
            let segment = Segment {
                offset: self.end,
                starts: starts.len(),
                v6_peers: v6_peers.len(),
            };
            self.end += segment.bytes() as u64;
            started.spill(segment);
            for start in starts.iter() {
                writer.write_all(&encoded(start))?;
            }
            for peer in &v6_peers {
                writer.write_all(&peer.to_bits().to_le_bytes())?;
            }
        }
        writer.flush()
    }

    fn read_back(&self, segment: Segment) -> io::Result<Spilled> {
        let mut bytes = vec![0; segment.bytes()];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(segment.offset))?;
        file.read_exact(&mut bytes)?;
        let v6_peers = bytes.split_off(segment.starts * START);
        Ok(Spilled {
            starts: bytes,
            v6_peers,
        })
    }
}

impl Segment {
    const fn bytes(self) -> usize {
        self.starts * START + self.v6_peers * ADDRESS
    }
}

/// What lay in a file, as it was written.
#[derive(Debug, Default)]
pub(crate) struct Spilled {
    starts: Vec<u8>,
    v6_peers: Vec<u8>,
}

impl Spilled {
    pub(crate) fn starts(&self) -> impl Iterator<Item = Start> {
        let (starts, _) = self.starts.as_chunks::<START>();
        starts.iter().map(decoded)
    }

    /// The IPv6 peers that the starts number.
    pub(crate) fn v6_peers(&self) -> Vec<AddressBits> {
        let (peers, _) = self.v6_peers.as_chunks::<ADDRESS>();
        let peer = |bits| IpAddr::V6(u128::from_le_bytes(bits).into()).into();
        peers.iter().copied().map(peer).collect()
    }
}

fn encoded(start: &Start) -> [u8; START] {
    let mut bytes = [0; START];
    bytes[..4].copy_from_slice(&start.group.to_le_bytes());
    bytes[4..8].copy_from_slice(&start.peer.to_le_bytes());
    bytes[8..10].copy_from_slice(&start.port.to_le_bytes());
    bytes[10] = u8::from(start.peer_is_v6);
    bytes[11] = u8::from(start.peer_in_isp);
    bytes
}

fn decoded(bytes: &[u8; START]) -> Start {
    let [a, b, c, d, e, f, g, h, i, j, is_v6, in_isp] = *bytes;
    Start {
        group: u32::from_le_bytes([a, b, c, d]),
        peer: u32::from_le_bytes([e, f, g, h]),
        port: u16::from_le_bytes([i, j]),
        peer_is_v6: is_v6 != 0,
        peer_in_isp: in_isp != 0,
    }
}
