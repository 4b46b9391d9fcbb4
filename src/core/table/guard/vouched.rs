//! What another replica has let pass that has seen each change when it came: then it passes here, too.

use super::hold::{Decision, HoldReason};
use super::{ChangeKind, Guard, Hold};
use crate::model::{Family, PerFamily, SourceId, Time};
use crate::replicas::TableDigest;
use crate::table::SlotId;
use hashbrown::HashMap;

impl Guard {
    /// A held slot's route would change the table by so much.
    pub(in super::super) fn note_difference(&mut self, family: Family, slot: SlotId, difference: TableDigest) {
        if let Some(hold) = self.holds[family].get_mut(&slot) {
            self.difference[family] += difference;
            self.difference[family] -= std::mem::replace(&mut hold.difference, difference);
        }
    }

    /// What the table would have more and less of, were all that is held to pass.
    pub(in super::super) fn difference(&self) -> PerFamily<TableDigest> {
        self.difference
    }

    /// The number of the newest hold that there has been.
    pub(in super::super) fn newest_hold(&self) -> u64 {
        self.newest_hold
    }

    /// From now on what is held of these sources is held since it came while the replica was away.
    pub(in super::super) fn note_returning(&mut self, returning: Vec<SourceId>) {
        self.returning = returning;
    }

    /// Everything passes that is held up to this hold, and counts for the limits; its slots, to be settled again. Nothing does if something of
    /// that is held for more than that it came all at once after an absence.
    pub(in super::super) fn vouch(
        &mut self,
        now: Time,
        upto: u64,
        routes: impl Fn(SourceId) -> usize,
    ) -> Vec<(Family, SlotId)> {
        let came_at_once = |hold: &Hold| {
            matches!(hold.reason, HoldReason::TooMany { .. } | HoldReason::MostOfSource { .. })
                && hold.is_of_absence
                && !hold.is_decided()
        };
        let vouched = || self.holds().filter(|(_, _, hold)| hold.number <= upto);
        if !vouched().all(|(_, _, hold)| came_at_once(hold)) {
            return Vec::new();
        }
        let mut counts: HashMap<(SourceId, ChangeKind), usize> = HashMap::new();
        vouched().for_each(|(_, _, hold)| *counts.entry((hold.source, hold.kind)).or_default() += 1);
        let vouched: Vec<_> = vouched().map(|(family, slot, _)| (family, slot)).collect();
        for ((source, kind), count) in counts {
            let limit = self.config.limit(kind).map(|limit| limit.of(routes(source)));
            let (Some(guarded), Some(budget)) = (self.sources.get_mut(&source), limit) else { continue };
            let left = guarded.spent[kind].available(now, budget, self.config.refill);
            guarded.spent[kind].spend(count.min(left), budget);
            guarded.spendings += 1;
        }
        self.decide(Decision::Proven, &vouched);
        vouched
    }
}
