//! The README's example, run on the capture that ships with the project.
//!
//! `cargo run --release --example tour`

use std::error::Error;

use peerscope::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let capture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/data/lab-smoke/pop-wan.pcap.zst"
    );

    // Which addresses are under study, and which belong to the same provider.
    let topology = Topology::new(["100.72.0.0/16".parse()?], ["100.86.0.0/16".parse()?]);

    // eMule with its Kad network. The shipped capture is short, so slots are too.
    let emule = Aggregation::new(Family::emule(), topology.clone())
        .with_slot_length(SlotLength::from_secs(10.0)?);
    let pipeline = Pipeline::new(Family::emule(), topology).with_aggregation(emule);

    // Packets or logs in any number of files; flows of your own go in with `session.add`.
    let mut session = pipeline.session();
    session.add_file(capture)?;
    let analysis = session.finish()?;
    if analysis.samples.total == 0 {
        return Err("no samples: is the topology that of the capture?".into());
    }

    // What stands out, metric by metric.
    println!(
        "{} samples of {} hosts",
        analysis.samples.total, analysis.samples.hosts
    );
    for system in &analysis.correlation.systems {
        for metric in &system.metrics {
            if let Some(interesting) = metric.outcome.interesting().filter(|found| found.count > 0)
            {
                println!(
                    "{} {}: {} samples, {}",
                    system.system, metric.metric, interesting.count, interesting.explanation
                );
            }
        }
    }
    Ok(())
}
