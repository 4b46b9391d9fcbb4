//! What a person has withdrawn, whatever the sources say.

use super::SlotId;
use crate::model::{Family, HostName, Prefix};
use std::collections::BTreeSet;

/// What is to be withdrawn.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// This prefix, whoever owns it.
    Prefix(Prefix),
    /// Whatever this host owns.
    Host(HostName),
}

impl Target {
    pub(super) fn covers(&self, prefix: Prefix, host: &HostName) -> bool {
        match self {
            Target::Prefix(wanted) => *wanted == prefix,
            Target::Host(wanted) => wanted == host,
        }
    }
}

/// See the module.
#[derive(Default, Debug)]
pub struct Forced {
    targets: BTreeSet<Target>,
    /// Slots whose next change is a person's, and needs no judge.
    passing: BTreeSet<(Family, SlotId)>,
}

impl Forced {
    /// All of them.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter()
    }

    pub(super) fn bars(&self, prefix: Prefix, host: &HostName) -> bool {
        self.targets.iter().any(|target| target.covers(prefix, host))
    }

    pub(super) fn insert(&mut self, target: Target) {
        self.targets.insert(target);
    }

    pub(super) fn remove(&mut self, target: &Target) -> bool {
        self.targets.remove(target)
    }

    pub(super) fn pass(&mut self, family: Family, slot: SlotId) {
        self.passing.insert((family, slot));
    }

    pub(super) fn take(&mut self, family: Family, slot: SlotId) -> bool {
        self.passing.remove(&(family, slot))
    }
}
