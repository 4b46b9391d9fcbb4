//! A source whose store is another one than before: whatever it says otherwise is held for that, and only a person lets it pass.

use super::Guard;
use super::hold::{Decision, Hold};
use crate::model::{Family, SourceId, Time};
use crate::table::SlotId;

impl Guard {
    /// The source's store is another one than before. What is held already is held for that now: no time, no quiet and no raised
    /// limit that counted for the store before lets it pass. Its slots, to be settled again.
    pub(in super::super) fn suspect(&mut self, now: Time, source: SourceId) -> Vec<(Family, SlotId)> {
        let Some(guarded) = self.sources.get_mut(&source) else { return Vec::new() };
        guarded.suspect = true;
        if guarded.held.total() == guarded.replaced {
            return Vec::new();
        }
        let mut held = Vec::new();
        for (family, holds) in self.holds.iter_mut() {
            for (slot, hold) in holds.iter_mut().filter(|(_, hold)| hold.source == source && !hold.is_of_replaced()) {
                guarded.replaced += 1;
                hold.doubt(now, guarded.lists);
                held.push((family, *slot));
            }
        }
        held
    }

    /// Whether something of the source is held, or is to be, because its store was replaced.
    pub(in super::super) fn is_suspect(&self, source: SourceId) -> bool {
        self.sources.get(&source).is_some_and(|guarded| guarded.suspect || guarded.replaced > 0)
    }

    /// Whether what the source has to say of the slot is what a replaced store says, now or since that is held.
    pub(in super::super) fn is_anothers(&self, source: SourceId, family: Family, slot: SlotId) -> bool {
        let is_replaced = |hold: &Hold| hold.source == source && hold.is_of_replaced() && !hold.is_void();
        self.is_suspect_now(source) || self.hold(family, slot).is_some_and(is_replaced)
    }

    /// The source says something else of a prefix whose route is another's. If its store is another one than before, it answers for
    /// what becomes of that: what the store before said may be what would be announced instead.
    pub(in super::super) fn meddles(&mut self, source: SourceId, family: Family, slot: SlotId) {
        if self.is_suspect_now(source) {
            self.meddled[family].insert(slot, source);
        }
    }

    /// Which source's replaced store answers for what becomes of the slot's route, whoever loses that.
    pub(in super::super) fn meddler(&self, family: Family, slot: SlotId) -> Option<SourceId> {
        let held = || self.hold(family, slot).filter(|hold| hold.is_of_replaced() && !hold.is_void());
        self.meddled[family].get(&slot).copied().or_else(|| held().map(|hold| hold.source))
    }

    /// The source's store is the one again that it was before it was another: what nobody has decided of what is held for that is to
    /// be judged anew. Its slots.
    pub(in super::super) fn trust(&mut self, source: SourceId) -> Vec<(Family, SlotId)> {
        let Some(guarded) = self.sources.get_mut(&source) else { return Vec::new() };
        guarded.suspect = false;
        self.meddled.iter_mut().for_each(|(_, slots)| slots.retain(|_, meddler| *meddler != source));
        let is_open = |hold: &Hold| hold.source == source && hold.is_of_replaced() && !hold.is_decided();
        let open = self.holds().filter(|(_, _, hold)| is_open(hold)).map(|(family, slot, _)| (family, slot));
        let open: Vec<_> = open.collect();
        self.decide(Decision::Void, &open);
        open
    }

    /// Whether something that was held because the source's store was replaced has passed since this was asked last.
    pub(in super::super) fn take_accepted(&mut self, source: SourceId) -> bool {
        self.sources.get_mut(&source).is_some_and(|guarded| std::mem::take(&mut guarded.accepted))
    }

    pub(in super::super) fn trust_all(&mut self) {
        self.sources.values_mut().for_each(|guarded| guarded.suspect = false);
        self.meddled.iter_mut().for_each(|(_, slots)| slots.clear());
    }

    pub(super) fn is_suspect_now(&self, source: SourceId) -> bool {
        self.sources.get(&source).is_some_and(|guarded| guarded.suspect)
    }
}
