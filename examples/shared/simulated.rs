//! A simulated trace on its way through the pipeline, without files.

use std::collections::BTreeMap;

use peerscope::findings::{Detectors, FindingsConfig};
use peerscope::prelude::*;
use peerscope::simulate::{PlantedId, Scenario, Simulation, Truth};
use peerscope_examples::AnyError;

/// Flows of planted behaviours that nobody answered: UDP without an answer, TCP that failed.
pub(crate) type InVain = BTreeMap<(PlantedId, Transport), u64>;

/// Simulates and analyses.
pub(crate) fn analysed(
    scenario: &Scenario,
    seed: u64,
    family: &Family,
) -> Result<(Analysis, Truth, InVain), AnyError> {
    const BATCH: usize = 1 << 16;
    let mut simulation = Simulation::new(scenario, seed)?;
    let pipeline = Pipeline::new(family.clone(), simulation.topology())
        .with_findings(Detectors::built_in(&FindingsConfig::default()));
    let mut session = pipeline.session();
    let mut batch = Vec::with_capacity(BATCH);
    let mut in_vain = InVain::new();
    for simulated in &mut simulation {
        let flow = &simulated.flow;
        let silent = flow.transport == Transport::Udp && flow.rev.packets == 0;
        if let Some(id) = simulated.cause.planted
            && (silent || flow.handshake == Some(Handshake::Failed))
        {
            *in_vain.entry((id, flow.transport)).or_default() += 1;
        }
        batch.push(simulated.flow);
        if batch.len() == BATCH {
            session.add(&batch);
            batch.clear();
        }
    }
    session.add(&batch);
    drop(batch);
    let truth = simulation.truth();
    Ok((session.finish()?, truth, in_vain))
}
