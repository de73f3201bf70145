//! The one source of chance in a simulation.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// A deterministic generator: the same seed gives the same draws on every machine.
#[derive(Clone, Debug)]
pub struct Seed(ChaCha8Rng);

impl Seed {
    /// A generator from a number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from 0 to `most`, both included.
    pub fn up_to(&mut self, most: u64) -> u64 {
        // The bias of the modulus is below 2^-40 for the spans that a simulation uses.
        match most.checked_add(1) {
            Some(span) => self.0.next_u64() % span,
            None => self.0.next_u64(),
        }
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64 <= probability && probability > 0.0
    }

    /// 32 bytes, for the seed of an engine.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        self.0.fill_bytes(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_keeps_its_probability_and_its_ends() {
        let mut seed = Seed::new(1);
        let hits = (0..100_000).filter(|_| seed.chance(0.3)).count();
        assert!((29_400..30_600).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| !seed.chance(0.0)));
        assert!((0..1_000).all(|_| seed.chance(1.0)));
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let (mut a, mut b, mut c) = (Seed::new(7), Seed::new(7), Seed::new(8));
        assert_eq!(a.bytes(), b.bytes());
        assert_ne!(a.bytes(), c.bytes());
        assert!((0..100).all(|_| a.up_to(3) <= 3));
    }
}
