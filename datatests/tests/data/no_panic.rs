//! Every file of the data through the meter: an error or flows, never a panic or a lost packet.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use peerscope_meter::{ByteCount, CutPackets, MeterConfig, Tunnels};

use crate::metering::meter;
use crate::{ndpi, test};

pub(crate) fn tests(root: &Path) -> Vec<Trial> {
    vec![test("no_panic::every_file", root, "public", |folder| {
        every_file(&folder)
    })]
}

fn every_file(folder: &Path) -> Result<(), Failed> {
    let mut paths = Vec::new();
    walk(folder, &mut paths)?;
    let mut captures = 0;
    for path in &paths {
        let configs = [
            MeterConfig::new(),
            MeterConfig::new()
                .with_tunnels(Tunnels::Inner)
                .with_max_live_flows(3)
                .with_duplicate_window(std::time::Duration::from_millis(5)),
            MeterConfig::new()
                .with_byte_count(ByteCount::Frame)
                .with_cut_packets(CutPackets::Skip),
            ndpi::profile(),
        ];
        for config in configs {
            let metered = meter(path, config);
            let (report, flows) = (metered.report, metered.flows);
            let sums = flows.iter().fold((0, 0), |(packets, bytes), flow| {
                (
                    packets + flow.fwd.packets + flow.rev.packets,
                    bytes + flow.fwd.bytes + flow.rev.bytes,
                )
            });
            let counted = report.metered.packets + report.skipped.total();
            if sums != (report.metered.packets, report.metered.bytes)
                || counted != report.offered.packets
                || flows.len() as u64 != report.flows
            {
                return Err(format!("{}: {report:?} but {sums:?}", path.display()).into());
            }
            captures += usize::from(report.offered.packets > 0);
        }
    }
    println!(
        "no_panic: {} files, {captures} runs with packets",
        paths.len()
    );
    Ok(())
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Failed> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}
