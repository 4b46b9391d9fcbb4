//! What an election is told at its start.

use super::Keys;
use crate::model::Replica;
use std::time::Duration;

/// See the [module](super).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// This process.
    pub me: Replica,
    /// What the store's keys are called.
    pub keys: Keys,
    /// How long the store shall keep a lease that is not renewed: a leader that dies is followed by another after it.
    pub ttl: Duration,
    /// By how much earlier a leader stops by itself: more than the clocks of store and leader may differ by in the course of a
    /// lease, and than a write that has begun may take.
    pub margin: Duration,
    /// For so long after it has seen that nobody leads it leaves the lead to others, if it has not read its sources yet
    /// ([`super::Input::Read`]), and who led last had.
    pub reading: Duration,
    /// For jitter.
    pub seed: u64,
}

impl Settings {
    /// Between two renewals, at most. Several fit into a lease: one that fails costs no leadership.
    pub(super) fn rest(&self) -> Duration {
        self.ttl / 5
    }

    /// How long an answer may take. The store is looked for at its other endpoints within that.
    pub fn patience(&self) -> Duration {
        self.ttl / 4
    }

    /// For how long each of so many endpoints is asked: together they take a little less than an answer may, so that whoever is silent is
    /// named.
    pub fn patience_with_each(ttl: Duration, endpoints: usize) -> Duration {
        let endpoints = u32::try_from(endpoints).unwrap_or(u32::MAX).max(1);
        ttl / 4 * 9 / 10 / endpoints
    }
}
