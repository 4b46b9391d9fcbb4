//! Looking at what is announced like what covers it (promise P8).

use super::behind::{Behind, OtherNow};
use super::ledger::Entry;
use crate::engine::Engine;
use crate::model::{Prefix, Time};
use crate::table::Hop;

/// A prefix that was withdrawn and is announced like the route that covers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OverrideRow {
    /// The prefix.
    pub prefix: Prefix,
    /// What covers it.
    pub by: Prefix,
    /// Where that leads.
    pub hop: Hop,
    /// When it was withdrawn.
    pub since: Time,
    /// What is waited for.
    pub waits: Vec<Behind>,
}

impl Engine {
    /// How the prefix is announced, if it was withdrawn and is announced like the route that covers it.
    pub fn override_row(&self, prefix: Prefix) -> Option<OverrideRow> {
        let entry = self.overrides.ledger.get(prefix.family(), prefix)?;
        self.overridden(prefix, entry, &self.others_now(self.latest))
    }

    /// Whether it is.
    pub(in crate::engine) fn is_overridden(&self, prefix: Prefix) -> bool {
        let entry = self.overrides.ledger.get(prefix.family(), prefix);
        entry.is_some_and(|entry| entry.over.is_some())
    }

    /// Up to `limit` of these behind `after`, in the order of their prefixes.
    pub fn override_rows(&self, after: Option<Prefix>, limit: usize) -> Vec<OverrideRow> {
        let others = self.others_now(self.latest);
        let rows = self.overrides.ledger.announced_behind(after);
        rows.filter_map(|(prefix, entry)| self.overridden(prefix, entry, &others)).take(limit).collect()
    }

    fn overridden(&self, prefix: Prefix, entry: &Entry, others: &[OtherNow]) -> Option<OverrideRow> {
        let (by, hop) = entry.over.clone()?;
        let batch = self.overrides.ledger.batch(entry)?;
        let mut waits: Vec<Behind> = others.iter().filter_map(|other| other.behind(batch)).collect();
        if waits.is_empty() {
            waits.extend(batch.told.map(|told| Behind::Handed { until: told + self.notice(others) }));
        }
        Some(OverrideRow { prefix, by, hop, since: batch.since, waits })
    }
}
