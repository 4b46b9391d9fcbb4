//! What another replica has let pass that has seen each change when it came: then it passes here, too.

use super::hold::{Decision, HoldReason};
use super::{Guard, Hold};
use crate::model::{Family, PerFamily};
use crate::replicas::TableDigest;
use crate::table::SlotId;

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

    /// Everything passes that is held up to this hold; its slots, to be settled again. Nothing does if something of that is held for more
    /// than that it came at once.
    pub(in super::super) fn vouch(&mut self, upto: u64) -> Vec<(Family, SlotId)> {
        let came_at_once = |hold: &Hold| {
            matches!(hold.reason, HoldReason::TooMany { .. } | HoldReason::MostOfSource { .. }) && !hold.is_decided()
        };
        let vouched = || self.holds().filter(|(_, _, hold)| hold.number <= upto);
        if !vouched().all(|(_, _, hold)| came_at_once(hold)) {
            return Vec::new();
        }
        let vouched: Vec<_> = vouched().map(|(family, slot, _)| (family, slot)).collect();
        self.decide(Decision::Proven, &vouched);
        vouched
    }
}
