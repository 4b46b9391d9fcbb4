//! What was spent of a budget, refilled with time.

use super::spent::refilled;
use crate::model::Time;
use std::time::Duration;

/// Counts what was spent, as a share of the budget of that moment: a source that shrinks by what it was allowed does not
/// find its budget spent twice. A whole budget comes back within the refill time.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Bucket {
    spent: f64,
    at: Time,
}

impl Bucket {
    /// How many changes may pass now.
    pub(super) fn available(&mut self, now: Time, budget: usize, refill: Duration) -> usize {
        self.spent = self.spent(now, refill);
        self.at = now;
        // Shares are not exact: 0.8 of 5 must be 4.
        ((1.0 - self.spent).max(0.0) * budget as f64 + 1e-6) as usize
    }

    /// A bucket of which that share is spent now.
    pub(super) fn restored(now: Time, spent: f64) -> Self {
        Bucket { spent, at: now }
    }

    /// When it was reckoned last what is spent.
    pub(super) fn at(&self) -> Time {
        self.at
    }

    /// The share that is spent at a moment which is no earlier.
    pub(super) fn spent(&self, now: Time, refill: Duration) -> f64 {
        (self.spent - refilled(now.since(self.at), refill)).max(0.0)
    }

    /// So many of the budget pass.
    pub(super) fn spend(&mut self, changes: usize, budget: usize) {
        self.spent += changes as f64 / budget.max(1) as f64;
    }

    /// So many of the budget shall not count.
    pub(super) fn give_back(&mut self, changes: usize, budget: usize) {
        self.spent = (self.spent - changes as f64 / budget.max(1) as f64).max(0.0);
    }
}
