//! What the tests of the meter share: files in, flows out.

use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use peerscope_flow::Flow;
use peerscope_meter::{Capture, CaptureError, Meter, MeterConfig, MeterReport};

/// The flows of a capture, and the error that ended it, if any.
pub struct Metered {
    pub flows: Vec<Flow>,
    pub report: MeterReport,
    pub error: Option<CaptureError>,
}

/// Meters one file; an error of the capture is a result too.
pub fn meter(path: &Path, config: MeterConfig) -> Metered {
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
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
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
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file as text; bytes that are not UTF-8 are replaced.
pub fn text(path: &Path) -> Result<String, Failed> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
