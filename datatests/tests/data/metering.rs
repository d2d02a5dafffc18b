//! What the tests of the meter share: files in, flows out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use peerscope_flow::{Flow, FlowKey, Volume};
use peerscope_meter::{Capture, CaptureError, Meter, MeterConfig, MeterReport};

/// The flows of a capture, and the error that ended it, if any.
pub(crate) struct Metered {
    pub(crate) flows: Vec<Flow>,
    pub(crate) report: MeterReport,
    pub(crate) error: Option<CaptureError>,
}

/// Meters one file; an error of the capture is a result too.
pub(crate) fn meter(path: &Path, config: MeterConfig) -> Metered {
    let mut meter = Meter::new(config);
    let error = Capture::open(path)
        .and_then(|mut capture| meter.read(&mut capture))
        .err();
    let (flows, report) = meter.finish();
    Metered {
        flows,
        report,
        error,
    }
}

/// The files of a folder, by name.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The last component of a path as text.
pub(crate) fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A file as text; bytes that are not UTF-8 are replaced.
pub(crate) fn text(path: &Path) -> Result<String, Failed> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Packets and bytes per conversation, in both directions, however many flows it has.
#[derive(Debug, Default)]
pub(crate) struct Conversations(BTreeMap<FlowKey, [Volume; 2]>);

impl Conversations {
    /// Sums up flows.
    pub(crate) fn of(flows: &[Flow]) -> Self {
        let mut sums = Self::default();
        for flow in flows {
            sums.add(flow.key(), flow.fwd, flow.rev);
        }
        sums
    }

    /// Adds what the source and the destination of `key` sent.
    pub(crate) fn add(&mut self, key: FlowKey, fwd: Volume, rev: Volume) {
        let (key, sent) = if key.src <= key.dst {
            (key, [fwd, rev])
        } else {
            (key.reversed(), [rev, fwd])
        };
        let sums = self.0.entry(key).or_default();
        for (sum, volume) in sums.iter_mut().zip(sent) {
            sum.packets += volume.packets;
            sum.bytes += volume.bytes;
        }
    }

    /// Number of conversations.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The conversations that are not the same in `found`, beginning with their key.
    pub(crate) fn differences(&self, found: &Self) -> Vec<String> {
        let differ = self
            .0
            .iter()
            .filter(|(key, sums)| found.0.get(key) != Some(sums));
        let show = |sums: Option<&[Volume; 2]>| {
            sums.map_or_else(
                || "none".to_owned(),
                |[a, b]| format!("{}/{} and {}/{}", a.packets, a.bytes, b.packets, b.bytes),
            )
        };
        let lines = differ.map(|(key, sums)| {
            let (expected, found) = (show(Some(sums)), show(found.0.get(key)));
            format!("{key}: expected {expected}, found {found}")
        });
        lines.collect()
    }
}
