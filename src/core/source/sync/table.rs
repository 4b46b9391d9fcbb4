//! The records of one source and what they state: every write to it says what it changes.

use super::super::schema::{Statement, Unreadable, no_address};
use super::super::{ClaimChange, Rev, Revisions};
use super::config::SyncConfig;
use super::entry::{Entry, Fact, Owner, SharedLabels};
use super::history::is_older;
use super::note::{Note, Outcome};
use super::packed::Body;
use super::seen::{Absent, Counts, Proof};
use super::slots::Slot;
use super::snapshot::KnownRecord;
use crate::model::{Claim, ClaimKey, PerFamily, Prefix, RecordId, SourceId};
use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

/// Keys of records taken out that are given: as many changes as the timeline tells apart.
const TOLD: usize = 1000;

pub(super) struct Table {
    source: SourceId,
    ipv4_via_ipv6: bool,
    /// What all keys begin with.
    start: Bytes,
    slots: Vec<Option<Entry>>,
    free: Vec<Slot>,
    by_name: HashTable<Slot>,
    by_id: HashTable<Slot>,
    hasher: DefaultHashBuilder,
    next_id: u32,
    /// Whether all numbers have been given once.
    wrapped: bool,
    labels: SharedLabels,
    /// Why records cannot be read.
    quarantine: BTreeMap<Slot, Box<str>>,
    /// Subnets without a next hop.
    unresolved: BTreeMap<Slot, Box<[Prefix]>>,
    /// Claims that stay although their subnet has lost its next hop: a dangling reference withdraws nothing (P2).
    kept: BTreeMap<Slot, Box<[(Prefix, Claim)]>>,
    /// The first list of this process is not in: what is known, an earlier one knew.
    is_first: bool,
    /// The first list has a record as it was before what an earlier process knew of it.
    pub(super) has_older: bool,
    /// Records that cannot be read, and were written since the revisions that an earlier process knew: these. What they said in
    /// between it may have announced all the same, before it could write that down.
    missed: BTreeMap<Slot, Revisions>,
    /// Families in which a subnet without a next hop is a fault.
    expects_address: PerFamily<bool>,
    /// How many records [hide claims](Self::hides_claims): asked for at every step of the engine.
    hiding: PerFamily<usize>,
    /// Fields of records that mean nothing, as they were told.
    unknown: BTreeMap<Slot, Box<str>>,
}

impl Table {
    pub(super) fn new(config: &SyncConfig, start: Bytes) -> Self {
        Table {
            source: config.source,
            ipv4_via_ipv6: config.ipv4_via_ipv6,
            start,
            slots: Vec::new(),
            free: Vec::new(),
            by_name: HashTable::new(),
            by_id: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            next_id: 0,
            wrapped: false,
            labels: SharedLabels::default(),
            quarantine: BTreeMap::new(),
            unresolved: BTreeMap::new(),
            kept: BTreeMap::new(),
            is_first: true,
            has_older: false,
            missed: BTreeMap::new(),
            expects_address: PerFamily::from_fn(|family| config.schema.expects_address(family)),
            hiding: PerFamily::default(),
            unknown: BTreeMap::new(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            records: self.by_name.len(),
            quarantined: self.quarantine.len(),
            unresolved: self.unresolved.values().map(|prefixes| prefixes.len()).sum(),
            hiding: self.hiding,
        }
    }

    /// How many records may own routes of a family that are not known.
    pub(super) fn count_hiding(&self) -> PerFamily<usize> {
        self.hiding
    }

    /// A list of this process is in.
    pub(super) fn compared(&mut self) {
        self.is_first = false;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Makes room for a first list of so many.
    pub(super) fn reserve(&mut self, records: usize) {
        if self.is_empty() {
            self.slots.reserve_exact(records);
            self.by_name = HashTable::with_capacity(records);
            self.by_id = HashTable::with_capacity(records);
        }
    }

    /// How many slots there are, for a sweep over all.
    pub(super) fn end(&self) -> usize {
        self.slots.len()
    }

    /// The record in the `index`-th slot.
    pub(super) fn nth(&self, index: usize) -> Option<Slot> {
        let slot = Slot::new(index)?;
        self.entry(slot).map(|_| slot)
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<Slot> {
        self.by_name
            .find(self.hasher.hash_one(name), |slot| self.entry(*slot).is_some_and(|entry| entry.body.name() == name))
            .copied()
    }

    pub(super) fn find_id(&self, id: RecordId) -> Option<Slot> {
        self.by_id.find(self.hasher.hash_one(id), |slot| self.entry(*slot).is_some_and(|entry| entry.id == id)).copied()
    }

    pub(super) fn id(&self, slot: Slot) -> Option<RecordId> {
        self.entry(slot).map(|entry| entry.id)
    }

    pub(super) fn modified(&self, slot: Slot) -> Option<Rev> {
        self.entry(slot).map(|entry| entry.modified)
    }

    pub(super) fn revisions(&self, slot: Slot) -> Option<Revisions> {
        self.entry(slot).map(|entry| Revisions { modified: entry.modified, created: entry.created })
    }

    /// The record that was written last.
    pub(super) fn newest(&self) -> Option<(Bytes, Revisions)> {
        let slots = (0..self.end()).filter_map(|index| self.nth(index));
        let slot = slots.max_by_key(|slot| self.modified(*slot))?;
        Some((self.key(slot), self.revisions(slot)?))
    }

    pub(super) fn created(&self, slot: Slot) -> Option<Rev> {
        self.entry(slot).map(|entry| entry.created)
    }

    pub(super) fn is_readable(&self, slot: Slot) -> bool {
        self.entry(slot).is_some_and(|entry| entry.readable)
    }

    /// The record's whole key.
    pub(super) fn key(&self, slot: Slot) -> Bytes {
        self.entry(slot).map(|entry| self.whole(entry.body.name())).unwrap_or_default()
    }

    /// Quarantined records: why, and whether earlier claims of it stay.
    pub(super) fn quarantined(&self) -> impl Iterator<Item = (Slot, &str, bool)> {
        self.quarantine
            .iter()
            .map(|(slot, why)| (*slot, &**why, self.entry(*slot).is_some_and(|entry| entry.owner.is_some())))
    }

    /// Subnets without a next hop.
    pub(super) fn unresolved(&self) -> impl Iterator<Item = (Slot, Prefix)> {
        self.unresolved.iter().flat_map(|(slot, prefixes)| prefixes.iter().map(|prefix| (*slot, *prefix)))
    }

    /// What the record of this name says, as the table keeps it.
    pub(super) fn fact(
        &mut self,
        name: &[u8],
        modified: Rev,
        created: Rev,
        said: Result<Statement, Unreadable>,
    ) -> Fact {
        match said {
            Err(why) => Fact { body: Body::of_name(name), modified, created, owner: Err(why), unknown: None },
            Ok(Statement { host, labels, addresses, subnets, unknown }) => {
                let owner = Owner { host, labels: self.labels.share(labels) };
                Fact { body: Body::new(name, addresses, subnets), modified, created, owner: Ok(owner), unknown }
            }
        }
    }

    /// Whether the fact says what the record says already; then only its revision is noted (a lease's renewal).
    pub(super) fn touch(&mut self, slot: Slot, fact: &Fact) -> bool {
        let found = Revisions { modified: fact.modified, created: fact.created };
        self.has_older |= self.is_first && self.revisions(slot).is_some_and(|known| is_older(found, known));
        if self.kept.contains_key(&slot) || self.unknown.get(&slot) != fact.unknown.as_ref() {
            return false;
        }
        let Some(entry) = self.entry_mut(slot) else { return false };
        let same = entry.readable
            && entry.created == fact.created
            && entry.body == fact.body
            && matches!((&entry.owner, &fact.owner), (Some(before), Ok(after)) if before == after);
        if same {
            entry.modified = fact.modified;
        }
        same
    }

    /// Puts the fact in; where it goes.
    pub(super) fn put(&mut self, fact: Fact, out: &mut Outcome) -> Slot {
        match self.find(fact.name()) {
            None => self.insert(fact, out),
            Some(slot) => {
                if !self.touch(slot, &fact) {
                    self.rewrite(slot, fact, out);
                }
                slot
            }
        }
    }

    /// Takes the record out.
    pub(super) fn remove(&mut self, slot: Slot, proof: Proof, out: &mut Outcome) {
        let claims = self.claims(slot);
        self.recount(self.hides_claims(slot), PerFamily::default());
        let Some(entry) = self.slots.get_mut(slot.index()).and_then(Option::take) else { return };
        if let Ok(found) = self.by_name.find_entry(self.hasher.hash_one(entry.body.name()), |other| *other == slot) {
            found.remove();
        }
        if let Ok(found) = self.by_id.find_entry(self.hasher.hash_one(entry.id), |other| *other == slot) {
            found.remove();
        }
        self.free.push(slot);
        self.kept.remove(&slot);
        self.missed.remove(&slot);
        self.unresolved.remove(&slot);
        self.unknown.remove(&slot);
        if self.quarantine.remove(&slot).is_some() {
            out.notes.push(Note::Released { record: entry.id, key: self.whole(entry.body.name()) });
        }
        if out.gone.len() < TOLD && !claims.is_empty() {
            out.gone.push((entry.id, self.whole(entry.body.name())));
        }
        for (prefix, _) in claims {
            let key = ClaimKey { source: self.source, record: entry.id, prefix };
            out.changes.push(ClaimChange::Remove(key, Absent::by(proof)));
        }
    }

    /// The record as a later process shall know it; none if it could never be read.
    pub(super) fn known(&self, slot: Slot) -> Option<KnownRecord> {
        let entry = self.entry(slot)?;
        let owner = entry.owner.as_ref()?;
        let revisions = self.missed.get(&slot).copied().or_else(|| self.revisions(slot))?;
        // What an unreadable record said before loses to what can be read, after a restart too.
        let unreadable = self.claims(slot).into_iter().filter(|(_, claim)| !claim.readable || !entry.readable);
        Some(KnownRecord {
            name: Bytes::copy_from_slice(entry.body.name()),
            modified: revisions.modified,
            created: revisions.created,
            host: owner.host.clone(),
            labels: (*owner.labels).clone(),
            addresses: entry.body.addresses(),
            subnets: entry.body.subnets().filter(|_| entry.readable).collect(),
            dangling: unreadable.map(|(prefix, claim)| (prefix, claim.next_hop)).collect(),
            held: Vec::new(),
        })
    }

    /// Claims of the record that stay although their subnets have no next hop any more.
    pub(super) fn keep(&mut self, slot: Slot, dangling: Vec<(Prefix, IpAddr)>, out: &mut Outcome) {
        let Some(entry) = self.entry(slot).filter(|_| !dangling.is_empty()) else { return };
        let Some(owner) = &entry.owner else { return };
        let claim = |(prefix, next_hop)| {
            let (host, labels) = (owner.host.clone(), Arc::clone(&owner.labels));
            (prefix, Claim { host, next_hop, other_address: None, labels, created: entry.created.0, readable: false })
        };
        let kept: Box<[_]> = dangling.into_iter().map(claim).collect();
        let key = |prefix| ClaimKey { source: self.source, record: entry.id, prefix };
        out.changes.extend(kept.iter().map(|(prefix, claim)| ClaimChange::Upsert(key(*prefix), claim.clone())));
        let hid = self.hides_claims(slot);
        self.kept.insert(slot, kept);
        self.recount(hid, self.hides_claims(slot));
    }

    fn insert(&mut self, fact: Fact, out: &mut Outcome) -> Slot {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                Slot::new(self.slots.len() - 1).unwrap_or(Slot::LAST)
            }
        };
        let id = self.fresh_id();
        let Fact { body, modified, created, owner, unknown } = fact;
        let name_hash = self.hasher.hash_one(body.name());
        let (owner, why) = match owner {
            Ok(owner) => (Some(owner), None),
            Err(why) => (None, Some(why)),
        };
        let entry = Entry { body, id, readable: owner.is_some(), modified, created, owner };
        for (prefix, claim) in entry.claims(self.ipv4_via_ipv6) {
            out.changes.push(ClaimChange::Upsert(ClaimKey { source: self.source, record: id, prefix }, claim));
        }
        if let Some(place) = self.slots.get_mut(slot.index()) {
            *place = Some(entry);
        }
        let (slots, hasher) = (&self.slots, &self.hasher);
        let of = |slot: &Slot| slots.get(slot.index()).and_then(Option::as_ref);
        self.by_name
            .insert_unique(name_hash, slot, |slot| of(slot).map_or(0, |entry| hasher.hash_one(entry.body.name())));
        self.by_id
            .insert_unique(hasher.hash_one(id), slot, |slot| of(slot).map_or(0, |entry| hasher.hash_one(entry.id)));
        self.note_unknown(slot, unknown, out);
        match why {
            Some(why) => self.quarantine(slot, why, out),
            None => self.note_unresolved(slot, out),
        }
        self.recount(PerFamily::default(), self.hides_claims(slot));
        slot
    }

    /// The record was written: says what that changes, additions first, so that no prefix is without a claim in between.
    fn rewrite(&mut self, slot: Slot, fact: Fact, out: &mut Outcome) {
        let before = self.claims(slot);
        let ipv4_via_ipv6 = self.ipv4_via_ipv6;
        let (hid, is_first) = (self.hides_claims(slot), self.is_first);
        let Some(entry) = self.entry_mut(slot) else { return };
        let (id, known) = (entry.id, Revisions { modified: entry.modified, created: entry.created });

        entry.modified = fact.modified;
        entry.created = fact.created;
        entry.readable = fact.owner.is_ok();
        self.note_unknown(slot, fact.unknown, out);
        let Some(entry) = self.entry_mut(slot) else { return };
        match fact.owner {
            Err(why) => {
                if let Some(kept) = self.kept.get_mut(&slot) {
                    kept.iter_mut().for_each(|(_, claim)| claim.created = fact.created.0);
                }
                if is_first && known.modified != fact.modified {
                    self.missed.insert(slot, known);
                }
                self.quarantine(slot, why, out);
            }
            Ok(owner) => {
                entry.body = fact.body;
                entry.owner = Some(owner);
                let dangling: Vec<_> = entry
                    .without_next_hop(ipv4_via_ipv6)
                    .filter_map(|prefix| find(&before, prefix))
                    .map(|(prefix, claim)| (*prefix, Claim { readable: false, ..claim.clone() }))
                    .collect();
                if dangling.is_empty() {
                    self.kept.remove(&slot);
                } else {
                    self.kept.insert(slot, dangling.into_boxed_slice());
                }
                self.missed.remove(&slot);
                if self.quarantine.remove(&slot).is_some() {
                    out.notes.push(Note::Released { record: id, key: self.key(slot) });
                }
                self.note_unresolved(slot, out);
            }
        }
        self.recount(hid, self.hides_claims(slot));
        let after = self.claims(slot);
        let key = |prefix: &Prefix| ClaimKey { source: self.source, record: id, prefix: *prefix };
        for (prefix, claim) in &after {
            if find(&before, *prefix).is_none_or(|(_, earlier)| earlier != claim) {
                out.changes.push(ClaimChange::Upsert(key(prefix), claim.clone()));
            }
        }
        let proof = Proof::NoLongerStated(fact.modified);
        for (prefix, _) in &before {
            if find(&after, *prefix).is_none() {
                out.changes.push(ClaimChange::Remove(key(prefix), Absent::by(proof)));
            }
        }
    }

    /// All claims of a record, in the order of their prefixes.
    fn claims(&self, slot: Slot) -> Vec<(Prefix, Claim)> {
        let stated = self.entry(slot).into_iter().flat_map(|entry| entry.claims(self.ipv4_via_ipv6));
        let kept = self.kept.get(&slot).into_iter().flat_map(|kept| kept.iter().cloned());
        let mut claims: Vec<_> = stated.chain(kept).collect();
        claims.sort_unstable_by_key(|(prefix, _)| *prefix);
        claims
    }

    /// Whether what the record owns is not known: it cannot be read, and never could, or said something else since that was
    /// known; or a subnet has no next hop, and never had one in this process. An earlier process may have known more.
    fn hides_claims(&self, slot: Slot) -> PerFamily<bool> {
        let never_read = self.entry(slot).is_some_and(|entry| entry.owner.is_none());
        let is_unknown = never_read || self.missed.contains_key(&slot);
        let kept = self.kept.get(&slot).map_or(&[][..], |kept| kept);
        let without = self.unresolved.get(&slot).map_or(&[][..], |prefixes| prefixes);
        let dangles = |family| {
            let mut of_family = without.iter().filter(|prefix| prefix.family() == family);
            of_family.any(|prefix| kept.iter().all(|(other, _)| other != prefix))
        };
        PerFamily::from_fn(|family| is_unknown || (self.expects_address[family] && dangles(family)))
    }

    fn recount(&mut self, before: PerFamily<bool>, after: PerFamily<bool>) {
        for (family, count) in self.hiding.iter_mut() {
            *count = *count + usize::from(after[family]) - usize::from(before[family]);
        }
    }

    fn quarantine(&mut self, slot: Slot, Unreadable(why): Unreadable, out: &mut Outcome) {
        let Some(entry) = self.entry(slot) else { return };
        if self.quarantine.get(&slot).is_none_or(|earlier| **earlier != *why) {
            let (record, key, kept) = (entry.id, self.whole(entry.body.name()), entry.owner.is_some());
            out.notes.push(Note::Quarantined { record, key, why: why.clone(), kept });
        }
        self.quarantine.insert(slot, why.into_boxed_str());
    }

    /// Says once that a field of the record means nothing.
    fn note_unknown(&mut self, slot: Slot, unknown: Option<Box<str>>, out: &mut Outcome) {
        let Some(field) = unknown else {
            self.unknown.remove(&slot);
            return;
        };
        let Some(entry) = self.entry(slot) else { return };
        if self.unknown.get(&slot) != Some(&field) {
            let (record, key) = (entry.id, self.whole(entry.body.name()));
            out.notes.push(Note::UnknownField { record, key, field: field.clone() });
            self.unknown.insert(slot, field);
        }
    }

    fn note_unresolved(&mut self, slot: Slot, out: &mut Outcome) {
        let Some(entry) = self.entry(slot) else { return };
        let without: Box<[Prefix]> = entry.without_next_hop(self.ipv4_via_ipv6).collect();
        let known = self.unresolved.get(&slot).map_or(&[][..], |prefixes| prefixes);
        for prefix in without.iter().filter(|prefix| !known.contains(prefix)) {
            let (record, key) = (entry.id, self.whole(entry.body.name()));
            out.notes.push(Note::Unresolved { record, key, prefix: *prefix, why: no_address(prefix.family()) });
        }
        if without.is_empty() {
            self.unresolved.remove(&slot);
        } else {
            self.unresolved.insert(slot, without);
        }
    }

    /// A number not in use. After four thousand million records they begin anew: then the first are long forgotten.
    fn fresh_id(&mut self) -> RecordId {
        loop {
            let id = RecordId(self.next_id);
            (self.next_id, self.wrapped) = match self.next_id.checked_add(1) {
                Some(next) => (next, self.wrapped),
                None => (0, true),
            };
            if !self.wrapped || self.find_id(id).is_none() {
                return id;
            }
        }
    }

    fn whole(&self, name: &[u8]) -> Bytes {
        [&self.start[..], name].concat().into()
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.slots.get(slot.index())?.as_ref()
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.slots.get_mut(slot.index())?.as_mut()
    }
}

fn find(claims: &[(Prefix, Claim)], prefix: Prefix) -> Option<&(Prefix, Claim)> {
    claims.binary_search_by_key(&prefix, |(prefix, _)| *prefix).ok().and_then(|index| claims.get(index))
}
