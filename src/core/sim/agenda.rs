//! What will happen and when: a heap of moments. What is due at the same moment comes in the order in which it was put in.

use crate::model::Time;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

pub(super) struct Agenda<T> {
    moments: BinaryHeap<Reverse<(Time, u64)>>,
    entries: BTreeMap<u64, T>,
    next: u64,
}

impl<T> Agenda<T> {
    pub(super) fn new() -> Self {
        Agenda { moments: BinaryHeap::new(), entries: BTreeMap::new(), next: 0 }
    }

    pub(super) fn put(&mut self, at: Time, what: T) {
        self.moments.push(Reverse((at, self.next)));
        self.entries.insert(self.next, what);
        self.next += 1;
    }

    /// When the next is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.moments.peek().map(|Reverse((at, _))| *at)
    }

    /// The next, if it is due by then.
    pub(super) fn take(&mut self, now: Time) -> Option<T> {
        self.next_due().filter(|at| *at <= now)?;
        let Reverse((_, number)) = self.moments.pop()?;
        self.entries.remove(&number)
    }

    /// Nothing of this kind will happen any more.
    pub(super) fn forget(&mut self, unwanted: impl Fn(&T) -> bool) {
        let entries = &mut self.entries;
        entries.retain(|_, entry| !unwanted(entry));
        self.moments.retain(|Reverse((_, number))| entries.contains_key(number));
    }

    /// Whether anything of this kind is to come.
    pub(super) fn any(&self, wanted: impl Fn(&T) -> bool) -> bool {
        self.entries.values().any(wanted)
    }
}
