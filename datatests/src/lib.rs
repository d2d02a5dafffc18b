//! Where the traces are that the data-driven tests read.

use std::path::{Path, PathBuf};

/// The folder of the traces: `$PEERSCOPE_DATA`, else `../shared/data` beside the workspace.
/// `None` if there is no such folder.
pub fn data_root() -> Option<PathBuf> {
    let root = std::env::var_os("PEERSCOPE_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    root.is_dir().then_some(root)
}
