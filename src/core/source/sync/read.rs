//! What the store says, put into the table.

use super::entry::Fact;
use super::history::{Verdict, is_older, not_to_be_told, nothing_known, older_record, went_back};
use super::list::Of;
use super::{
    Bytes, ClusterId, Event, Fault, FaultKind, Follow, Note, Outcome, Phase, Proof, Record, Rev, Revisions, Sync, Time,
};

impl Sync {
    /// A page of a list.
    pub(super) fn page(
        &mut self,
        now: Time,
        at: Rev,
        cluster: ClusterId,
        records: Vec<Record>,
        more: bool,
        out: &mut Outcome,
    ) {
        if self.cluster.is_some_and(|known| known != cluster) {
            return self.replaced(now, cluster, out);
        }
        let Phase::Listing(listing) = &mut self.phase else { return };
        if *listing.pinned.get_or_insert((cluster, at)) != (cluster, at) {
            let message = "the pages of a list were not of one revision: it will be read again".into();
            return self.fail(now, Fault { kind: FaultKind::Malformed, message }, out);
        }
        if at < self.highest {
            return self.fail(now, went_back(at, self.highest), out);
        }
        let of = listing.of;
        let known_before = self.config.follow == Follow::Watch && self.complete && !self.table.is_empty();
        let mut continues = of != Of::Known || !known_before;
        let mut facts = Vec::with_capacity(records.len());
        for record in records {
            let Some(name) = name(&self.range, &record.key) else { continue };
            if let Some(known) = self.table.find(name).and_then(|slot| self.table.revisions(slot)) {
                let found = record.revisions();
                if is_older(found, known) && of == Of::Known {
                    return self.fail(now, older_record(name, found, known), out);
                }
                continues |= found.created == known.created;
            }
            facts.push(self.fact(&record));
        }
        let Phase::Listing(listing) = &mut self.phase else { return };
        listing.heard = now;
        listing.continues |= continues;
        listing.page(facts.into_iter().flatten(), &mut self.table);
        if more {
            return;
        }
        if !listing.continues {
            return self.fail(now, nothing_known(self.table.counts().records, at), out);
        }
        self.replaced = None;
        self.cluster = Some(cluster);
        self.history += u64::from(of != Of::Known);
        match of {
            Of::Known => {}
            Of::Left if self.left.take().is_some() => {
                out.is_back = true;
                out.notes.push(Note::Back { cluster, at });
            }
            // If it is the one before: meanwhile somebody has let something of the other pass.
            Of::Another | Of::Left => {
                out.suspect = true;
                self.left.iter_mut().for_each(|left| left.is_left = true);
                out.notes.push(Note::TakenForAnother { cluster, at });
            }
        }
        if self.is_first_list() {
            self.compare_with_snapshot(cluster, out);
        }
        if let Phase::Listing(listing) = std::mem::replace(&mut self.phase, Phase::Idle) {
            self.phase = Phase::Releasing(listing.complete(at, &mut self.table));
        }
        self.release(now, super::SLICE, out);
    }

    /// Changes from the watch. What is older than the position was known already, or comes out of order (etcd#15271): it is
    /// not believed, and the store is asked.
    pub(super) fn events(&mut self, now: Time, events: Vec<Event>, out: &mut Outcome) {
        for event in events {
            let position = self.position.unwrap_or_default();
            let (key, modified) = match &event {
                Event::Put(record) => (&record.key, record.modified),
                Event::Delete { key, modified } => (key, *modified),
            };
            if let Some(name) = name(&self.range, key) {
                let slot = self.table.find(name);
                let known = slot.and_then(|slot| self.table.modified(slot));
                let late = modified < position;
                match (&event, slot) {
                    _ if known.is_some_and(|known| modified <= known) => {}
                    (Event::Delete { .. }, None) => {}
                    _ if late => {
                        out.notes.push(Note::OutOfOrder { event: modified, after: position });
                        self.reconcile_soon(now);
                    }
                    (Event::Delete { .. }, Some(slot)) => self.table.remove(slot, Proof::Deleted(modified), out),
                    (Event::Put(record), _) => {
                        if let Some(fact) = self.fact(record) {
                            self.learn(fact, out);
                        }
                    }
                }
            }
            self.reach(modified);
        }
    }

    /// What became of the record that was to show whether this is the store that was known.
    pub(super) fn recalled(
        &mut self,
        now: Time,
        at: Rev,
        cluster: ClusterId,
        found: Option<Revisions>,
        out: &mut Outcome,
    ) {
        let Phase::Recalling(recall) = &mut self.phase else { return };
        let left = self.left.as_ref().filter(|_| recall.is_of_left);
        let (known, highest) = left.map_or((self.cluster, self.highest), |left| (Some(left.cluster), left.highest));
        if known.is_some_and(|known| known != cluster) {
            return self.replaced(now, cluster, out);
        }
        if at < highest {
            return self.fail(now, went_back(at, highest), out);
        }
        let verdict = recall.found(found);
        if matches!(verdict, Verdict::Same) {
            (self.cluster, self.highest) = (known, at);
        }
        self.judge(now, verdict, out);
    }

    /// Acts on what a recall has shown.
    pub(super) fn judge(&mut self, now: Time, verdict: Verdict, out: &mut Outcome) {
        let Phase::Recalling(recall) = &self.phase else { return };
        match verdict {
            // Found to be another before, it is the same only once its list fits too.
            Verdict::Same => {
                let of = if recall.is_of_left { Of::Left } else { Of::Known };
                self.resume(now, false, out);
                if let Phase::Listing(listing) = &mut self.phase {
                    (listing.continues, listing.of) = (true, of);
                }
            }
            Verdict::Ask(at) => self.ask_for_the_witness(now, at, out),
            Verdict::Unknown if self.replaced.is_some() => {
                let fault = not_to_be_told(&recall.key);
                self.fail(now, fault, out);
            }
            Verdict::Unknown => {
                self.position = None;
                self.resume(now, false, out);
            }
            Verdict::Other(fault) => self.fail(now, fault, out),
        }
    }

    /// A page of keys.
    pub(super) fn keys_page(
        &mut self,
        now: Time,
        at: Rev,
        cluster: ClusterId,
        keys: &[(Bytes, Revisions)],
        more: bool,
        out: &mut Outcome,
    ) {
        if self.cluster.is_some_and(|known| known != cluster) {
            return self.replaced(now, cluster, out);
        }
        let Some(reconcile) = &mut self.reconcile else { return };
        reconcile.heard = now;
        let range = &self.range;
        let names = keys.iter().filter_map(|(key, revisions)| Some((key, name(range, key)?, *revisions)));
        match reconcile.page(at, names, &self.table) {
            Ok(()) if more => {}
            Ok(()) => match reconcile.complete(&mut self.table, out) {
                Ok(()) => self.go_on_reconciling(now, out),
                Err(fault) => self.fail(now, fault, out),
            },
            Err(fault) if fault.kind == FaultKind::Replaced => self.fail(now, fault, out),
            Err(fault) => self.reconcile_failed(now, fault, out),
        }
    }

    /// Records that a reconcile wanted. One that was not known is taken only if the answer is as new as all events handled:
    /// a deletion may have gone by already.
    pub(super) fn fetched(&mut self, now: Time, at: Rev, cluster: ClusterId, records: Vec<Record>, out: &mut Outcome) {
        if self.cluster.is_some_and(|known| known != cluster) {
            return self.replaced(now, cluster, out);
        }
        // Both are quorum reads, and the keys were read before.
        if let Some(listed) = self.reconcile.as_ref().and_then(|reconcile| reconcile.at).filter(|listed| at < *listed) {
            return self.fail(now, went_back(at, listed), out);
        }
        for record in &records {
            let Some(name) = name(&self.range, &record.key) else { continue };
            let known = self.table.find(name).and_then(|slot| self.table.modified(slot));
            match known {
                Some(known) if record.modified <= known => {}
                None if self.position.is_some_and(|position| at < position) => self.reconcile_soon(now),
                _ => {
                    if let Some(fact) = self.fact(record) {
                        self.learn(fact, out);
                        if let Some(reconcile) = &mut self.reconcile {
                            reconcile.differing += 1;
                        }
                    }
                }
            }
        }
        self.go_on_reconciling(now, out);
    }

    fn learn(&mut self, fact: Fact, out: &mut Outcome) {
        let slot = self.table.put(fact, out);
        if let Some(reconcile) = &mut self.reconcile {
            reconcile.exempt(slot);
        }
    }

    /// The record decoded, unless it lies outside the range.
    fn fact(&mut self, record: &Record) -> Option<Fact> {
        let name = name(&self.range, &record.key)?;
        let said = self.config.schema.decode_name(name, &record.value);
        Some(self.table.fact(name, record.modified, record.created, said))
    }
}

/// The key without the range's start, if it lies in the range.
fn name<'a>(range: &super::KeyRange, key: &'a Bytes) -> Option<&'a [u8]> {
    if range.contains(key) { key.strip_prefix(&range.start[..]) } else { None }
}
