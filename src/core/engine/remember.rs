//! What a later process shall know: the records, but of what the guard keeps back what is announced.
//!
//! A held prefix is set apart in the records that claim it (left out, if nobody is announced as its owner), and whoever is announced
//! gets a record of its own. So the file goes on following a source of which something is held, however long, and a restart judges
//! the same again. What is not decided because a person has frozen everything is kept in the same way: a restart then announces
//! what was announced.

use super::Engine;
use crate::model::{Family, Labels, Prefix, SourceId, Time};
use crate::source::sync::KnownRecord;
use crate::source::{ClusterId, Rev};
use crate::table::{SlotId, Spent};

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
    /// Something is held because its store was replaced.
    pub suspect: bool,
}

impl Engine {
    /// What a snapshot of the source would be of. None where there must be none: before the source was read completely, and
    /// while what its records say is not decided, unless by order.
    pub fn remembers(&self, id: SourceId) -> Option<Remembers> {
        let source = self.source(id)?;
        let (cluster, at) = source.sync.believed()?;
        let decided = !self.is_releasing() && (self.holds_still().is_none() || self.table.is_armed(id));
        let changes = source.changes + self.table.spendings(id);
        let (spent, spent_at) = self.table.spent(id);
        let suspect = self.table.is_suspect(id);
        decided.then_some(Remembers { changes, cluster, at, spent, spent_at, suspect })
    }

    /// Up to `limit` of a source's records from place `from` on, and the place at which to go on, if there is more. With the
    /// last come those that stand for what is held.
    pub fn known_records(&self, id: SourceId, from: usize, limit: usize) -> (Vec<KnownRecord>, Option<usize>) {
        let Some(source) = self.source(id) else { return Default::default() };
        let (mut records, next) = source.sync.known_records(from, limit);
        if self.table.holds().next().is_none() && self.holds_still().is_none() {
            return (records, next);
        }
        let kept = |prefix: &Prefix| {
            let (family, slot) = (prefix.family(), self.table.slots(prefix.family()).find(*prefix)?);
            let is_kept = self.table.held_change(family, slot).is_some() || self.table.is_undecided(family, slot);
            is_kept.then_some((family, slot))
        };
        let is_announced =
            |prefix: &Prefix| kept(prefix).is_some_and(|(family, slot)| self.table.winner(family, slot).is_some());
        for record in &mut records {
            let set_apart = record.subnets.extract_if(.., |prefix| kept(prefix).is_some());
            record.held = set_apart.filter(is_announced).collect();
            record.dangling.retain(|(prefix, _)| kept(prefix).is_none());
        }
        if next.is_none() {
            let held = self.table.holds().map(|held| (held.prefix.family(), held.slot));
            let frozen =
                self.table.undecided().filter(|(family, slot)| self.table.held_change(*family, *slot).is_none());
            records.extend(held.chain(frozen).filter_map(|(family, slot)| self.announced(id, family, slot)));
        }
        (records, next)
    }

    /// A record that states the route of a prefix as it is announced, if it is this source's.
    fn announced(&self, id: SourceId, family: Family, slot: SlotId) -> Option<KnownRecord> {
        let winner = self.table.winner(family, slot).filter(|winner| winner.source == id)?;
        let owner = self.table.owner(winner.owner);
        let prefix = self.table.slots(family).prefix(slot);
        Some(KnownRecord {
            // No store has such a key, so that its first list lacks it.
            name: format!("(held) {prefix}").into(),
            modified: Rev::default(),
            created: Rev::default(),
            host: owner.host.clone(),
            labels: Labels::clone(&owner.labels),
            addresses: Default::default(),
            subnets: Vec::new(),
            dangling: vec![(prefix, owner.next_hop)],
            held: Vec::new(),
        })
    }
}
