//! An analysis does not depend on how much of its flows fitted into memory.

use peerscope::Pipeline;
use peerscope::flow::{Family, Flow};
use peerscope::simulate::{Scenario, Simulation};

#[test]
fn an_analysis_from_temporary_files_is_the_same() {
    let scenario = Scenario::preset("tiny").unwrap();
    let mut simulation = Simulation::new(&scenario, 3).unwrap();
    let flows: Vec<Flow> = simulation
        .by_ref()
        .map(|simulated| simulated.flow)
        .collect();
    let analysis = |spill_above: usize| {
        let topology = simulation.topology();
        let pipeline = Pipeline::new(Family::emule(), topology).with_spill_above(spill_above);
        let mut session = pipeline.session();
        for batch in flows.chunks(1000) {
            session.add(batch);
        }
        let spilled = session.spilled();
        (
            spilled,
            serde_json::to_value(session.finish().unwrap()).unwrap(),
        )
    };
    let (none, in_memory) = analysis(usize::MAX);
    assert!(in_memory["samples"]["total"].as_u64() > Some(100));
    let (most, from_files) = analysis(0);
    let (some, from_both) = analysis(100_000);
    assert!(
        none == 0 && some > 0 && most >= some,
        "{none} {some} {most}"
    );
    assert_eq!(from_files, in_memory);
    assert_eq!(from_both, in_memory);
}

#[test]
fn an_analysis_says_that_counts_are_approximate() {
    let settings = "family = \"emule\"\napproximate_peers = 12";
    let pipeline = Pipeline::from_toml(settings).unwrap();
    let samples = pipeline.session().finish().unwrap().samples;
    assert_eq!(samples.peers_standard_error, Some(1.04 / 64.0));
    let error = Pipeline::from_toml("family = \"emule\"\napproximate_peers = 40").unwrap_err();
    assert!(
        error.to_string().contains("precision 40 is not in 4..=18"),
        "{error}"
    );
}
