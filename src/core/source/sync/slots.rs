//! Places in the table, and sets of them.

/// A record's place. Places are used again, [`RecordId`](crate::model::RecordId)s are not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Slot(u32);

impl Slot {
    /// The last there can be.
    pub(super) const LAST: Slot = Slot(u32::MAX);

    pub(super) fn new(index: usize) -> Option<Self> {
        u32::try_from(index).ok().map(Slot)
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of slots.
#[derive(Default)]
pub(super) struct Slots(Vec<u64>);

impl Slots {
    pub(super) fn insert(&mut self, Slot(slot): Slot) {
        let word = slot as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (slot % 64);
        }
    }

    pub(super) fn contains(&self, Slot(slot): Slot) -> bool {
        self.0.get(slot as usize / 64).is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }
}
