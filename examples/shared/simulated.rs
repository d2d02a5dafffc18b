//! A simulated trace on its way through the pipeline, without files.

use std::collections::BTreeMap;
use std::net::IpAddr;

use peerscope::findings::{Detectors, FindingsConfig};
use peerscope::prelude::*;
use peerscope::simulate::{Activity, PlantedId, Scenario, Simulation, Truth};
use peerscope_examples::AnyError;

/// Flows that nobody answered, UDP without an answer and TCP that failed: by the planted behaviour they
/// are of, and those to hosts that were away for a while, by host.
#[derive(Default)]
pub(crate) struct InVain {
    pub(crate) planted: BTreeMap<(PlantedId, Transport), u64>,
    pub(crate) away: BTreeMap<(IpAddr, Transport), u64>,
}

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
    let mut in_vain = InVain::default();
    for simulated in &mut simulation {
        let flow = &simulated.flow;
        let silent = flow.transport == Transport::Udp && flow.rev.packets == 0;
        if silent || flow.handshake == Some(Handshake::Failed) {
            if let Some(id) = simulated.cause.planted {
                *in_vain.planted.entry((id, flow.transport)).or_default() += 1;
            } else if simulated.cause.activity == Activity::Away {
                let key = (flow.dst.ip, flow.transport);
                *in_vain.away.entry(key).or_default() += 1;
            }
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
