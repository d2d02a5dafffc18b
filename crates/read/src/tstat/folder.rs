//! The logs of a run of Tstat.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Fault, Position, ReadError};

const LOGS: [&str; 3] = ["log_tcp_complete", "log_tcp_nocomplete", "log_udp_complete"];

/// The logs of flows in a folder of Tstat, compressed or not: those of one run (`....out`), or of
/// all runs in the folder, in order of their names. They are one source.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn tstat_logs(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, ReadError> {
    let folder = folder.as_ref();
    find(folder).map_err(|error| {
        let name: Arc<str> = folder.display().to_string().into();
        ReadError::new(name, Position::Source, Fault::Io(error))
    })
}

fn find(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_run(&path) && path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                logs.push(entry?.path());
            }
        } else {
            logs.push(path);
        }
    }
    logs.retain(|path| is_log(path) && path.is_file());
    logs.sort();
    Ok(logs)
}

fn is_run(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "out")
}

/// `log_tcp_complete` and the like, perhaps with an extension.
fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().unwrap_or_default();
    LOGS.contains(&name)
}
