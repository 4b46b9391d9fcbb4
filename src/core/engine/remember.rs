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
    /// Up to which everything has passed; 0: not known.
    pub passed: Rev,
    /// What is spent of the source's limits …
    pub spent: Spent,
    /// … at this moment.
    pub spent_at: Time,
    /// Something is held because its store was replaced.
    pub suspect: bool,
}

/// Slots that one look goes through at the most: a freeze may leave a million undecided, and everything waits for the look.
const SLOTS: u32 = 10_000;

/// Where [`Engine::known_records`] goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// At this record of the source.
    Record(usize),
    /// At this slot, for the record that stands for its route.
    Route(Family, u32),
}

impl Place {
    /// The beginning.
    pub const START: Place = Place::Record(0);
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
        let passed = source.continuity.passed();
        decided.then_some(Remembers { changes, cluster, at, passed, spent, spent_at, suspect })
    }

    /// Up to `limit` of a source's records from a place on, and the place at which to go on, if there is more. Behind the records come
    /// those that stand for what is held: in this order nothing that is decided between two looks is in neither.
    pub fn known_records(&self, id: SourceId, from: Place, limit: usize) -> (Vec<KnownRecord>, Option<Place>) {
        let Some(source) = self.source(id) else { return Default::default() };
        let keeps = self.table.holds().next().is_some() || self.holds_still().is_some();
        let from = match from {
            Place::Record(from) => {
                let (mut records, next) = source.sync.known_records(from, limit);
                if keeps {
                    records.iter_mut().for_each(|record| self.set_apart(record));
                }
                let behind = keeps.then_some(Place::Route(Family::Ipv4, 0));
                return (records, next.map(Place::Record).or(behind));
            }
            // What was kept at the look before may have been decided since: then the record says it, in the next file.
            Place::Route(..) if !keeps => return Default::default(),
            Place::Route(family, from) => (family, from),
        };
        self.kept_records(id, from, limit)
    }

    /// Those of the routes from this slot on; so many slots are looked at, or as many as give `limit` records.
    fn kept_records(
        &self,
        id: SourceId,
        (family, from): (Family, u32),
        limit: usize,
    ) -> (Vec<KnownRecord>, Option<Place>) {
        let end = u32::try_from(self.table.slots(family).capacity()).unwrap_or(u32::MAX);
        let upto = end.min(from.saturating_add(SLOTS));
        let mut records = Vec::new();
        for place in from..upto {
            if records.len() == limit {
                return (records, Some(Place::Route(family, place)));
            }
            let slot = SlotId(place);
            if self.is_kept(family, slot) {
                records.extend(self.announced(id, family, slot));
            }
        }
        let next = match family {
            _ if upto < end => Some(Place::Route(family, upto)),
            Family::Ipv4 => Some(Place::Route(Family::Ipv6, 0)),
            Family::Ipv6 => None,
        };
        (records, next)
    }

    /// Whether what is announced stays as it is, by the guard or by order.
    fn is_kept(&self, family: Family, slot: SlotId) -> bool {
        self.table.held_change(family, slot).is_some() || self.table.is_undecided(family, slot)
    }

    /// Takes out of a record what is kept otherwise than it says.
    fn set_apart(&self, record: &mut KnownRecord) {
        let kept = |prefix: &Prefix| {
            let (family, slot) = (prefix.family(), self.table.slots(prefix.family()).find(*prefix)?);
            self.is_kept(family, slot).then_some((family, slot))
        };
        let is_announced =
            |prefix: &Prefix| kept(prefix).is_some_and(|(family, slot)| self.table.winner(family, slot).is_some());
        let set_apart = record.subnets.extract_if(.., |prefix| kept(prefix).is_some());
        record.held = set_apart.filter(is_announced).collect();
        let kept_on = record.dangling.extract_if(.., |(prefix, _)| kept(prefix).is_some()).count();
        if kept_on > 0 {
            // Of a record that cannot be read this is not all that it has said: if it still cannot, it may state more (P4).
            record.modified = Rev::default();
        }
    }

    /// A record that states the route of a prefix as it is announced, if it is to be in this source's snapshot.
    fn announced(&self, id: SourceId, family: Family, slot: SlotId) -> Option<KnownRecord> {
        let winner = self.table.winner(family, slot).filter(|_| self.table.keeper(family, slot) == Some(id))?;
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
