//! The guard's limits.

use super::hold::{ChangeKind, PerKind};
use std::time::Duration;

/// How many changes of one kind a source may make at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// In percent of the source's routes, 0 to 100.
    pub percent: u8,
    /// But never less than this.
    pub at_least: usize,
}

impl Limit {
    /// For a source with so many routes.
    pub fn of(&self, routes: usize) -> usize {
        (routes.saturating_mul(usize::from(self.percent)) / 100).max(self.at_least)
    }
}

/// When a change that is held counts as proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proofs {
    /// So many complete lists must have said the same after it was held.
    pub lists: u64,
    /// And so much time must have passed.
    pub after: Duration,
}

/// When a prefix counts as flapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlapLimits {
    /// The change with this number …
    pub changes: usize,
    /// … within this time is held,
    pub within: Duration,
    /// until it has been quiet for so long.
    pub quiet: Duration,
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuardConfig {
    limits: PerKind<Option<Limit>>,
    /// In which time a limit that was used up is whole again.
    pub refill: Duration,
    /// See [`Proofs`].
    pub proofs: Proofs,
    /// See [`FlapLimits`].
    pub flap: FlapLimits,
}

impl GuardConfig {
    /// Nothing is ever held.
    pub fn off() -> Self {
        GuardConfig {
            limits: PerKind::default(),
            flap: FlapLimits { changes: usize::MAX, within: Duration::ZERO, quiet: Duration::ZERO },
            ..GuardConfig::default()
        }
    }

    /// The limit of this kind; none: unlimited.
    pub fn limit(&self, kind: ChangeKind) -> Option<Limit> {
        self.limits[kind]
    }

    /// Sets it.
    pub fn set_limit(&mut self, kind: ChangeKind, limit: Option<Limit>) {
        self.limits[kind] = limit;
    }
}

impl Default for GuardConfig {
    fn default() -> Self {
        GuardConfig {
            limits: PerKind::from_fn(|_| Some(Limit { percent: 20, at_least: 5 })),
            refill: Duration::from_secs(3600),
            proofs: Proofs { lists: 2, after: Duration::from_secs(600) },
            flap: FlapLimits { changes: 5, within: Duration::from_secs(60), quiet: Duration::from_secs(10) },
        }
    }
}
