//! Approximate counts of very many distinct peers, in little memory.

use std::fmt;

use peerscope_flow::AddressBits;
use thiserror::Error;

use crate::distinct::{Distinct, is_reserved};

/// How precisely distinct peers are counted where they are not counted exactly: by `HyperLogLog` with
/// 2^p registers (Flajolet, Fusy, Gandouet and Meunier 2007), in 64-bit hashes (Heule, Nunkesser and
/// Hall 2013), estimated without bias and without tables over the whole range (Ertl 2017).
///
/// The standard error is 1.04 / sqrt(2^p). Two sets of registers and the ports take 2 * 2^p + 8,192
/// bytes a host, slot, transport and direction, on each thread that sees flows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "u8", into = "u8"))]
pub struct Precision(u8);

/// A precision that is not in `4..=18`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("precision {0} is not in 4..=18")]
#[non_exhaustive]
pub struct PrecisionError(pub u8);

impl Precision {
    /// 2^14 registers: a standard error of 0.8 % in 40 KiB.
    pub const DEFAULT: Self = Self(14);

    /// A precision of 2^p registers.
    ///
    /// # Errors
    ///
    /// If `p` is not in `4..=18`.
    pub const fn new(p: u8) -> Result<Self, PrecisionError> {
        if 4 <= p && p <= 18 {
            Ok(Self(p))
        } else {
            Err(PrecisionError(p))
        }
    }

    /// The relative standard error of an approximate count.
    pub fn standard_error(self) -> f64 {
        1.04 / (self.registers() as f64).sqrt()
    }

    /// Peers are counted exactly for a host, slot, transport and direction with at most so many flows
    /// started: 2^p, and no fewer than 1,024, which take no more memory than a set of registers.
    pub const fn exact_up_to(self) -> u32 {
        1 << if self.0 < 10 { 10 } else { self.0 }
    }

    const fn registers(self) -> usize {
        1 << self.0
    }
}

impl Default for Precision {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<u8> for Precision {
    type Error = PrecisionError;

    fn try_from(p: u8) -> Result<Self, PrecisionError> {
        Self::new(p)
    }
}

impl From<Precision> for u8 {
    fn from(precision: Precision) -> Self {
        precision.0
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is kept of the flows started in one group. Peers inside and outside of the provider's network
/// are counted apart, so that the ones are never more than all.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    inside: Registers,
    outside: Registers,
    ports: Vec<u64>,
}

impl Sketch {
    pub(crate) fn new(precision: Precision) -> Self {
        Self {
            inside: Registers::new(precision),
            outside: Registers::new(precision),
            ports: vec![0; (usize::from(u16::MAX) + 1) / 64],
        }
    }

    pub(crate) fn add(&mut self, peer: AddressBits, peer_in_isp: bool, port: u16) {
        let registers = if peer_in_isp {
            &mut self.inside
        } else {
            &mut self.outside
        };
        registers.add(hash(peer));
        self.ports[usize::from(port) / 64] |= 1 << (port % 64);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.inside.merge(&other.inside);
        self.outside.merge(&other.outside);
        for (own, more) in self.ports.iter_mut().zip(&other.ports) {
            *own |= more;
        }
    }

    /// The counts, of so many flows started.
    pub(crate) fn counts(&self, started: u32) -> Distinct {
        let inside = self.inside.estimate();
        let peers = whole(inside + self.outside.estimate()).min(started);
        let has = |port: &u16| self.ports[usize::from(*port) / 64] >> (port % 64) & 1 == 1;
        let count = |ports: &mut dyn Iterator<Item = u16>| ports.map(|_| 1).sum();
        Distinct {
            peers,
            isp_peers: whole(inside).min(peers),
            ports: count(&mut (0..=u16::MAX).filter(has)),
            reserved_ports: count(
                &mut (0..=u16::MAX).filter(|&port| is_reserved(port)).filter(has),
            ),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and saturates"
)]
fn whole(estimate: f64) -> u32 {
    estimate.round() as u32
}

/// A fixed hash, so that parts of a trace agree and every run gives the same: the finaliser of
/// `SplitMix64` (Steele, Lea and Flood 2014) over both halves of the address.
fn hash(peer: AddressBits) -> u64 {
    let mix = |value: u64| {
        let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let bits = peer.to_bits();
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    let low = bits as u64;
    mix(mix((bits >> 64) as u64) ^ low)
}

/// `HyperLogLog`: by the first p bits of a hash, the longest run of zeros seen in the others, plus 1.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Registers {
    precision: Precision,
    longest: Vec<u8>,
}

impl Registers {
    fn new(precision: Precision) -> Self {
        Self {
            precision,
            longest: vec![0; precision.registers()],
        }
    }

    fn add(&mut self, hash: u64) {
        let p = u32::from(self.precision.0);
        // A one behind the last bit ends a run there.
        let rest = (hash << p) | (1 << (p - 1));
        #[expect(clippy::cast_possible_truncation, reason = "at most 61")]
        let run = rest.leading_zeros() as u8 + 1;
        #[expect(clippy::cast_possible_truncation, reason = "p bits")]
        let register = &mut self.longest[(hash >> (64 - p)) as usize];
        *register = run.max(*register);
    }

    fn merge(&mut self, other: &Self) {
        for (own, more) in self.longest.iter_mut().zip(&other.longest) {
            *own = (*own).max(*more);
        }
    }

    /// The improved raw estimate, algorithm 6 of Ertl (2017).
    fn estimate(&self) -> f64 {
        let longest_run = 64 - usize::from(self.precision.0);
        let mut having = vec![0_u32; longest_run + 2];
        for &run in &self.longest {
            having[usize::from(run)] += 1;
        }
        let registers = self.longest.len() as f64;
        let share = |run: usize| f64::from(having[run]) / registers;
        let mut z = registers * tau(1.0 - share(longest_run + 1));
        for &count in having[1..=longest_run].iter().rev() {
            z = 0.5 * (z + f64::from(count));
        }
        z += registers * sigma(share(0));
        registers * registers / (2.0 * std::f64::consts::LN_2 * z)
    }
}

/// x + the sum over k > 0 of x^(2^k) * 2^(k - 1), for `x` in `[0, 1]`.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut sum, mut factor) = (x, 1.0);
    loop {
        x *= x;
        let before = sum;
        sum += x * factor;
        factor *= 2.0;
        if sum <= before {
            return sum;
        }
    }
}

/// (1 - x - the sum over k > 0 of (1 - x^(2^-k))^2 * 2^-k) / 3, for `x` in `[0, 1]`.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut sum, mut factor) = (1.0 - x, 1.0);
    loop {
        x = x.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * factor;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    /// Addresses in a row, as they are handed out: the hardest ones for a weak hash.
    fn peer(number: u32) -> AddressBits {
        if number % 4 == 3 {
            IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number))).into()
        } else {
            IpAddr::V4(Ipv4Addr::from_bits((10 << 24) + number)).into()
        }
    }

    #[test]
    fn errors_have_no_bias_and_the_size_that_is_stated() {
        // Many small sketches: their errors are known to 1 / sqrt(2 * 400) and 1 / sqrt(400) of
        // their size. From linear counting through the middle to the far range.
        const SKETCHES: u32 = 400;
        let precision = Precision::new(8).unwrap();
        for count in [64, 256, 640, 1280, 5000, 20_000] {
            let errors: Vec<f64> = (0..SKETCHES)
                .map(|sketch| {
                    let mut registers = Registers::new(precision);
                    for number in 0..count {
                        registers.add(hash(peer(sketch * count + number)));
                    }
                    registers.estimate() / f64::from(count) - 1.0
                })
                .collect();
            let mean = errors.iter().sum::<f64>() / f64::from(SKETCHES);
            let square = errors.iter().map(|error| error * error).sum::<f64>();
            let deviation = (square / f64::from(SKETCHES)).sqrt();
            let stated = precision.standard_error();
            assert!(
                mean.abs() < 4.0 * stated / f64::from(SKETCHES).sqrt(),
                "{count}: {mean}"
            );
            // In sparse registers it is less.
            assert!(
                deviation < 1.15 * stated,
                "{count}: {deviation} beside {stated}"
            );
            assert!(
                count < 1280 || deviation > 0.85 * stated,
                "{count}: {deviation}"
            );
        }
    }

    #[test]
    fn order_repeats_and_parts_make_no_difference() {
        let precision = Precision::new(6).unwrap();
        let of = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut sketch = Sketch::new(precision);
            for number in numbers {
                sketch.add(peer(number), number % 3 == 0, 1020 + (number % 10) as u16);
            }
            sketch
        };
        let whole = of(&mut (0..5000));
        let mut parts = of(&mut (2000..5000).rev().chain(2000..3000));
        parts.merge(&of(&mut (0..2500)));
        let counts = whole.counts(u32::MAX);
        assert_eq!(parts.counts(u32::MAX), counts);
        assert_eq!((counts.ports, counts.reserved_ports), (10, 5));
        assert!(counts.isp_peers < counts.peers);
        // More peers than flows cannot be.
        assert_eq!(whole.counts(10).peers, 10);
        assert_eq!(Sketch::new(precision).counts(5), Distinct::default());
    }

    #[test]
    fn precisions_out_of_range_are_refused() {
        assert_eq!(Precision::new(3), Err(PrecisionError(3)));
        assert_eq!(
            Precision::new(19).unwrap_err().to_string(),
            "precision 19 is not in 4..=18"
        );
        assert!((Precision::DEFAULT.standard_error() - 0.008_125).abs() < 1e-12);
    }

    #[test]
    fn registers_hold_runs_of_any_length() {
        let precision = Precision::new(4).unwrap();
        let mut registers = Registers::new(precision);
        registers.add(0);
        registers.add(u64::MAX);
        assert_eq!((registers.longest[0], registers.longest[15]), (61, 1));
        assert!(registers.estimate().is_finite());
    }
}
