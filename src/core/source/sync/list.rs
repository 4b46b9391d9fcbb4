//! A complete list: gathered page by page, then let out slice by slice.
//!
//! While pages come in nothing changes but revisions of records that say what they said. Once the list is complete its
//! changes go out in slices, so that a first list of a million claims does not stand in memory twice; additions before
//! removals, so that a prefix that moved is never without a claim.

use super::super::{Attempt, ClusterId, Rev};
use super::entry::Fact;
use super::note::Outcome;
use super::seen::Proof;
use super::slots::Slots;
use super::table::Table;
use crate::model::Time;
use std::collections::VecDeque;

/// How many changes go out at once.
pub(super) const SLICE: usize = 16 * 1024;

/// A list that is not complete yet.
pub(super) struct Listing {
    pub(super) attempt: Attempt,
    /// When the last page came.
    pub(super) heard: Time,
    /// Who answered, and at which revision: all pages have the same.
    pub(super) pinned: Option<(ClusterId, Rev)>,
    /// Whether the store is known to be the one that was known: it was recalled, or a known record was listed.
    pub(super) continues: bool,
    /// Which store it is to be of.
    pub(super) of: Of,
    seen: Slots,
    changed: VecDeque<Vec<Fact>>,
}

/// Which store a list is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    /// The one that is known.
    Known,
    /// Another, and it is taken all the same.
    Another,
    /// The one before that, which is back.
    Left,
}

impl Listing {
    pub(super) fn new(attempt: Attempt, now: Time) -> Self {
        Listing {
            attempt,
            heard: now,
            pinned: None,
            continues: false,
            of: Of::Known,
            seen: Slots::default(),
            changed: VecDeque::new(),
        }
    }

    /// Takes in a page. What says the same as before is only touched; the rest waits until the list is complete.
    pub(super) fn page(&mut self, facts: impl Iterator<Item = Fact>, table: &mut Table) {
        let mut changed = Vec::new();
        for fact in facts {
            if let Some(slot) = table.find(fact.name()) {
                self.seen.insert(slot);
                if table.touch(slot, &fact) {
                    continue;
                }
            }
            changed.push(fact);
        }
        changed.shrink_to_fit();
        self.changed.push_back(changed);
    }

    /// No more pages.
    pub(super) fn complete(self, at: Rev, table: &mut Table) -> Release {
        table.reserve(self.changed.iter().map(Vec::len).sum());
        let changed = self.changed.into_iter().map(Vec::into_iter).collect();
        Release { attempt: self.attempt, at, seen: self.seen, changed, swept: 0 }
    }
}

/// A complete list on its way out.
pub(super) struct Release {
    pub(super) attempt: Attempt,
    pub(super) at: Rev,
    seen: Slots,
    changed: VecDeque<std::vec::IntoIter<Fact>>,
    swept: usize,
}

impl Release {
    /// Lets out changes until there are `limit`; whether that was all.
    pub(super) fn step(&mut self, limit: usize, table: &mut Table, out: &mut Outcome) -> bool {
        while let Some(page) = self.changed.front_mut() {
            for fact in page {
                let slot = table.put(fact, out);
                self.seen.insert(slot);
                if out.changes.len() >= limit {
                    return false;
                }
            }
            self.changed.pop_front();
        }
        while self.swept < table.end() {
            let slot = table.nth(self.swept);
            self.swept += 1;
            if let Some(slot) = slot.filter(|slot| !self.seen.contains(*slot)) {
                table.remove(slot, Proof::MissingFrom { at: self.at }, out);
            }
            if out.changes.len() >= limit {
                return false;
            }
        }
        true
    }
}
