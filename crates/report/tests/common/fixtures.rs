//! Reports to test with, and labels that mean harm.

use std::path::Path;

use peerscope_report::Report;

/// Every kind of label that may come from outside.
pub(crate) const LABELS: [&str; 5] = [
    "<script>window.hostile=1</script>",
    "\"'><img src=x onerror=window.hostile=1>",
    "</style></svg></title></textarea><script>window.hostile=1</script>",
    "\u{202e}drow\u{2066}x\u{200f}",
    "javascript:window.hostile=1//\0\u{1b}\u{ffff}]]>",
];

/// The report of a fixture, with communication rules if it has some.
///
/// `lab-a` is the shipped capture as docs/report.md analyses it, `minipop-2008` is
/// `simulate --flows 20000`; to be small both are without trails and lag profiles, their samples
/// have four digits, and an exhibit at most 25 hosts, peers and flows.
pub(crate) fn open(name: &str) -> Report {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let report = Report::open(folder.join(name)).expect("a fixture");
    let rules = folder.join(name).join("rules.json");
    if rules.exists() {
        report.with_rules(rules).expect("rules of a fixture")
    } else {
        report
    }
}
