//! Random numbers that are the same on every machine.
//!
//! `SplitMix64` (Steele, Lea and Flood 2014) gives the bits. The distributions use additions,
//! multiplications, divisions and shifts of 64-bit floats only, which IEEE 754 fixes to the last
//! bit; the logarithm and the exponential are written out here because a platform's own may differ
//! in the last digit.

/// A generator of 8 bytes; every host and activity has its own, so that adding one changes no other.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scrambles 64 bits: a bijection whose output looks random.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 64 bits as a number in [0, 1).
pub(crate) const fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

impl Rng {
    /// The stream of a seed that the given numbers name.
    pub(crate) fn stream(seed: u64, name: [u64; 3]) -> Self {
        let state = name.iter().fold(mix(seed ^ GOLDEN), |state, &part| {
            mix(state.wrapping_add(GOLDEN) ^ part)
        });
        Self { state }
    }

    /// 64 random bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in [0, 1).
    pub(crate) const fn uniform(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in `0..n`; 0 for `n = 0`. The bias is below `n / 2^64`.
    pub(crate) const fn below(&mut self, n: u32) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the product's high word is below n"
        )]
        let value = ((self.bits() as u128 * n as u128) >> 64) as u32;
        value
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -ln(1.0 - self.uniform())
    }

    /// Standard normal to within 0.01: the ones among 64 fair bits, smoothed by a uniform.
    pub(crate) fn normal(&mut self) -> f64 {
        let ones = f64::from(self.bits().count_ones());
        // Variance: 64 / 4 of the bits and 1 / 12 of the uniform.
        (ones - 32.5 + self.uniform()) / 4.010_403
    }

    /// Log-normal with mean 1.
    pub(crate) fn lognormal(&mut self, sigma: f64) -> f64 {
        exp(sigma * self.normal() - sigma * sigma / 2.0)
    }

    /// Pareto with the given least value and shape, cut at `most`.
    pub(crate) fn pareto(&mut self, least: f64, shape: f64, most: f64) -> f64 {
        (least * exp(self.exponential() / shape)).min(most)
    }

    /// Poisson; for small means.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        let mut count = 0;
        let mut sum = self.exponential();
        while sum < mean {
            count += 1;
            sum += self.exponential();
        }
        count
    }
}

const LN_2: f64 = std::f64::consts::LN_2;

/// Natural logarithm of a positive, normal number.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    #[expect(clippy::cast_possible_wrap, reason = "an exponent of 11 bits")]
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 artanh s, and |s| < 0.172: nine terms reach the last digits.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let s2 = s * s;
    let mut series = 0.0;
    for odd in (1..=17).rev().step_by(2) {
        series = series * s2 + 1.0 / f64::from(odd);
    }
    exponent as f64 * LN_2 + 2.0 * s * series
}

/// Exponential function of a number between -700 and 700.
fn exp(x: f64) -> f64 {
    let whole = (x / LN_2 + 0.5).floor();
    let rest = x - whole * LN_2;
    // |rest| < 0.35: thirteen terms of the power series reach the last digits.
    let mut series = 1.0;
    for n in (1..=13).rev() {
        series = 1.0 + series * rest / f64::from(n);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a biased exponent between 13 and 2033"
    )]
    let power = f64::from_bits(((whole as i64 + 1023) as u64) << 52);
    series * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_logarithm_and_exponential_agree_with_the_platform() {
        let mut rng = Rng::stream(1, [0; 3]);
        for _ in 0..100_000 {
            let x = rng.uniform() + 1e-12;
            assert!(
                (ln(x) - x.ln()).abs() <= 1e-13 * (1.0 + x.ln().abs()),
                "{x}"
            );
            let y = rng.between(-40.0, 40.0);
            assert!((exp(y) / y.exp() - 1.0).abs() < 1e-13, "{y}");
        }
        assert_eq!((ln(1.0), exp(0.0)), (0.0, 1.0));
    }

    /// The first outputs of `SplitMix64` for seed 0, from the authors' reference code.
    #[test]
    fn bits_are_those_of_the_reference_generator() {
        let mut rng = Rng { state: 0 };
        assert_eq!(rng.bits(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(rng.bits(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::stream(7, [1, 2, 3]);
        let n = 200_000;
        let mean = |rng: &mut Rng, draw: fn(&mut Rng) -> f64| {
            (0..n).map(|_| draw(rng)).sum::<f64>() / f64::from(n)
        };
        assert!((mean(&mut rng, Rng::exponential) - 1.0).abs() < 0.01);
        assert!(mean(&mut rng, Rng::normal).abs() < 0.01);
        assert!((mean(&mut rng, |rng| rng.normal() * rng.normal())).abs() < 0.01);
        assert!((mean(&mut rng, |rng| rng.normal().powi(2)) - 1.0).abs() < 0.02);
        assert!((mean(&mut rng, |rng| rng.lognormal(0.8)) - 1.0).abs() < 0.02);
        assert!((mean(&mut rng, |rng| f64::from(rng.poisson(0.7))) - 0.7).abs() < 0.01);
        assert!((mean(&mut rng, |rng| f64::from(rng.below(10))) - 4.5).abs() < 0.03);
    }

    #[test]
    fn streams_differ_by_seed_and_name() {
        let first = |seed, name| Rng::stream(seed, name).bits();
        assert_ne!(first(1, [0, 0, 0]), first(2, [0, 0, 0]));
        assert_ne!(first(1, [0, 0, 1]), first(1, [0, 1, 0]));
        assert_eq!(first(1, [4, 5, 6]), first(1, [4, 5, 6]));
    }
}
