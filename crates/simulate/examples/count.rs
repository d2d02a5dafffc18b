//! Counts the flows of a preset, and does nothing else: what the simulation itself costs.
//!
//! `time count [SCENARIO] [FLOWS] [SEED]`

use std::error::Error;

use peerscope_simulate::{Scenario, Simulation};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or("minipop-2008".to_owned());
    let flows = arguments
        .next()
        .map_or(Ok(1_000_000), |flows| flows.parse())?;
    let seed = arguments.next().map_or(Ok(1), |seed| seed.parse())?;
    let scenario = Scenario::preset(&name)?.with_flows(flows)?;
    let (count, bytes) = Simulation::new(&scenario, seed)?.fold((0_u64, 0), |(count, bytes), s| {
        (count + 1, bytes + s.flow.fwd.bytes)
    });
    println!("{count} flows, {bytes} bytes sent by initiators");
    Ok(())
}
