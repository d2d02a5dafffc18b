//! A report that means harm.

use peerscope_report::Report;

use crate::fixtures::{LABELS, open};

/// The report of the laboratory with every text replaced by a hostile one.
pub(crate) fn report() -> Report {
    let mut report = open("lab-a");
    let long = "<b>long</b>".repeat(1000);
    let mut labels = LABELS.iter().copied().chain([long.as_str()]).cycle();
    let mut spoil = |text: &mut String| labels.next().unwrap_or_default().clone_into(text);
    let document = &mut report.document;
    spoil(&mut document.family);
    // Every label stands as the name of a file, as a kind of the user's own, as a host and in a rule.
    let every = || LABELS.iter().copied().chain([long.as_str()]);
    let source = document.input.sources[0].clone();
    document.input.sources = every().map(|_| source.clone()).collect();
    for (source, label) in document.input.sources.iter_mut().zip(every()) {
        label.clone_into(&mut source.name);
        source.ended_by = Some(label.to_owned());
    }
    assert!(document.findings.active.len() > LABELS.len());
    for (rule, label) in report.rules.rules.iter_mut().zip(every().cycle()) {
        for text in [&mut rule.left, &mut rule.right, &mut rule.template] {
            label.clone_into(text);
        }
        rule.right.push('2');
    }
    for (i, label) in LABELS.iter().enumerate() {
        document.input.skipped.insert((*label).to_owned(), i as u64);
        document.samples.by_system.insert((*label).to_owned(), 1);
    }
    for (finding, label) in document.findings.active.iter_mut().zip(every().cycle()) {
        for text in [
            &mut finding.kind,
            &mut finding.explanation,
            &mut finding.system,
            &mut finding.severity,
        ] {
            label.clone_into(text);
        }
        let hosts = finding.hosts.iter_mut().chain(&mut finding.peers);
        hosts
            .zip(every().cycle())
            .for_each(|(host, label)| label.clone_into(host));
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
    for change in &mut document.changes.hosts {
        spoil(&mut change.host);
        spoil(&mut change.metric);
    }
    for proposal in &mut document.experimental.proposals {
        spoil(&mut proposal.metric);
        for cluster in &mut proposal.clusters {
            cluster
                .reasons
                .iter_mut()
                .for_each(|reason| spoil(&mut reason.evidence));
        }
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
