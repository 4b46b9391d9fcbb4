//! What a later process shall know: the records, but of what the guard keeps back what is announced.
//!
//! A held prefix is left out of the records that claim it, and whoever is announced as its owner gets a record of its own. So the
//! file goes on following a source of which something is held, however long, and a restart holds the same again.

use super::Engine;
use crate::model::{Labels, Prefix, SourceId, Time};
use crate::source::sync::KnownRecord;
use crate::source::{ClusterId, Rev};
use crate::table::{HeldChange, Spent};

/// What a snapshot of a source is of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Remembers {
    /// How many changes there have been of claims and of what is spent.
    pub changes: u64,
    /// Whose records they are.
    pub cluster: ClusterId,
    /// Up to which revision.
    pub at: Rev,
    /// What is spent of the source's limits …
    pub spent: Spent,
    /// … at this moment.
    pub spent_at: Time,
}

impl Engine {
    /// What a snapshot of the source would be of. None where there must be none: before the source was read completely, and
    /// while what its records say is not decided.
    pub fn remembers(&self, id: SourceId) -> Option<Remembers> {
        let source = self.source(id)?;
        let (cluster, at) = source.sync.believed()?;
        let decided = self.frozen.is_none() && !self.is_releasing();
        let changes = source.changes + self.table.spendings(id);
        let (spent, spent_at) = self.table.spent(id);
        decided.then_some(Remembers { changes, cluster, at, spent, spent_at })
    }

    /// Up to `limit` of a source's records from place `from` on, and the place at which to go on, if there is more. With the
    /// last come those that stand for what is held.
    pub fn known_records(&self, id: SourceId, from: usize, limit: usize) -> (Vec<KnownRecord>, Option<usize>) {
        let Some(source) = self.source(id) else { return Default::default() };
        let (mut records, next) = source.sync.known_records(from, limit);
        if self.table.holds().next().is_none() {
            return (records, next);
        }
        let is_held = |prefix: &Prefix| {
            let slot = self.table.slots(prefix.family()).find(*prefix);
            slot.is_some_and(|slot| self.table.held_change(prefix.family(), slot).is_some())
        };
        for record in &mut records {
            record.subnets.retain(|prefix| !is_held(prefix));
            record.dangling.retain(|(prefix, _)| !is_held(prefix));
        }
        if next.is_none() {
            records.extend(self.table.holds().filter_map(|held| self.announced(id, &held)));
        }
        (records, next)
    }

    /// A record that states the route of a held prefix as it is announced, if it is this source's.
    fn announced(&self, id: SourceId, held: &HeldChange<'_>) -> Option<KnownRecord> {
        let winner = self.table.winner(held.prefix.family(), held.slot).filter(|winner| winner.source == id)?;
        let owner = self.table.owner(winner.owner);
        Some(KnownRecord {
            // No store has such a key, so that its first list lacks it.
            name: format!("(held) {}", held.prefix).into(),
            modified: Rev::default(),
            created: Rev::default(),
            host: owner.host.clone(),
            labels: Labels::clone(&owner.labels),
            addresses: Default::default(),
            subnets: Vec::new(),
            dangling: vec![(held.prefix, owner.next_hop)],
        })
    }
}
