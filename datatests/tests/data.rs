//! Data-driven tests: captures and flow logs of others, each with its own expected results.
//!
//! Without the data (see [`peerscope_datatests::data_root`]) the tests show as ignored, and fail
//! where `CI=true`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "data/arkime.rs"]
mod arkime;
#[path = "data/exports.rs"]
mod exports;
#[path = "data/ipfixprobe.rs"]
mod ipfixprobe;
#[path = "data/lab.rs"]
mod lab;
#[path = "data/labels.rs"]
mod labels;
#[path = "data/logs.rs"]
mod logs;
#[path = "data/metering.rs"]
mod metering;
#[path = "data/ndpi.rs"]
mod ndpi;
#[path = "data/netflow.rs"]
mod netflow;
#[path = "data/no_panic.rs"]
mod no_panic;
#[path = "data/tool_outputs.rs"]
mod tool_outputs;
#[path = "data/zeek.rs"]
mod zeek;

/// The tests of a module, given the folder of the data. Names must not depend on what is in it.
type Module = fn(&Path) -> Vec<Trial>;

/// Every module, by name.
const MODULES: [Module; 11] = [
    arkime::tests,
    exports::tests,
    ipfixprobe::tests,
    lab::tests,
    labels::tests,
    logs::tests,
    ndpi::tests,
    netflow::tests,
    no_panic::tests,
    tool_outputs::tests,
    zeek::tests,
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let found = peerscope_datatests::data_root();
    let root = found.clone().unwrap_or_default();
    let trials = MODULES.iter().flat_map(|tests| tests(&root));
    let trials = match found {
        Some(_) => trials.collect(),
        None if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            trials.map(|trial| missing(&trial)).collect()
        }
        None => trials.map(|trial| trial.with_ignored_flag(true)).collect(),
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that fails for want of data.
fn missing(trial: &Trial) -> Trial {
    Trial::test(trial.name().to_owned(), || {
        Err("no data: set PEERSCOPE_DATA to its folder".into())
    })
}

/// A test named `name` that reads `folder` of the data.
fn test(
    name: &str,
    root: &Path,
    folder: &str,
    check: impl FnOnce(PathBuf) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let folder = root.join(folder);
    Trial::test(name, move || check(folder))
}
