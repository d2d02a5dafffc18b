//! Packet sampling, as exporters announce it.

use super::fields::Place;
use super::value;

/// One packet in so many is sampled, by the elements of an options record or a data record; `None`
/// if they say nothing of it.
#[derive(Debug, Default)]
pub(super) struct Elements {
    interval: Option<u64>,
    random_interval: Option<u64>,
    run: Option<u64>,
    space: Option<u64>,
    size: Option<u64>,
    population: Option<u64>,
    probability: Option<f64>,
}

impl Elements {
    pub(super) fn new(record: &[(Place, &[u8])]) -> Self {
        let mut elements = Self::default();
        for &(place, value) in record {
            if let Place::Forward(number) = place {
                elements.set(number, value);
            }
        }
        elements
    }

    fn set(&mut self, number: u16, value: &[u8]) {
        // samplingInterval, samplerRandomInterval, samplingPacketInterval, samplingPacketSpace,
        // samplingSize, samplingPopulation, samplingProbability.
        let slot = match number {
            34 => &mut self.interval,
            50 => &mut self.random_interval,
            305 => &mut self.run,
            306 => &mut self.space,
            309 => &mut self.size,
            310 => &mut self.population,
            311 => return self.probability = value::float(value),
            _ => return,
        };
        *slot = value::uint(value);
    }

    /// Packets for each sampled one, rounded up; 1 is every packet.
    pub(super) fn one_in(&self) -> Option<u64> {
        let ratio = |of: u64, taken: u64| (taken > 0).then(|| of.div_ceil(taken));
        let plain = [self.interval, self.random_interval].into_iter().flatten();
        let plain = plain.filter(|&n| n > 0).max();
        let spaced = || ratio(self.run?.saturating_add(self.space?), self.run?);
        let drawn = || ratio(self.population?, self.size?);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and is positive"
        )]
        let chance = || {
            let p = self.probability.filter(|p| *p > 0.0 && *p <= 1.0)?;
            Some((1.0 / p).ceil() as u64)
        };
        plain.or_else(spaced).or_else(drawn).or_else(chance)
    }
}
