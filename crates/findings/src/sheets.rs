//! All flows and peers behind the findings, as CSV: what evidence has the first of.

use std::io::{self, Write};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use peerscope_flow::Handshake;
use rayon::prelude::*;

use crate::exhibit::rank;
use crate::{Findings, FlowRow, PartyCount, PeerId, Scene};

/// Flows that are made into lines at a time.
const BLOCK: usize = 1 << 16;

impl Findings {
    /// Every flow that supports an active finding, as CSV, one line a flow and finding: the number
    /// of the finding from 1, then the flow. `scene` is the one they were found in.
    ///
    /// Lines are made on the threads of the current rayon pool, some megabytes at a time. The text
    /// has some 110 bytes a flow, and as many lines as the findings have flows
    /// ([`Finding::flows`](crate::Finding::flows)).
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn write_flows(&self, scene: &Scene<'_>, mut out: impl Write) -> io::Result<()> {
        out.write_all(
            b"finding,start_us,end_us,transport,src_ip,src_port,dst_ip,dst_port,\
              fwd_packets,fwd_bytes,rev_packets,rev_bytes,outcome\n",
        )?;
        for (i, finding) in (1..).zip(&self.active) {
            let mut flows = scene.select(&finding.selection);
            loop {
                let block: Vec<_> = flows.by_ref().take(BLOCK).collect();
                let lines = block.par_chunks(BLOCK / 16).map(|flows| {
                    let mut lines = Vec::new();
                    for (host, flow) in flows {
                        let row = FlowRow::new(host.ip, scene.peer(flow.peer), flow);
                        line(&mut lines, i, &row)?;
                    }
                    Ok(lines)
                });
                let lines: Vec<Vec<u8>> = lines.collect::<io::Result<_>>()?;
                if lines.is_empty() {
                    break;
                }
                for lines in lines {
                    out.write_all(&lines)?;
                }
            }
        }
        Ok(())
    }

    /// Every peer of the flows that support an active finding, as CSV: the number of the finding from
    /// 1, then the peer, those with most flows first.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written.
    pub fn write_peers(&self, scene: &Scene<'_>, mut out: impl Write) -> io::Result<()> {
        out.write_all(b"finding,ip,flows,in_vain,sent_bytes,received_bytes,first_us,last_us\n")?;
        for (i, finding) in (1_usize..).zip(&self.active) {
            let mut peers: HashMap<PeerId, PartyCount, RandomState> = HashMap::default();
            for (_, flow) in scene.select(&finding.selection) {
                let party = peers.entry(flow.peer);
                let new = || PartyCount::new(scene.peer(flow.peer));
                party.or_insert_with(new).add(flow);
            }
            let mut peers: Vec<PartyCount> = peers.into_values().collect();
            rank(&mut peers);
            for peer in peers {
                let numbers = [peer.flows, peer.in_vain, peer.sent, peer.received];
                let [flows, in_vain, sent, received] = numbers;
                writeln!(
                    out,
                    "{i},{},{flows},{in_vain},{sent},{received},{},{}",
                    peer.ip, peer.first_us, peer.last_us
                )?;
            }
        }
        Ok(())
    }
}

fn line(out: &mut impl Write, finding: usize, flow: &FlowRow) -> io::Result<()> {
    // Nothing in it can hold a comma, a quote or the beginning of a formula.
    let outcome = match (flow.handshake, flow.rev.packets) {
        (Some(Handshake::Complete), _) => "complete",
        (Some(Handshake::Failed), _) => "failed",
        (Some(Handshake::Unknown), _) => "unknown",
        (None, 0) => "unanswered",
        (None, _) => "answered",
    };
    writeln!(
        out,
        "{finding},{},{},{},{},{},{},{},{},{},{},{},{outcome}",
        flow.start_us,
        flow.end_us,
        flow.transport,
        flow.src.ip,
        flow.src.port,
        flow.dst.ip,
        flow.dst.port,
        flow.fwd.packets,
        flow.fwd.bytes,
        flow.rev.packets,
        flow.rev.bytes,
    )
}
