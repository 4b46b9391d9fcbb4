//! Chance that a seed repeats.

use crate::model::Rng;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) struct Dice(Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice(Rng::new(seed))
    }

    /// Evenly from a range.
    pub(super) fn from(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.0.next_u64() % (range.end() - range.start() + 1)
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.from(1..=n) == 1
    }

    /// A place in something of this length.
    pub(super) fn place(&mut self, length: usize) -> usize {
        self.from(0..=length as u64 - 1) as usize
    }

    pub(super) fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.from(range))
    }
}
