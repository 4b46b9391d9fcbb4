//! Jitter that a seed repeats.

use std::time::Duration;

/// A small deterministic generator (SplitMix64) for jitter; not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The span times 0.75 to 1.0, evenly spread (RFC 4271 §10).
    pub fn jitter(&mut self, span: Duration) -> Duration {
        let quarter = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64 / 4.0;
        span.mul_f64(0.75 + quarter)
    }
}
