//! Prefixes by small number.

use crate::model::Prefix;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// A prefix's place in its family's tables. Used again only after every gateway's feed has passed its last change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SlotId(pub u32);

impl SlotId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The prefixes of one family that have a slot.
#[derive(Default, Debug)]
pub struct Slots {
    prefixes: Vec<Prefix>,
    /// Which were announced since their number was given.
    announced: Vec<bool>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
    free: Vec<SlotId>,
    changes: u64,
}

impl Slots {
    /// How many numbers were ever given: every slot is below this.
    pub fn capacity(&self) -> usize {
        self.prefixes.len()
    }

    /// How many slots are in use.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether none is in use.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// How often a number was given or taken back, or announced for the first time.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The slot's prefix.
    pub fn prefix(&self, slot: SlotId) -> Prefix {
        self.prefixes[slot.index()]
    }

    /// The prefix's slot, if it has one.
    pub fn find(&self, prefix: Prefix) -> Option<SlotId> {
        let hash = self.hasher.hash_one(prefix);
        self.numbers.find(hash, |&n| self.prefixes[n as usize] == prefix).map(|&n| SlotId(n))
    }

    /// The prefix's slot, made if need be.
    pub fn find_or_make(&mut self, prefix: Prefix) -> SlotId {
        if let Some(slot) = self.find(prefix) {
            return slot;
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.prefixes[slot.index()] = prefix;
                self.announced[slot.index()] = false;
                slot
            }
            None => {
                let slot = SlotId(u32::try_from(self.prefixes.len()).unwrap_or(u32::MAX));
                self.prefixes.push(prefix);
                self.announced.push(false);
                slot
            }
        };
        self.changes += 1;
        let (prefixes, hasher) = (&self.prefixes, &self.hasher);
        self.numbers.insert_unique(hasher.hash_one(prefix), slot.0, |&n| hasher.hash_one(prefixes[n as usize]));
        slot
    }

    /// Its prefix is announced.
    pub fn announce(&mut self, slot: SlotId) {
        if !std::mem::replace(&mut self.announced[slot.index()], true) {
            self.changes += 1;
        }
    }

    /// Whether its prefix was ever announced since it has this number. What was not, an earlier process may have announced: a gateway that
    /// keeps that must not be told that it is withdrawn before it is decided.
    pub fn was_announced(&self, slot: SlotId) -> bool {
        self.announced[slot.index()]
    }

    /// Takes the number back.
    pub fn free(&mut self, slot: SlotId) {
        let hash = self.hasher.hash_one(self.prefix(slot));
        if let Ok(entry) = self.numbers.find_entry(hash, |&n| n == slot.0) {
            entry.remove();
            self.changes += 1;
            self.free.push(slot);
        }
    }
}
