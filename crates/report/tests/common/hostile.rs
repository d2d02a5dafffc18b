//! Reports to test with: of the fixtures, and one that means harm.

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

/// The report of a fixture.
pub(crate) fn open(name: &str) -> Report {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    Report::open(folder.join(name)).expect("a fixture")
}

#[allow(dead_code, reason = "the tests of figures take labels only")]
/// The report of the laboratory with every text replaced by a hostile one.
pub(crate) fn report() -> Report {
    let mut report = open("lab-a");
    let long = "<b>long</b>".repeat(1000);
    let mut labels = LABELS.iter().copied().chain([long.as_str()]).cycle();
    let mut spoil = |text: &mut String| labels.next().unwrap_or_default().clone_into(text);
    let document = &mut report.document;
    spoil(&mut document.family);
    for source in &mut document.input.sources {
        spoil(&mut source.name);
        source.ended_by = Some(LABELS[1].to_owned());
    }
    for (i, label) in LABELS.iter().enumerate() {
        document.input.skipped.insert((*label).to_owned(), i as u64);
        document.samples.by_system.insert((*label).to_owned(), 1);
    }
    for finding in &mut document.findings.active {
        for text in [
            &mut finding.kind,
            &mut finding.explanation,
            &mut finding.system,
            &mut finding.severity,
        ] {
            spoil(text);
        }
        finding
            .hosts
            .iter_mut()
            .chain(&mut finding.peers)
            .for_each(&mut spoil);
        finding.evidence.insert(LABELS[0].to_owned(), None);
        finding.samples.insert(LABELS[2].to_owned(), 1);
    }
    for (system, outcome) in &mut document.systems.0 {
        spoil(system);
        for (metric, found) in &mut outcome.metrics.0 {
            spoil(metric);
            if let Some(interesting) = &mut found.interesting {
                spoil(&mut interesting.explanation);
            }
        }
        for pair in &mut outcome.pairs {
            spoil(&mut pair.left);
            spoil(&mut pair.right);
        }
    }
    for host in &mut document.heavy_hosts {
        spoil(&mut host.host);
        host.metrics
            .iter_mut()
            .for_each(|metric| spoil(&mut metric.metric));
    }
    for exhibit in &mut report.evidence.exhibits {
        for party in exhibit.hosts.iter_mut().chain(&mut exhibit.peers) {
            spoil(&mut party.ip);
        }
        for contact in &mut exhibit.contacts {
            spoil(&mut contact.host);
            spoil(&mut contact.peer);
        }
        for flow in &mut exhibit.flows {
            spoil(&mut flow.src.ip);
            spoil(&mut flow.transport);
            flow.handshake = Some(LABELS[1].to_owned());
        }
    }
    report
}
