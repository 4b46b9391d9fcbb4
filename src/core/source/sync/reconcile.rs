//! Comparing what is known with the store's keys: heals what a watch lost (etcd#17529, #18089, #19179).
//!
//! A complete list of keys and revisions at one revision R tells which records are gone (a proof), and which are to be read
//! again. Events go on meanwhile: a record learnt while the comparison runs is left out of it.

use super::super::{Attempt, Fault, FaultKind, Rev, Revisions};
use super::history::{is_older, nothing_known, older_record, went_back};
use super::note::{Note, Outcome};
use super::seen::Proof;
use super::slots::{Slot, Slots};
use super::table::Table;
use crate::model::Time;
use bytes::Bytes;

/// How many keys are read at once: etcd's default limit of operations in one transaction.
pub(super) const FETCH: usize = 128;

/// A reconcile under way.
pub(super) struct Reconcile {
    pub(super) attempt: Attempt,
    /// When it last answered.
    pub(super) heard: Time,
    /// What the store must have reached: all that was known when it was asked.
    floor: Rev,
    /// The revision of the list of keys.
    pub(super) at: Option<Rev>,
    listed: Slots,
    /// Whether a known record was listed, or nothing was believed yet: the store is the one that was known.
    continues: bool,
    /// Keys to read.
    wanted: Vec<Bytes>,
    missing: usize,
    /// Records that were read and were new or changed.
    pub(super) differing: usize,
}

impl Reconcile {
    pub(super) fn new(attempt: Attempt, floor: Rev, now: Time, continues: bool) -> Self {
        Reconcile {
            attempt,
            heard: now,
            floor,
            at: None,
            listed: Slots::default(),
            continues,
            wanted: Vec::new(),
            missing: 0,
            differing: 0,
        }
    }

    /// Takes in a page of keys, each with its name (the key without the range's start). An error is the store's fault.
    pub(super) fn page<'a>(
        &mut self,
        at: Rev,
        keys: impl Iterator<Item = (&'a Bytes, &'a [u8], Revisions)>,
        table: &Table,
    ) -> Result<(), Fault> {
        if *self.at.get_or_insert(at) != at {
            return Err(Fault {
                kind: FaultKind::Malformed,
                message: "the pages of a list of keys were not of one revision: it will be read again".into(),
            });
        }
        if at < self.floor {
            return Err(went_back(at, self.floor));
        }
        for (key, name, revisions) in keys {
            match table.find(name) {
                None => self.wanted.push(key.clone()),
                Some(slot) => {
                    self.listed.insert(slot);
                    let known = table.revisions(slot).unwrap_or_default();
                    self.continues |= known.created == revisions.created;
                    if known.modified < revisions.modified {
                        self.wanted.push(key.clone());
                    } else if known.modified <= at && is_older(revisions, known) {
                        return Err(older_record(name, revisions, known));
                    }
                }
            }
        }
        Ok(())
    }

    /// The list of keys is complete: what it lacks is gone. Unless it lacks all that was known: that is another store.
    pub(super) fn complete(&mut self, table: &mut Table, out: &mut Outcome) -> Result<(), Fault> {
        let Some(at) = self.at else { return Ok(()) };
        let is_missing =
            |slot: &Slot| !self.listed.contains(*slot) && table.modified(*slot).is_some_and(|modified| modified <= at);
        let missing: Vec<_> = (0..table.end()).filter_map(|index| table.nth(index)).filter(is_missing).collect();
        if !missing.is_empty() && !self.continues {
            return Err(nothing_known(table.counts().records, at));
        }
        self.missing += missing.len();
        missing.into_iter().for_each(|slot| table.remove(slot, Proof::MissingFrom { at }, out));
        Ok(())
    }

    /// The next keys to read; none when it is done.
    pub(super) fn next_keys(&mut self) -> Option<Vec<Bytes>> {
        let from = self.wanted.len().saturating_sub(FETCH);
        (!self.wanted.is_empty()).then(|| self.wanted.split_off(from))
    }

    /// A record was learnt by other means: the list may have been made before it.
    pub(super) fn exempt(&mut self, slot: Slot) {
        self.listed.insert(slot);
    }

    /// What it found, if it found anything.
    pub(super) fn finding(&self) -> Option<Note> {
        let at = self.at?;
        (self.missing + self.differing > 0).then_some(Note::Reconciled {
            at,
            missing: self.missing,
            differing: self.differing,
        })
    }
}
